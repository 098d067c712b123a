"""Faults on demand: what makes an answer other than it should be.

A fault is met by the requests that it matches, after the first `skip` of them
and `times` times. Several may meet one request; they act in the order in which
they were set."""

from __future__ import annotations

import fnmatch
import json
import threading
import urllib.parse
from collections.abc import Callable
from typing import Any

from .body import Body
from .journal import GROUPS, PATIENCE_S, belongs
from .messages import Answer, Request, Stop, json_answer


class Dropped(Exception):
    """Ends a connection. `reset`: at once, so that what is on its way may be lost."""

    def __init__(self, reset: bool):
        super().__init__("dropped")
        self.reset = reset


def do_drop(fault: Fault, answer: Answer, after: int | None = None, reset: bool = False) -> None:
    """The connection ends after so many bytes of the body; None: before the answer."""
    def drop() -> None:
        raise Dropped(reset)

    answer.stops.append(Stop(after, drop))


def do_stall(fault: Fault, answer: Answer, after: int | None = None) -> None:
    """Nothing more is sent after so many bytes of the body (None: nothing at all)
    until the fault is released."""
    answer.stops.append(Stop(after, fault.released.wait))


def do_flip(fault: Fault, answer: Answer, at: int = 0) -> None:
    """One byte of the body is wrong, if it has that many."""
    wrong = bytes(byte ^ 0xFF for byte in answer.body.cut(at, at + 1).read())
    answer.body = answer.body.cut(0, at) + Body(wrong) + answer.body.cut(at + len(wrong))


def do_length(fault: Fault, answer: Answer, by: int = -1) -> None:
    """The body is longer or shorter by so many bytes, and its length says so."""
    size = max(answer.body.size + by, 0)
    answer.body = answer.body.cut(0, size) + Body(b"\0" * max(by, 0))


def do_status(fault: Fault, answer: Answer, status: int = 500, code: str | None = None, message: str = "made to fail",
              headers: dict[str, str] | None = None) -> None:
    """Another answer: an error, with X-Error-Code `code` and more headers."""
    made = json_answer({"error": message}, status)
    made.headers["X-Error-Message"] = message
    if code:
        made.headers["X-Error-Code"] = code
    made.headers.update(headers or {})
    answer.status, answer.headers, answer.body = made.status, made.headers, made.body


def do_rate_limit(fault: Fault, answer: Answer, t: int = 1, retry_after: int | None = None) -> None:
    """429: no requests are left for `t` seconds; Retry-After only if it is given."""
    headers = {"RateLimit": f'"api";r=0;t={t}', "RateLimit-Policy": '"fixed window";"api";q=500;w=300'}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    do_status(fault, answer, 429, None, "We had to rate limit you", headers)


def do_slow_headers(fault: Fault, answer: Answer, pause_ms: int = 10) -> None:
    """Each line of the headers goes out by itself, after a pause."""
    answer.header_pause_s = pause_ms / 1000


def do_truncate(fault: Fault, answer: Answer, keep: int | None = None) -> None:
    """Only the first bytes of the body (None: half of it), and its length says so."""
    answer.body = answer.body.cut(0, answer.body.size // 2 if keep is None else keep)


def do_body(fault: Fault, answer: Answer, text: str = "") -> None:
    """Another body; status and headers stay."""
    answer.body = Body(text.encode(errors="surrogateescape"))


def do_headers(fault: Fault, answer: Answer, set: dict[str, str] | None = None, remove: list[str] | None = None) -> None:
    """Headers that are other than they should be, or missing."""
    for name in remove or []:
        answer.set_header(name, None)
    for name, value in (set or {}).items():
        answer.set_header(name, value)


def do_listing(fault: Fault, answer: Answer, names: list[str] | None = None, entries: list[dict[str, Any]] | None = None,
               change: dict[str, dict[str, Any]] | None = None) -> None:
    """A listing with more than the repository has: files of these names, these
    entries as they are; in `change`, keys to replace by path. Added to each page."""
    listed = json.loads(answer.body.read()) if answer.status == 200 else None
    if not isinstance(listed, list):
        return
    listed = [{**entry, **(change or {}).get(entry["path"], {})} for entry in listed]
    listed += [{"type": "file", "oid": "c3" * 20, "size": 1, "path": name} for name in names or []]
    answer.body = Body(json.dumps(listed + (entries or [])).encode())


KINDS: dict[str, Callable[..., None]] = {
    "drop": do_drop,
    "stall": do_stall,
    "flip": do_flip,
    "length": do_length,
    "status": do_status,
    "rate_limit": do_rate_limit,
    "slow_headers": do_slow_headers,
    "truncate": do_truncate,
    "body": do_body,
    "headers": do_headers,
    "listing": do_listing,
}

CLASSES = {"any", *GROUPS, *(name for names in GROUPS.values() for name in names)}


class Fault:
    """One fault that was set. Safe to use from every thread."""

    def __init__(self, identity: int, kind: str, request_class: str, path: str, method: str | None,
                 skip: int, times: int | None, parameters: dict[str, Any]):
        """Raises ValueError for a kind, class or parameter that is not known."""
        if kind not in KINDS:
            raise ValueError(f"no fault {kind!r}; there are {', '.join(KINDS)}")
        if request_class not in CLASSES:
            raise ValueError(f"no class {request_class!r}; there are {', '.join(sorted(CLASSES))}")
        known = KINDS[kind].__code__.co_varnames[2 : KINDS[kind].__code__.co_argcount]
        for name in parameters:
            if name not in known:
                raise ValueError(f"{kind} takes no {name!r}, but {', '.join(known)}")
        self.id = identity
        self.kind = kind
        self.request_class, self.path, self.method = request_class, path, method
        self.skip, self.times = skip, times
        self.parameters = parameters
        self.met = 0
        self.released = threading.Event()
        self.changed = threading.Condition()

    def meets(self, request_class: str, request: Request) -> bool:
        """Whether it acts on this request; counts it if so."""
        path = urllib.parse.unquote(request.path)
        if not belongs(request_class, self.request_class) or not fnmatch.fnmatchcase(path, self.path):
            return False
        if self.method not in (None, request.method):
            return False
        with self.changed:
            if self.skip:
                self.skip -= 1
                return False
            if self.times is not None and self.met >= self.times:
                return False
            self.met += 1
            self.changed.notify_all()
        return True

    def act(self, answer: Answer) -> None:
        KINDS[self.kind](self, answer, **self.parameters)

    def release(self) -> None:
        """Lets everything go on that it stalls, now and later."""
        self.released.set()

    def wait(self, n: int = 1, patience_s: float = PATIENCE_S) -> None:
        """Returns once it met `n` requests. Raises TimeoutError when patience ends."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.met >= n, patience_s):
                raise TimeoutError(f"fault {self.id} ({self.kind}) met {self.met} requests, not {n}")

    def value(self) -> dict[str, Any]:
        return {"id": self.id, "kind": self.kind, "class": self.request_class, "path": self.path,
                "method": self.method, "skip": self.skip, "times": self.times, "met": self.met,
                "parameters": self.parameters}


class Faults:
    """All that are set."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.faults: dict[int, Fault] = {}
        self.last_id = 0

    def set(self, kind: str, request_class: str = "any", path: str = "*", method: str | None = None,
            skip: int = 0, times: int | None = None, **parameters: Any) -> Fault:
        """Sets one.

        request_class: class or group. path: fnmatch pattern of the unescaped path.
        times: None for always. Raises ValueError for what is not known."""
        with self.lock:
            self.last_id += 1
            fault = Fault(self.last_id, kind, request_class, path, method, skip, times, parameters)
            self.faults[fault.id] = fault
        return fault

    def get(self, identity: int) -> Fault:
        """Raises LookupError."""
        with self.lock:
            if identity not in self.faults:
                raise LookupError(f"no fault {identity}")
            return self.faults[identity]

    def list(self) -> list[Fault]:
        with self.lock:
            return list(self.faults.values())

    def remove(self, identity: int | None = None) -> None:
        """Takes one away, or all, and releases what it stalls. Raises LookupError."""
        for fault in self.list() if identity is None else [self.get(identity)]:
            with self.lock:
                self.faults.pop(fault.id, None)
            fault.release()

    def act(self, request_class: str, request: Request, answer: Answer) -> list[int]:
        """Changes an answer; answers the ids of the faults that did."""
        met = [fault for fault in self.list() if fault.meets(request_class, request)]
        for fault in met:
            fault.act(answer)
        return [fault.id for fault in met]
