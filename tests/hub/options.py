"""How the double as a whole behaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Options:
    """page_size: entries of a listing in one answer (the Hub: 1000).
    direct: small files are answered at once, not by way of a 307.
    gzip: small files and JSON are compressed for those who accept it.
    xet: large files are announced as xet files too.
    tokens: tokens of people who may read no private repository.
    repositories: settings for repositories that do not say otherwise."""

    page_size: int = 1000
    direct: bool = False
    gzip: bool = False
    xet: bool = False
    tokens: list[str] = field(default_factory=list)
    repositories: dict[str, Any] = field(default_factory=dict)


@dataclass
class Places:
    """Base URLs of the three listeners, known once they listen."""

    endpoint: str = ""
    cdn: str = ""
    control: str = ""
