"""Reads repositories from a folder; README.md has its layout."""

import json
import os
import pathlib
from typing import Any

from .repository import Organization, Repositories, Repository, RepositorySettings, settings_from
from .tree import File, body_of

SETTINGS_FILE = "hub.json"


def read_settings(folder: pathlib.Path, kind: type, defaults: dict[str, Any] | None = None) -> Any:
    """Settings of a repository or publisher; without a file all defaults.

    defaults: for keys that the file leaves out. Raises ValueError, naming the
    file, if it is no JSON object or has a key that is not known."""
    path = folder / SETTINGS_FILE
    values = dict(defaults or {})
    if path.exists():
        try:
            values.update(json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: no JSON object: {error}") from None
    return settings_from(kind, values, str(path))


def read_files(repository: Repository, folder: pathlib.Path) -> dict[str, File]:
    """Every file below a folder, by its path from there.

    Links to files are read through; a folder `.git` is left out."""
    files = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(names):
            path = pathlib.Path(parent, name)
            inside = path.relative_to(folder).as_posix()
            files[inside] = repository.file(inside, body_of(path), os.access(path, os.X_OK))
    return files


def read_repository(identity: str, folder: pathlib.Path, defaults: dict[str, Any]) -> Repository:
    """One repository with a commit for each folder in it.

    Raises ValueError if a name in hub.json leads to a folder that is not there."""
    settings: RepositorySettings = read_settings(folder, RepositorySettings, defaults)
    repository = Repository(identity, settings)
    commits = {below.name: repository.add_commit(read_files(repository, below)).id
               for below in sorted(folder.iterdir()) if below.is_dir()}
    named = {"tags": settings.tags, "branches": settings.branches, "pulls": settings.pulls}
    for key, names in named.items():
        missing = sorted(set(names.values()) - set(commits))
        if missing:
            raise ValueError(f"{folder / SETTINGS_FILE}: {key}: there is no folder {', '.join(missing)}")
    no_branches = {*settings.tags, *settings.pulls.values()}
    repository.branches = {name: commit for name, commit in commits.items() if name not in no_branches}
    repository.branches.update({name: commits[target] for name, target in settings.branches.items()})
    repository.tags = {name: commits[target] for name, target in settings.tags.items()}
    repository.pulls = {name: commits[target] for name, target in settings.pulls.items()}
    return repository


def read_directory(root: pathlib.Path, into: Repositories, defaults: dict[str, Any]) -> None:
    """Reads everything below `root`. What was there under the same names is
    replaced, but the commits that it had stay readable, as on the Hub.

    defaults: settings of repositories that do not say otherwise.
    Raises ValueError for a hub.json that is wrong, OSError for what cannot be read."""
    for publisher in sorted(path for path in root.iterdir() if path.is_dir()):
        organization: Organization = read_settings(publisher, Organization)
        into.organizations[publisher.name] = organization
        for folder in sorted(path for path in publisher.iterdir() if path.is_dir()):
            repository = read_repository(f"{publisher.name}/{folder.name}", folder, defaults)
            with into.lock:
                before = into.repositories.get(repository.id)
                if before:
                    repository.commits = {**before.commits, **repository.commits}
                    repository.large = {**before.large, **repository.large}
                into.add(repository, organization)
