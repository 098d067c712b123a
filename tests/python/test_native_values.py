"""The extension kernelsd._native: values both ways, by a daemon that answers what it was sent."""

import enum

import pytest

pytest_plugins = ["native_daemon"]

from native_daemon import _native  # noqa: E402


class Number(enum.IntEnum):
    SEVEN = 7


class Text(str):
    pass


def nested(depth, inner=1):
    """`inner` in so many lists."""
    for _ in range(depth):
        inner = [inner]
    return inner


@pytest.mark.parametrize("value", [
    None, True, False, 0, 1, -1, 127, 128, -129, 2 ** 31, 2 ** 63 - 1, -2 ** 63, "", "text", "ä\U0001f600\u0301",
    "x" * 70000, b"", b"\0\xff", b"y" * 70000,
    [], {}, [1, [2, {"a": [b"3", None, True]}], "4"], {"": 1, "ä": {"b": {"c": []}}},
    list(range(1000)), {str(n): n for n in range(128)}, nested(6),
])
def test_there_and_back(echoed, value):
    found = echoed.call("status", {"value": value})["value"]
    assert found == value and type(found) is type(value)


def test_kinds_that_come_back_as_others(echoed):
    given = {"tuple": (1, (2,)), "number": Number.SEVEN, "text": Text("t"), Text("key"): 1}
    found = echoed.call("status", given)
    assert found == {"tuple": [1, [2]], "number": 7, "text": "t", "key": 1}
    assert type(found["number"]) is int and type(found["text"]) is str


@pytest.mark.parametrize("error, value", [
    (TypeError, 1.5), (TypeError, {1, 2}), (TypeError, object()), (TypeError, bytearray(b"a")), (TypeError, {1: 2}),
    (TypeError, {b"a": 1}), (TypeError, {None: 1}), (TypeError, [1, [2, 3j]]),
    (OverflowError, 2 ** 63), (OverflowError, -2 ** 63 - 1), (OverflowError, [{"a": 10 ** 100}]),
    (ValueError, "a\0b"), (ValueError, {"a\0b": 1}), (ValueError, ["\0"]),
    (UnicodeEncodeError, "\ud800"), (UnicodeEncodeError, {"\udfff": 1}),
    (RecursionError, nested(100000)),
])
def test_refused(echoed, error, value):
    with pytest.raises(error):
        echoed.call("status", {"value": value})
    assert echoed.call("status", {"still": "works"}) == {"still": "works"}


@pytest.mark.parametrize("params", [None, 1, [], "status", nested(8), {"a": nested(7)}])
def test_refused_by_the_library(echoed, params):
    with pytest.raises(_native.Error) as caught:
        echoed.call("status", params)
    assert caught.value.code == -22


def test_a_value_in_itself(echoed):
    turning = {}
    turning["a"] = [turning]
    with pytest.raises(RecursionError):
        echoed.call("status", turning)


def test_a_list_that_changes_what_it_is_in(echoed):
    class Changing(list):
        def __iter__(self):
            params.clear()
            return iter([1, 2])

    params = {"a" * n: ["b" * n] for n in range(1, 20)}
    params["list"] = Changing()
    params["z"] = object()
    assert echoed.call("status", params)["list"] == [1, 2]


def test_a_list_that_fails(echoed):
    class Failing(list):
        def __iter__(self):
            raise KeyError("failing")

    with pytest.raises(KeyError, match="failing"):
        echoed.call("status", {"a": [1, Failing()]})


@pytest.mark.parametrize("arguments", [(), ("status",), ("status", {}, 1), (1, {}), (b"status", {}), (None, {})])
def test_wrong_arguments(echoed, arguments):
    with pytest.raises(TypeError):
        echoed.call(*arguments)


def test_bytes_reach_the_real_daemon(client):
    text = b'{"kernelsd": 1, "mapping": {"Mul": [{"device": "cpu", "use": {"repo": "org/mul", "version": 1}}]}}'
    client.call("mapping.load", {"part": 0, "last": False, "bytes": text[:20]})
    client.call("mapping.load", {"part": 1, "last": True, "bytes": text[20:]})
    dumped = client.call("mapping.dump", {"after": None, "limit": None})["bytes"]
    assert isinstance(dumped, bytes) and b"org/mul" in dumped


def test_report_waits_for_no_answer(echo, echoed):
    row = ("Silu", "cpu", "inference", "org/silu", "0" * 40, "torch-cpu", "why")
    echo.go_on.clear()
    assert echoed.report([row, ("Gelu", None, None, None, None, None, "original")]) is None
    for _ in ("hello", "report"):
        echo.asked.acquire()
    for bad in ([row[:6]], [("Silu", *row[1:6], None)], [["Silu"]], [("Si\0lu", *row[1:])], 7):
        with pytest.raises((TypeError, ValueError)):
            echoed.report(bad)
    echo.go_on.set()
    assert echoed.call("status", {"b": 2}) == {"b": 2}
