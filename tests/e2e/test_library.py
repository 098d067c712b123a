"""What a program sees that cannot be served: a sentence that says what to do."""

import contextlib
import os
import socket
import threading

import msgpack

import harness


def connect(path, **environment):
    """What kd_connect answers: (code, name, message)."""
    answer = harness.run([harness.PROGRAMS / "connect", *([str(path)] if path else [])], env={**os.environ, **environment})
    assert answer.returncode in (0, 1), answer.stderr
    code, name, message = (answer.stdout.rstrip("\n") + "  ").split(" ", 2)
    return int(code), name, message


def test_a_daemon_that_answers(daemon):
    assert connect(daemon.socket)[0] == 0
    assert connect(None, KERNELSD_SOCKET=str(daemon.socket))[0] == 0


def test_no_daemon(tmp_path):
    code, name, message = connect(tmp_path / "socket")
    assert (code, name) == (-2, "unreachable")
    assert str(tmp_path / "socket") in message and "kernelsd" in message


def test_a_stale_socket(tmp_path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    listener.close()
    code, name, message = connect(tmp_path / "socket")
    assert (code, name) == (-111, "unreachable")
    assert str(tmp_path / "socket") in message


@contextlib.contextmanager
def server(path, answer):
    """A server that answers every hello with the bytes that `answer` makes of its id."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(10)

    def serve():
        with contextlib.suppress(OSError):  # the listener is shut down
            while True:
                with listener.accept()[0] as peer:
                    request = peer.recv(4096)
                    peer.sendall(answer(msgpack.unpackb(request[8:])[1]))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield path
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


def test_another_protocol(tmp_path):
    error = {"name": "protocol", "message": "this daemon speaks protocol 2", "retry": False, "detail": None}
    with server(tmp_path / "one", lambda number: harness.frame(msgpack.packb([1, number, error, None]))) as path:
        assert connect(path)[:2] == (6, "protocol")
    result = {"protocol": 2, "daemon": "kernelsd 9", "uid": os.getuid(), "features": [], "instance": "x",
              "session": 1, "generation": 1}
    with server(tmp_path / "two", lambda number: harness.frame(msgpack.packb([1, number, None, result]))) as path:
        code, name, message = connect(path)
        assert (code, name) == (6, "protocol") and "2" in message, message


def test_a_server_that_talks_nonsense_or_hangs_up(tmp_path):
    for number, answer in enumerate((b"HTTP/1.1 400 Bad Request\r\n\r\n", harness.frame(b"\xc1"), b"")):
        with server(tmp_path / f"s{number}", lambda _, answer=answer: answer) as path:
            code, _, message = connect(path)
            assert code != 0 and message


def test_two_threads_and_many_views(daemon):
    answer = harness.run([harness.PROGRAMS / "two-threads", daemon.socket, "200"])
    assert answer.returncode == 0, answer.stdout + answer.stderr
