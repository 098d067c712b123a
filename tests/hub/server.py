"""Listeners: bytes to requests, answers to bytes, on a thread per connection."""

from __future__ import annotations

import http.server
import os
import socket
import socketserver
import ssl
import struct
import sys
import threading
from typing import Any, Protocol

from .body import Body, Span
from .faults import Dropped
from .messages import Answer, Request, json_answer

ADDRESS = "127.0.0.1"

REQUEST_BODY_MAX = 64 << 20  # control requests carry whole files; the Hub's own are small

GOOD_BYE = struct.pack("ii", 1, 0)  # of SO_LINGER: close() sends RST


class Site(Protocol):
    """What a listener asks."""

    def answer(self, request: Request) -> Answer:
        """Must not raise."""


class Connection(http.server.BaseHTTPRequestHandler):
    """One connection, request after request."""

    protocol_version = "HTTP/1.1"
    server: Listener

    def setup(self) -> None:
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.note(self.request)
        if self.server.tls is not None:  # here, not in the listener: others need not wait for this one
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
            self.server.note(self.request)
        super().setup()

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def log_message(self, *_: Any) -> None:
        """The journal has it."""

    def _read_request(self) -> Request | None:
        """None if the body has no length, or too much of it."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            size = int(headers.get("content-length", "0"))
        except ValueError:
            size = -1
        if "transfer-encoding" in headers or not 0 <= size <= REQUEST_BODY_MAX:
            return None
        return Request(self.command, self.path, headers, self.rfile.read(size))

    def answer_request(self) -> None:
        request = self._read_request()
        if request is None:
            self.close_connection = True
            answer = json_answer({"error": "the body needs a Content-Length"}, 411)
        else:
            answer = self.server.site.answer(request)
        try:
            self._send(answer, self.command == "HEAD")
        except Dropped as dropped:
            self._drop(dropped.reset)
        except OSError:  # the asker went away, or the double ends
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer_request

    def _drop(self, reset: bool) -> None:
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, GOOD_BYE)
            self.connection.close()

    def _head(self, answer: Answer) -> bytes:
        phrase = http.server.BaseHTTPRequestHandler.responses.get(answer.status, ("",))[0]
        lines = [f"HTTP/1.1 {answer.status} {phrase}", *(f"{name}: {value}" for name, value in answer.headers.items())]
        if answer.header("Content-Length") is None and answer.header("Transfer-Encoding") is None:
            lines.append(f"Content-Length: {answer.body.size}")
        if self.close_connection:
            lines.append("Connection: close")
        lines = [line.replace("\r", " ").replace("\n", " ") for line in lines]  # names in messages may have any
        return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")

    def _send(self, answer: Answer, head_only: bool) -> None:
        """Raises Dropped where a fault says so, OSError if nobody reads."""
        for stop in answer.stops:
            if stop.at is None:
                stop.act()
        body = Body() if head_only else answer.body
        head = self._head(answer)
        if answer.header_pause_s:
            for line in head.splitlines(keepends=True):
                self.connection.sendall(line)
                self.server.stopping.wait(answer.header_pause_s)
            head = b""
        done = 0
        later = [] if head_only else [stop for stop in answer.stops if stop.at is not None]
        for stop in sorted(later, key=lambda stop: stop.at):
            until = min(max(stop.at, done), body.size)
            self._send_body(Body(head) + body.cut(done, until))
            head, done = b"", until
            stop.act()
        self._send_body(Body(head) + body.cut(done))

    def _send_body(self, body: Body) -> None:
        if body.size <= 1 << 16:  # head and body of a small answer in one packet
            self.connection.sendall(body.read())
            return
        for piece in body.pieces:
            if isinstance(piece, Span) and not isinstance(self.connection, ssl.SSLSocket):
                self._send_file(piece)
                continue
            for chunk in Body(piece).chunks():
                self.connection.sendall(chunk)

    def _send_file(self, span: Span) -> None:
        done = 0
        while done < span.length:
            sent = os.sendfile(self.connection.fileno(), span.file.fd, span.offset + done, span.length - done)
            if not sent:
                raise OSError("a file that is served became shorter")
            done += sent


class Listener(socketserver.ThreadingTCPServer):
    """One listener, served by threads of its own from `start` to `stop`."""

    allow_reuse_address = True
    request_queue_size = 1024
    daemon_threads = True

    def __init__(self, site: Site, port: int, tls: ssl.SSLContext | None):
        """port: 0 for any. Raises OSError if it is taken."""
        super().__init__((ADDRESS, port), Connection)
        self.site = site
        self.tls = tls
        self.stopping = threading.Event()
        self.lock = threading.Lock()
        self.connections: set[socket.socket] = set()
        self.thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def port(self) -> int:
        return self.server_address[1]

    def start(self) -> None:
        self.thread.start()

    def _serve(self) -> None:
        """Not serve_forever, which wakes up to see whether it should end."""
        while not self.stopping.is_set():
            try:
                request, address = self.get_request()
            except OSError:  # it ends, or there are no descriptors left just now
                self.stopping.wait(0.01)
                continue
            self.process_request(request, address)

    def note(self, connection: socket.socket) -> None:
        """Keeps a connection in mind until it is closed. Raises OSError if the
        double ends just now."""
        with self.lock:
            if self.stopping.is_set():
                raise OSError("the double ends")
            self.connections = {known for known in self.connections if known.fileno() >= 0} | {connection}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks, or speaks no TLS, is no fault of the double."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Closes the listener and every connection. Stalls must have been released."""
        with self.lock:
            self.stopping.set()
            connections = list(self.connections)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # closed already
        self.socket.shutdown(socket.SHUT_RDWR)  # wakes accept()
        if self.thread.is_alive():  # else another listener could not start
            self.thread.join()
        self.server_close()
