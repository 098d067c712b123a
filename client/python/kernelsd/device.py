"""Devices: what mappings register kernels for, and where a model is."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import Any, NamedTuple, Optional, Tuple, Union

logger = logging.getLogger("kernelsd")

DEVICE_TYPES = ("cpu", "cuda", "mps", "neuron", "npu", "rocm", "tpu", "xpu")

# Those whose entries carry a range of capabilities.
_RANGED = ("cuda", "rocm")


def _check_range(properties: Union[CUDAProperties, ROCMProperties]) -> None:
    for name in ("min_capability", "max_capability"):
        value = getattr(properties, name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name}: an int such as 90 for capability 9.0, not {value!r}")
        if value < 0:
            raise ValueError(f"{name}: at least 0, not {value}")
    if properties.min_capability > properties.max_capability:
        raise ValueError(
            f"min_capability ({properties.min_capability}) must be <= max_capability ({properties.max_capability})"
        )


@dataclass(frozen=True)
class CUDAProperties:
    """The CUDA compute capabilities that a kernel is registered for.

    Args:
        min_capability: the lowest, major * 10 + minor: 75 for 7.5.
        max_capability: the highest, itself included; `sys.maxsize`: no limit.

    Raises:
        ValueError: the lowest is above the highest.
        TypeError: one is no int.
    """

    min_capability: int
    max_capability: int

    def __post_init__(self) -> None:
        _check_range(self)


@dataclass(frozen=True)
class ROCMProperties:
    """As `CUDAProperties`, for ROCm devices."""

    min_capability: int
    max_capability: int

    def __post_init__(self) -> None:
        _check_range(self)


@dataclass(frozen=True)
class Device:
    """A device type, for cuda and rocm with a range of capabilities.

    Args:
        type: "cpu", "cuda", "mps", "neuron", "npu", "rocm", "tpu" or "xpu".
        properties: the capabilities; None: all.

    Raises:
        ValueError: properties of another device type.
    """

    type: str
    properties: Optional[Union[CUDAProperties, ROCMProperties]] = None

    def __post_init__(self) -> None:
        if isinstance(self.properties, CUDAProperties) and self.type != "cuda":
            raise ValueError("CUDAProperties is only supported for 'cuda' devices.")
        if isinstance(self.properties, ROCMProperties) and self.type != "rocm":
            raise ValueError("ROCMProperties is only supported for 'rocm' devices.")


Range = Tuple[Optional[int], Optional[int]]


def device_range(device: Device) -> Range:
    """The range of capabilities as the protocol has it: None for no bound."""
    if device.type not in DEVICE_TYPES:
        raise ValueError(f"Unknown device type: {device.type}{_hint(device.type)}")
    if device.type not in _RANGED:
        return None, None
    if device.properties is None:
        return 0, None
    highest = device.properties.max_capability
    return device.properties.min_capability, None if highest >= sys.maxsize else highest


def _hint(device_type: str) -> str:
    return " (Apple's GPUs are 'mps')" if device_type == "metal" else ""


class Target(NamedTuple):
    """What kernels are chosen for: a device type, its capability where it has
    one (90 for 9.0), and for rocm the gfx name."""

    device: str
    capability: Optional[int] = None
    arch: Optional[str] = None


def torch_target(device: Any) -> Target:
    """The target that a torch.device is. A cuda device is rocm where torch was
    built for it, and has the capability of that very device; without an index it
    is torch's current one. Where torch has no such device there is no capability."""
    import torch

    if device.type != "cuda":
        return Target(device.type)
    rocm = torch.version.hip is not None
    try:
        major, minor = torch.cuda.get_device_capability(device)
    except (AssertionError, RuntimeError) as error:  # of a torch without CUDA, of a host without a GPU
        logger.info("The capability of %s is not known, so that no kernel is found for it: %s", device, error)
        return Target("rocm" if rocm else "cuda")
    properties: Any = torch.cuda.get_device_properties(device)
    arch = properties.gcnArchName.split(":")[0] if rocm else None
    return Target("rocm" if rocm else "cuda", major * 10 + minor, arch)


def check_device_type(device_type: str) -> None:
    """Refuses, with ValueError, what is no device type."""
    if device_type not in DEVICE_TYPES:
        raise ValueError(
            f"Unsupported device type '{device_type}'{_hint(device_type)}. "
            f"Supported device types are: {', '.join(DEVICE_TYPES)}"
        )


def named_target(device_type: str, device: Any = None) -> Target:
    """The target of a device type, on the torch.device `device` if that is of the
    type, else on torch's current one."""
    if device_type not in _RANGED:
        return Target(device_type)
    import torch

    if device is None or device.type != "cuda":
        device = torch.device("cuda")
    return torch_target(device)._replace(device=device_type)
