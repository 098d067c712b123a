"""The extension kernelsd._native: connecting, errors, views, resolving, closing, fork."""

import os
import threading

import pytest

pytest_plugins = ["native_daemon"]

from native_daemon import _native, harness  # noqa: E402

ADD = ("Add", "cpu", None, "inference", None)
HUB = ("fallback", "org/add", 1, None, None, "Sum")


def error_of(function, *arguments, **keywords):
    with pytest.raises(_native.Error) as caught:
        function(*arguments, **keywords)
    return caught.value


def as_row(error):
    return error.code, error.name, error.retry


# --- connecting ---


def test_constants():
    assert (_native.VIEW_HOST, _native.FRESH, _native.TRUST_REMOTE_CODE) == (0, 1, 2)
    assert _native.version() == "0.1.0"


def test_environment_and_options(daemon):
    environment = {"torch": "2.7", "cxx11_abi": True, "tvm_ffi": "0.1", "backend": "cu128", "cpu": "x86_64",
                   "os": "linux", "python": "3.11", "free_threaded": False, "glibc": "2.36", "program": "prög"}
    client = _native.Client(environment, client="a test 1", socket=str(daemon.socket), job="job", native=True,
                            offline=1, timeout_ms=60000)
    assert client.daemon_version.startswith("kernelsd ")
    row = client.call("clients", {})["clients"][0]
    assert row["pid"] == os.getpid() and row["client"] == "a test 1" and row["environment"] == environment
    assert error_of(client.acquire_repository, "org/add", 1, None, "cpu", None, None).name == "offline"
    client.close()


@pytest.mark.parametrize("environment", [None, {}, {"torch": None, "cxx11_abi": None, "unknown": object()}])
def test_environment_may_be_empty(echo, environment):
    client = _native.Client(environment, socket=echo.path)
    assert client.daemon_version == "echo 1"
    client.close()


def test_no_daemon(tmp_path, monkeypatch):
    error = error_of(_native.Client, socket=str(tmp_path / "none"))
    assert as_row(error) == (-2, "unreachable", True) and str(tmp_path / "none") in str(error)
    # A path that is no UTF-8 comes from the environment alone; the message says what it can.
    monkeypatch.setenv("KERNELSD_SOCKET", os.fsdecode(bytes(tmp_path / "n") + b"\xff"))
    error = error_of(_native.Client)
    assert error.name == "unreachable" and "\ufffd" in str(error)


@pytest.mark.parametrize("error, arguments, keywords", [
    (TypeError, ({}, "positional"), {}),
    (TypeError, ([],), {}),
    (TypeError, ({"torch": 2.7},), {}),
    (TypeError, (), {"client": 1}),
    (TypeError, (), {"unknown": 1}),
    (TypeError, (), {"timeout_ms": "1"}),
    (OverflowError, (), {"timeout_ms": 2 ** 31}),
    (OverflowError, (), {"offline": 2 ** 80}),
    (ValueError, (), {"socket": "a\0b"}),
    (ValueError, ({"torch": "2\0"},), {}),
    (UnicodeEncodeError, (), {"client": "\udc80"}),
])
def test_bad_arguments(error, arguments, keywords):
    with pytest.raises(error):
        _native.Client(*arguments, **keywords)


def test_truth_of_an_environment_may_raise():
    class Neither:
        def __bool__(self):
            raise KeyError("neither")

    with pytest.raises(KeyError, match="neither"):
        _native.Client({"cxx11_abi": Neither()})


def test_bad_environment_is_the_daemons_error(daemon):
    error = error_of(_native.Client, {"torch": "two"}, socket=str(daemon.socket))
    assert error.code > 0 and error.name in ("bad-request", "invalid-name") and not error.retry


def test_connects_once(echo):
    client = _native.Client(socket=echo.path)
    with pytest.raises(ValueError, match="once"):
        client.__init__(socket=echo.path)
    client.close()
    with pytest.raises(ValueError, match="once"):
        client.__init__(socket=echo.path)
    with pytest.raises(ValueError, match="closed"):
        _native.Client.__new__(_native.Client).call("status", {})


def test_gate():
    assert _native.gate("inference", "inference", True, False, True) == "use_kernel"
    assert _native.gate("training", "training", False, False, True) == "registered_mode_unsupported"
    assert _native.gate("training", "fallback", False, False, True) == "use_original"
    assert _native.gate("training", "fallback", False, False, False) == "requested_mode_unsupported"
    assert _native.gate("inference", None, True, True, False) == "no_mapping"
    assert _native.gate("sleeping", None, True, True, True) == "invalid_mode"
    with pytest.raises(TypeError):
        _native.gate("inference", 1, True, True, True)


# --- errors ---


def test_errors(client):
    assert issubclass(_native.Error, Exception)
    assert as_row(error_of(client.call, "nonsense", {})) == (2, "unknown-method", False)
    assert as_row(error_of(client.call, "hello", {})) == (-22, "EINVAL", False)
    assert as_row(error_of(client.call, "status", None)) == (-22, "EINVAL", False)
    error = error_of(client.acquire_repository, "org/none", 1, None, "cpu", None, None)
    assert (error.name, error.retry) == ("no-repository", False) and "org/none" in str(error)


def test_an_error_that_may_pass(echoed):
    fault = {"name": "busy", "message": "spät", "retry": True, "detail": None}
    error = error_of(echoed.call, "status", {"error": fault})
    assert error.name == "busy" and error.retry and error.code > 0 and str(error) == "spät"


def test_a_message_that_was_cut(echoed):
    fault = {"name": "busy", "message": "ä" * 2000, "retry": True, "detail": None}
    assert str(error_of(echoed.call, "status", {"error": fault})).startswith("ää")


def test_a_daemon_that_has_ended(client, daemon):
    assert client.call("status", {})["sessions"] == 1
    daemon.kill()
    error = error_of(client.call, "status", {})
    assert error.name == "unreachable" and error.retry and error.code < 0
    daemon.start()
    assert client.call("status", {})["sessions"] == 1


# --- resolving ---


def test_resolve(client):
    found, none = client.resolve(0, (query for query in (ADD, ("Mul", "cpu", -1, "inference", None))))
    assert isinstance(found, tuple) and found == tuple(found)
    assert (found.code, found.name, found.message) == (0, None, None)
    assert (found.layer, found.mode, found.source) == ("Add", "fallback", "file:50-test.json")
    assert (found.reference_layer, found.min_capability, found.max_capability) == ("Sum", -1, -1)
    assert (found.repo, found.version, found.revision, found.state) == ("org/add", 1, None, "unknown")
    assert (found.commit, found.variant, found.path, found.digest, found.locked) == (None,) * 5
    assert none.name == "no-mapping" and none.code > 0 and none.message and none.layer is None
    assert client.resolve(0, []) == []
    assert [row.code for row in client.resolve(1, [ADD] * 1500, True)] == [0] * 1500


@pytest.mark.parametrize("error, view, queries", [
    (TypeError, None, []), (TypeError, "1", []), (TypeError, 1.0, []),
    (OverflowError, -1, []), (OverflowError, 2 ** 32, []), (OverflowError, 2 ** 64, []),
    (TypeError, 1, None), (TypeError, 1, [None]), (TypeError, 1, [list(ADD)]), (TypeError, 1, [ADD[:4]]),
    (TypeError, 1, [(1, *ADD[1:])]), (TypeError, 1, [(*ADD[:2], "90", *ADD[3:])]),
    (OverflowError, 1, [(*ADD[:2], 2 ** 63, *ADD[3:])]),
    (ValueError, 1, [("A\0dd", *ADD[1:])]), (UnicodeEncodeError, 1, [("\ud800", *ADD[1:])]),
    (_native.Error, 77, [ADD]), (_native.Error, 1, [(None, *ADD[1:])]),
])
def test_resolve_refuses(client, error, view, queries):
    with pytest.raises(error):
        client.resolve(view, queries)


# --- views ---


def found_in(client, view, layer="Add"):
    answer = client.resolve(view, [(layer, *ADD[1:])])[0]
    return answer.name or f"{answer.source}/{answer.reference_layer}"


def test_views(client):
    on_host = client.view_create(0, [("Mul", "cpu", None, None, (HUB,))])
    assert (found_in(client, on_host), found_in(client, on_host, "Mul")) == ("file:50-test.json/Sum", "view/Sum")
    on_nothing = client.view_create(None, [("Mul", "cpu", None, None, (HUB,))])
    assert (found_in(client, on_nothing), found_in(client, on_nothing, "Mul")) == ("no-mapping", "view/Sum")
    copy = client.view_create(on_nothing, ())
    assert found_in(client, copy, "Mul") == "view/Sum"
    assert client.view_extend(copy, False, [("Add", None, None, None, ())]) is None
    assert (found_in(client, copy), found_in(client, copy, "Mul")) == ("no-device", "no-mapping")
    ranged = [("Add", "cuda", 80, 89, (HUB, ("inference", "org/add", None, "main", None, None)))]
    client.view_extend(copy, True, ranged)
    answer = client.resolve(copy, [("Add", "cuda", 86, "inference", None)])[0]
    assert (answer.min_capability, answer.max_capability, answer.revision, answer.version) == (80, 89, "main", -1)
    assert client.view_drop(on_nothing) is None
    assert error_of(client.resolve, on_nothing, [ADD]).name == "bad-request"
    assert error_of(client.view_drop, 0).name == "bad-request"


@pytest.mark.parametrize("entries", [
    None, [None], [("Add",)], [("Add", "cpu", None, None, [HUB])], [("Add", "cpu", None, None, (HUB[:5],))],
    [("Add", "cpu", None, None, (None,))], [(b"Add", "cpu", None, None, ())], [("Add", "cpu", "1", None, ())],
])
def test_bad_entries(client, entries):
    with pytest.raises(TypeError):
        client.view_create(0, entries)
    with pytest.raises(TypeError):
        client.view_extend(1, True, entries)


def test_bad_views(client):
    for error, parent in ((TypeError, "0"), (OverflowError, 2 ** 63), (_native.Error, 55), (_native.Error, -2)):
        with pytest.raises(error):
            client.view_create(parent, [])
    for error, view in ((TypeError, None), (OverflowError, 2 ** 32 + 1), (OverflowError, -1), (_native.Error, 55)):
        with pytest.raises(error):
            client.view_extend(view, True, [])
        with pytest.raises(error):
            client.view_drop(view)
    assert error_of(client.view_create, 0, [("Add", "toaster", None, None, (HUB,))]).name == "invalid-device"


# --- closing ---


def test_two_threads_connect_one_client(echo):
    client = _native.Client.__new__(_native.Client)
    failures = []

    def connect():
        try:
            client.__init__(socket=echo.path)
        except ValueError as error:
            failures.append(str(error))

    echo.go_on.clear()
    threads = [threading.Thread(target=connect) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in threads:
        echo.asked.acquire()  # both say hello
    echo.go_on.set()
    for thread in threads:
        thread.join()
    assert failures == ["a client connects once"] and client.call("status", {"a": 1}) == {"a": 1}
    client.close()


def test_close(echoed):
    assert echoed.close() is None and echoed.close() is None
    for call in (lambda: echoed.call("status", {}), lambda: echoed.resolve(1, []), lambda: echoed.view_create(0, []),
                 lambda: echoed.view_extend(1, True, []), lambda: echoed.view_drop(1), lambda: echoed.daemon_version,
                 lambda: echoed.acquire_all(1, []),
                 lambda: echoed.acquire_repository("org/add", 1, None, None, None, None)):
        with pytest.raises(ValueError, match="closed"):
            call()


def test_close_while_another_thread_is_inside(echo, echoed):
    assert echoed.call("status", {}) == {}
    while echo.asked.acquire(blocking=False):
        pass
    echo.go_on.clear()
    answers = []
    inside = threading.Thread(target=lambda: answers.append(echoed.call("status", {"a": 1})))
    inside.start()
    echo.asked.acquire()  # Python ran on: the interpreter lock is open while it waits
    echoed.close()
    with pytest.raises(ValueError, match="closed"):
        echoed.call("status", {})
    echo.go_on.set()
    inside.join()
    assert answers == [{"a": 1}]


# --- fork ---


def test_fork(client):
    view = client.view_create(0, [("Mul", "cpu", None, None, (HUB,))])

    def child():
        pids = {row["pid"] for row in client.call("clients", {})["clients"]}
        return pids, found_in(client, view, "Mul")

    pids, found = harness.as_uid(os.getuid(), child)
    assert len(pids) == 2 and os.getpid() in pids and found == "view/Sum"
    assert found_in(client, view, "Mul") == "view/Sum"


def sockets():
    names = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return len([name for name in names if os.path.islink(name) and os.readlink(name).startswith("socket:")])


def test_a_child_closes_though_another_thread_was_inside(echo, echoed):
    assert echoed.call("status", {}) == {}
    while echo.asked.acquire(blocking=False):
        pass
    echo.go_on.clear()
    inside = threading.Thread(target=lambda: echoed.call("status", {}))
    inside.start()
    echo.asked.acquire()

    def child():
        before = sockets()
        echoed.close()
        return before - sockets()

    closed = harness.as_uid(os.getuid(), child)
    echo.go_on.set()
    inside.join()
    assert closed == 1
