"""kernelsctl: exit statuses, JSON with its schema named, tables for people."""

import json
import os
import pty
import subprocess

import pytest

import harness
from harness import use


def ctl(daemon, *arguments, **environment):
    """(exit status, stdout, stderr)"""
    answer = harness.run([harness.KERNELSCTL, *map(str, arguments)],
                            env=daemon.environment(KERNELSD_SOCKET=str(daemon.socket), **environment))
    return answer.returncode, answer.stdout, answer.stderr


def ctl_json(daemon, *arguments):
    status, output, errors = ctl(daemon, *arguments, "--json")
    assert errors == "", errors
    return status, json.loads(output)


@pytest.fixture
def known(make_daemon, repository):
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(repository)}},
                                   use("Gpu", "cuda", min_capability=80)],
                          "Norm": [{"device": "cpu", "modes": {"training": {"repo": "o/n", "version": 2}}}]})
    return daemon.start()


def test_resolve(known, repository):
    status, answer = ctl_json(known, "resolve", "Silu", "--device=cpu")
    assert status == 0 and answer["schema"] == "kernelsctl.resolve.1"
    assert answer["answers"][0]["variant"] == "torch-cpu"
    assert str(repository) in json.dumps(answer)
    status, output, _ = ctl(known, "resolve", "Silu", "Norm", "--device=cpu")
    assert status == 0 and "torch-cpu" in output and "o/n" in output


def test_exit_statuses(known, make_daemon):
    cases = [
        (4, ["resolve", "Nothing", "--device=cpu"]),
        (4, ["resolve", "Norm", "--device=cuda", "--capability=90"]),
        (4, ["resolve", "Silu", "--device=cuda", "--capability=70"]),
        (2, ["resolve", "Silu", "--device=cpu", "--mode=speed"]),
        (2, ["resolve", "Silu", "--device=metal"]),
        (2, ["resolve"]),
        (2, ["no-such-verb"]),
        (2, ["resolve", "Silu", "--no-such-option"]),
        (0, ["status"]),
        (0, ["clients"]),
        (0, ["version"]),
        (0, ["mapping", "list"]),
        (0, ["explain", "Silu", "--device=cpu"]),
    ]
    for wanted, arguments in cases:
        status, output, errors = ctl(known, *arguments)
        assert status == wanted, (arguments, output, errors)
        assert bool(errors) == bool(status), (arguments, errors)
    absent = make_daemon()
    for verb in (["status"], ["resolve", "Silu", "--device=cpu"], ["clients"], ["mapping", "list"]):
        status, _, errors = ctl(absent, *verb)
        assert status == 3, verb
        assert str(absent.socket) in errors and "kernelsd" in errors


def test_no_variant_is_5_and_lists_them(make_daemon, tmp_path):
    harness.make_variant(tmp_path / "repository", "torch27-cxx11-cpu-x86_64-linux")
    harness.make_variant(tmp_path / "repository", "torch26-cxx11-cpu-x86_64-linux")
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(tmp_path / "repository")}}]})
    daemon.start()
    status, _, errors = ctl(daemon, "acquire", "Silu", "--device=cpu", "--torch=2.9")
    assert status == 5
    assert "torch27-cxx11-cpu-x86_64-linux" in errors and "torch26-cxx11-cpu-x86_64-linux" in errors
    status, _, _ = ctl(daemon, "acquire", "Silu", "--device=cpu", "--torch=2.7", "--abi=cxx11")
    assert status == 0
    with daemon.peer(environment={"torch": "2.6", "cxx11_abi": True}) as like:
        status, answer = ctl_json(daemon, "explain", "Silu", "--device=cpu", f"--like={like.greeting['session']}")
        assert status == 0
        assert answer["schema"] == "kernelsctl.explain.1"
        taken = [step["candidate"] for step in answer["trace"]
                 if step["step"] == "variant" and step["verdict"] == "taken"]
        assert taken == ["torch26-cxx11-cpu-x86_64-linux"]


def test_status_tells_of_a_faulty_mapping(known):
    assert ctl(known, "status")[0] == 0
    path = known.write_mapping("{ nonsense", "90-bad.json")
    harness.until(lambda: not known.status()["mapping_ok"], "the fault is seen")
    status, output, _ = ctl(known, "status")
    assert status == 1 and f"{path}:1:" in output
    status, answer = ctl_json(known, "status")
    assert status == 1 and answer["schema"] == "kernelsctl.status.1"
    assert answer["mapping_faults"][0]["line"] == 1


def test_mapping_list_and_check(known):
    status, answer = ctl_json(known, "mapping", "list")
    assert status == 0 and answer["schema"] == "kernelsctl.mapping-list.1"
    assert [entry["layer"] for entry in answer["entries"]] == ["Norm", "Silu", "Silu"]
    good = known.mapping_folder / "50-test.json"
    bad = known.folder / "bad.json"
    bad.write_text('{ "kernelsd": 1,\n "mapping": [] }')
    path = f"{harness.KERNELSD.parent}:{os.environ['PATH']}"
    assert ctl(known, "mapping", "check", good, PATH=path)[0] == 0
    status, output, errors = ctl(known, "mapping", "check", good, bad, PATH=path)
    assert status != 0 and f"{bad}" in output + errors


def test_clients(known):
    with known.peer(client="someone", environment={"torch": "2.7"}) as peer:
        peer.acquire("Silu")
        status, answer = ctl_json(known, "clients")
        assert status == 0 and answer["schema"] == "kernelsctl.clients.1"
        row = [one for one in answer["clients"] if one["client"] == "someone"][0]
        assert row["n_leases"] == 1 and row["pid"] == os.getpid()
        assert "someone" in ctl(known, "clients")[1]


def test_acquire_runs_a_command_while_it_holds_the_lease(known, repository):
    folder = repository / "build" / "torch-cpu"
    status, output, errors = ctl(known, "acquire", "Silu", "--device=cpu")
    assert status == 0 and str(folder) in output, errors
    assert not harness.is_locked(folder)


def test_version_needs_no_daemon(make_daemon):
    status, answer = ctl_json(make_daemon(), "version")
    assert status == 0 and answer["schema"] == "kernelsctl.version.1"


def on_terminal(daemon, **environment):
    """What `resolve` prints when stdout is a terminal."""
    master, slave = pty.openpty()
    settings = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    with subprocess.Popen([harness.KERNELSCTL, "resolve", "Silu", "--device=cpu"], stdout=slave,
                          env={**settings, "KERNELSD_SOCKET": str(daemon.socket), "TERM": "xterm", **environment}) as run:
        assert run.wait() == 0
    os.close(slave)
    output = b""
    try:
        while data := os.read(master, 4096):
            output += data
    except OSError:  # the other side is closed
        pass
    os.close(master)
    return output


def test_progress_on_a_terminal(make_daemon, tmp_path):
    """A line that is drawn anew while a large kernel is checked."""
    harness.make_slow_variant(tmp_path / "repository")
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(tmp_path / "repository")}}]})
    daemon.start()
    master, slave = pty.openpty()
    with subprocess.Popen([harness.KERNELSCTL, "acquire", "Silu", "--device=cpu"], stdout=subprocess.PIPE, stderr=slave,
                          env=daemon.environment(KERNELSD_SOCKET=str(daemon.socket), TERM="xterm")) as run:
        os.close(slave)
        output = b""
        while output.count(b"\r") < 3:
            output += os.read(master, 4096)
        run.kill()
    os.close(master)
    assert b" GB, " in output and b" files" in output and output.startswith(b"\r") and b"\n" not in output, output


def test_status_names_hub_and_cache(known):
    status, answer = ctl_json(known, "status")
    assert status == 0 and {"hub", "offline", "cache", "kernels", "fetches"} <= set(answer)
    lines = ctl(known, "status")[1].splitlines()
    assert any(line.startswith(f"hub          {answer['hub']}") for line in lines)
    assert any(line.startswith("cache        ") and f"kernels {answer['kernels']}" in line for line in lines)


def test_colours_on_a_terminal_and_no_color(known):
    assert b"\x1b[" in on_terminal(known)
    plain = on_terminal(known, NO_COLOR="1")
    assert b"\x1b[" not in plain and b"LAYER" in plain
    assert "\x1b" not in ctl(known, "resolve", "Silu", "--device=cpu")[1]
