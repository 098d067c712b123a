"""Kernel mappings: what is in force where.

A mapping is in force in a context (`contextvars`), so that threads and asyncio
tasks that inherit a context inherit its mapping. A `Scope` is one such mapping."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar, Token
from typing import Any, Dict, List, Mapping, Union
from unicodedata import category

from .device import Device, device_range
from .mode import Mode
from .repository import RepositoryProtocol
from .scope import EntryKey, Modes, NO_RANGE, Scope

KernelMapping = Mapping[str, Mapping[Union[Device, str], Union[RepositoryProtocol, Mapping[Mode, RepositoryProtocol]]]]


def _device_of(layer: str, named: Any) -> Device:
    if isinstance(named, str):
        return Device(type=named)
    if not isinstance(named, Device):
        raise TypeError(f"layer `{layer}`: kernels are for a device type such as `cpu`, or a Device, not {named!r}")
    return named


def _entries_of(mapping: KernelMapping) -> Dict[EntryKey, Modes]:
    """A mapping as entries; all of it is looked at before any is registered.

    Raises:
        ValueError: an unknown device type; a name or a mode that is none.
        TypeError: what is no mapping, no device, no mode, or has no `load`.
    """
    entries: Dict[EntryKey, Modes] = {}
    for layer, devices in mapping.items():
        _check_name(layer)
        if not isinstance(devices, Mapping):
            raise TypeError(f"layer `{layer}`: name the device type that the kernel is for, not just {devices!r}")
        if not devices:
            entries[layer, None, NO_RANGE] = {}
        for named, registered in devices.items():
            device = _device_of(layer, named)
            modes = dict(registered) if isinstance(registered, Mapping) else {Mode.FALLBACK: registered}
            for mode, repository in modes.items():
                _check_row(layer, mode, repository)
            entries[layer, device.type, device_range(device)] = modes
    return entries


# What can be registered; TORCH_COMPILE alone is never found, as upstream has it.
_MODES = (
    Mode.FALLBACK,
    Mode.INFERENCE,
    Mode.INFERENCE | Mode.TORCH_COMPILE,
    Mode.TRAINING,
    Mode.TRAINING | Mode.TORCH_COMPILE,
    Mode.TORCH_COMPILE,
)


def _check_name(layer: Any) -> None:
    if not isinstance(layer, str):
        raise TypeError(f"a layer's name is a str, not {layer!r}")
    if len(layer.encode("utf-8", "surrogatepass")) > 256:
        raise ValueError(f"a layer's name has at most 256 bytes: {layer[:40]!r}…")
    if any(category(character) in ("Cc", "Cs") for character in layer):
        raise ValueError(f"a layer's name has no control characters: {layer!r}")


def _check_row(layer: str, mode: Any, repository: Any) -> None:
    if not isinstance(mode, Mode):
        raise TypeError(f"layer `{layer}`: kernels are registered for a Mode, not {mode!r}")
    if mode not in _MODES:
        raise ValueError(f"layer `{layer}`: {mode!r} contradicts itself")
    if not callable(getattr(repository, "load", None)):
        raise TypeError(
            f"layer `{layer}`: {repository!r} is no repository: use LayerRepository, LocalLayerRepository or "
            "LockedLayerRepository"
        )


# What is in force where nothing else was said; shared by all threads.
_scope: ContextVar[Scope] = ContextVar("kernelsd_scope", default=Scope(None, True))


def current_scope() -> Scope:
    """The mapping in force in this context."""
    return _scope.get()


class _UseMapping(contextlib.AbstractContextManager):  # type: ignore[type-arg]
    def __init__(self, mapping: KernelMapping, inherit: bool) -> None:
        _entries_of(mapping)  # what is wrong is said where it is written
        self._mapping, self._inherit = mapping, inherit
        self._tokens: List[Token[Scope]] = []

    def __enter__(self) -> None:
        scope = Scope(current_scope(), current_scope().on_host) if self._inherit else Scope(None, False)
        scope.register(_entries_of(self._mapping))
        self._tokens.append(_scope.set(scope))

    def __exit__(self, *_: object) -> None:
        _scope.reset(self._tokens.pop())


def use_kernel_mapping(
    mapping: KernelMapping, *, inherit_mapping: bool = True
) -> contextlib.AbstractContextManager[None]:
    """A context manager within which a mapping is in force.

    Args:
        mapping: layer name → device type or `Device` → a repository, or mode → repository.
        inherit_mapping: True: on top of what is in force outside, the host's mapping
            included. False: `mapping` alone.

    Raises:
        ValueError: an unknown device type.
        TypeError: something else than repositories is mapped to.
    """
    return _UseMapping(mapping, inherit_mapping)


def register_kernel_mapping(mapping: KernelMapping, inherit_mapping: bool = True) -> None:
    """Registers a mapping where it is called: within `use_kernel_mapping` until the
    end of that, else for the whole process.

    Args:
        mapping: as for `use_kernel_mapping`.
        inherit_mapping: True: added to what is in force. False: in its place, in this
            context; the host's mapping is left out, too.

    Raises:
        ValueError, TypeError: as `use_kernel_mapping`; nothing is registered then.
    """
    entries = _entries_of(mapping)
    if not inherit_mapping:
        _scope.set(Scope(None, False))
    current_scope().register(entries)
