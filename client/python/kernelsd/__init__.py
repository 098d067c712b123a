"""kernelsd for Python: models use kernels through the host's daemon.

The public names are those of the package `kernels`, with its signatures and its
behaviour, so that a program changes one line:

    from kernelsd import LayerRepository, Mode, kernelize, use_kernel_forward_from_hub

What is different is where the work is done: the daemon chooses, fetches, checks and
keeps kernels for all processes of the host; this package imports them and puts
them in place. `LOCAL_KERNELS`, `DISABLE_KERNEL_MAPPING` and `HF_HUB_OFFLINE` mean what
they mean there."""

from __future__ import annotations

from ._native import version as _version
from .client import disconnect
from .device import CUDAProperties, Device, ROCMProperties
from .errors import DaemonUnreachableError, KernelError, KernelNotFoundError, KernelRefusedError
from .fallback import KernelizeFallback
from .importer import get_loaded_kernels, LoadedKernel, RepoInfo
from .integration import integrate, stand_in_for_kernels
from .kernelize import kernelize
from .layer import (
    replace_kernel_forward_from_hub,
    use_kernel_forward_from_hub,
    use_kernel_func_from_hub,
    use_kernelized_func,
)
from .load import (
    get_kernel,
    get_kernel_variants,
    get_local_kernel,
    get_locked_kernel,
    has_kernel,
    load_kernel,
    Variant,
    VariantAccepted,
    VariantRejected,
)
from .mapping import register_kernel_mapping, use_kernel_mapping
from .metadata import Metadata
from .mode import Mode
from .repository import (
    FuncRepository,
    LayerRepository,
    LocalFuncRepository,
    LocalLayerRepository,
    LockedFuncRepository,
    LockedLayerRepository,
)

__version__ = _version()

__all__ = [
    "CUDAProperties",
    "DaemonUnreachableError",
    "Device",
    "FuncRepository",
    "KernelError",
    "KernelNotFoundError",
    "KernelRefusedError",
    "KernelizeFallback",
    "LayerRepository",
    "LoadedKernel",
    "LocalFuncRepository",
    "LocalLayerRepository",
    "LockedFuncRepository",
    "LockedLayerRepository",
    "Metadata",
    "Mode",
    "ROCMProperties",
    "RepoInfo",
    "Variant",
    "VariantAccepted",
    "VariantRejected",
    "__version__",
    "disconnect",
    "get_kernel",
    "get_kernel_variants",
    "get_loaded_kernels",
    "get_local_kernel",
    "get_locked_kernel",
    "has_kernel",
    "integrate",
    "kernelize",
    "load_kernel",
    "register_kernel_mapping",
    "replace_kernel_forward_from_hub",
    "stand_in_for_kernels",
    "use_kernel_forward_from_hub",
    "use_kernel_func_from_hub",
    "use_kernel_mapping",
    "use_kernelized_func",
]
