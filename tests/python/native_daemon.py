"""What the tests of the extension stand on: a daemon that says what a test wants,
and a real one with a double of the Hub. A plugin of pytest, since the extension is
tested without torch, which conftest.py needs: run them with --noconftest.
(PYTEST_DONT_REWRITE: tests import from here before pytest does.)"""

import contextlib
import os
import pathlib
import socket
import sys
import threading

import msgpack
import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
for place in (pathlib.Path(os.environ["KERNELSD_BUILD"]) / "client" / "python", TESTS / "e2e", TESTS):
    sys.path.insert(0, str(place))

import harness  # noqa: E402
import hub as double  # noqa: E402
from kernelsd import _native  # noqa: E402


class EchoDaemon:
    """Answers every call with its params, while it is not held."""

    def __init__(self, path):
        self.path = str(path)
        self.go_on = threading.Event()
        self.go_on.set()
        self.asked = threading.Semaphore(0)  # released by every message
        self._stopped = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while True:
            connection = self._listener.accept()[0]
            if self._stopped:
                connection.close()
                return
            self._threads.append(threading.Thread(target=self._serve, args=[connection]))
            self._threads[-1].start()

    def _serve(self, connection):
        with connection, contextlib.suppress(EOFError, OSError):
            while True:
                self._answer(connection)

    @staticmethod
    def _read(connection):
        def exactly(n):
            data = connection.recv(n, socket.MSG_WAITALL)
            if len(data) < n:
                raise EOFError
            return data

        return msgpack.unpackb(exactly(int.from_bytes(exactly(8)[:4], "little")))

    def _answer(self, connection):
        _, number, method, params = self._read(connection)
        self.asked.release()
        self.go_on.wait()
        error = params.pop("error", None)
        if method == "hello":
            params = {"protocol": 1, "daemon": "echo 1", "uid": os.getuid(), "features": [], "instance": "i",
                      "session": 1, "generation": 1}
        answer = [1, number, error, None if error else params]
        connection.sendall(harness.frame(msgpack.packb(answer)))

    def stop(self):
        """Once all its clients are closed."""
        self._stopped = True
        self.go_on.set()
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(self.path)
            for thread in self._threads:
                thread.join()
        self._listener.close()


@pytest.fixture
def echo(tmp_path):
    """An EchoDaemon."""
    made = EchoDaemon(tmp_path / "echo")
    yield made
    made.stop()


@pytest.fixture
def echoed(echo):
    """A client of it."""
    client = _native.Client(client="a test", socket=echo.path)
    yield client
    client.close()


@pytest.fixture
def stocked():
    """A double of the Hub with `org/add`, version 1, of a trusted publisher."""
    with double.Hub() as made:
        made.commits = made.add_repository("org/add", {"v1": harness.kernel_files()}, trusted=True)
        yield made


@pytest.fixture
def daemon(stocked):
    """A real daemon that fetches from the double; its mapping has the layer `Add`."""
    made = harness.HubDaemon(hub=stocked)
    made.write_mapping({"Add": [{"device": "cpu", "use": {"repo": "org/add", "version": 1, "layer": "Sum"}}]})
    made.start()
    try:
        yield made
        made.check_and_stop()
    finally:
        made.remove()


@pytest.fixture
def client(daemon):
    """A client of it."""
    made = _native.Client({"backend": "cpu", "python": "3.11"}, client="a test", socket=str(daemon.socket))
    yield made
    made.close()
