"""Scopes: what is registered in this process, and the views of the daemon that it
is looked up in.

The daemon gets a scope as a view when a model is first kernelized with it, and only
what was registered since when it is used again. Scopes end when nothing refers to
them, in whatever thread that is; their views are then dropped at the next occasion.
A session may have few views: where more scopes live, those used last have one."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import deque
from typing import Deque, Dict, Iterator, List, Optional, Tuple

from . import _native
from .client import epoch
from .device import Range
from .load import local_override
from .mode import Mode, mode_text
from .repository import HubRepository, RepositoryProtocol

# layer, device type, range: what registering again replaces.
EntryKey = Tuple[str, Optional[str], Range]
Modes = Dict[Mode, RepositoryProtocol]

NO_RANGE: Range = (None, None)

# What a view has in the place of a repository that this process loads itself: no
# repository of the Hub has such a commit, and it is never asked for.
_OWN_REPO, _OWN_REVISION = "this-process/loads-it", "0" * 40

_MOST_VIEWS = 48  # at once; the protocol allows a session 64


def is_own(answer: _native.Answer) -> bool:
    """Whether the daemon answers that this process loads it itself. Only views say so:
    in the host's mapping the name means what it says."""
    return answer.source == "view" and answer.repo == _OWN_REPO


def _reference(layer: str, mode: Mode, repository: RepositoryProtocol) -> _native.Reference:
    # What LOCAL_KERNELS replaces is not looked up at all: the daemon may know that it has no kernel.
    if isinstance(repository, HubRepository) and local_override(repository._repo_id) is None:
        wanted = repository.wanted
        return mode_text(mode), repository._repo_id, wanted.version, wanted.revision, None, repository._name
    return mode_text(mode), _OWN_REPO, None, _OWN_REVISION, None, layer


def _row(key: EntryKey, modes: Modes) -> _native.Entry:
    layer, device, (lowest, highest) = key
    # TORCH_COMPILE alone may be registered, but nothing ever finds it; the daemon would refuse it.
    found = {mode: modes[mode] for mode in modes if mode not in (Mode.TORCH_COMPILE, Mode._NONE)}
    references = tuple(_reference(layer, mode, repository) for mode, repository in found.items())
    return layer, device, lowest, highest, references


class Scope:
    """One mapping: its own entries, on the host mapping or on nothing."""

    def __init__(self, parent: Optional[Scope], on_host: bool) -> None:
        self.on_host = on_host
        self._epoch = -1  # no view
        self._view = 0
        self._n_users = 0  # calls that look things up in the view now
        self._n_sent = 0  # of _own
        # In the order of registration, the parent's first.
        self._entries: Dict[EntryKey, Modes] = dict(parent._entries) if parent is not None else {}
        self._parent = parent
        self._parent_version: int = parent._version if parent is not None else 0
        self._version: int = 0  # rises with every registration
        self._own: List[EntryKey] = []  # registered here, not copied from the parent

    def register(self, entries: Dict[EntryKey, Modes]) -> None:
        """Registers more; the same layer, device type and range again replaces."""
        with _views.lock:
            self._entries.update(entries)
            self._own.extend(entries)
            self._version += 1

    def modes(self, layer: str, device: str, lowest: int, highest: int) -> Modes:
        """What is registered for an entry that the daemon found in this scope's view."""
        ranged = device in ("cuda", "rocm")
        bounds: Range = (max(lowest, 0), highest if highest >= 0 else None) if ranged else NO_RANGE
        return self._entries[layer, device, bounds]

    @contextlib.contextmanager
    def view(self, asked: _native.Client) -> Iterator[int]:
        """The number of a view that has all of the scope; it stays within the `with`."""
        with _views.lock:
            self._bring_up(asked)
            _views.touch(self)
            self._n_users += 1
            view = self._view
        try:
            yield view
        finally:
            with _views.lock:
                self._n_users -= 1

    def _bring_up(self, asked: _native.Client) -> None:
        if self._epoch != epoch():
            self._make(asked)
        elif self._n_sent < len(self._own):
            asked.view_extend(self._view, True, self._rows(self._own[self._n_sent:]))
            self._n_sent = len(self._own)

    def _rows(self, keys: List[EntryKey]) -> List[_native.Entry]:
        return [_row(key, self._entries[key]) for key in keys]

    def _make(self, asked: _native.Client) -> None:
        parent = self._parent
        inherits = parent is not None and bool(parent._entries) and parent.on_host == self.on_host
        if parent is None or not inherits or parent._version != self._parent_version:
            self._create(asked, _native.VIEW_HOST if self.on_host else None, list(self._entries))
            return
        with parent.view(asked) as base:
            self._create(asked, base, self._own)

    def _create(self, asked: _native.Client, base: Optional[int], keys: List[EntryKey]) -> None:
        _views.make_room(asked)
        self._view = asked.view_create(base, self._rows(keys))
        self._epoch, self._n_sent = epoch(), len(self._own)

    def __del__(self) -> None:
        if self._epoch >= 0:
            _views.ended.append((self._epoch, self._view))


class _Views:
    """All views that the daemon has of this process's scopes."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # of all scopes: a view is made from its parent's
        self.ended: Deque[Tuple[int, int]] = deque()  # (epoch, view) of scopes that are no more
        self.scopes: Dict[Tuple[int, int], weakref.ref[Scope]] = {}  # the one used last stands last

    def touch(self, scope: Scope) -> None:
        key = scope._epoch, scope._view
        self.scopes.pop(key, None)
        self.scopes[key] = weakref.ref(scope)

    def _drop(self, asked: _native.Client, key: Tuple[int, int]) -> None:
        self.scopes.pop(key, None)
        if key[0] == epoch():
            with contextlib.suppress(_native.Error):
                asked.view_drop(key[1])

    def _drop_ended(self, asked: _native.Client) -> None:
        while self.ended:
            self._drop(asked, self.ended.popleft())

    def make_room(self, asked: _native.Client) -> None:
        """Before one more is made."""
        self._drop_ended(asked)
        self.scopes = {key: scope for key, scope in self.scopes.items() if key[0] == epoch()}
        for key in list(self.scopes):
            if len(self.scopes) < _MOST_VIEWS:
                return
            scope = self.scopes[key]()
            if scope is not None and not scope._n_users:
                scope._epoch = -1
                self._drop(asked, key)


_views = _Views()


def _after_fork() -> None:
    _views.lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
