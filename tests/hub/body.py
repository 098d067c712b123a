"""What an answer carries: pieces of memory and of files, cut and joined without
being read."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator
from dataclasses import dataclass

CHUNK = 1 << 20  # read at once; large enough that the loop costs nothing


class OpenFile:
    """A file that is read by position. Stays readable, whatever becomes of its
    name; the descriptor is closed with the last body that needs it."""

    def __init__(self, path: pathlib.Path):
        """Raises OSError if it cannot be opened."""
        self.fd = -1
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.size = os.fstat(self.fd).st_size

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


@dataclass(frozen=True)
class Span:
    """`length` bytes of a file from `offset`."""

    file: OpenFile
    offset: int
    length: int

    def __len__(self) -> int:
        return self.length

    def chunks(self) -> Iterator[bytes]:
        """Its bytes. Ends early if the file became shorter."""
        done = 0
        while done < self.length:
            data = os.pread(self.file.fd, min(CHUNK, self.length - done), self.offset + done)
            if not data:
                return
            done += len(data)
            yield data


class Body:
    """Pieces in order; never changed, only cut and joined to new ones."""

    def __init__(self, *pieces: bytes | Span):
        self.pieces = tuple(piece for piece in pieces if len(piece))
        self.size = sum(map(len, self.pieces))

    def __add__(self, other: Body) -> Body:
        return Body(*self.pieces, *other.pieces)

    def cut(self, start: int, end: int | None = None) -> Body:
        """From `start` to before `end` (or all the rest); both may lie outside."""
        end = self.size if end is None else end
        pieces, position = [], 0
        for piece in self.pieces:
            first, last = max(start - position, 0), min(end - position, len(piece))
            position += len(piece)
            if first >= last:
                continue
            if isinstance(piece, Span):
                pieces.append(Span(piece.file, piece.offset + first, last - first))
            else:
                pieces.append(piece[first:last])
        return Body(*pieces)

    def chunks(self) -> Iterator[bytes]:
        """All bytes, about a MiB at once."""
        for piece in self.pieces:
            if isinstance(piece, Span):
                yield from piece.chunks()
            else:
                yield piece

    def read(self) -> bytes:
        """All bytes at once."""
        return b"".join(self.chunks())
