"""What clients say that they use: kept while they live, shown as their word, noted once."""

import json
import os

import harness
import pytest
from conftest import needs_root
from harness import fault_of

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = 65534


def row(layer="Silu", reason="as mapped", **more):
    return {"layer": layer, "reason": reason, **more}


KERNEL = row(device="cuda", mode="inference", repo="o/n", commit=COMMIT, variant="torch-cuda")
ORIGINAL = row("Norm", "the kernel has no backward", device="cuda", mode="training")


def whole(used):
    return {"device": None, "mode": None, "repo": None, "commit": None, "variant": None, **used}


def said(asker, peer):
    """What the session of `peer` says, and how much of it there is."""
    clients = asker.call("clients")["clients"]
    client = next(one for one in clients if one["session"] == peer.greeting["session"])
    return client["used"], client["n_used"]


def reports(asker, **page):
    return [event for event in asker.call("history", **page)["events"] if event["what"] == "report"]


def ctl(daemon, *arguments):
    answer = harness.run([harness.KERNELSCTL, *arguments], env={**os.environ, "KERNELSD_SOCKET": str(daemon.socket)})
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test_shown_with_pid_and_noted_once(daemon):
    peer, asker = daemon.peer(), daemon.peer()
    assert peer.call("report", used=[KERNEL, ORIGINAL]) == {}
    assert said(asker, peer) == ([whole(ORIGINAL), whole(KERNEL)], 2)
    assert said(asker, asker) == ([], 0)
    events = reports(asker)
    assert [event["layer"] for event in events] == ["Norm", "Silu"]
    facts = ("pid", "uid", "repo", "commit", "variant", "outcome", "reason")
    assert [events[0][key] for key in facts] == [os.getpid(), os.geteuid(), None, None, None, "ok", ORIGINAL["reason"]]
    assert [events[1][key] for key in facts] == [os.getpid(), os.geteuid(), "o/n", COMMIT, "torch-cuda", "ok", "as mapped"]
    # The same again is no news, in whatever spelling; something else is.
    peer.call("report", used=[KERNEL, ORIGINAL])
    assert reports(asker) == events
    peer.call("report", used=[{**KERNEL, "mode": "training|torch_compile"}])
    assert len(reports(asker)) == 3
    peer.call("report", used=[{**KERNEL, "mode": "torch_compile|training"}, {**KERNEL, "device": "cpu"}])
    assert len(reports(asker)) == 4
    used, n_used = said(asker, peer)
    assert n_used == 3 and [one["device"] for one in used] == ["cpu", "cuda", "cuda"]
    assert used[1]["mode"] == "training|torch_compile"
    # What else is noted has no reason.
    peer.call("pin.set", repo="o/n", version=1, commit=COMMIT)
    assert asker.call("history", limit=1)["events"][0]["reason"] is None


def test_kernelsctl_shows_whose_word_it_is(daemon):
    with daemon.peer() as peer:
        assert "the clients say" not in ctl(daemon, "clients")
        peer.call("report", used=[KERNEL, ORIGINAL])
        session = str(peer.greeting["session"])
        before, after = ctl(daemon, "clients").split("\nUsed, as the clients say; the daemon did not check it:\n")
        assert COMMIT not in before
        assert [line.split(maxsplit=7) for line in after.splitlines()] == [
            [session, "Norm", "cuda", "training", "original", "-", "-", ORIGINAL["reason"]],
            [session, "Silu", "cuda", "inference", "o/n", COMMIT, "torch-cuda", "as mapped"]]
        client = next(one for one in json.loads(ctl(daemon, "clients", "--json"))["clients"] if one["n_used"])
        assert client["used"][1] == KERNEL
    lines = [line.split(maxsplit=10)[2:] for line in ctl(daemon, "history").splitlines()]
    pid, uid = str(os.getpid()), str(os.geteuid())
    assert lines == [[uid, pid, "report", "ok", "Norm", "original", "-", "-", ORIGINAL["reason"]],
                     [uid, pid, "report", "ok", "Silu", "o/n", COMMIT, "torch-cuda", "as mapped"]]
    assert json.loads(ctl(daemon, "history", "--json"))["events"][0]["reason"] == ORIGINAL["reason"]


@pytest.mark.parametrize("name, wrong", [
    ("invalid-name", {"layer": "a\nb"}),
    ("invalid-name", {"reason": "\x1b[2J"}),
    ("invalid-name", {"reason": "a\x9bb"}),
    ("invalid-name", {"reason": ""}),
    ("invalid-device", {"device": "metal"}),
    ("invalid-mode", {"mode": "fallback"}),
    ("invalid-mode", {"mode": ""}),
    ("invalid-name", {"repo": "/opt/kernels"}),
    ("invalid-name", {"repo": "local:/opt/kernels"}),
    ("invalid-name", {"commit": COMMIT[:-1]}),
    ("invalid-name", {"variant": "a/b"}),
    ("bad-request", {"repo": None}),
    ("bad-request", {"repo": None, "commit": None}),
    ("bad-request", {"repo": "local:mine"}),
])
def test_a_bad_row_refuses_all(daemon, name, wrong):
    peer = daemon.peer()
    fault = fault_of(peer.call, "report", used=[ORIGINAL, ORIGINAL, {**KERNEL, **wrong}, KERNEL])
    assert fault.name == name and fault.message.startswith("used[2]: ")
    assert said(peer, peer) == ([], 0) and reports(peer) == []


def test_limits(daemon):
    peer = daemon.peer()
    assert fault_of(peer.call, "report", used=[]).name == "bad-request"
    assert fault_of(peer.call, "report", used=[row(f"L{i}") for i in range(1025)]).name == "too-large"
    for key, size in (("layer", 256), ("reason", 256)):
        assert fault_of(peer.call, "report", used=[row(**{key: "x" * (size + 1)})]).name == "too-large"
        peer.call("report", used=[row(**{key: "x" * size})])
    assert fault_of(peer.call, "report", used=[{"layer": "L"}]).name == "bad-request"
    # All that a session may say is shown in part, and a later row takes the place of the oldest.
    peer.call("report", used=[row(f"L{i}") for i in range(1024)])
    used, n_used = said(peer, peer)
    assert n_used == 1024 and [one["layer"] for one in used] == [f"L{i}" for i in range(1023, 1023 - 64, -1)]
    peer.call("report", used=[row("one more")])
    used, n_used = said(peer, peer)
    assert n_used == 1024 and used[0]["layer"] == "one more"
    assert len(reports(peer, limit=3)) == 3


def test_many_clients_are_shown_in_pages(daemon):
    """Each says as much as it can; a page of them still fits into a frame."""
    peers = [daemon.peer() for _ in range(20)]
    for peer in peers:
        peer.call("report", used=[row("l" * 250 + f"{i:06}", "r" * 256, repo="local:" + "n" * 190, variant="v" * 255,
                                      mode="training|torch_compile") for i in range(64)])
    seen, after = [], None
    while True:
        page = peers[0].call("clients", after=after)
        seen += [(one["session"], len(one["used"])) for one in page["clients"]]
        after = page["next"]
        if after is None:
            break
    assert seen == [(peer.greeting["session"], 64) for peer in peers]


def test_rows_go_with_the_session_and_the_history_stays(make_daemon):
    daemon = make_daemon().start()
    with daemon.peer() as peer:
        peer.call("report", used=[KERNEL])
        events = reports(peer)
    assert len(events) == 1
    assert daemon.stop() == 0
    daemon.start()
    with daemon.peer() as peer:
        assert reports(peer) == events
        assert said(peer, peer) == ([], 0)
        peer.call("report", used=[KERNEL])  # another session's word is another one
        assert len(reports(peer)) == 2


@needs_root
def test_another_uid_sees_nothing_of_it(make_daemon):
    daemon = make_daemon(system=True).start()
    daemon.folder.chmod(0o755)  # so that others come to the socket

    def reports_and_asks():
        with harness.Peer(daemon.socket) as peer:
            sees = [one["used"] for one in peer.call("clients")["clients"]]
            peer.call("report", used=[ORIGINAL])
            return sees, [event["uid"] for event in reports(peer)]

    with daemon.peer() as peer:
        peer.call("report", used=[KERNEL])
        assert harness.as_uid(OTHER, reports_and_asks) == ([[]], [OTHER])
        assert [event["uid"] for event in reports(peer)] == [0]  # root, on the public socket
    with daemon.peer(admin=True) as peer:
        assert [event["uid"] for event in reports(peer)] == [OTHER, 0]
