"""Kernels by their repository: fetched, leased and imported, whatever a mapping says."""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List, NamedTuple, Optional, Union

from . import _native
from .client import client
from .device import Target, torch_target
from .environment import backend as own_backend, DEVICE_OF_BACKEND, device_of_backend
from .errors import error_of, KernelError, KernelNotFoundError, nonsense, translated
from .importer import import_kernel, KernelKey, LoadedKernel, RepoInfo
from .lock import commit_of
from .warning import warn

logger = logging.getLogger("kernelsd")

_PathLike = Union[str, "os.PathLike[str]"]


class Revision(NamedTuple):
    """What a repository is asked for: exactly one of the two."""

    version: Optional[int]
    revision: Optional[str]

    def __str__(self) -> str:
        return f"version {self.version}" if self.version is not None else f"revision {self.revision}"


def check_revision(revision: Optional[str], version: Optional[int]) -> None:
    """Refuses both at once, and what is no version or no revision, with ValueError."""
    if revision is not None and version is not None:
        raise ValueError("Only one of `revision` or `version` must be specified, not both.")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int) or version < 0):
        raise ValueError(
            f"`version` is the number of a version branch, such as 1 for v1, not {version!r}; "
            "for a branch, a tag or a commit use `revision`"
        )
    if revision is not None and (not isinstance(revision, str) or not revision):
        raise ValueError(f"`revision` is a branch, a tag or a commit, not {revision!r}")


def _rows(method: str, params: Dict[str, Any], key: str) -> List[Dict[str, Any]]:
    """The rows of an answer of the daemon, which are maps."""
    try:
        answer = client().call(method, params)
    except _native.Error as error:
        raise translated(error) from None
    rows = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise nonsense(f"about {key}")
    return rows


def _known_versions(repo_id: str) -> str:
    """In words; asks the daemon, which may ask the Hub."""
    try:
        found = _rows("versions", {"repo": repo_id}, "revisions")
    except KernelError as error:
        return f"its versions could not be found out: {error}"
    numbers = [str(row["version"]) for row in found if row.get("version") is not None]
    return f"its versions are {', '.join(numbers)}" if numbers else "it has no versions"


@functools.lru_cache(maxsize=1024)  # said once
def _warn_main(repo_id: str) -> None:
    warn(
        f"`{repo_id}` is named without a version or a revision, which is taken for revision `main`: "
        f"name a version, so that a later one does not break this program; {_known_versions(repo_id)}",
        FutureWarning,
    )


def effective_revision(repo_id: str, revision: Optional[str], version: Optional[int]) -> Revision:
    """What is asked for: with neither, `main`, with a warning that names the versions."""
    check_revision(revision, version)
    if revision is None and version is None:
        _warn_main(repo_id)
        return Revision(None, "main")
    return Revision(version, revision)


def trust_flag(trust_remote_code: Union[bool, List[str]]) -> int:
    """The flag of an acquire. A list of signing identities is not looked at yet."""
    if isinstance(trust_remote_code, list):
        warn(
            "Signing identity verification is not yet implemented: the identities given in trust_remote_code are "
            "ignored, and only kernels of trusted publishers are taken."
        )
        return 0
    return _native.TRUST_REMOTE_CODE if trust_remote_code else 0


# --- kernels of the Hub ---


def _repository_of(answer: _native.Answer, asked_for: Optional[str]) -> Optional[str]:
    """Where a kernel is from; `asked_for`: what an acquire without a mapping named."""
    return answer.redirect or answer.repo or asked_for


def kernel_key(kernel: _native.Kernel, asked_for: Optional[str] = None) -> KernelKey:
    """What a kernel that the daemon handed out is known by: of the Hub its commit, of a
    folder that the host's mapping names what its metadata.json says now."""
    answer = kernel.answer
    origin = _repository_of(answer, asked_for) or answer.path or ""
    commit = answer.commit or hashlib.sha256(kernel.metadata or b"").hexdigest()
    return KernelKey(origin, commit, answer.variant or "")


def import_acquired(
    kernel: _native.Kernel, asked_for: Optional[str] = None, revision: Optional[str] = None, is_locked: bool = False
) -> LoadedKernel:
    """Imports a kernel that was acquired, with its lease.

    Args:
        kernel: what the daemon handed out.
        asked_for: the repository, where no mapping named it.
        revision: what `repo_info` is to say; None: the commit.
        is_locked: of a lock file: it then has no `repo_info`.
    """
    answer = kernel.answer
    repo_id = asked_for or answer.repo
    info = None
    if repo_id is not None and not is_locked:
        info = RepoInfo(repo_id, revision or answer.commit or answer.revision or "")
    return import_kernel(kernel.path, kernel.metadata or b"", kernel_key(kernel, asked_for), info, kernel)


@functools.lru_cache(maxsize=1)
def _parse_overrides(text: str) -> Dict[str, Path]:
    overrides = {}
    for entry in text.split(":"):
        if "=" not in entry:
            raise ValueError(
                f"Invalid LOCAL_KERNELS entry: {entry}. Expected format: repo_id_1=path_1:repo_id_2=path_2"
            )
        repo_id, path = entry.split("=", 1)
        overrides[repo_id] = Path(path)
    return overrides


def local_override(repo_id: str) -> Optional[Path]:
    """The folder that LOCAL_KERNELS puts in the place of a repository.

    Raises:
        ValueError: the variable is not of the form ID=PATH:ID=PATH.
    """
    text = os.environ.get("LOCAL_KERNELS")
    return _parse_overrides(text).get(repo_id) if text is not None else None


def own_target(backend: Optional[str]) -> Target:
    """The target of a caller's backend, or of this process. A capability is known
    only where torch has used a GPU already: to ask would make a context, after which
    a process cannot fork."""
    device = device_of_backend(backend) or DEVICE_OF_BACKEND[own_backend()[0]]
    torch: Any = sys.modules.get("torch")
    if device in ("cuda", "rocm") and torch is not None and torch.cuda.is_initialized():
        return torch_target(torch.device("cuda"))._replace(device=device)
    return Target(device)


def acquire_hub(
    repo_id: str, wanted: Revision, backend: Optional[str], flags: int = 0, offline: bool = False
) -> _native.Kernel:
    """Acquires a kernel of the Hub.

    Args:
        repo_id: "org/name".
        wanted: its version or revision.
        backend: as for `get_kernel`.
        flags: of `_native`.
        offline: nothing is asked of the Hub.
    """
    target = own_target(backend)
    try:
        return client(offline).acquire_repository(
            repo_id, wanted.version, wanted.revision, target.device, target.capability, target.arch, flags
        )
    except _native.Error as error:
        raise translated(error) from None


def load_hub(
    repo_id: str,
    revision: Optional[str],
    version: Optional[int],
    backend: Optional[str],
    trust_remote_code: Union[bool, List[str]],
) -> LoadedKernel:
    """What `get_kernel` loads, or what LOCAL_KERNELS puts in its place."""
    override = local_override(repo_id)
    if override is not None:
        return load_local(override, own_target(backend))
    flags = trust_flag(trust_remote_code)
    wanted = effective_revision(repo_id, revision, version)
    return import_acquired(acquire_hub(repo_id, wanted, backend, flags), repo_id, wanted.revision)


def get_kernel(
    repo_id: str,
    revision: Optional[str] = None,
    version: Optional[int] = None,
    backend: Optional[str] = None,
    user_agent: Optional[Union[str, Dict[str, Any]]] = None,
    trust_remote_code: Union[bool, List[str]] = False,
) -> ModuleType:
    """Loads a kernel of the Hub, which the daemon fetches where it is not on this host.

    Args:
        repo_id: "org/name".
        revision: a branch, a tag or a commit; not together with `version`.
        version: a version's number. With neither, revision `main` is taken, with a
            FutureWarning that names the versions.
        backend: "cpu" or this process's own; None: its own.
        user_agent: taken for the sake of programs that give one. The daemon asks the
            Hub for all processes of the host; only the log has this.
        trust_remote_code: True: takes the kernel of a publisher whom nobody trusts,
            whose code then runs with this process's rights.

    Returns:
        The imported module, the same for each call that leads to the same kernel.

    Raises:
        FileNotFoundError: no build variant fits; no such repository; offline and not here.
        ValueError: an untrusted publisher; no such version; contradicting arguments.
        ImportError: a Python package that the kernel needs is missing.
        ConnectionError: there is no daemon.
    """
    if user_agent is not None:
        logger.debug("`%s` is loaded for %s", repo_id, user_agent)
    return load_hub(repo_id, revision, version, backend, trust_remote_code).module


def load_kernel(repo_id: str, *, lockfile: Optional[_PathLike], backend: Optional[str] = None) -> ModuleType:
    """Loads a locked kernel that is on this host; the Hub is not asked.

    Args:
        repo_id: "org/name".
        lockfile: a kernels.lock; None: the one installed with the calling project.
        backend: as for `get_kernel`.

    Raises:
        ValueError: the repository is not locked there; its publisher is not trusted.
        FileNotFoundError: the kernel is not on this host, or has no variant for it.
    """
    commit = commit_of(repo_id, lockfile)
    try:
        kernel = acquire_hub(repo_id, Revision(None, commit), backend, offline=True)
    except KernelNotFoundError as error:
        raise error_of(
            error.name,
            f"Locked kernel `{repo_id}` was not downloaded or does not have an applicable variant: {error}; "
            "have it fetched with `kernelsctl prefetch --lock FILE`",
        ) from None
    return import_acquired(kernel, repo_id, is_locked=True).module


def get_locked_kernel(repo_id: str) -> ModuleType:
    """Loads a kernel at the commit of the calling project's kernels.lock, fetched
    where it is not on this host.

    Args:
        repo_id: "org/name".

    Raises:
        ValueError: the repository is not locked there; its publisher is not trusted.
        FileNotFoundError, ConnectionError: as for `get_kernel`.
    """
    commit = commit_of(repo_id, None)
    return import_acquired(acquire_hub(repo_id, Revision(None, commit), None), repo_id, is_locked=True).module


# --- kernels of a local folder ---


def _local_key(path: Path, metadata: bytes) -> KernelKey:
    """The content of metadata.json counts: it has the build's own id."""
    return KernelKey(str(path), hashlib.sha256(metadata).hexdigest(), path.name)


def _import_folder(folder: Path) -> LoadedKernel:
    metadata = (folder / "metadata.json").read_bytes()
    return import_kernel(str(folder), metadata, _local_key(folder, metadata))


def _choose_local(path: Path, target: Target) -> Path:
    """The variant folder that the daemon chooses. It sees names and metadata alone;
    the folder is opened, and read, by this process."""
    asked = client()
    reference = ("fallback", None, None, None, str(path), "kernel")
    query = ("kernel", target.device, target.capability, "inference", target.arch)
    view = asked.view_create(None, [("kernel", target.device, None, None, (reference,))])
    try:
        found = asked.acquire_all(view, [(query, 0)])[0]
    finally:
        asked.view_drop(view)
    if isinstance(found, _native.Error):
        raise found
    return Path(os.path.realpath(found.path))


def load_local(repo_path: _PathLike, target: Target) -> LoadedKernel:
    """Imports a kernel of a local repository, or of a folder that is a variant itself."""
    path = Path(os.path.abspath(repo_path))
    if (path / "metadata.json").exists():
        return _import_folder(path)
    try:
        folder = _choose_local(path, target)
    except _native.Error as error:
        if error.name in ("no-repository", "no-variant"):
            raise error_of(error.name, f"Could not find kernel in {path}: {error}") from None
        raise translated(error) from None
    return _import_folder(folder)


def get_local_kernel(repo_path: _PathLike, backend: Optional[str] = None) -> ModuleType:
    """Imports a kernel from a local repository: a folder of variants, one with
    `build/` in it, or a variant's own folder.

    Args:
        repo_path: the folder.
        backend: as for `get_kernel`.

    Raises:
        FileNotFoundError: there is no kernel for this system in it.
    """
    return load_local(repo_path, own_target(backend)).module


# --- looking, without loading ---


@dataclass(frozen=True)
class Variant:
    """A build variant by its name, such as "torch27-cxx11-cu128-x86_64-linux"."""

    variant_str: str


@dataclass(frozen=True)
class VariantAccepted:
    """A variant that this system can use."""

    variant: Variant


@dataclass(frozen=True)
class VariantRejected:
    """A variant that this system cannot use, and why not."""

    variant: Variant
    reason: str


_VERDICTS = ("taken", "accepted", "refused")


def _variants(
    repo_id: str, revision: Optional[str], version: Optional[int], backend: Optional[str]
) -> List[Dict[str, Any]]:
    wanted = effective_revision(repo_id, revision, version)
    target = own_target(backend)
    params = {
        "repo": repo_id,
        "version": wanted.version,
        "revision": wanted.revision,
        "device": target.device,
        "capability": target.capability,
        "arch": target.arch,
    }
    rows = _rows("variants", params, "variants")
    if not all(row.get("verdict") in _VERDICTS and isinstance(row.get("variant"), str) for row in rows):
        raise nonsense(f"about the variants of {repo_id}")
    return rows


def has_kernel(
    repo_id: str, revision: Optional[str] = None, version: Optional[int] = None, backend: Optional[str] = None
) -> bool:
    """Whether a kernel has a build variant for this system. Arguments as `get_kernel`."""
    return any(row["verdict"] == "taken" for row in _variants(repo_id, revision, version, backend))


def get_kernel_variants(
    repo_id: str,
    *,
    revision: Optional[str] = None,
    version: Optional[int] = None,
    backend: Optional[str] = None,
) -> List[Union[VariantAccepted, VariantRejected]]:
    """Every build variant of a kernel, and whether this system can use it.

    Arguments as `get_kernel`.

    Returns:
        The one that would be taken first, then the others that could be, then those
        that are refused, each with its reason.
    """
    rows = sorted(_variants(repo_id, revision, version, backend), key=lambda row: _VERDICTS.index(row["verdict"]))
    return [
        VariantRejected(Variant(row["variant"]), row.get("reason") or "")
        if row["verdict"] == "refused"
        else VariantAccepted(Variant(row["variant"]))
        for row in rows
    ]
