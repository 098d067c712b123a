"""What a service manager sees: sockets that it opens, readiness, reload, stop."""

import os
import signal
import socket

import pytest

import harness
from harness import until, use


def listening(path):
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(str(path))
    made.listen(100)
    return made


def start_with_sockets(daemon, names, *sockets):
    """As systemd does: from descriptor 3 on, named, for this process alone."""

    def hand_over():
        copies = [os.dup(one.fileno()) for one in sockets]
        high = [os.dup2(copy, 100 + n) for n, copy in enumerate(copies)]
        for n, fd in enumerate(high):
            os.dup2(fd, 3 + n)

    launcher = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh"]
    daemon.start(launcher=launcher, socket_option=False, pass_fds=tuple(range(3, 3 + len(sockets))),
                 preexec=hand_over, LISTEN_FDS=str(len(sockets)), LISTEN_FDNAMES=names)


def test_a_socket_that_was_passed_is_served(make_daemon):
    daemon = make_daemon()
    passed = listening(daemon.socket)
    early = harness.Peer(daemon.socket, hello=False)  # connects before there is a daemon
    daemon.peers.append(early)
    start_with_sockets(daemon, "public", passed)
    assert early.hello()["protocol"] == 1
    daemon.peer().call("status")
    early.close()
    assert daemon.stop() == 0
    assert daemon.socket.exists(), "the socket is its unit's, not the daemon's"
    waiting = harness.Peer(daemon.socket, hello=False)  # and goes on taking connections
    daemon.peers.append(waiting)
    start_with_sockets(daemon, "public", passed)
    assert waiting.hello()["protocol"] == 1
    passed.close()


def test_both_sockets_of_the_system(make_daemon):
    daemon = make_daemon(system=True)
    public, admin = listening(daemon.socket), listening(daemon.admin_socket)
    start_with_sockets(daemon, "public:admin", public, admin)
    assert harness.fault_of(daemon.peer().call, "mapping.list").name == "denied"
    assert daemon.peer(admin=True).call("mapping.list")["entries"] == []
    public.close()
    admin.close()


def test_readiness_status_and_stop_are_told(make_daemon):
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [use()]})
    daemon.start()
    text = "\n".join(daemon.notified)
    assert text.count("READY=1") == 1
    with daemon.peer() as peer:
        assert peer.label("Silu") == "Label", "ready means that the mapping is there"
    daemon.process.send_signal(signal.SIGTERM)
    daemon.await_notification("STOPPING=1")
    assert daemon.process.wait(harness.PATIENCE_S) == 0
    daemon.process = None
    assert not daemon.socket.exists()


def test_sighup_reloads(make_daemon):
    daemon = make_daemon()
    daemon.start()
    peer = daemon.peer()
    (daemon.config / "kernelsd.json").write_text('{ "quota": { "entries": 5 } }')
    daemon.process.send_signal(signal.SIGHUP)
    taken = "\n".join(daemon.await_notification("READY=1"))
    assert "RELOADING=1" in taken and "MONOTONIC_USEC=" in taken
    assert harness.fault_of(peer.call, "view.create", view=2, parent=0,
                            entries=[harness.entry(f"L{n}") for n in range(6)]).name == "limit"
    assert peer.label("L1") == "no-mapping", "sessions outlive a reload"


def test_a_faulty_configuration_stops_the_start_but_not_a_running_daemon(make_daemon):
    daemon = make_daemon()
    daemon.start()
    path = daemon.config / "kernelsd.json"
    path.write_text('{ "quota":\n { "entires": 5 } }')
    daemon.process.send_signal(signal.SIGHUP)
    daemon.await_notification("READY=1")
    until(lambda: str(path) in daemon.log(), "the log names the file")
    assert daemon.status()["sessions"] == 1
    answer = harness.run(daemon.arguments("--socket", daemon.run / "second"), env=daemon.environment())
    assert answer.returncode != 0
    assert str(path) in answer.stderr and "entires" in answer.stderr


def test_the_watchdog_is_fed(make_daemon):
    daemon = make_daemon()
    daemon.start(WATCHDOG_USEC="100000")
    daemon.await_notification("WATCHDOG=1")
    daemon.await_notification("WATCHDOG=1")


def test_the_watchdog_is_fed_while_the_file_thread_works(make_daemon, tmp_path):
    harness.make_slow_variant(tmp_path / "slow")
    daemon = make_daemon()
    daemon.write_mapping({"Slow": [{"device": "cpu", "use": {"path": str(tmp_path / "slow")}}]})
    daemon.start(WATCHDOG_USEC="2000000")
    peer = daemon.peer()
    peer.request("acquire", view=0, query=harness.query("Slow"))
    daemon.await_notification("WATCHDOG=1")
    daemon.await_notification("WATCHDOG=1")


def test_a_second_daemon_does_not_take_the_socket(make_daemon):
    daemon = make_daemon()
    daemon.start()
    answer = harness.run(daemon.arguments("--socket", daemon.socket),
                            env=daemon.environment())
    assert answer.returncode != 0
    assert str(daemon.socket) in answer.stderr
    assert daemon.status()["sessions"] == 1


def test_a_stale_socket_is_replaced(make_daemon):
    daemon = make_daemon()
    daemon.start()
    first = daemon.status()["instance"]
    daemon.kill()
    assert daemon.socket.exists()
    daemon.start()
    assert daemon.status()["instance"] != first


def test_something_else_in_the_sockets_place_stays(make_daemon):
    daemon = make_daemon()
    daemon.socket.write_text("precious")
    answer = harness.run(daemon.arguments("--socket", daemon.socket),
                            env=daemon.environment())
    assert answer.returncode != 0
    assert str(daemon.socket) in answer.stderr
    assert daemon.socket.read_text() == "precious"


@pytest.mark.parametrize("arguments", [["--no-such-flag"], ["--hello-ms", "soon"], ["--quota-entries", "0"],
                                       ["--socket", "relative"], ["stray"]], ids=lambda one: one[0])
def test_flags_that_are_wrong(make_daemon, arguments):
    daemon = make_daemon()
    answer = harness.run(daemon.arguments(*arguments),
                            env=daemon.environment())
    assert answer.returncode != 0
    assert arguments[0].lstrip("-") in answer.stderr.replace("_", "-").replace(".", "-")


def test_newer_kernel_features_can_be_missing(make_daemon):
    daemon = make_daemon()
    daemon.start(KERNELSD_TEST_WITHOUT="peerpidfd,passrights,pidfdinfo")
    assert "SO_PEERPIDFD" in daemon.status()["absent"]
    assert daemon.peer().label("X") == "no-mapping"


def test_a_quota_by_cgroup(make_daemon):
    daemon = make_daemon()
    daemon.start("--quota-domain", "cgroup")
    assert daemon.peer().label("X") == "no-mapping"
