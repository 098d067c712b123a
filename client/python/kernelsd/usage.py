"""Tells the daemon what was put in place, for `kernelsctl clients` and `history`."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import List, Optional

from . import _native
from .client import client
from .errors import KernelError

logger = logging.getLogger("kernelsd")

_MOST_REASON = 256  # bytes


@dataclass(frozen=True)
class Used:
    """What one layer uses. `repo` None: its original."""

    layer: str
    reason: str
    repo: Optional[str] = None
    commit: Optional[str] = None
    variant: Optional[str] = None


def _short(reason: str) -> str:
    """One line of at most 256 bytes, without what a terminal would take for commands."""
    if len(reason) <= _MOST_REASON and reason.isascii() and reason.isprintable():
        return reason
    line = " ".join("".join(character if character.isprintable() else " " for character in reason).split())
    return line.encode("utf-8", "replace")[:_MOST_REASON].decode("utf-8", "ignore")


def report_usage(rows: List[Used], device: str, mode: str) -> None:
    """Reports rows, without waiting for the daemon. That it cannot be told
    stops nobody.

    Args:
        rows: one for each layer name.
        device: the device type that kernels were chosen for.
        mode: the mode asked for, in the protocol's spelling.
    """
    used = [
        (row.layer, device, mode, row.repo, row.commit, row.variant, _short(row.reason)) for row in rows
    ]
    try:
        client().report(used)
    except (KernelError, _native.Error, ValueError) as error:
        logger.debug("What is used could not be reported: %s", error)
