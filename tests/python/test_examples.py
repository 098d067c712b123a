"""examples/feedforward.py, as a user runs it."""

import os
import sys

import harness

ROOT = harness.pathlib.Path(__file__).resolve().parents[2]
REPOSITORY = harness.BUILD / "examples" / "activation-torch"


def run(host, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(harness.BUILD / "client" / "python"),
                   "KERNELSD_SOCKET": str(host.socket)}
    return harness.run([sys.executable, "-W", "ignore", ROOT / "examples" / "feedforward.py", *arguments],
                       env=environment)


def test_feedforward_with_the_hosts_mapping(make_host):
    host = make_host({"SiluAndMul": [{"device": "cpu", "use": {"path": str(REPOSITORY)}}]})
    answer = run(host)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.endswith(": correct\n")
    assert f"Using function/layer from repo `{REPOSITORY}`" in answer.stderr


def test_feedforward_with_a_repository_of_its_own(host):
    answer = run(host, REPOSITORY)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.endswith(": correct\n")


def test_feedforward_without_a_kernel(host):
    answer = run(host)
    assert answer.returncode == 1
    assert answer.stderr.startswith("feedforward: No layer mapping for `SiluAndMul`")
