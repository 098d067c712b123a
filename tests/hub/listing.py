"""Entries of a tree as the Hub writes them, and pages of them."""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
from typing import Any

from .access import Refused
from .messages import Answer, Request, json_answer
from .tree import File, Folder

EXPANDED_PAGE = 50


def xet_hash(file: File) -> str:
    """Stands for the xet hash: of its form, but made from the sha256."""
    return hashlib.sha256(b"xet" + (file.sha256 or "").encode()).hexdigest()


def entry_value(path: str, entry: File | Folder, xet: bool, masked: bool, expanded_by: str | None) -> dict[str, Any]:
    """One entry of a tree.

    xet: xetHash is shown for large files; masked: as asterisks.
    expanded_by: commit shown as the last one that changed it."""
    if isinstance(entry, Folder):
        value: dict[str, Any] = {"type": "directory", "oid": entry.oid, "size": 0, "path": path}
    else:
        value = {"type": "file", "oid": entry.oid, "size": entry.body.size, "path": path}
        if entry.sha256:
            value["lfs"] = {"oid": entry.sha256, "size": entry.body.size, "pointerSize": entry.pointer_size}
            if xet:
                value["xetHash"] = "*" * 64 if masked else xet_hash(entry)
    if expanded_by:
        value["lastCommit"] = {"id": expanded_by, "title": "Files", "date": "2026-01-01T00:00:00.000Z"}
    return value


def page(request: Request, values: list[dict[str, Any]], endpoint: str, page_size: int) -> Answer:
    """The page that the request's cursor and limit name, with a link to the next.

    Raises Refused for a cursor or limit that is none."""
    query = request.query
    most = min(page_size, EXPANDED_PAGE) if query.get("expand") == "true" else page_size
    try:
        start = int(base64.urlsafe_b64decode(query["cursor"])) if "cursor" in query else 0
        limit = min(int(query.get("limit", most)), most)
    except ValueError:
        raise Refused(400, None, "Invalid cursor or limit") from None
    if limit < 1 or start < 0:
        raise Refused(400, None, "Invalid cursor or limit")
    answer = json_answer(values[start : start + limit])
    if start + limit < len(values):
        query["cursor"] = base64.urlsafe_b64encode(str(start + limit).encode()).decode()
        target = f"{endpoint}{request.path}?{urllib.parse.urlencode(query)}"
        answer.headers["Link"] = f'<{target}>; rel="next"'
    return answer
