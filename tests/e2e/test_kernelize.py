"""Programs in C whose layers get kernels: the example, and the same many times."""

import os
import re
import shutil

import harness
import pytest

EXAMPLES = harness.BUILD / "examples"
SANITIZED = os.environ.get("KERNELSD_SANITIZED") == "1"


@pytest.fixture
def activating(make_daemon, tmp_path):
    """A daemon whose mapping has three layers in the repository of the example."""
    repository = tmp_path / "activation"
    shutil.copytree(EXAMPLES / "activation" / "build", repository / "build")
    made = make_daemon()
    use = {"path": str(repository), "layer": "SiluAndMul"}
    made.write_mapping({layer: [{"device": "cpu", "use": use}] for layer in ("SiluAndMul", "Other", "Third")})
    made.repository = repository
    return made.start()


def feedforward(socket):
    return harness.run([EXAMPLES / "feedforward"], env={**os.environ, "KERNELSD_SOCKET": str(socket)})


def test_the_example_computes_the_same_with_the_kernel(activating):
    answer = feedforward(activating.socket)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    reason, kernel, original = answer.stdout.splitlines()
    assert reason.startswith(f"SiluAndMul: {activating.repository}, variant tvm-ffi01-cpu-") and "fallback" in reason
    assert re.fullmatch(r"with the kernel: largest difference \d\.\de-\d\d, correct", kernel)
    assert original == "with the original again: largest difference 0.0e+00, correct"
    assert answer.stderr == ""


def test_the_example_says_what_is_wrong(activating, tmp_path):
    activating.write_mapping({})
    harness.until(lambda: activating.status()["layers"] == 0, "the mapping is empty")
    answer = feedforward(activating.socket)
    assert answer.returncode == 1 and 'no-mapping: layer "SiluAndMul": ' in answer.stderr
    answer = feedforward(tmp_path / "nobody")
    assert answer.returncode == 1 and "unreachable: " in answer.stderr


def test_what_was_put_in_place_is_known_to_the_daemon(activating):
    assert feedforward(activating.socket).returncode == 0
    peer = activating.peer()

    def reported():
        return [row for row in peer.call("history")["events"] if row["what"] == "report"]

    row = harness.until(reported, "the report is in the history")[0]
    assert (row["layer"], row["repo"]) == ("SiluAndMul", "local:activation")
    assert row["variant"].startswith("tvm-ffi01-cpu-") and "registered for fallback" in row["reason"]


def test_ten_thousand_times(activating):
    rounds, growth = ("600", []) if SANITIZED else ("10000", [str(1 << 20)])
    answer = harness.run([harness.PROGRAMS / "kernelize-rounds", activating.socket, rounds, *growth])
    assert answer.returncode == 0, answer.stdout + answer.stderr
    harness.until(lambda: activating.status()["leases"] == 0, "all leases are given back")
