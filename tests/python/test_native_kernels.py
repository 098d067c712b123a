"""The extension kernelsd._native: kernels, leases, progress, ctrl-C."""

import contextlib
import json
import os
import signal
import threading

import pytest

pytest_plugins = ["native_daemon"]

from native_daemon import _native, harness  # noqa: E402

ADD = ("Add", "cpu", None, "inference", None)
REPOSITORY = ("org/add", 1, None, "cpu", None, None)


def leases_of(daemon):
    return daemon.status()["leases"]


# --- kernels ---


def test_kernel(client, daemon, stocked):
    kernel = client.acquire_repository(*REPOSITORY)
    commit = stocked.commits["v1"]
    assert kernel.path == str(daemon.repository("org/add") / "snapshots" / commit / "build" / "torch-cpu")
    assert json.loads(kernel.metadata)["id"] == "test_kernel_1"
    assert os.path.samestat(os.stat(kernel.fileno()), os.stat(kernel.path))
    assert not os.get_inheritable(kernel.fileno())
    answer = kernel.answer
    assert (answer.commit, answer.variant, answer.state, answer.arch) == (commit, "torch-cpu", "ready", "unknown")
    assert (answer.layer, answer.mode, answer.source, answer.digest) == (None, None, None, "ok")
    assert leases_of(daemon) == 1 and harness.is_locked(kernel.path)


@pytest.mark.parametrize("end", [lambda kernel: kernel.free(), lambda kernel: None])
def test_a_lease_ends(client, daemon, end):
    kernel = client.acquire_repository(*REPOSITORY)
    path = kernel.path
    end(kernel)
    del kernel
    harness.until(lambda: leases_of(daemon) == 0, "the lease was given back")
    assert not harness.is_locked(path)


def test_a_freed_kernel(client):
    kernel = client.acquire_repository(*REPOSITORY)
    assert kernel.free() is None and kernel.free() is None
    for look in (lambda: kernel.path, lambda: kernel.answer, lambda: kernel.metadata, kernel.fileno):
        with pytest.raises(ValueError, match="freed"):
            look()
    with pytest.raises(ValueError, match="freed"):
        _native.Kernel().path


def test_a_kernel_outlives_its_client(client, daemon):
    kernel = client.acquire_repository(*REPOSITORY)
    client.close()
    assert harness.is_locked(kernel.path) and kernel.answer.variant == "torch-cpu"
    path = kernel.path
    kernel.free()
    assert not harness.is_locked(path)


def test_acquire_all(client):
    items = [(ADD, 0), (("Mul", *ADD[1:]), _native.FRESH), (ADD, _native.FRESH | _native.TRUST_REMOTE_CODE)]
    first, error, second = client.acquire_all(1, iter(items))
    assert isinstance(error, _native.Error) and error.name == "no-mapping" and error.code > 0 and not error.retry
    assert first.path == second.path and first.fileno() != second.fileno()
    assert (first.answer.layer, first.answer.reference_layer, first.answer.mode) == ("Add", "Sum", "fallback")
    assert client.acquire_all(1, []) == []
    assert len(client.acquire_all(1, [(ADD, 0)] * 200)) == 200


@pytest.mark.parametrize("error, view, items", [
    (TypeError, 1, None), (TypeError, 1, [None]), (TypeError, 1, [ADD]), (TypeError, 1, [[ADD, 0]]),
    (TypeError, 1, [(ADD,)]), (TypeError, 1, [(ADD, None)]),
    (TypeError, 1, [(ADD, "1")]), (TypeError, 1, [(None, 0)]), (TypeError, "1", []),
    (OverflowError, 1, [(ADD, -1)]), (OverflowError, 1, [(ADD, 2 ** 32 + 1)]), (OverflowError, 2 ** 32 + 1, [(ADD, 0)]),
    (ValueError, 1, [(("A\0", *ADD[1:]), 0)]),
    (_native.Error, 1, [(ADD, 1 << 31)]), (_native.Error, 99, [(ADD, 0)]), (_native.Error, 1, [((None, *ADD[1:]), 0)]),
])
def test_acquire_all_refuses(client, daemon, error, view, items):
    with pytest.raises(error):
        client.acquire_all(view, items)
    assert leases_of(daemon) == 0


@pytest.mark.parametrize("error, arguments", [
    (TypeError, REPOSITORY[:5]), (TypeError, (None, *REPOSITORY[1:])), (TypeError, ("org/add", "1", *REPOSITORY[2:])),
    (TypeError, (*REPOSITORY, None)), (TypeError, (*REPOSITORY, 0, "1")), (TypeError, (*REPOSITORY, 0, 0, None, 1)),
    (OverflowError, (*REPOSITORY, -1)), (OverflowError, (*REPOSITORY, 2 ** 32)),
    (OverflowError, (*REPOSITORY, 0, 2 ** 63)),
    (OverflowError, ("org/add", 2 ** 63, *REPOSITORY[2:])), (ValueError, ("org/\0", *REPOSITORY[1:])),
    (_native.Error, (*REPOSITORY, 4)), (_native.Error, ("no name", *REPOSITORY[1:])),
])
def test_acquire_repository_refuses(client, error, arguments):
    with pytest.raises(error):
        client.acquire_repository(*arguments)


def test_a_lease_goes_to_a_child(client, daemon):
    kernel = client.acquire_repository(*REPOSITORY)
    path = kernel.path

    def child():
        kernel.free()
        return harness.is_locked(path)

    assert harness.as_uid(os.getuid(), child)  # the parent's still holds
    assert harness.is_locked(path)
    kernel.free()
    assert not harness.is_locked(path)


# --- waiting ---


@pytest.fixture
def stalled(stocked):
    """The file of the kernel does not come until the fault is released."""
    fault = stocked.set_fault("stall", "files", path="*__init__.py", after=1)
    yield fault
    fault.release()


def test_progress(client, stalled):
    seen = []

    def progress(*numbers):
        seen.append(numbers)
        stalled.release()
        return False  # what it answers plays no part

    kernel = client.acquire_repository(*REPOSITORY, 0, 0, progress)
    assert kernel.answer.state == "ready" and seen
    assert all(len(row) == 4 and all(type(number) is int and number >= -1 for number in row) for row in seen)


def both_acquires(client, progress):
    return [lambda: client.acquire_repository(*REPOSITORY, 0, 0, progress),
            lambda: client.acquire_all(1, [(ADD, 0), (ADD, 0)], 0, progress)]


@pytest.mark.parametrize("which", [0, 1])
def test_an_exception_in_progress_gives_up(client, daemon, stalled, which):
    def progress(*_):
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        both_acquires(client, progress)[which]()
    harness.until(lambda: daemon.status()["acquires"] == 0, "the daemon gave up, too")
    assert leases_of(daemon) == 0


def test_what_cannot_be_called(client, stalled):
    with pytest.raises(TypeError):
        client.acquire_repository(*REPOSITORY, 0, 0, "no function")


def test_a_deadline(client, stalled):
    with pytest.raises(_native.Error) as caught:
        client.acquire_repository(*REPOSITORY, 0, 1)
    assert caught.value.name == "timeout" and caught.value.retry


def interrupt_once(daemon, n_acquires):
    """ctrl-C for the main thread, as soon as the daemon has so many acquires that wait."""
    def interrupt():
        harness.until(lambda: daemon.status()["acquires"] == n_acquires, "all wait")
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    return thread


@pytest.mark.parametrize("which", [0, 1])
def test_interrupt(client, daemon, stalled, which):
    thread = interrupt_once(daemon, which + 1)
    with pytest.raises(KeyboardInterrupt):
        both_acquires(client, None)[which]()
    thread.join()
    harness.until(lambda: daemon.status()["acquires"] == 0, "the daemon gave up, too")


def test_interrupt_while_another_thread_waits_too(client, daemon, stalled):
    done = threading.Event()

    def wait():
        with contextlib.suppress(_native.Error):
            client.acquire_repository(*REPOSITORY)
        done.set()

    other = threading.Thread(target=wait)
    other.start()
    thread = interrupt_once(daemon, 2)
    with pytest.raises(KeyboardInterrupt):
        client.acquire_all(1, [(ADD, 0)])
    assert not done.is_set()  # nobody interrupted that one
    stalled.release()
    for each in (other, thread):
        each.join()
