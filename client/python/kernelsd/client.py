"""The one connection of this process to kernelsd, made when it is first needed.

It is shared by all threads. libkernelsd makes it anew after a restart of the
daemon and in children after fork, with the same views; the locks here are made
anew in a child, since the thread that held one is not there."""

from __future__ import annotations

import os
import threading
from typing import Dict

from . import _native
from .environment import environment
from .errors import DaemonUnreachableError, translated
from .warning import warn


class _Connections:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.clients: Dict[bool, _native.Client] = {}  # offline or not
        self.warned = False


_connections = _Connections()


def _after_fork() -> None:
    _connections.lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def client(offline: bool = False) -> _native.Client:
    """The connection; `offline`: one for which nothing is asked of the Hub, whatever
    HF_HUB_OFFLINE says.

    Raises:
        DaemonUnreachableError: there is no daemon, or none that this process may ask.
    """
    with _connections.lock:
        made = _connections.clients.get(offline)
        if made is None:
            try:
                made = _native.Client(
                    environment(), client=f"kernelsd-python {_native.version()}", offline=1 if offline else -1
                )
            except _native.Error as error:
                raise translated(error) from None
            _connections.clients[offline] = made
            _connections.warned = False
        return made


def disconnect() -> None:
    """Ends the connection; the next call makes another. Kernels that are loaded stay."""
    with _connections.lock:
        clients, _connections.clients = _connections.clients, {}
        _connections.warned = False
    for made in clients.values():
        made.close()


def note_reached() -> None:
    """The daemon answered: that it is lost would be news."""
    _connections.warned = False


def warn_unreachable(error: DaemonUnreachableError) -> None:
    """Says once, until a daemon was found, that there is none; the error says how to start it."""
    with _connections.lock:
        if _connections.warned:
            return
        _connections.warned = True
    warn(f"layers keep their original forward: {error}", RuntimeWarning)
