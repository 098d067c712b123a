"""metadata.json of a kernel, as far as loading it needs it.

The keys and their rules are those of the package `kernels` (facts: metadata.rs of
kernels-data 0.17); unknown keys are passed over."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

_NAME = re.compile(r"[a-z][-a-z0-9]*[a-z0-9]")


class KernelName(str):
    """A kernel's name; `python_name` has underscores for its dashes."""

    @property
    def python_name(self) -> str:
        return self.replace("-", "_")


@dataclass(frozen=True)
class BackendInfo:
    """What a kernel was built for: `backend_type` such as "cuda", and the
    architectures ("8.0", "9.0a"), or None where it does not say."""

    backend_type: str
    archs: Optional[List[str]] = None


@dataclass(frozen=True)
class Metadata:
    """Parsed metadata.json. `dirty` names what had uncommitted changes when the
    kernel was built."""

    id: str
    name: KernelName
    version: Optional[int]
    license: Optional[str]
    upstream: Optional[str]
    source: Optional[str]
    python_depends: List[str]
    backend: BackendInfo
    dirty: Tuple[str, ...] = field(default=())

    @staticmethod
    def from_bytes(data: bytes) -> Metadata:
        """Parses the bytes of the file.

        Raises:
            ValueError: it is no such JSON; the message says what is wrong.
        """
        try:
            document = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"metadata.json is no JSON: {error}") from None
        if not isinstance(document, dict):
            raise ValueError("metadata.json: must be an object")
        return _metadata(document)


def _text(document: Dict[str, Any], key: str, required: bool) -> Optional[str]:
    value = document.get(key)
    if value is None and not required:
        return None
    if not isinstance(value, str):
        raise ValueError(f"metadata.json: `{key}` must be a text")
    return value


def _name(document: Dict[str, Any]) -> KernelName:
    name = _text(document, "name", True) or ""
    if not _NAME.fullmatch(name):
        raise ValueError(f"metadata.json: `name` must match ^{_NAME.pattern}$, not {name!r}")
    return KernelName(name)


def _texts(document: Dict[str, Any], key: str) -> List[str]:
    value = document.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"metadata.json: `{key}` must be an array of texts")
    return value


def _backend(document: Dict[str, Any]) -> BackendInfo:
    value = document.get("backend")
    if not isinstance(value, dict):
        raise ValueError("metadata.json: `backend` must be an object")
    archs = _texts(value, "archs") if value.get("archs") is not None else None
    return BackendInfo(_text(value, "type", True) or "", archs)


def _dirty(document: Dict[str, Any]) -> Tuple[str, ...]:
    provenance = document.get("provenance")
    if not isinstance(provenance, dict):
        return ()
    parts = (("kernel", "kernel source"), ("kernel-builder", "kernel-builder"))
    return tuple(
        title
        for key, title in parts
        if isinstance(provenance.get(key), dict) and provenance[key].get("dirty") is True
    )


def _metadata(document: Dict[str, Any]) -> Metadata:
    version = document.get("version")
    if version is not None and (isinstance(version, bool) or not isinstance(version, int) or version < 0):
        raise ValueError("metadata.json: `version` must be a whole number")
    return Metadata(
        id=_text(document, "id", True) or "",
        name=_name(document),
        version=version,
        license=_text(document, "license", False),
        upstream=_text(document, "upstream", False),
        source=_text(document, "source", False),
        python_depends=_texts(document, "python-depends"),
        backend=_backend(document),
        dirty=_dirty(document),
    )
