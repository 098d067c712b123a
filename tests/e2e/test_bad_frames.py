"""Bytes that break the protocol: an error answer where a request can be told,
else the session is closed; nobody else notices."""

import struct

import msgpack
import pytest

import harness
from harness import fault_of, frame, query, request_frame, until


def packed(*parts):
    return b"".join(parts)


DEEP = b"\x81\xa1a" * 40 + b"\xc0"
STATUS = msgpack.packb("status")

# What no request can be told from: closed at once.
CLOSES = {
    "no frame at all": b"GET / HTTP/1.1\r\n\r\n",
    "an empty frame": frame(b""),
    "a frame over the limit": struct.pack("<IHH", (4 << 20) + 1, 0, 0),
    "the largest length there is": struct.pack("<IHH", 0xFFFFFFFF, 0, 0),
    "one that announces a descriptor": frame(msgpack.packb([0, 1, "status", {}]), 1),
    "one that announces 65,535 descriptors": frame(msgpack.packb([0, 1, "status", {}]), 65535),
    "the reserved bytes are not zero": struct.pack("<IHH", 4, 0, 1) + b"\x94\x00\x01\xc0",
    "an answer from a client": frame(msgpack.packb([1, 1, None, {}])),
    "a notification from a client": frame(msgpack.packb([2, "progress", {}])),
    "not an array": frame(msgpack.packb({"method": "status"})),
    "nil": frame(b"\xc0"),
    "an unknown type of message": frame(msgpack.packb([3, 1, "status", {}])),
    "an id that is no u32": frame(msgpack.packb([0, 1 << 32, "status", {}])),
    "a negative id": frame(msgpack.packb([0, -1, "status", {}])),
}

# Well-formed enough to be answered, or not: either is right, but not silence.
CLOSES_OR_FAULTS = {
    "truncated msgpack": frame(packed(b"\x94\x00\x07", STATUS, b"\x81\xa1a")),
    "bytes behind the message": frame(packed(b"\x94\x00\x07", STATUS, b"\x80\x80")),
    "deep msgpack": frame(packed(b"\x94\x00\x07", STATUS, DEEP)),
    "an array of 4 billion": frame(packed(b"\x94\x00\x07", STATUS, b"\xdd\xff\xff\xff\xff")),
    "a map of 4 billion": frame(packed(b"\x94\x00\x07", STATUS, b"\xdf\xff\xff\xff\xff")),
    "a string of 4 billion": frame(packed(b"\x94\x00\x07", STATUS, b"\x81\xa1a\xdb\xff\xff\xff\xff")),
    "a map of 100,000 keys": frame(packed(b"\x94\x00\x07", STATUS, b"\xdf\x00\x01\x86\xa0",
                                          b"".join(msgpack.packb(f"{i}") + b"\xc0" for i in range(100000)))),
    "a string that is not UTF-8": frame(packed(b"\x94\x00\x07", STATUS, b"\x81\xa1a\xa2\xff\xfe")),
    "an overlong NUL": frame(packed(b"\x94\x00\x07", STATUS, b"\x81\xa1a\xa2\xc0\x80")),
    "a surrogate": frame(packed(b"\x94\x00\x07", STATUS, b"\x81\xa1a\xa3\xed\xa0\x80")),
    "a key twice": frame(packed(b"\x94\x00\x07", STATUS, b"\x82\xa1a\xc0\xa1a\xc0")),
    "a key that is no string": frame(packed(b"\x94\x00\x07", STATUS, b"\x81\x01\xc0")),
    "an extension type": frame(packed(b"\x94\x00\x07", STATUS, b"\x81\xa1a\xd4\x01\x00")),
    "the byte 0xc1": frame(packed(b"\x94\x00\x07", STATUS, b"\x81\xa1a\xc1")),
    "too few elements": frame(msgpack.packb([0, 7, "status"])),
    "too many elements": frame(msgpack.packb([0, 7, "status", {}, {}])),
    "a method that is no string": frame(msgpack.packb([0, 7, 5, {}])),
}

# Answered with an error; the session goes on.
FAULTS = {
    "an unknown method": ("no.such.method", {}, "unknown-method"),
    "a method of a later protocol": ("segment.map", {}, "unknown-method"),
    "a missing key": ("resolve", {"view": 1}, "bad-request"),
    "a key that is nil": ("resolve", {"view": None, "queries": [query("X")]}, "bad-request"),
    "a wrong type": ("resolve", {"view": "1", "queries": [query("X")]}, "bad-request"),
    "a list that is a map": ("resolve", {"view": 1, "queries": {}}, "bad-request"),
    "a real": ("resolve", {"view": 1.5, "queries": [query("X")]}, "bad-request"),
    "an integer beyond int64": ("resolve", {"view": (1 << 64) - 1, "queries": [query("X")]}, "bad-request"),
    "params that are no map": ("status", [], "bad-request"),
    "no query": ("resolve", {"view": 1, "queries": []}, "bad-request"),
    "1,025 queries": ("resolve", {"view": 1, "queries": [query("X")] * 1025}, "too-large"),
    "no such view": ("resolve", {"view": 77, "queries": [query("X")]}, "bad-request"),
    "a lease that nobody gave": ("release", {"lease": 12345}, "bad-request"),
    "a second hello": ("hello", {"protocol": 1, "client": "again"}, "protocol"),
}


@pytest.mark.parametrize("data", CLOSES.values(), ids=CLOSES.keys())
def test_closes_the_session(daemon, data):
    witness, peer = daemon.peer(), daemon.peer()
    peer.send(data)
    assert peer.is_closed()
    assert witness.label("X") == "no-mapping"


def test_closes_or_faults_never_silence(daemon):
    witness = daemon.peer()
    for name, data in CLOSES_OR_FAULTS.items():
        peer = daemon.peer()
        peer.send(data)
        try:
            peer.answer(7)
            raise AssertionError(f"{name} was taken")
        except harness.Closed:
            pass
        except harness.Fault as fault:
            assert fault.name in ("bad-request", "too-large"), name
            assert peer.call("status")["sessions"] >= 2, name
        peer.close()
    assert witness.label("X") == "no-mapping"


def test_faults_and_goes_on(daemon):
    peer = daemon.peer()
    for what, (method, params, name) in FAULTS.items():
        number = 1000 + len(what)
        peer.send(request_frame(number, method, params))
        fault = fault_of(peer.answer, number)
        assert fault.name == name, what
        assert not fault.retry
        assert peer.label("X") == "no-mapping", what


def test_the_fault_names_the_key(daemon):
    peer = daemon.peer()
    fault = fault_of(peer.call, "resolve", view=1, queries=[query("X"), {"layer": "Y", "device": "cpu", "mode": 5}])
    assert "queries[1].mode" in fault.message


def test_unknown_keys_are_passed_over(daemon):
    peer = daemon.peer()
    answers = peer.call("resolve", view=1, queries=[{**query("X"), "later": [1, {"a": b"b"}]}], fresh=True)["answers"]
    assert answers[0]["name"] == "no-mapping"


def test_a_peer_is_logged_once(daemon):
    peer = daemon.peer()
    peer.send(b"not a frame at all, by any means")
    assert peer.is_closed()
    until(lambda: str(harness.os.getpid()) in daemon.log(), "the log names the peer")
    lines = [line for line in daemon.log().splitlines() if f"{harness.os.getpid()}" in line]
    assert len(lines) == 1, lines


def test_hello_comes_first(daemon):
    peer = daemon.peer(hello=False)
    peer.send(request_frame(3, "status", {}))
    try:
        assert fault_of(peer.answer, 3).name in ("bad-request", "protocol")
    except harness.Closed:
        pass


def test_another_protocol_is_refused_with_a_sentence(daemon):
    peer = daemon.peer(hello=False)
    fault = fault_of(peer.hello, protocol=2)
    assert fault.name == "protocol"
    assert "1" in fault.message and "2" in fault.message


def test_no_hello_in_time(make_daemon):
    daemon = make_daemon()
    daemon.start("--hello-ms", 50)
    silent, half, greeted = daemon.peer(hello=False), daemon.peer(hello=False), daemon.peer()
    half.send(request_frame(1, "hello", {"protocol": 1, "client": "half"})[:12])
    assert silent.is_closed() and half.is_closed()
    assert greeted.label("X") == "no-mapping", "whoever said hello has no deadline"


def test_many_requests_in_one_write_and_one_in_many(daemon):
    peer = daemon.peer()
    numbers = range(100, 400)
    stream = b"".join(request_frame(n, "resolve", {"view": 1, "queries": [query(f"L{n}")]}) for n in numbers)
    cuts = sorted((n * 7919) % len(stream) for n in range(200))
    for start, end in zip([0, *cuts], [*cuts, len(stream)]):
        peer.send(stream[start:end])
    for n in numbers:
        assert peer.answer(n)["answers"][0]["name"] == "no-mapping"


def test_what_was_sent_before_the_end_is_answered(daemon):
    peer = daemon.peer()
    peer.request("resolve", view=1, queries=[query("X")])
    peer.socket.shutdown(harness.socket.SHUT_WR)
    assert peer.answer(peer.number)["answers"][0]["name"] == "no-mapping"
    assert peer.is_closed()
