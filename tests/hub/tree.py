"""Files and folders of one commit, with the names that git and the Hub give
them. Nothing here changes once it is made."""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from . import git_ids
from .body import Body, OpenFile, Span

# Up to here a file is kept in memory. Above, it is read where it lies.
IN_MEMORY = 1 << 20

Content = bytes | str | pathlib.Path


def body_of(content: Content) -> Body:
    """What a file holds: bytes, text (kept as UTF-8), or the path of a file.

    Raises OSError if there is no such file."""
    if isinstance(content, str):
        return Body(content.encode())
    if isinstance(content, bytes):
        return Body(content)
    file = OpenFile(content)
    body = Body(Span(file, 0, file.size))
    return Body(body.read()) if body.size <= IN_MEMORY else body


@dataclass(frozen=True)
class File:
    """One file. `oid` is the git blob id, for a large file that of its pointer;
    `sha256` and `pointer_size` are there for large files only."""

    body: Body
    oid: str
    sha256: str | None = None
    pointer_size: int = 0
    executable: bool = False

    @classmethod
    def make(cls, body: Body, is_large: bool, executable: bool = False) -> File:
        """Hashes the content.

        is_large: kept by git LFS. Raises ValueError if a file on disk changes
        meanwhile."""
        if not is_large:
            return cls(body, git_ids.blob_id(body.chunks(), body.size), executable=executable)
        digest = hashlib.sha256()
        for chunk in body.chunks():
            digest.update(chunk)
        pointer = git_ids.lfs_pointer(digest.hexdigest(), body.size)
        return cls(body, git_ids.object_id("blob", pointer), digest.hexdigest(), len(pointer), executable)

    @property
    def etag(self) -> str:
        """The name of its blob in a cache."""
        return self.sha256 or self.oid

    @property
    def mode(self) -> str:
        return git_ids.PROGRAM_MODE if self.executable else git_ids.FILE_MODE


@dataclass
class Folder:
    """One folder; `oid` is its git tree id."""

    entries: dict[str, File | Folder] = field(default_factory=dict)
    oid: str = ""
    mode = git_ids.FOLDER_MODE

    def seal(self) -> None:
        """Names it and every folder below, when nothing is added any more."""
        for entry in self.entries.values():
            if isinstance(entry, Folder):
                entry.seal()
        self.oid = git_ids.tree_id((entry.mode, name, entry.oid) for name, entry in self.entries.items())

    def walk(self, prefix: str, recursive: bool) -> Iterator[tuple[str, File | Folder]]:
        """Path and entry of everything in it, folders before what they hold.

        prefix: put before each path. recursive: also what lies deeper."""
        for name in sorted(self.entries):
            entry = self.entries[name]
            yield prefix + name, entry
            if recursive and isinstance(entry, Folder):
                yield from entry.walk(f"{prefix}{name}/", True)


class Commit:
    """All files of a repository at one time."""

    def __init__(self, message: str, files: Mapping[str, File]):
        """Raises ValueError if a path is a file and a folder at once.

        Paths are taken as they are, `..` and empty parts included: a test may
        want a Hub that lists such."""
        self.files = dict(files)
        self.root = Folder()
        for path, file in files.items():
            self._add(path, file)
        self.root.seal()
        self.id = git_ids.commit_id(self.root.oid, message)

    def _add(self, path: str, file: File) -> None:
        *parents, name = path.split("/")
        folder = self.root
        for parent in parents:
            below = folder.entries.setdefault(parent, Folder())
            if isinstance(below, File):
                raise ValueError(f"{path}: {parent} is a file")
            folder = below
        if name in folder.entries:
            raise ValueError(f"{path} is a folder")
        folder.entries[name] = file

    def find(self, path: str) -> File | Folder | None:
        """What is at a path ("" is the root), or None."""
        entry: File | Folder | None = self.root
        for name in path.split("/") if path else []:
            entry = entry.entries.get(name) if isinstance(entry, Folder) else None
        return entry
