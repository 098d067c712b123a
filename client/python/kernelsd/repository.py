"""What a mapping refers to: a layer in a repository of the Hub, in a local folder,
or at the commit of a lock file; and functions, which are deprecated.

Every class has `load()`, which answers the class whose forward is put in place."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any, List, Optional, Protocol, Tuple, Union

from .function import function_layer
from .importer import LoadedKernel
from .load import check_revision, load_hub, load_local, own_target, Revision
from .lock import commit_of
from .warning import warn

_PathLike = Union[str, "os.PathLike[str]"]
_Trust = Union[bool, List[str]]


class RepositoryProtocol(Protocol):
    """What mappings take: anything that can load a layer's class."""

    def load(self) -> Any: ...


def layer_of(label: object, layer_name: str, module: ModuleType) -> Any:
    """A kernel's class for a layer; `label` names the repository in errors.

    Raises:
        ValueError: the kernel has no layers, or not this one.
    """
    layers = getattr(module, "layers", None)
    if layers is None:
        raise ValueError(f"Kernel repo {label} does not define any layers.")
    layer = getattr(layers, layer_name, None)
    if layer is None:
        raise ValueError(f"Layer `{layer_name}` not found in kernel repo {label}.")
    return layer


class _Layer:
    """Names a layer of a kernel."""

    layer_name: str
    _kind = "layer"

    @property
    def _name(self) -> str:
        return self.layer_name

    def _class_in(self, module: ModuleType) -> Any:
        return layer_of(self, self.layer_name, module)


class _Function:
    """Names a function of a kernel."""

    func_name: str
    _kind = "function"

    @property
    def _name(self) -> str:
        return self.func_name

    def _class_in(self, module: ModuleType) -> Any:
        function = getattr(module, self.func_name, None)
        if function is None:
            raise ValueError(f"Function `{self.func_name}` not found in `{self}`")
        return function_layer(function)


def _warn_function(old: str, new: str) -> None:
    warn(f"{old} is deprecated. Use {new} instead.", DeprecationWarning)


class Repository:
    """Base of the classes below: they are equal where they say the same."""

    _package_name: Optional[str] = None
    _kind: str

    @property
    def _name(self) -> str:
        raise NotImplementedError

    def _facts(self) -> Tuple[Any, ...]:
        raise NotImplementedError

    def _class_in(self, module: ModuleType) -> Any:
        raise NotImplementedError

    def _set_package(self, package_name: Optional[str]) -> None:
        self._package_name = package_name
        if package_name is not None:
            warn("`package_name` is deprecated: a kernel's metadata.json says its name.", DeprecationWarning)

    def find(self, loaded: LoadedKernel) -> Any:
        """The class in a kernel that was loaded.

        Raises:
            ValueError: it is not in there, or the kernel has another name than `package_name`.
        """
        name = loaded.metadata.name
        if self._package_name is not None and self._package_name not in (name, name.python_name):
            raise ValueError(
                f"The kernel {self} calls itself `{name}`, not `{self._package_name}`: "
                "leave `package_name` out, or correct it."
            )
        return self._class_in(loaded.module)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Repository) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._facts()))


def _hashable(trust: _Trust) -> Union[bool, Tuple[str, ...]]:
    return tuple(trust) if isinstance(trust, list) else trust


class HubRepository(Repository):
    """Base: a repository of the Hub at a version or a revision."""

    def __init__(
        self,
        repo_id: str,
        revision: Optional[str],
        version: Optional[int],
        trust_remote_code: _Trust,
        package_name: Optional[str],
    ) -> None:
        check_revision(revision, version)
        self._set_package(package_name)
        self._repo_id = repo_id
        self._revision = revision
        self._version = version
        self._trust_remote_code = trust_remote_code

    @property
    def wanted(self) -> Revision:
        """As views register it."""
        if self._revision is None and self._version is None:
            return Revision(None, "main")
        return Revision(self._version, self._revision)

    def load(self) -> Any:
        """The class, of the kernel that `get_kernel` loads; errors as that has them."""
        return self.find(load_hub(self._repo_id, self._revision, self._version, None, self._trust_remote_code))

    def _facts(self) -> Tuple[Any, ...]:
        return self._name, self._repo_id, self._revision, self._version, _hashable(self._trust_remote_code)

    def __str__(self) -> str:
        return f"`{self._repo_id}` ({self.wanted}), {self._kind} `{self._name}`"


class LocalRepository(Repository):
    """Base: a local folder."""

    def __init__(self, repo_path: _PathLike, package_name: Optional[str]) -> None:
        self._set_package(package_name)
        self._repo_path = Path(repo_path)

    def load(self) -> Any:
        """The class; errors as `get_local_kernel` has them."""
        return self.find(load_local(self._repo_path, own_target(None)))

    def _facts(self) -> Tuple[Any, ...]:
        return self._name, self._repo_path

    def __str__(self) -> str:
        return f"`{self._repo_path}` ({self._kind} `{self._name}`)"


class LayerRepository(_Layer, HubRepository):
    """A layer of a kernel on the Hub.

    Args:
        repo_id: "org/name".
        layer_name: the layer's name in the kernel.
        revision: a branch, a tag or a commit; not together with `version`.
        version: a version's number. With neither, revision `main` is taken, with a
            FutureWarning when it is used.
        trust_remote_code: True: takes the kernel of a publisher whom nobody trusts.
        package_name: the kernel's name, which must then be that of its metadata.json;
            deprecated.

    Raises:
        ValueError: both a revision and a version.
    """

    def __init__(
        self,
        repo_id: str,
        *,
        layer_name: str,
        revision: Optional[str] = None,
        version: Optional[int] = None,
        trust_remote_code: _Trust = False,
        package_name: Optional[str] = None,
    ) -> None:
        super().__init__(repo_id, revision, version, trust_remote_code, package_name)
        self.layer_name = layer_name


class LocalLayerRepository(_Layer, LocalRepository):
    """A layer of a kernel in a local folder.

    Args:
        repo_path: a folder of build variants, one with `build/` in it, or a variant's own.
        layer_name: the layer's name in the kernel.
        package_name: as for `LayerRepository`.
    """

    def __init__(self, repo_path: _PathLike, *, layer_name: str, package_name: Optional[str] = None) -> None:
        super().__init__(repo_path, package_name)
        self.layer_name = layer_name


class LockedLayerRepository(_Layer, HubRepository):
    """A layer of a kernel on the Hub, at the commit of a lock file.

    Args:
        repo_id: "org/name".
        lockfile: a kernels.lock; None: the one installed with the calling project.
        layer_name: the layer's name in the kernel.
        trust_remote_code: as for `LayerRepository`.

    Raises:
        ValueError: the repository is not locked there.
    """

    def __init__(
        self,
        repo_id: str,
        *,
        lockfile: Optional[_PathLike] = None,
        layer_name: str,
        trust_remote_code: _Trust = False,
    ) -> None:
        super().__init__(repo_id, commit_of(repo_id, lockfile), None, trust_remote_code, None)
        self.layer_name = layer_name


class FuncRepository(_Function, HubRepository):
    """A function of a kernel on the Hub. Deprecated: use `LayerRepository`.

    Arguments as `LayerRepository`, with `func_name`, the function's name in the kernel.
    """

    def __init__(
        self,
        repo_id: str,
        *,
        func_name: str,
        revision: Optional[str] = None,
        version: Optional[int] = None,
        trust_remote_code: _Trust = False,
        package_name: Optional[str] = None,
    ) -> None:
        _warn_function("FuncRepository", "LayerRepository")
        super().__init__(repo_id, revision, version, trust_remote_code, package_name)
        self.func_name = func_name


class LocalFuncRepository(_Function, LocalRepository):
    """A function of a kernel in a local folder. Deprecated: use `LocalLayerRepository`."""

    def __init__(self, repo_path: _PathLike, *, func_name: str, package_name: Optional[str] = None) -> None:
        _warn_function("LocalFuncRepository", "LocalLayerRepository")
        super().__init__(repo_path, package_name)
        self.func_name = func_name


class LockedFuncRepository(_Function, HubRepository):
    """A function at the commit of a lock file. Deprecated: use `LockedLayerRepository`."""

    def __init__(
        self,
        repo_id: str,
        *,
        lockfile: Optional[_PathLike] = None,
        func_name: str,
        trust_remote_code: _Trust = False,
    ) -> None:
        _warn_function("LockedFuncRepository", "LockedLayerRepository")
        super().__init__(repo_id, commit_of(repo_id, lockfile), None, trust_remote_code, None)
        self.func_name = func_name
