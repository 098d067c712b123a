"""The extension kernelsd._native keeps nothing: memory and descriptors stay flat."""

import contextlib
import os
import pathlib

import pytest

pytest_plugins = ["native_daemon"]

from native_daemon import _native  # noqa: E402

ADD = ("Add", "cpu", None, "inference", None)
MUL = ("Mul", *ADD[1:])
REPOSITORY = ("org/add", 1, None, "cpu", None, None)
ENTRIES = [("Add", "cpu", None, None, (("fallback", "org/add", 1, None, None, "Sum"),))]
VALUE = {"a": [None, True, 10 ** 12, "text", b"bytes", {"b": (1, "2")}]}

# A sanitizer keeps what was freed for a while: there, only its own findings count.
SANITIZED = "libasan" in pathlib.Path("/proc/self/maps").read_text()
N_ROUNDS = 300 if SANITIZED else 20000
N_ACQUIRES = 300 if SANITIZED else 4000  # of calls that take a third of a millisecond
SLACK_KIB = 512  # an object of 32 bytes in each of 20,000 rounds would be 640; of 160 in each of 4,000, 625


def rss_anon_kib():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise AssertionError("no RssAnon")


def n_descriptors():
    return len(os.listdir("/proc/self/fd"))


def fails(function, *arguments):
    with contextlib.suppress(_native.Error, TypeError, ValueError, OverflowError):
        function(*arguments)
        raise AssertionError("no error")


def view_round(client):
    view = client.view_create(0, ENTRIES)
    client.view_extend(view, True, ENTRIES)
    client.view_drop(view)


def kernel_round(client):
    kernel = client.acquire_repository(*REPOSITORY, 0, 0, lambda *_: None)
    assert kernel.answer.commit and kernel.path and kernel.metadata and kernel.fileno()


def refused_round(client):
    fails(client.resolve, 1, [ADD, ADD[:4]])
    fails(client.view_create, 0, [*ENTRIES, ("Add", "cpu", None, None, (None,))])
    fails(client.acquire_all, 1, [(ADD, 0), (ADD, -1)])
    fails(client.call, "status", {"a": [VALUE, 1.5]})
    fails(_native.Client, {"torch": "2.7", "cpu": 1})


ROUNDS = {
    "resolve": lambda client: client.resolve(1, [ADD, MUL]),
    "views": view_round,
    "kernels": kernel_round,
    "acquire_all": lambda client: client.acquire_all(1, [(ADD, 0), (MUL, 0)]),
    "status": lambda client: client.call("status", {}),
    "errors": lambda client: fails(client.call, "nonsense", VALUE),
    "refused": refused_round,
}


def grown_kib(one_round, n_rounds):
    before = rss_anon_kib()
    for _ in range(n_rounds):
        one_round()
    return rss_anon_kib() - before


def check_flat(one_round, n_rounds=N_ROUNDS):
    """What leaks does so every time; what is merely set up does so once."""
    one_round()
    descriptors, grown = n_descriptors(), []
    while not grown or grown[-1] >= SLACK_KIB:
        assert len(grown) < 3, f"KiB more after each {n_rounds} rounds: {grown}"
        kib = grown_kib(one_round, n_rounds)
        grown.append(0 if SANITIZED else kib)
    assert n_descriptors() == descriptors


@pytest.mark.parametrize("name", ROUNDS)
def test_calls(client, name):
    check_flat(lambda: ROUNDS[name](client), N_ACQUIRES if name in ("kernels", "acquire_all") else N_ROUNDS)


def test_values(echoed):
    check_flat(lambda: echoed.call("status", VALUE))


def test_clients(daemon):
    environment = {"torch": "2.7", "backend": "cpu"}

    def one_round():
        _native.Client(environment, client="a test", socket=str(daemon.socket))

    check_flat(one_round)
