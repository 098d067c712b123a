"""Scopes: what is registered in this process, and the views of the daemon that it
is looked up in.

The daemon gets a scope as a view when a model is first kernelized with it, and only
what was registered since when it is used again. Scopes end when nothing refers to
them, in whatever thread that is; their views are then dropped at the next occasion.
A session may have few views: where more scopes live, those used last have one."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import weakref
from collections import deque
from typing import Deque, Dict, Iterable, Iterator, List, Optional, Tuple

from . import _native
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


# What no daemon refuses. One odd row would have a whole scope refused; what does not
# match is loaded by this process where its entry is used, and refused there.
_PLAIN_REPO = re.compile(r"(?!.*(--|\.\.))\w[\w.-]{0,80}\w/\w[\w.-]{0,80}\w", re.A)
_PLAIN_REVISION = re.compile(r"(?!.*(//|\.\.))[A-Za-z0-9]([\w./-]{0,80}\w)?", re.A)


def _is_plain(repository: HubRepository) -> bool:
    wanted, name = repository.wanted, repository._name
    return (
        isinstance(repository._repo_id, str)
        and _PLAIN_REPO.fullmatch(repository._repo_id) is not None
        and (wanted.revision is None or _PLAIN_REVISION.fullmatch(wanted.revision) is not None)
        and (wanted.version is None or wanted.version < 2**53)
        and isinstance(name, str)
        and name.isprintable()
        and 0 < len(name) <= 64  # of at most four bytes each
    )


def _reference(layer: str, mode: Mode, repository: RepositoryProtocol) -> _native.Reference:
    # What LOCAL_KERNELS replaces is not looked up at all: the daemon may know that it has no kernel.
    if isinstance(repository, HubRepository) and _is_plain(repository) and local_override(repository._repo_id) is None:
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
        self._client: Optional[_native.Client] = None  # that has the view; None: no view
        self._view = 0
        self._n_users = 0  # calls that look things up in the view now
        self._parent = parent
        self._version: int = 0  # rises with every registration
        # Registered here, not copied from the parent; and of those what the view has not got.
        self._own: Dict[EntryKey, None] = {}
        self._unsent: Dict[EntryKey, None] = {}
        with _views.lock:
            self._depth: int = parent._depth + 1 if parent is not None else 0
            self._parent_version: int = parent._version if parent is not None else 0
            # In the order of registration, the parent's first.
            self._entries: Dict[EntryKey, Modes] = dict(parent._entries) if parent is not None else {}

    def register(self, entries: Dict[EntryKey, Modes]) -> None:
        """Registers more; the same layer, device type and range again replaces."""
        with _views.lock:
            self._entries.update(entries)
            self._own.update(dict.fromkeys(entries))
            self._unsent.update(dict.fromkeys(entries))
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
        if self._client is not asked:
            self._make(asked)
        elif self._unsent:
            asked.view_extend(self._view, True, self._rows(self._unsent))
        self._unsent.clear()

    def _rows(self, keys: Iterable[EntryKey]) -> List[_native.Entry]:
        return [_row(key, self._entries[key]) for key in keys]

    def _make(self, asked: _native.Client) -> None:
        parent = self._parent
        inherits = parent is not None and bool(parent._entries) and parent.on_host == self.on_host
        # A chain of parents is gone through by calls: now and then one begins anew.
        stands_alone = parent is None or not inherits or self._depth % 16 == 0
        if parent is None or stands_alone or parent._version != self._parent_version:
            self._create(asked, _native.VIEW_HOST if self.on_host else None, self._entries)
            return
        with parent.view(asked) as base:
            self._create(asked, base, self._own)

    def _create(self, asked: _native.Client, base: Optional[int], keys: Iterable[EntryKey]) -> None:
        _views.make_room(asked)
        self._view = asked.view_create(base, self._rows(keys))
        self._client = asked

    def __del__(self) -> None:
        if self._client is not None:
            _views.ended.append((self._client, self._view))


class _Views:
    """All views that the daemon has of this process's scopes."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # of all scopes: a view is made from its parent's
        self.ended: Deque[Tuple[_native.Client, int]] = deque()  # views of scopes that are no more
        self.scopes: Dict[int, weakref.ref[Scope]] = {}  # by view; the one used last stands last
        self.client: Optional[_native.Client] = None  # whose views these are

    def touch(self, scope: Scope) -> None:
        self.scopes.pop(scope._view, None)
        self.scopes[scope._view] = weakref.ref(scope)

    def _drop(self, asked: _native.Client, view: int) -> None:
        self.scopes.pop(view, None)
        with contextlib.suppress(_native.Error):
            asked.view_drop(view)

    def make_room(self, asked: _native.Client) -> None:
        """Before one more is made."""
        if self.client is not asked:
            self.client, self.scopes = asked, {}
        while self.ended:
            made_on, view = self.ended.popleft()
            if made_on is asked:
                self._drop(asked, view)
        for view in list(self.scopes):
            if len(self.scopes) < _MOST_VIEWS:
                return
            scope = self.scopes[view]()
            if scope is not None and not scope._n_users:
                scope._client = None
                self._drop(asked, view)


_views = _Views()


def _after_fork() -> None:
    _views.lock = threading.RLock()


os.register_at_fork(after_in_child=_after_fork)
