"""Makes an installed package `kernels` take its kernels from the daemon.

For programs that import `kernels` and cannot change that. Its own layers, mappings,
imports and registries stay in use; only where a kernel comes from is another:

- `get_kernel`, `install_kernel`, `_resolve_local_variant_path` and `has_kernel` ask
  the daemon, and no longer the Hub or the cache;
- `select_revision_or_version` no longer asks which commit a version is: version N is
  the branch vN, and the daemon says;
- `DaemonResolver` is a resolver of kernels.resolver, where there is one, for
  functions that take one.

Tried with 0.14.1, 0.15.2, 0.16.0 and 0.17.0.dev0 (docs/real-client.md)."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Dict, List, Optional

from . import _native
from .importer import hold_lease
from .load import acquire_hub, has_kernel, kernel_key, local_override, Revision, trust_flag

TRIED = ("0.14.1", "0.15.2", "0.16.0", "0.17.0.dev0")


def _installed(
    repo_id: str, wanted: Revision, backend: Optional[str], flags: int = 0, offline: bool = False
) -> _native.Kernel:
    """A kernel whose lease this process keeps: the other package only takes a path."""
    kernel = acquire_hub(repo_id, wanted, backend, flags, offline)
    return hold_lease(kernel_key(kernel, repo_id), kernel)


def _select_revision_or_version(
    repo_id: str, *, revision: Optional[str] = None, version: Optional[int] = None, **_: Any
) -> str:
    if revision is not None and version is not None:
        raise ValueError("Only one of `revision` or `version` must be specified.")
    if revision is None and version is None:
        raise ValueError("A kernel version or revision must be specified.")
    return revision if revision is not None else f"v{version}"


def _install_kernel_with(package: Dict[str, Any]) -> Callable[..., Path]:
    def install_kernel(
        repo_id: str,
        *,
        revision: str,
        local_files_only: bool = False,
        backend: Optional[str] = None,
        validate_dependencies: bool = False,
        **_: Any,
    ) -> Path:
        path = Path(_installed(repo_id, Revision(None, revision), backend, offline=local_files_only).path)
        if validate_dependencies:
            package["validate"](path)
        return path

    return install_kernel


def _resolve_local_variant_path(
    api: Any, repo_id: str, *, revision: str, backend: Optional[str] = None, **_: Any
) -> Path:
    return Path(_installed(repo_id, Revision(None, revision), backend, offline=True).path)


def _get_kernel_with(package: Dict[str, Any]) -> Callable[..., ModuleType]:
    """get_kernel on top of that package's own import."""

    def get_kernel(
        repo_id: str,
        revision: Optional[str] = None,
        version: Optional[int] = None,
        backend: Optional[str] = None,
        user_agent: Any = None,
        trust_remote_code: Any = False,
    ) -> ModuleType:
        override = local_override(repo_id)
        if override is not None:
            module: ModuleType = package["get_local_kernel"](override)
            return module
        name = _select_revision_or_version(repo_id, revision=revision, version=version)
        kernel = _installed(repo_id, Revision(None, name), backend, trust_flag(trust_remote_code))
        path = Path(kernel.path)
        package["validate"](path)
        info = package["RepoInfo"](repo_id=repo_id, revision=kernel.answer.commit or name)
        imported: ModuleType = package["import"](path, repo_info=info)
        return imported

    return get_kernel


class DaemonResolver:
    """A resolver of `kernels.resolver`: finds a kernel at the daemon.

    Args:
        trust_remote_code: as for `kernelsd.get_kernel`.
    """

    def __init__(self, trust_remote_code: Any = False) -> None:
        self.trust_remote_code = trust_remote_code

    def resolve(self, *, api: Any, backend: Optional[str], kernel: Any) -> Any:
        """A `LocalKernel` of that package, whose folder is leased until this process ends."""
        resolver: Any = importlib.import_module("kernels.resolver")
        metadata: Any = importlib.import_module("kernels_data").Metadata
        asked = kernel.version
        wanted = Revision(getattr(asked, "version", None), getattr(asked, "revision", None))
        found = _installed(kernel.repo_id, wanted, backend, trust_flag(self.trust_remote_code))
        path = Path(found.path)
        return resolver.LocalKernel(
            variant_path=path, metadata=metadata.read_from_file(path / "metadata.json")
        )


def _first(names: List[str], attribute: str) -> Any:
    """The attribute of the first of the modules that is there and has it; None: of none."""
    for name in names:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        if hasattr(module, attribute):
            return getattr(module, attribute)
    return None


def _validate_nothing(path: Path) -> None:
    pass


def _parts() -> Dict[str, Any]:
    """What get_kernel needs of the package: one module, kernels.utils, up to 0.16."""
    places = ["kernels.load", "kernels.importer", "kernels.deps", "kernels.hf_hub", "kernels.utils"]
    names = {
        "import": ("_import_from_path",),
        "validate": ("validate_variant_dependencies", "_validate_variant_dependencies"),
        "RepoInfo": ("RepoInfo",),
        "get_local_kernel": ("get_local_kernel",),
    }
    parts: Dict[str, Any] = {}
    for key, known in names.items():
        parts[key] = next(filter(None, (_first(places, name) for name in known)), None)
    parts["validate"] = parts["validate"] or _validate_nothing  # before 0.15 nothing was validated
    missing = [key for key, part in parts.items() if part is None]
    if missing:
        raise RuntimeError(
            f"the package kernels {_version()} has no {', '.join(missing)} where kernelsd looks for it; "
            f"it was tried with {', '.join(TRIED)}"
        )
    return parts


def _version() -> str:
    try:
        return importlib.metadata.version("kernels")
    except importlib.metadata.PackageNotFoundError:
        return "of an unknown version"


def _import_all() -> None:
    """The modules that take those functions by name."""
    for name in ("kernels", "kernels.layer", "kernels.layer.layer", "kernels.layer.func"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            if name == "kernels":
                raise ImportError(f"the package kernels cannot be imported: {error}") from error


def integrate() -> List[str]:
    """Leads an installed package `kernels` to the daemon, in this process.

    Call it before kernels are loaded. To call it again changes nothing.

    Returns:
        What was replaced, as "module.function".

    Raises:
        ImportError: `kernels` is not installed.
        RuntimeError: it is built in a way that is not known here; nothing is replaced.
    """
    _import_all()
    parts = _parts()
    replacements: Dict[str, Callable[..., Any]] = {
        "get_kernel": _get_kernel_with(parts),
        "install_kernel": _install_kernel_with(parts),
        "_resolve_local_variant_path": _resolve_local_variant_path,
        "select_revision_or_version": _select_revision_or_version,
        "has_kernel": has_kernel,
    }
    replaced = []
    for name, module in sorted(sys.modules.items()):
        if name != "kernels" and not name.startswith("kernels."):
            continue
        for attribute, replacement in replacements.items():
            present = getattr(module, attribute, None)
            if callable(present) and getattr(present, "__module__", "").split(".")[0] == "kernels":
                setattr(module, attribute, replacement)
                replaced.append(f"{name}.{attribute}")
    return replaced


# --- this package under the name of that one ---

# The public interface that this package follows, for programs that ask for a version.
FOLLOWED = "0.16.0"


def stand_in_for_kernels(version: str = FOLLOWED) -> None:
    """Makes `import kernels` give this package, in this process: for programs that
    import `kernels`, such as transformers, where that is not installed or shall not
    be used. Call it before they are imported.

    Args:
        version: what `kernels.__version__` says.

    Raises:
        RuntimeError: the package kernels was imported already.
    """
    import kernelsd

    present = sys.modules.get("kernels")
    if present is not None and getattr(present, "__stands_in__", None) is not kernelsd:
        raise RuntimeError("the package kernels was imported already: call stand_in_for_kernels() before that")
    modules = {
        "kernels": kernelsd,
        "kernels.layer": kernelsd,
        "kernels.layer.mode": importlib.import_module("kernelsd.mode"),
        "kernels.layer.device": importlib.import_module("kernelsd.device"),
    }
    for name, source in modules.items():
        module = ModuleType(name, kernelsd.__doc__)
        module.__dict__.update({key: value for key, value in vars(source).items() if not key.startswith("__")})
        public = [key for key in kernelsd.__all__ if key in module.__dict__ or key == "__version__"]
        module.__dict__.update(__version__=version, __stands_in__=kernelsd, __path__=[], __all__=public)
        module.__spec__ = ModuleSpec(name, None, is_package=True)
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
