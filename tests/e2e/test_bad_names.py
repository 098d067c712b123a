"""Names, ranges, modes and devices that break a rule are refused, naming it,
and nothing is registered."""

import pytest

import harness
from harness import entry, fault_of, query, reference

LONG = "L" * 257

LAYERS = {
    "over 256 bytes": LONG,
    "over 256 bytes of UTF-8": "ü" * 129,
    "NUL": "Silu\0AndMul",
    "a control character": "Silu\x1b[31m",
    "a newline": "Silu\n",
    "DEL": "Silu\x7f",
}

REPOSITORIES = {
    "no organisation": "activation",
    "empty": "",
    "two slashes": "a/b/c",
    "a blank": "org/na me",
    "two dots": "org/na..me",
    "two dashes": "org/na--me",
    "a .git ending": "org/name.git",
    "a part over 96": "org/" + "n" * 97,
    "a leading slash": "/org/name",
    "a control character": "org/na\x07me",
    "no ASCII": "org/näme",
    "a way up": "../name",
}

REVISIONS = {
    "empty": "",
    "two dots": "a..b",
    "a leading slash": "/main",
    "a leading dash": "-main",
    "a control character": "ma\x01in",
    "over 255": "r" * 256,
    "a way up": "../main",
    "NUL": "ma\0in",
}

ENTRIES = {
    "min above max": (entry("X", "cuda", 90, 80), "invalid-range"),
    "a negative bound": (entry("X", "cuda", -1, 80), "invalid-range"),
    "a range on cpu": (entry("X", "cpu", 1, 2), "invalid-range"),
    "a minimum on mps": (entry("X", "mps", 1), "invalid-range"),
    "inference and training": (entry("X", modes={"inference|training": reference()}), "invalid-mode"),
    "fallback and inference": (entry("X", modes={"fallback|inference": reference()}), "invalid-mode"),
    "an unknown mode": (entry("X", modes={"speed": reference()}), "invalid-mode"),
    "an unknown device": (entry("X", "abacus"), "invalid-device"),
    "a device with a number": (entry("X", "cuda:0"), "invalid-device"),
    "metal": (entry("X", "metal"), "invalid-device"),
    "a reference to nothing": (entry("X", modes={"fallback": {"layer": "X"}}), "bad-request"),
    "version and revision": (entry("X", modes={"fallback": {"repo": "o/n", "version": 1, "revision": "main"}}),
                             "bad-request"),
    "neither version nor revision": (entry("X", modes={"fallback": {"repo": "o/n"}}), "bad-request"),
    "a local that was not sent": (entry("X", modes={"fallback": {"local": 0}}), "bad-request"),
}


def check_refused(peer, bad, name):
    """Refused as a view of its own, and as a part of an extension."""
    good = entry("Good")
    one = fault_of(peer.call, "view.create", view=2, parent=0, entries=[good, bad])
    other = fault_of(peer.call, "view.extend", view=1, inherit=True, entries=[good, bad])
    assert one.name == other.name == name
    assert peer.label("Good") == "no-mapping"
    assert peer.call("status")["views"] == 0
    return one


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())
def test_layers(daemon, layer):
    peer = daemon.peer()
    check_refused(peer, entry(layer), "invalid-name")
    check_refused(peer, entry("X", modes={"fallback": reference(label=layer)}),
                  "invalid-name" if len(layer.encode()) <= 256 else fault_of(
                      peer.call, "view.create", view=2, parent=0,
                      entries=[entry("X", modes={"fallback": reference(label=layer)})]).name)


def test_the_longest_layer_is_one(daemon):
    peer = daemon.peer()
    peer.call("view.extend", view=1, inherit=True, entries=[entry("L" * 256), entry("ü" * 128)])
    assert peer.label("L" * 256) == peer.label("ü" * 128) == "Label"


@pytest.mark.parametrize("repo", REPOSITORIES.values(), ids=REPOSITORIES.keys())
def test_repositories(daemon, repo):
    check_refused(daemon.peer(), entry("X", modes={"fallback": reference(repo=repo)}), "invalid-name")


@pytest.mark.parametrize("revision", REVISIONS.values(), ids=REVISIONS.keys())
def test_revisions(daemon, revision):
    bad = entry("X", modes={"fallback": {"repo": "org/name", "revision": revision}})
    fault = fault_of(daemon.peer().call, "view.create", view=2, parent=0, entries=[bad])
    assert fault.name in ("invalid-name", "too-large") if len(revision) > 255 else fault.name == "invalid-name"


def test_a_negative_version(daemon):
    check_refused(daemon.peer(), entry("X", modes={"fallback": reference(version=-1)}), "invalid-name")


@pytest.mark.parametrize("bad, name", ENTRIES.values(), ids=ENTRIES.keys())
def test_entries(daemon, bad, name):
    fault = check_refused(daemon.peer(), bad, name)
    if bad["device"] == "metal":
        assert "mps" in fault.message


def test_queries(daemon):
    peer = daemon.peer()
    peer.call("view.extend", view=1, inherit=True, entries=[entry("X", "cuda")])
    cases = [
        (query("X", mode="fallback"), "invalid-mode"),
        (query("X", mode="torch_compile"), "invalid-mode"),
        (query("X", mode="inference|training"), "invalid-mode"),
        (query("X", mode=""), "invalid-mode"),
        (query("X", device="metal"), "invalid-device"),
        (query("X", device="CUDA"), "invalid-device"),
        (query("X", device="cuda:0", mode="nonsense"), "invalid-mode"),
        (query("Y"), "no-mapping"),
        (query("Y" * 256), "no-mapping"),
        (query("Y" * 257), "invalid-name"),
        (query("Y\0"), "invalid-name"),
        (query("X"), "no-device"),
        (query("X", device="cuda", capability=-5), "no-capability"),
    ]
    answers = peer.resolve(*(one for one, _ in cases))
    assert [answer["name"] for answer in answers] == [name for _, name in cases]
    assert "mps" in answers[4]["message"]
    assert all(answer["message"] and len(answer["message"]) <= 256 for answer in answers)


def test_client_texts_never_reach_a_terminal_raw(daemon):
    peer = daemon.peer(hello=False)
    try:
        peer.hello(client="evil\x1b[2J\u009b2J")
    except harness.Fault as fault:
        assert fault.name == "invalid-name"
    assert "\x1b" not in daemon.log()


def test_client_texts_are_shown_without_controls(daemon):
    with daemon.peer(client="evil\x1b[2J\u009b2J\x7f\u00a0"):
        for arguments in (["clients"], ["clients", "--json"]):
            shown = harness.run([harness.KERNELSCTL, *arguments],
                                env=daemon.environment(KERNELSD_SOCKET=str(daemon.socket)))
            assert shown.returncode == 0 and "evil" in shown.stdout and "\u00a0" in shown.stdout
            assert not any(text in shown.stdout for text in ("\x1b", "\x7f", "\u009b"))
    assert '"client": "evil\\u001b[2J\\u009b2J' in shown.stdout
