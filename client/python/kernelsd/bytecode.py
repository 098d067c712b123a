"""Where bytecode of kernels goes: a folder of this user's, never the kernel's own,
which belongs to the cache and may be everybody's.

Code is run from there. So the folder and the file are opened first and looked at
then, by their descriptors: what another user made or can write is not read. Whether
bytecode is still that of its source is told by the source's hash, as in PEP 552: what
was put in a source's place can have its size and time."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import stat
import sys
from importlib.machinery import SourceFileLoader
from typing import Any, Iterator, Optional

_marshal: Any = importlib.import_module("marshal")
_hash: Any = importlib.util.source_hash


def _base() -> Optional[str]:
    """None: this user has no place of his own."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):
        cache = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(cache, "kernelsd", "bytecode") if os.path.isabs(cache) else None


def _is_ours(fd: int, kind: int) -> bool:
    found = os.fstat(fd)
    return stat.S_IFMT(found.st_mode) == kind and found.st_uid == os.geteuid() and not found.st_mode & 0o022


@contextlib.contextmanager
def _folder(make: bool) -> Iterator[Optional[int]]:
    """A descriptor of the folder; None: there is none that is this user's alone."""
    base, fd = _base(), -1
    try:
        if base is not None:
            if make:
                os.makedirs(base, mode=0o700, exist_ok=True)
            fd = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        pass
    try:
        yield fd if fd >= 0 and _is_ours(fd, stat.S_IFDIR) else None
    finally:
        if fd >= 0:
            os.close(fd)


def _read(name: str) -> Optional[bytes]:
    with _folder(make=False) as folder:
        if folder is None:
            return None
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        except OSError:
            return None
        with os.fdopen(fd, "rb") as file:
            return file.read() if _is_ours(fd, stat.S_IFREG) else None


def _write(name: str, data: bytes) -> None:
    """By renaming, so that a reader sees all or nothing."""
    temporary = f"{name}.{os.urandom(8).hex()}"
    with _folder(make=True) as folder, contextlib.suppress(OSError):
        if folder is None:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(temporary, flags, 0o600, dir_fd=folder)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(temporary, dir_fd=folder)
            raise


def _header(source: bytes, path: str) -> bytes:
    """What tells bytecode of this Python, as it was started, and of this source; it
    names the path, too, unless that is one of this process alone."""
    place = "" if path.startswith("/proc/self/") else path
    optimize = bytes([sys.flags.optimize])
    header: bytes = importlib.util.MAGIC_NUMBER + optimize + _hash(source) + _hash(os.fsencode(place))
    return header


def _unpacked(kept: bytes, header: bytes) -> Any:
    """The code; None: of another source, or damaged, which unpacking does not bear.
    A file can lose its end, or have holes, when the power fails."""
    begin = len(header) + len(_hash(b""))
    code = kept[begin:]
    return _marshal.loads(code) if kept[:begin] == header + _hash(code) else None


class KernelSourceLoader(SourceFileLoader):
    """Loads a module of a kernel. Its bytecode is kept under the module's name, which
    is unique for a kernel's commit."""

    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        source = self.get_data(path)
        if not sys.implementation.cache_tag:
            return self.source_to_code(source, path)
        header = _header(source, path)
        name = f"{fullname}.{sys.implementation.cache_tag}.pyc"
        code = _unpacked(_read(name) or b"", header)
        if code is None:
            code = self.source_to_code(source, path)
            if not sys.dont_write_bytecode:
                packed = _marshal.dumps(code)
                _write(name, header + _hash(packed) + packed)
        return code
