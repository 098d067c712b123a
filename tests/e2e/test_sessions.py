"""What sessions hold, and that nothing of it is another's or outlives them."""

import subprocess
import sys

import harness
from harness import entry, fault_of, query, reference, until


def test_what_one_client_registers_is_invisible_to_another(daemon):
    one, other = daemon.peer(), daemon.peer()
    one.call("view.create", view=5, parent=0, entries=[entry("Silu")])
    one.call("view.extend", view=1, inherit=True, entries=[entry("Norm")])
    assert one.label("Silu", view=5) == "Label"
    assert one.label("Norm") == "Label"
    assert other.label("Silu") == "no-mapping"
    assert other.label("Norm") == "no-mapping"
    assert fault_of(other.resolve, query("Silu"), view=5).name == "bad-request"
    other.call("view.create", view=5, parent=0, entries=[entry("Silu", modes={"fallback": reference("Other")})])
    assert one.label("Silu", view=5) == "Label"
    assert other.label("Silu", view=5) == "Other"
    assert fault_of(one.call, "view.create", view=5, parent=0).name == "bad-request"


def test_views_stand_on_the_host_live_on_nothing_or_on_copies(make_daemon):
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [harness.use("Host")]})
    peer = daemon.start().peer()
    peer.call("view.create", view=2, parent=0, entries=[entry("Norm")])
    peer.call("view.create", view=3, parent=None, entries=[entry("Norm")])
    peer.call("view.create", view=4, parent=2, entries=[entry("Gelu")])
    assert [peer.label("Silu", view=view) for view in (0, 1, 2, 3, 4)] == ["Host"] * 3 + ["no-mapping", "Host"]
    assert [peer.label("Norm", view=view) for view in (1, 2, 3, 4)] == ["no-mapping"] + ["Label"] * 3
    peer.call("view.drop", view=2)
    assert peer.label("Norm", view=4) == "Label"
    assert peer.label("Gelu", view=4) == "Label"
    daemon.write_mapping({"Silu": [harness.use("Newer")]})
    until(lambda: peer.label("Silu", view=4) == "Newer", "a view sees the new host mapping")
    peer.call("view.extend", view=4, inherit=False, entries=[entry("Only")])
    assert [peer.label(layer, view=4) for layer in ("Silu", "Norm", "Gelu", "Only")] == ["no-mapping"] * 3 + ["Label"]


def test_two_threads_drop_their_views_in_the_opposite_order(daemon):
    program = harness.PROGRAMS / "two-threads"
    answer = harness.run([program, daemon.socket])
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_view_0_and_numbers_in_use_are_refused(daemon):
    peer = daemon.peer()
    for view in (0, 1, 1 << 32, -1):
        assert fault_of(peer.call, "view.create", view=view, parent=0).name == "bad-request"
    assert fault_of(peer.call, "view.extend", view=0, inherit=True, entries=[]).name == "bad-request"
    assert fault_of(peer.call, "view.drop", view=0).name == "bad-request"
    assert fault_of(peer.call, "view.drop", view=9).name == "bad-request"
    assert fault_of(peer.call, "view.create", view=9, parent=8).name == "bad-request"


def hold_everything(socket):
    """In a process of its own: takes what a session can hold, then waits."""
    with harness.Peer(socket, environment={"torch": "2.7"}) as peer:
        peer.call("view.create", view=2, parent=0, entries=[entry(f"Own{i}") for i in range(100)])
        peer.acquire("Silu")
        peer.request("acquire", view=0, query=query("Slow"))
        peer.socket.sendall(b"\xff")  # and half a frame
        print("held", flush=True)
        sys.stdin.read()


def test_a_client_that_dies_leaves_nothing(make_daemon, repository, tmp_path):
    slow = tmp_path / "slow"
    harness.make_slow_variant(slow)
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(repository)}}],
                          "Slow": [{"device": "cpu", "use": {"path": str(slow)}}]})
    daemon.start()
    code = f"import test_sessions; test_sessions.hold_everything({str(daemon.socket)!r})"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          cwd=harness.pathlib.Path(__file__).parent) as client:
        assert client.stdout.readline() == b"held\n"
        until(lambda: daemon.status()["acquires"] == 1, "the slow acquire waits")
        status = daemon.status()
        assert (status["sessions"], status["views"], status["entries"], status["leases"]) == (2, 1, 100, 1)
        assert harness.is_locked(repository / "build" / "torch-cpu")
        client.kill()
    until(lambda: not daemon.left_over(), "nothing is left of the client")
    assert not harness.is_locked(repository / "build" / "torch-cpu")


def test_clients_shows_who_holds_what(serving):
    peer = serving.peer(client="shown", environment={"torch": "2.7", "backend": "cu128"})
    peer.call("view.create", view=2, parent=0, entries=[entry("A"), entry("B")])
    lease = peer.acquire("Silu")["lease"]
    rows = [row for row in serving.ask("clients")["clients"] if row["client"] == "shown"]
    assert len(rows) == 1
    row = rows[0]
    assert (row["views"], row["entries"], row["n_leases"]) == (1, 2, 1)
    assert row["pid"] == harness.os.getpid() and row["uid"] == harness.os.getuid()
    assert row["environment"]["torch"] == "2.7"
    assert row["leases"][0]["lease"] == lease and row["leases"][0]["variant"] == "torch-cpu"
    peer.call("release", lease=lease)
    rows = [row for row in serving.ask("clients")["clients"] if row["client"] == "shown"]
    assert rows[0]["n_leases"] == 0
