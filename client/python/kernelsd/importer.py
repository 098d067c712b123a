"""Imports the Python module of a kernel from its leased folder, once in a process.

Each kernel has a module name of its own, made from repository, commit and
variant, so that two versions of one kernel live beside each other. The import
goes through `importlib`, whose locks order threads that import the same."""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import importlib.util
import os
import sys
import threading
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, ModuleSpec
from types import ModuleType
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

from . import _native
from .bytecode import KernelSourceLoader
from .dependencies import check_dependencies
from .environment import backend
from .metadata import Metadata
from .warning import warn

_PREFIX = "_kernelsd_"


class KernelKey(NamedTuple):
    """What makes a kernel another one. `origin` is a repository or a path."""

    origin: str
    commit: str
    variant: str


@dataclass(frozen=True)
class RepoInfo:
    """Where a kernel came from: its repository on the Hub, and the revision."""

    repo_id: str
    revision: str


@dataclass(frozen=True)
class LoadedKernel:
    """A kernel that this process has loaded.

    Attributes:
        metadata: what its metadata.json says.
        module: the imported module.
        repo_info: of a kernel of the Hub; None: a local one.
    """

    metadata: Metadata
    module: ModuleType
    repo_info: Optional[RepoInfo]


class _Loaded:
    """All that is loaded, with the leases, which are held until the process ends:
    code once loaded cannot be taken away."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.kernels: Dict[KernelKey, LoadedKernel] = {}
        self.leases: Dict[KernelKey, _native.Kernel] = {}
        self.places: Dict[str, str] = {}  # module name to its __init__.py


_loaded = _Loaded()


def _after_fork() -> None:
    _loaded.lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


class _Finder:
    """Finds kernels' modules, and what is inside them, for Python's import."""

    @staticmethod
    def find_spec(
        name: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[ModuleSpec]:
        if not name.startswith(_PREFIX):
            return None
        if path is None:
            place = _loaded.places.get(name)
            if place is None:
                return None
            return importlib.util.spec_from_file_location(
                name, place, loader=KernelSourceLoader(name, place),
                submodule_search_locations=[os.path.dirname(place)])
        loaders = (ExtensionFileLoader, EXTENSION_SUFFIXES), (KernelSourceLoader, SOURCE_SUFFIXES)
        for folder in path:
            found = FileFinder(folder, *loaders).find_spec(name)
            if found is not None:
                return found
        return None


def _module_name(metadata: Metadata, key: KernelKey) -> str:
    digest = hashlib.sha256("\0".join(key).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{_PREFIX}{metadata.name.python_name}_{digest[:16]}"


def _module_file(folder: str, metadata: Metadata) -> str:
    for place in (folder, os.path.join(folder, metadata.name.python_name)):
        file = os.path.join(place, "__init__.py")
        if os.path.exists(file):
            return file
    raise FileNotFoundError(f"No kernel module found at: `{folder}`")


def _warn_if_dirty(metadata: Metadata, variant: str) -> None:
    if metadata.dirty:
        warn(
            f"Kernel '{metadata.name}' variant '{variant}' was built from a dirty git tree "
            f"({', '.join(metadata.dirty)} had uncommitted changes): it may not be reproducible."
        )


def import_kernel(
    folder: str,
    metadata_bytes: bytes,
    key: KernelKey,
    repo_info: Optional[RepoInfo] = None,
    lease: Optional[_native.Kernel] = None,
) -> LoadedKernel:
    """Imports a kernel, unless it is loaded under this key.

    Args:
        folder: the variant folder.
        metadata_bytes: of its metadata.json.
        key: what it is known by from then on.
        repo_info: where it came from.
        lease: kept until the process ends; given back if the kernel has one already, or
            the import fails. What is imported lies in the folder of the one that is kept.

    Raises:
        ImportError: a package that it needs is missing, or its code says so.
        FileNotFoundError: there is no module in the folder.
        ValueError: its metadata.json is faulty.
        Exception: whatever else its code raises.
    """
    kept = hold_lease(key, lease) if lease is not None else None
    known = _loaded.kernels.get(key)
    if known is not None:
        return known
    try:
        return _import_new(folder if kept is None else kept.path, metadata_bytes, key, repo_info)
    except BaseException:
        _release_lease(key)
        raise


def _import_new(folder: str, metadata_bytes: bytes, key: KernelKey, repo_info: Optional[RepoInfo]) -> LoadedKernel:
    metadata = Metadata.from_bytes(metadata_bytes)
    check_dependencies(metadata, backend()[0])
    _warn_if_dirty(metadata, key.variant)
    name = _module_name(metadata, key)
    _loaded.places[name] = _module_file(folder, metadata)
    try:
        module = importlib.import_module(name)
    except BaseException:
        if name not in sys.modules:  # no other thread has tried again meanwhile
            _forget_modules(name)
        raise
    with _loaded.lock:  # another thread may have been first, with the same module
        return _loaded.kernels.setdefault(key, LoadedKernel(metadata, module, repo_info))


def _forget_modules(name: str) -> None:
    """A kernel's module and what is inside it. Other threads may import meanwhile."""
    for known in list(sys.modules):
        if known == name or known.startswith(name + "."):
            sys.modules.pop(known, None)


def hold_lease(key: KernelKey, lease: _native.Kernel) -> _native.Kernel:
    """Keeps a lease until this process ends, one for each kernel: where one is kept
    already, the new one is given back.

    Returns:
        The one that is kept.
    """
    with _loaded.lock:
        kept = _loaded.leases.setdefault(key, lease)
    if kept is not lease:
        lease.free()
    return kept


def _release_lease(key: KernelKey) -> None:
    """Of a kernel that could not be imported, and that no other thread has."""
    with _loaded.lock:
        lease = None if key in _loaded.kernels else _loaded.leases.pop(key, None)
    if lease is not None:
        lease.free()


def get_loaded_kernels() -> List[LoadedKernel]:
    """Every kernel that this process has loaded, in a list of its own.

    Returns:
        One `LoadedKernel` for each repository, commit and variant.
    """
    with _loaded.lock:
        return list(_loaded.kernels.values())


def forget_kernels() -> None:
    """Gives all leases back and forgets the modules. Code of theirs that still runs
    may then miss files: for tests, and for programs that are about to end."""
    with _loaded.lock:
        leases, _loaded.leases = _loaded.leases, {}
        names = list(_loaded.places)
        _loaded.kernels.clear()
        _loaded.places.clear()
    for name in names:
        _forget_modules(name)
    for lease in leases.values():
        lease.free()


_finder: Any = _Finder
sys.meta_path.insert(0, _finder)
