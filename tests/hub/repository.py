"""Repositories and publishers: which names lead to which commits, who may read."""

from __future__ import annotations

import fnmatch
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from .body import Body
from .tree import Commit, Content, File, body_of

SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}$")


class Unknown(LookupError):
    """A repository, branch or file that a test named is not there."""


@dataclass
class RepositorySettings:
    """What `hub.json` of a repository may say; README.md explains each."""

    private: bool = False
    gated: bool = False
    disabled: bool = False
    tokens: list[str] = field(default_factory=list)
    moved_to: str | None = None
    lfs_threshold: int = 10 << 20  # the Hub's own, 10 MiB
    lfs_patterns: list[str] = field(default_factory=lambda: ["*.so"])
    tags: dict[str, str] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    pulls: dict[str, str] = field(default_factory=dict)


@dataclass
class Organization:
    """What `hub.json` of a publisher may say."""

    trustedKernelPublisher: bool | None = None  # None: the answer has no such key
    user: bool = False  # a person: the overview of organizations answers 404


def settings_from(kind: type, values: Mapping[str, Any], where: str) -> Any:
    """One of the two classes above, filled from JSON.

    where: file named in errors. Raises ValueError for a key that is not known."""
    unknown = set(values) - {known.name for known in fields(kind)}
    if unknown:
        raise ValueError(f"{where}: no such setting: {', '.join(sorted(unknown))}")
    return kind(**values)


class Repository:
    """One repository. Its owner holds a lock while names change; commits that
    were once there stay readable until they are forgotten."""

    def __init__(self, identity: str, settings: RepositorySettings):
        self.id = identity
        self.settings = settings
        self.commits: dict[str, Commit] = {}
        self.large: dict[str, File] = {}  # of all commits, the forgotten ones too
        self.branches: dict[str, str] = {}
        self.tags: dict[str, str] = {}
        self.pulls: dict[str, str] = {}

    def is_large(self, path: str, size: int) -> bool:
        """Whether git LFS keeps such a file. An empty one never."""
        name = path.rsplit("/", 1)[-1]
        return size > 0 and (size > self.settings.lfs_threshold or any(
            fnmatch.fnmatchcase(name, pattern) for pattern in self.settings.lfs_patterns))

    def file(self, path: str, body: Body, executable: bool = False) -> File:
        """Content as a file of this repository, hashed."""
        return File.make(body, self.is_large(path, body.size), executable)

    def add_commit(self, files: Mapping[str, File]) -> Commit:
        """Keeps a commit; the same files give the same one.

        Raises ValueError if paths contradict each other."""
        commit = Commit(f"Files of {self.id}", files)
        self.large.update({file.sha256: file for file in files.values() if file.sha256})
        return self.commits.setdefault(commit.id, commit)

    def find(self, revision: str) -> Commit | None:
        """The commit of a branch, tag, pull request, commit id or its beginning."""
        names = {**{f"refs/pr/{number}": commit for number, commit in self.pulls.items()},
                 **{f"refs/tags/{name}": commit for name, commit in self.tags.items()},
                 **{f"refs/heads/{name}": commit for name, commit in self.branches.items()},
                 **self.tags, **self.branches}
        commit = names.get(revision, revision)
        if commit not in self.commits and SHORT_COMMIT.match(commit):
            whole = [known for known in self.commits if known.startswith(commit)]
            commit = whole[0] if len(whole) == 1 else commit
        return self.commits.get(commit)

    def commit_of(self, revision: str) -> Commit:
        """As `find`; raises Unknown."""
        commit = self.find(revision)
        if commit is None:
            raise Unknown(f"{self.id} has no revision {revision}")
        return commit

    def move_branch(self, branch: str, to: str | None, write: Mapping[str, Content], remove: Iterable[str]) -> Commit:
        """Lets a branch, new or not, show another commit; answers it.

        to: revision to start from, else the branch itself (a new one: nothing).
        write: content by path, put on top. remove: paths that go first.
        Raises Unknown for a revision or a path that is not there."""
        known = self.find(branch) if to is None else self.commit_of(to)
        files = dict(known.files) if known else {}
        for path in remove:
            if path not in files:
                raise Unknown(f"{self.id} has no file {path} at {to or branch}")
            del files[path]
        files.update({path: self.file(path, body_of(content)) for path, content in write.items()})
        commit = self.add_commit(files)
        self.branches[branch] = commit.id
        return commit

    def forget(self, commit: str) -> None:
        """Takes a commit away, with every name that leads to it, as a rewritten
        history does. Raises Unknown."""
        if self.commits.pop(commit, None) is None:
            raise Unknown(f"{self.id} has no commit {commit}")
        for names in (self.branches, self.tags, self.pulls):
            for name in [name for name, target in names.items() if target == commit]:
                del names[name]


class Repositories:
    """All that the double serves. `lock` is held while anything in it changes
    and while an answer is made of it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.repositories: dict[str, Repository] = {}
        self.organizations: dict[str, Organization] = {}

    def add(self, repository: Repository, organization: Organization | None = None) -> None:
        """Puts a repository in, in place of one of the same name.

        organization: its publisher; without, one that is there already stays."""
        publisher = repository.id.split("/")[0]
        with self.lock:
            self.repositories[repository.id] = repository
            if organization is not None or publisher not in self.organizations:
                self.organizations[publisher] = organization or Organization()

    def get(self, identity: str) -> Repository:
        """Raises Unknown."""
        repository = self.repositories.get(identity)
        if repository is None:
            raise Unknown(f"no repository {identity}")
        return repository

    def knows_token(self, token: str) -> bool:
        return any(token in repository.settings.tokens for repository in self.repositories.values())

    def content(self, sha256: str) -> File | None:
        """A large file of any commit, by its hash."""
        return next((repository.large[sha256] for repository in self.repositories.values()
                     if sha256 in repository.large), None)
