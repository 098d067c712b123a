"""The Python packages that a kernel may say it needs, looked for before it is imported."""

from __future__ import annotations

import importlib.util
from typing import Dict, NamedTuple, Optional

from .metadata import Metadata


class _Package(NamedTuple):
    distribution: str
    module: Optional[str]  # None: it brings no Python code


# The names that metadata.json may use (facts/hub.md 6.5, from python_depends.json of kernels 0.17).
_GENERAL: Dict[str, _Package] = {
    "einops": _Package("einops", "einops"),
    "helion": _Package("helion", "helion"),
    "tvm-ffi": _Package("apache-tvm-ffi", "tvm_ffi"),
}
_OF_BACKEND: Dict[str, Dict[str, _Package]] = {
    "cuda": {"nvidia-cutlass-dsl": _Package("nvidia-cutlass-dsl", "cutlass")},
    "neuron": {"nki": _Package("nki", "nki")},
    "xpu": {"onednn": _Package("onednn-devel", None)},
}


def check_dependencies(metadata: Metadata, backend: str) -> None:
    """Finds every package that the kernel names.

    Args:
        metadata: of the kernel.
        backend: the name of this process's backend.

    Raises:
        ImportError: one is not installed; the message names it.
        ValueError: it names one that kernels may not need.
    """
    name = metadata.name.python_name
    known = {**_GENERAL, **_OF_BACKEND.get(backend, {})}
    for dependency in metadata.python_depends:
        package = known.get(dependency)
        if package is None:
            raise ValueError(f"Kernel module `{name}` uses unsupported kernel dependency: {dependency!r}")
        if package.module is not None and importlib.util.find_spec(package.module) is None:
            raise ImportError(
                f"Kernel module `{name}` requires Python dependency `{package.distribution}`. "
                f"Please install with: pip install {package.distribution}"
            )
