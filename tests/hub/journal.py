"""What was asked, in order, and how often."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from .messages import Request

API = ("refs", "overview", "tree", "info", "revision", "paths_info", "other")
FILES = ("resolve",)
HOPS = ("resolve_cache", "cdn")  # where a redirect of `resolve` leads
GROUPS = {"api": API, "files": FILES, "hops": HOPS}

KEPT_HEADERS = ("accept-encoding", "authorization", "host", "if-range", "range", "user-agent", "x-amzn-trace-id")

PATIENCE_S = 60.0  # of those who wait for a request; a busy machine is slow


def belongs(request_class: str, wanted: str) -> bool:
    """Whether a class is `wanted`, in the group `wanted`, or `wanted` is "any"."""
    return wanted in ("any", request_class) or request_class in GROUPS.get(wanted, ())


@dataclass
class Entry:
    """One request. `status` is 0 until its answer is made; `faults` are the ids
    of those that changed the answer."""

    request_class: str
    method: str
    target: str
    headers: dict[str, str]
    status: int = 0
    faults: list[int] = field(default_factory=list)

    def value(self) -> dict[str, Any]:
        value = asdict(self)
        value["class"] = value.pop("request_class")
        return value


class Journal:
    """Safe to use from every thread."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.changed = threading.Condition()

    def enter(self, request_class: str, request: Request) -> Entry:
        """Notes a request as it comes in."""
        headers = {name: request.headers[name] for name in KEPT_HEADERS if name in request.headers}
        entry = Entry(request_class, request.method, request.target, headers)
        with self.changed:
            self.entries.append(entry)
            self.changed.notify_all()
        return entry

    def requests(self, wanted: str = "any") -> list[Entry]:
        """Requests of a class or group, in order."""
        with self.changed:
            return [entry for entry in self.entries if belongs(entry.request_class, wanted)]

    def counts(self) -> dict[str, int]:
        """By class, by group, and `total`; every name is there, if only with 0."""
        counted = Counter(entry.request_class for entry in self.requests())
        counts = {name: counted[name] for group in GROUPS.values() for name in group}
        counts.update({group: sum(counted[name] for name in names) for group, names in GROUPS.items()})
        return {**counts, "total": counted.total()}

    def reset(self) -> None:
        with self.changed:
            self.entries.clear()

    def wait(self, wanted: str, n: int, patience_s: float = PATIENCE_S) -> None:
        """Returns once `n` requests of a class or group came in since the reset.

        Raises TimeoutError when patience ends."""
        def there() -> bool:
            return sum(belongs(entry.request_class, wanted) for entry in self.entries) >= n

        with self.changed:
            if not self.changed.wait_for(there, patience_s):
                raise TimeoutError(f"fewer than {n} requests of {wanted}")
