"""A layer's name for which the daemon named a kernel, on its way to the class."""

from __future__ import annotations

import os
from typing import Any, Optional, Tuple, Union

from . import _native
from .device import Target
from .errors import nonsense, translated
from .importer import LoadedKernel
from .load import effective_revision, import_acquired, load_local, local_override, trust_flag
from .mode import is_mode_text, Mode, mode_of_text
from .repository import HubRepository, layer_of, LocalRepository, Repository, RepositoryProtocol
from .scope import is_own, Scope


class Changed(Exception):
    """A mapping was changed since the names were resolved: they are to be resolved anew."""


def _check_answer(name: str, answer: _native.Answer) -> None:
    """Refuses what no kernelsd answers to a question about this name."""
    if not is_mode_text(answer.mode) or answer.layer != name or not (answer.repo or answer.path):
        raise nonsense(f"about layer `{name}`")


def _is_of(answer: _native.Answer, repository: RepositoryProtocol) -> bool:
    """Whether the daemon's answer is about the repository that is registered by now."""
    if is_own(answer):
        return True
    if not isinstance(repository, HubRepository):
        return False
    version, revision = repository.wanted
    return (answer.repo, answer.version, answer.revision) == (
        repository._repo_id, -1 if version is None else version, revision)


def _registered_by(scope: Scope, answer: _native.Answer, device: str) -> Any:
    """The repository that this process registered; None: the host's mapping says it.

    Raises:
        Changed: another one is registered than the daemon found.
    """
    if answer.source != "view":
        return None
    try:
        modes = scope.modes(answer.layer or "", device, answer.min_capability, answer.max_capability)
        repository = modes[mode_of_text(answer.mode or "")]
    except KeyError:
        raise Changed from None
    if not _is_of(answer, repository):
        raise Changed
    return repository


class Wanted:
    """One name, its answer, and the repository that was registered for it.

    Raises:
        Changed: the answer is of a mapping that is no more.
        KernelError: it makes no sense.
    """

    def __init__(self, name: str, answer: _native.Answer, scope: Scope, device: str) -> None:
        _check_answer(name, answer)
        self.name, self.answer = name, answer
        self._scope, self._device = scope, device
        self.repository = _registered_by(scope, answer, device)
        self.kernel: Optional[Acquired] = None  # set for what the daemon hands out
        hub = isinstance(self.repository, HubRepository)
        self.flags = trust_flag(self.repository._trust_remote_code) if hub else 0  # of its acquire
        repo_id = answer.repo if self.repository is None else getattr(self.repository, "_repo_id", None)
        self.override = local_override(repo_id) if repo_id is not None else None

    @property
    def is_current(self) -> bool:
        """The same repository is registered still."""
        try:
            return _registered_by(self._scope, self.answer, self._device) is self.repository
        except Changed:
            return False

    @property
    def is_acquired(self) -> bool:
        """The daemon hands it out; all else this process loads itself."""
        return self.override is None and not is_own(self.answer)

    @property
    def folder(self) -> Optional[str]:
        """What this process loads itself, by name, never by path; None: the daemon hands it out."""
        if self.is_acquired:
            return None
        if self.override is not None or isinstance(self.repository, LocalRepository):
            return os.path.basename(os.path.abspath(self.override or self.repository._repo_path))
        return type(self.repository).__name__

    @property
    def identity(self) -> Tuple[Any, ...]:
        """Names with the same one have the same kernel, acquired with the same trust."""
        return (*reference_of(self.answer), self.answer.commit, self.answer.variant, self.flags)

    @property
    def label(self) -> object:
        """What messages call the repository."""
        if self.repository is not None:
            return self.repository
        answer = self.answer
        return f"`{answer.path or answer.repo}` ({answer.source}), layer `{answer.reference_layer}`"

    @property
    def registered(self) -> Mode:
        """The mode that the kernel was found under."""
        return mode_of_text(self.answer.mode or "")

    @property
    def final_answer(self) -> _native.Answer:
        """With commit and variant, where the daemon handed it out."""
        return self.answer if self.kernel is None else self.kernel.answer

    def load(self, target: Target) -> Any:
        """The class whose forward is put in place.

        Raises:
            Exception: why there is none; an error of the package, or the kernel's own.
        """
        repository = self.repository
        if self.override is not None:
            return self._class_in(load_local(self.override, target))
        if isinstance(repository, LocalRepository):
            return repository.find(load_local(repository._repo_path, target))
        if self.kernel is None:
            return repository.load()
        if isinstance(repository, HubRepository):
            effective_revision(repository._repo_id, repository._revision, repository._version)
        return self._class_in(self.kernel.load())

    def _class_in(self, loaded: LoadedKernel) -> Any:
        if isinstance(self.repository, Repository):
            return self.repository.find(loaded)
        return layer_of(self.label, self.answer.reference_layer or self.name, loaded.module)


def reference_of(answer: _native.Answer) -> Tuple[Any, ...]:
    """What a mapping refers to."""
    return answer.repo, answer.version, answer.revision, answer.locked, answer.path


class Acquired:
    """What came of one acquire, for all names that lead to its kernel."""

    def __init__(self, want: Wanted, result: Union[_native.Kernel, _native.Error]) -> None:
        """Raises Changed if the kernel is not the one that the name was resolved to: an
        acquire looks its name up again, and the trust that it was asked with is meant
        for that reference alone. The kernel is freed then. An error says not what it is
        about: it counts while the same is registered."""
        self._result = result
        self._loaded: Optional[LoadedKernel] = None
        self.answer = want.answer
        if isinstance(result, _native.Error):
            if not want.is_current:
                raise Changed
            return
        self.answer = result.answer
        before, now = want.answer, result.answer
        same = reference_of(before) == reference_of(now) and (before.source, before.mode) == (now.source, now.mode)
        if not same or before.commit not in (None, now.commit):
            result.free()
            raise Changed

    def load(self) -> LoadedKernel:
        """The imported kernel. Its lease is kept, or given back if it is loaded already."""
        if isinstance(self._result, _native.Error):
            raise translated(self._result)
        if self._loaded is None:
            self._loaded = import_acquired(self._result)
        return self._loaded

    def drop(self) -> None:
        """Gives the lease back of what nobody loaded."""
        if self._loaded is None and isinstance(self._result, _native.Kernel):
            self._result.free()
