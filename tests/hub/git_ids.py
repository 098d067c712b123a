"""Names of objects as git makes them; nothing here knows of repositories."""

import hashlib
from collections.abc import Iterable

FILE_MODE = "100644"
PROGRAM_MODE = "100755"
FOLDER_MODE = "40000"

EMPTY_BLOB_ID = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


def object_id(kind: str, content: bytes) -> str:
    """The id of a whole object.

    kind: "blob", "tree" or "commit". content: what follows its header."""
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content).hexdigest()


def blob_id(chunks: Iterable[bytes], size: int) -> str:
    """The id of a file.

    chunks: its bytes, in order. size: how many they are together.
    Raises ValueError if they are not that many (the file changed meanwhile)."""
    digest = hashlib.sha1(f"blob {size}\0".encode())
    left = size
    for chunk in chunks:
        left -= len(chunk)
        digest.update(chunk)
    if left:
        raise ValueError(f"a file said to have {size} bytes has {size - left}")
    return digest.hexdigest()


def tree_id(entries: Iterable[tuple[str, str, str]]) -> str:
    """The id of a folder.

    entries: mode, name and object id of each, in any order."""
    encoded = [(name.encode(errors="surrogateescape"), mode, identity) for mode, name, identity in entries]
    encoded.sort(key=lambda entry: entry[0] + (b"/" if entry[1] == FOLDER_MODE else b""))
    return object_id("tree", b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(identity)
                                      for name, mode, identity in encoded))


def commit_id(tree: str, message: str) -> str:
    """The id of a commit without parents, of a fixed author at a fixed time.

    tree: id of its root folder. message: its text, without the last newline."""
    who = "Hub double <double@hub.invalid> 1767225600 +0000"
    return object_id("commit", f"tree {tree}\nauthor {who}\ncommitter {who}\n\n{message}\n".encode())


def lfs_pointer(sha256: str, size: int) -> bytes:
    """The text that git keeps in place of a large file."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
