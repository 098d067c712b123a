"""Requests and answers as values; no sockets here."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .body import Body

Route = tuple[str, Callable[[], "Answer"]]

RANGE = re.compile(r"bytes=(\d*)-(\d*)$")


@dataclass(frozen=True)
class Request:
    """One request. `headers` has lower-case names; `target` is as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """Without the query, still escaped."""
        return self.target.partition("?")[0]

    @property
    def parts(self) -> list[str]:
        """Between the slashes of the path, each unescaped (so one may have slashes)."""
        return [urllib.parse.unquote(part) for part in self.path.split("/")[1:]]

    @property
    def query(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    @property
    def token(self) -> str | None:
        """What stands after `Bearer`; a header of another form counts as a wrong token."""
        value = self.headers.get("authorization")
        return None if value is None else value.removeprefix("Bearer ").strip()

    def json(self) -> dict[str, Any]:
        """The body as an object; an empty one is {}. Raises ValueError."""
        value = json.loads(self.body) if self.body else {}
        if not isinstance(value, dict):
            raise ValueError("the body is no JSON object")
        return value


@dataclass
class Stop:
    """A point of the body where sending does something else. `at` None: before
    the first byte of the answer."""

    at: int | None
    act: Callable[[], object]


@dataclass
class Answer:
    """One answer, and how it goes out. Content-Length is that of the body unless
    a header says otherwise."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Body = field(default_factory=Body)
    stops: list[Stop] = field(default_factory=list)
    header_pause_s: float = 0.0
    compress: bool = False

    def set_header(self, name: str, value: str | None) -> None:
        """Replaces a header whatever the case of its letters; None takes it away."""
        for known in [known for known in self.headers if known.lower() == name.lower()]:
            del self.headers[known]
        if value is not None:
            self.headers[name] = value

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers.items() if known.lower() == name.lower()), None)


def json_answer(value: Any, status: int = 200, **headers: str) -> Answer:
    """An answer of JSON. headers: more of them, `_` for `-`."""
    more = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, {"Content-Type": "application/json; charset=utf-8", **more}, Body(json.dumps(value).encode()))


def ranged(request: Request, body: Body, headers: dict[str, str]) -> Answer:
    """The body, or the one range of it that is asked for.

    Several ranges, a form that is not known and an If-Range of another content
    count as no range; a range behind the end is answered 416."""
    headers = {"Accept-Ranges": "bytes", **headers}
    found = RANGE.match(request.headers.get("range", ""))
    if not found or found.groups() == ("", "") or request.headers.get("if-range") not in (None, headers.get("ETag")):
        return Answer(200, headers, body)
    first, last = found.groups()
    if first:
        start, end = int(first), min(int(last) + 1, body.size) if last else body.size
    else:
        start, end = max(body.size - int(last), 0), body.size
    if start >= end:
        return Answer(416, {**headers, "Content-Range": f"bytes */{body.size}"})
    return Answer(206, {**headers, "Content-Range": f"bytes {start}-{end - 1}/{body.size}"}, body.cut(start, end))
