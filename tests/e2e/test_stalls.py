"""Whatever one client or the file thread does, lookups of the others go on."""

import ctypes
import os
import select
import signal
import socket
import struct

import pytest

import harness
from conftest import needs_root
from harness import entry, fault_of, query, request_frame, until


@pytest.fixture
def slow(make_daemon, repository, tmp_path):
    """A daemon with the layer `Slow`, which takes minutes to check."""
    harness.make_slow_variant(tmp_path / "slow")
    made = make_daemon()
    made.write_mapping({"Slow": [{"device": "cpu", "use": {"path": str(tmp_path / "slow")}}],
                        "Silu": [{"device": "cpu", "use": {"path": str(repository)}}]})
    return made.start()


@pytest.fixture
def hanging(tmp_path):
    """A folder of a file system that never answers: whoever looks in there hangs."""
    folder = tmp_path / "hanging"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        pytest.skip(f"/dev/fuse: {error.strerror}")
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
    if libc.mount(b"hanging", os.fsencode(folder), b"fuse", 0, options.encode()) != 0:
        os.close(device)
        pytest.skip(f"mounting a file system of fuse: {os.strerror(ctypes.get_errno())}")
    yield folder
    os.close(device)
    libc.umount2(os.fsencode(folder), 2)


def hangs_in_fuse(pid):
    return any("fuse" in (task / "wchan").read_text() for task in harness.pathlib.Path(f"/proc/{pid}/task").iterdir())


class HeldOpens:
    """Every open of a folder, by whomever, waits until it is let through."""

    EVENT = struct.Struct("=IBBHQii")

    def __init__(self, folder):
        libc = ctypes.CDLL(None, use_errno=True)
        self.notifier = libc.fanotify_init(0x4 | 0x1, os.O_RDONLY | os.O_CLOEXEC)  # FAN_CLASS_CONTENT, FAN_CLOEXEC
        if self.notifier < 0:
            pytest.skip(f"fanotify: {os.strerror(ctypes.get_errno())}")
        mask = ctypes.c_uint64(0x10000 | 0x40000000)  # FAN_OPEN_PERM, FAN_ONDIR
        if libc.fanotify_mark(self.notifier, 1, mask, -100, os.fsencode(folder)) != 0:
            os.close(self.notifier)
            pytest.skip(f"fanotify, events that wait: {os.strerror(ctypes.get_errno())}")

    def next(self):
        """The next open, which waits; it must be let through."""
        assert select.select([self.notifier], [], [], harness.PATIENCE_S)[0], "somebody opens the folder"
        return self.EVENT.unpack(os.read(self.notifier, self.EVENT.size))[5]

    def let_through(self, held):
        os.write(self.notifier, struct.pack("=iI", held, 1))  # FAN_ALLOW
        os.close(held)

    def count_until_readable(self, peer):
        """Lets all through until something comes for the peer."""
        n = 0
        while True:
            ready, _, _ = select.select([self.notifier, peer.socket], [], [], harness.PATIENCE_S)
            assert ready, "something happens"
            if self.notifier not in ready:
                return n
            self.let_through(self.next())
            n += 1


@pytest.fixture
def held_opens(repository):
    held = HeldOpens(repository / "build" / "torch-cpu")
    yield held
    os.close(held.notifier)


def look_up(peer, n=1000):
    """So many lookups, one after the other, all answered."""
    for _ in range(n):
        assert peer.resolve(query("Silu"), view=0)[0]["source"] == "file:50-test.json"


def wait_for_progress(peer, number):
    """Reads until the request's first progress notification."""
    while not peer.notifications:
        message, _ = peer.read_frame()
        assert message[0] == 2, message
        peer.notifications.append(message[1:])
    name, progress = peer.notifications[-1]
    assert name == "progress" and progress["id"] == number
    return progress


def test_a_busy_file_thread_is_not_felt(slow):
    waiting = slow.peer()
    number = waiting.request("acquire", view=0, query=query("Slow"))
    progress = wait_for_progress(waiting, number)
    assert progress["files_total"] == 1 and progress["bytes_total"] == 64 << 30
    other = slow.peer()
    look_up(other)
    assert slow.status()["acquires"] == 1
    assert other.acquire("Silu")["variant"] == "torch-cpu", "jobs of the file thread take turns"
    assert waiting.call("cancel", id=number) is not None
    assert fault_of(waiting.answer, number).name == "cancelled"
    assert slow.status()["acquires"] == 0


def test_who_gives_up_stops_nothing_for_the_others(slow):
    first, second = slow.peer(), slow.peer()
    one = first.request("acquire", view=0, query=query("Slow"))
    two = second.request("acquire", view=0, query=query("Slow"))
    until(lambda: slow.status()["acquires"] == 2, "both wait")
    first.call("cancel", id=one)
    assert fault_of(first.answer, one).name == "cancelled"
    assert slow.status()["acquires"] == 1
    wait_for_progress(second, two)
    second.call("cancel", id=two)
    assert fault_of(second.answer, two).name == "cancelled"
    assert second.call("cancel", id=two) == {}, "an answer may have crossed it: no error"


def test_a_deadline_ends_an_acquire(slow):
    peer = slow.peer()
    fault = fault_of(peer.acquire, "Slow", view=0, deadline_ms=50)
    assert fault.name == "timeout" and fault.retry
    assert slow.status()["acquires"] == 0


def test_the_65th_request_in_flight_is_refused(slow):
    peer = slow.peer()
    numbers = [peer.request("acquire", view=0, query=query("Slow")) for _ in range(64)]
    until(lambda: slow.status()["acquires"] == 64, "64 wait")
    assert fault_of(peer.acquire, "Slow", view=0).name == "limit"
    for number in numbers:
        peer.call("cancel", id=number)
        assert fault_of(peer.answer, number).name == "cancelled"
    look_up(peer, 10)


def test_an_id_in_use_closes_the_session(slow):
    peer = slow.peer()
    number = peer.request("acquire", view=0, query=query("Slow"))
    until(lambda: slow.status()["acquires"] == 1, "it waits")
    peer.send(request_frame(number, "status", {}))
    assert peer.is_closed()
    until(lambda: slow.status()["acquires"] == 0, "its acquire is gone")


def test_a_daemon_stops_while_its_file_thread_is_busy(slow):
    peer = slow.peer()
    number = peer.request("acquire", view=0, query=query("Slow"))
    wait_for_progress(peer, number)
    assert slow.stop() == 0


@needs_root
def test_a_system_call_that_never_returns(slow, hanging):
    peer = slow.peer()
    slow.write_mapping({"Hangs": [{"device": "cpu", "use": {"path": str(hanging / "kernel")}}]}, "60-hangs.json")
    until(lambda: hangs_in_fuse(slow.process.pid), "the file thread hangs in a system call")
    look_up(peer)
    assert fault_of(peer.acquire, "Silu", view=0, deadline_ms=50).name == "timeout"
    with slow.peer() as dies:
        dies.request("acquire", view=0, query=query("Silu"))
        until(lambda: slow.status()["acquires"] == 1, "it waits")
    until(lambda: not slow.status()["acquires"], "nothing waits for one who is gone")
    peer.call("view.create", view=2, parent=0, entries=[entry("Own")])
    assert peer.label("Own", view=2) == "Label"
    slow.process.send_signal(signal.SIGTERM)
    assert slow.process.wait(harness.PATIENCE_S) == 1
    slow.process = None
    assert "hangs" in slow.log() and not slow.socket.exists()


# A folder on a network file system whose server does not answer.
@needs_root
def test_a_lease_that_is_not_opened(slow, held_opens):
    def ask():
        return peer.request("acquire", view=0, query=query("Silu"), deadline_ms=None)

    peer, other = slow.peer(), slow.peer()
    for _ in range(2):  # the second finds it unchanged, as the third will
        number = ask()
        n_opens = held_opens.count_until_readable(peer)
        peer.call("release", lease=peer.answer(number)["lease"])
        os.close(peer.take_descriptor())
    number = ask()
    for _ in range(n_opens - 1):
        held_opens.let_through(held_opens.next())
    held = held_opens.next()  # the last open of an acquire is that of its lease
    try:
        look_up(other)
        assert slow.status()["acquires"] == 1
        peer.call("cancel", id=number)
        assert fault_of(peer.answer, number).name == "cancelled"
        assert fault_of(other.acquire, "Silu", view=0, deadline_ms=50).name == "timeout"
    finally:
        held_opens.let_through(held)
    number = ask()
    held_opens.count_until_readable(peer)
    assert peer.answer(number)["variant"] == "torch-cpu", "the file thread goes on"


def test_a_client_that_never_reads(slow):
    deaf, other = slow.peer(), slow.peer()
    requests = request_frame(7, "resolve", {"view": 0, "queries": [query("Silu")] * 1000})
    deaf.socket.setblocking(False)
    sent = 0

    def push():
        nonlocal sent
        try:
            while sent < 1 << 28:
                sent += deaf.socket.send(requests[sent % len(requests):])
        except BlockingIOError:
            return slow.status()["queued_bytes"] > 0
        raise AssertionError("the daemon reads on and on")

    until(push, "answers wait to be read")
    push()
    look_up(other)
    status = slow.status()
    assert status["sessions"] == 3
    assert status["queued_bytes"] < 16 << 20, "a session with unsent bytes is not read"


def test_one_byte_at_a_time(slow):
    drip, other = slow.peer(), slow.peer()
    request = request_frame(9, "resolve", {"view": 0, "queries": [query("Silu")]})
    for byte in request:
        drip.send(bytes([byte]))
        look_up(other, 3)
    assert drip.answer(9)["answers"][0]["layer"] == "Silu"


def test_a_large_frame_that_never_ends(slow):
    holder, other = slow.peer(), slow.peer()
    holder.send(struct.pack("<IHH", 4 << 20, 0, 0) + b"\x94" + bytes(1 << 20))
    look_up(other, 100)
    until(lambda: slow.status()["queued_bytes"] > 0, "what came is held, and counted")
    assert slow.status()["queued_bytes"] < 16 << 20


def test_2000_connections(slow):
    limit = harness.raise_descriptor_limit()
    if limit < 2200:
        pytest.skip(f"only {limit} descriptors are allowed here")
    other = slow.peer()
    look_up(other, 10)
    let_in = refused = 0
    for _ in range(2000):
        peer = slow.peer(hello=False)
        try:
            peer.hello()
            let_in += 1
        except (harness.Closed, BrokenPipeError, harness.Fault):
            refused += 1
    assert let_in == 1023, "1,024 sessions of a domain"
    assert refused == 2000 - let_in
    look_up(other)
    for peer in slow.peers[1:]:
        peer.close()
    until(lambda: slow.status()["sessions"] == 2, "they are gone")
    assert slow.status()["refused"] >= refused


def test_an_entry_quota_that_is_filled(make_daemon):
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [harness.use()]})
    daemon.start("--quota-entries", 100)
    greedy, other = daemon.peer(), daemon.peer()
    greedy.call("view.create", view=2, parent=0, entries=[entry(f"L{i}") for i in range(100)])
    assert fault_of(greedy.call, "view.create", view=3, parent=0, entries=[entry("More")]).name == "limit"
    assert fault_of(greedy.call, "view.extend", view=2, inherit=True, entries=[entry("More")]).name == "limit"
    assert greedy.label("More", view=2) == "no-mapping"
    greedy.call("view.extend", view=2, inherit=True, entries=[entry("L1")])
    look_up(other)
    greedy.call("view.drop", view=2)
    other.call("view.create", view=2, parent=0, entries=[entry("More")])


def test_what_is_refused_takes_nothing_of_the_quota(make_daemon):
    daemon = make_daemon().start("--quota-entries", 1, "--quota-bytes", 8 << 20)
    content = harness.metadata({}) + b" " * (60 << 10)
    local = {"variants": [{"variant": f"torch-cpu{n}", "metadata": content} for n in range(32)]}
    one = entry("One", modes={"fallback": {"local": 0}})
    greedy, other = daemon.peer(), daemon.peer()
    assert fault_of(greedy.call, "view.create", view=2, parent=0, entries=[one, entry("More")],
                    locals=[local]).name == "limit"
    other.call("view.create", view=2, parent=0, entries=[one], locals=[local])


def test_a_lease_quota_that_is_filled(make_daemon, repository):
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(repository)}}]})
    daemon.start("--quota-leases", 2)
    peer, other = daemon.peer(), daemon.peer()
    first = peer.acquire("Silu")["lease"]
    peer.acquire("Silu")
    assert fault_of(peer.acquire, "Silu").name == "limit"
    assert fault_of(other.acquire, "Silu").name == "limit"
    look_up(other)
    peer.call("release", lease=first)
    other.acquire("Silu")


# What counts is what the kernel counts: descriptors that nobody has received.
def test_descriptors_that_nobody_reads_count_as_leases(make_daemon, repository):
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(repository)}}]})
    daemon.start("--quota-leases", 4)
    greedy, other = daemon.peer(), daemon.peer()
    for lease in range(1, 5):
        greedy.request("acquire", view=1, query=query("Silu"), deadline_ms=None)
        until(lambda: daemon.status()["leases"] == 1, "it is leased")
        greedy.request("release", lease=lease)
        until(lambda: daemon.status()["leases"] == 0, "it is given back")
    assert fault_of(other.acquire, "Silu").name == "limit"
    greedy.send(b"no frame, so that the session ends")
    until(lambda: daemon.status()["sessions"] == 2, "it has ended")
    assert fault_of(other.acquire, "Silu").name == "limit"
    look_up(other)
    greedy.close()
    until(lambda: not isinstance(try_acquire(other), harness.Fault), "nothing is on its way any more")


def try_acquire(peer):
    try:
        return peer.acquire("Silu")
    except harness.Fault as fault:
        return fault


def test_64_views_and_no_more(slow):
    peer = slow.peer()
    for number in range(2, 65):
        peer.call("view.create", view=number, parent=0, entries=[entry("X")])
    assert fault_of(peer.call, "view.create", view=65, parent=0).name == "limit"
    peer.call("view.drop", view=2)
    peer.call("view.create", view=65, parent=0)


def test_descriptors_that_a_client_sends_are_dropped(slow):
    peer = slow.peer()
    reader, writer = socket.socketpair()
    request = request_frame(9, "status", {})
    try:
        socket.send_fds(peer.socket, [request], [reader.fileno()])
        reader.close()
        assert peer.answer(9)["sessions"] == 1
    except PermissionError:  # since Linux 6.16 the sender is told
        assert "SO_PASSRIGHTS" not in slow.status()["absent"]
        reader.close()
    writer.settimeout(harness.PATIENCE_S)
    assert writer.recv(1) == b"", "no copy of it is left in the daemon"
    writer.close()


def test_descriptors_are_dropped_by_older_kernels_too(make_daemon):
    daemon = make_daemon().start(KERNELSD_TEST_WITHOUT="passrights")
    peer = daemon.peer()
    reader, writer = socket.socketpair()
    socket.send_fds(peer.socket, [request_frame(9, "status", {})], [reader.fileno()])
    reader.close()
    assert peer.answer(9)["sessions"] == 1
    writer.settimeout(harness.PATIENCE_S)
    assert writer.recv(1) == b"", "no copy of it is left in the daemon"
    writer.close()
