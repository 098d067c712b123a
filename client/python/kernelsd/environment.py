"""What this process runs with: decides which build variants fit it."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import importlib
import importlib.util
import os
import platform
import sys
import sysconfig
from typing import Any, Dict, Optional, Tuple

# Backends by name, in the order in which build variants spell them, to the device
# type whose kernels they run.
DEVICE_OF_BACKEND = {
    "cann": "npu",
    "cpu": "cpu",
    "cuda": "cuda",
    "metal": "mps",
    "neuron": "neuron",
    "rocm": "rocm",
    "tpu": "tpu",
    "xpu": "xpu",
}


def _short(version: str) -> str:
    """major.minor of a version."""
    return ".".join(version.split("+")[0].split("-")[0].split(".")[:2])


def torch_or_none() -> Any:
    """The module torch, imported now if need be; None where it is not installed."""
    return importlib.import_module("torch") if _is_installed("torch") else None


def _is_installed(name: str) -> bool:
    """None in sys.modules blocks an import, as programs do that test being without it."""
    if name in sys.modules:
        return sys.modules[name] is not None
    return importlib.util.find_spec(name) is not None


def _digits(version: str) -> str:
    return _short(version).replace(".", "")


def _torch_backend(torch: Any) -> Tuple[str, str]:
    """(name, variant spelling) of what torch was built for; the order is that of
    the package `kernels` (facts: backends.py of 0.17)."""
    if hasattr(torch.backends, "tpu"):
        return "tpu", "tpu"
    if hasattr(torch, "neuron"):
        return "neuron", "neuron"
    if torch.version.cuda is not None:
        return "cuda", "cu" + _digits(torch.version.cuda)
    if torch.version.hip is not None:
        return "rocm", "rocm" + _digits(torch.version.hip)
    mps = getattr(torch.backends, "mps", None)
    if mps is not None and mps.is_available():
        return "metal", "metal"
    xpu = getattr(torch.version, "xpu", None)
    if xpu is not None:
        return "xpu", f"xpu{xpu[0:4]}{xpu[5:6]}"
    private = getattr(torch._C, "_get_privateuse1_backend_name", None)
    if private is not None and private() == "npu":
        collect: Any = importlib.import_module("torch_npu.utils.collect_env")
        version = collect.get_cann_version()
        return "cann", f"cann{version[0]}{version[2]}"
    return "cpu", "cpu"


def _cudart_backend() -> Optional[Tuple[str, str]]:
    """Without torch: the CUDA runtime library that is installed."""
    name = ctypes.util.find_library("cudart")
    if name is None:
        return None
    number = ctypes.c_int(0)
    try:
        if ctypes.CDLL(name).cudaRuntimeGetVersion(ctypes.byref(number)) != 0:
            return None
    except (OSError, AttributeError):
        return None
    # major * 1000 + minor * 10
    return "cuda", f"cu{number.value // 1000}{number.value % 1000 // 10}"


@functools.lru_cache(maxsize=None)
def backend() -> Tuple[str, str]:
    """(name, variant spelling) of this process's backend: ("cuda", "cu128")."""
    torch = torch_or_none()
    if torch is not None:
        return _torch_backend(torch)
    return _cudart_backend() or ("cpu", "cpu")


def device_of_backend(name: Optional[str]) -> Optional[str]:
    """The device type that a backend named by a caller stands for; None: this process's.

    Raises:
        ValueError: it is neither cpu nor the backend of this process.
    """
    if name is None:
        return None
    own = backend()[0]
    if name not in ("cpu", own):
        raise ValueError(
            f"Invalid backend '{name}', system supported backends: {', '.join(sorted({'cpu', own}))}"
        )
    return DEVICE_OF_BACKEND[name]


def _tvm_ffi() -> Optional[str]:
    if not _is_installed("tvm_ffi"):
        return None
    module: Any = importlib.import_module("tvm_ffi")
    return _short(module.__version__)


def _program() -> str:
    """For people: the script's name, else the interpreter's; at most 64 bytes."""
    script = sys.argv[0] if sys.argv else ""
    name = os.path.basename(script) if script not in ("", "-c", "-m") else os.path.basename(sys.executable or "python")
    return name.encode("utf-8", "replace")[:64].decode("utf-8", "ignore")


def environment() -> Dict[str, Any]:
    """The map of `hello`. Imports torch and tvm_ffi where they are installed."""
    torch = torch_or_none()
    glibc = platform.libc_ver()
    return {
        "torch": _short(torch.__version__) if torch is not None else None,
        "cxx11_abi": bool(torch.compiled_with_cxx11_abi()) if torch is not None else None,
        "tvm_ffi": _tvm_ffi(),
        "backend": backend()[1],
        "cpu": platform.machine(),
        "os": platform.system().lower(),
        "python": "%d.%d" % sys.version_info[:2],
        "free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "glibc": glibc[1] if glibc[0] == "glibc" else None,
        "program": _program(),
    }
