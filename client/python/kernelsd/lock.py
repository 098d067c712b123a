"""kernels.lock: the commits that a project was released with.

Both formats of the package `kernels` (facts/hub.md 6.7): the array of {repo_id,
sha, variants}, and the newer one of {dependency, lock}."""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import os
import re
from pathlib import Path
from typing import Any, List, Optional, Tuple, Union

_PACKAGE = __name__.split(".")[0]

_COMMIT = re.compile("[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")


def _row_fields(row: Any) -> Tuple[Any, Any]:
    if not isinstance(row, dict):
        raise ValueError("kernels.lock: every element must be an object")
    if "dependency" not in row:
        return row.get("repo_id"), row.get("sha")
    dependency, lock = row["dependency"], row.get("lock")
    if not isinstance(dependency, dict) or not isinstance(lock, dict):
        raise ValueError("kernels.lock: `dependency` and `lock` must be objects")
    return dependency.get("repo-id"), lock.get("commit")


def _row_commit(row: Any, repo_id: str) -> Optional[str]:
    found, commit = _row_fields(row)
    if not isinstance(found, str) or not isinstance(commit, str):
        raise ValueError("kernels.lock: an element lacks its repository or its commit")
    if not _COMMIT.fullmatch(commit):
        raise ValueError(f"kernels.lock: the commit of `{found}` must have 40 hexadecimal digits, not {commit!r}")
    return commit.lower() if found == repo_id else None


def locked_commit(repo_id: str, text: str) -> Optional[str]:
    """The commit that the text of a lock file has for a repository; None: it has none.

    Raises:
        ValueError: it is no lock file.
    """
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"kernels.lock is no JSON: {error}") from None
    if not isinstance(rows, list):
        raise ValueError("kernels.lock: must be an array")
    for row in rows:
        commit = _row_commit(row, repo_id)
        if commit is not None:
            return commit
    return None


def _caller_module() -> Any:
    """The first module up the stack that is not of this package."""
    frame = inspect.currentframe()
    while frame is not None:
        module = inspect.getmodule(frame)
        if module is not None and module.__name__.split(".")[0] != _PACKAGE:
            return module
        frame = frame.f_back
    return None


def _distributions_of(package: str) -> List[str]:
    every = getattr(importlib.metadata, "packages_distributions", None)
    if every is not None:
        return list(every().get(package, []))
    names = []  # before Python 3.10
    for distribution in importlib.metadata.distributions():
        if package in (distribution.read_text("top_level.txt") or "").split():
            names.append(distribution.metadata["Name"])
    return names


def caller_locked_commit(repo_id: str) -> Optional[str]:
    """The commit that the calling project's own kernels.lock, installed with it, has."""
    module = _caller_module()
    if module is None:
        return None
    for name in _distributions_of(module.__name__.split(".")[0]):
        text = importlib.metadata.distribution(name).read_text("kernels.lock")
        commit = locked_commit(repo_id, text) if text is not None else None
        if commit is not None:
            return commit
    return None


def commit_of(repo_id: str, lockfile: Optional[Union[str, os.PathLike[str]]]) -> str:
    """The locked commit, from a file or (None) from the calling project's metadata.

    Raises:
        ValueError: the repository is not locked there.
        OSError: the file cannot be read.
    """
    if lockfile is None:
        commit = caller_locked_commit(repo_id)
    else:
        commit = locked_commit(repo_id, Path(lockfile).read_text(encoding="utf-8"))
    if commit is None:
        raise ValueError(
            f"Kernel `{repo_id}` is not locked. Please lock it with `kernels lock <project>` "
            "and then reinstall the project."
        )
    return commit
