"""For which failures a layer keeps its original forward."""

from __future__ import annotations

from enum import Flag, auto
from typing import Union


class KernelizeFallback(Flag):
    """For which failures `kernelize` keeps a layer's original forward.

    `NONE`: for none, as `use_fallback=False`.
    `UNSUPPORTED`: no kernel is mapped to the layer for this device, capability and
    mode; the kernel lacks the mode; there is no daemon to ask. As `use_fallback=True`.
    `LOAD`: a kernel cannot be had or loaded: no variant fits, its publisher is not
    trusted, it cannot be fetched, a Python package is missing, its import fails, the
    layer is not in it.
    `ALL`: for all of these.

    A kernel that may not stand in for the layer (a constructor, state, another
    signature), or that lacks the mode it is registered for, is an error with each of them.
    """

    NONE = 0
    UNSUPPORTED = auto()
    LOAD = auto()
    ALL = UNSUPPORTED | LOAD


def fallback_of(use_fallback: Union[bool, KernelizeFallback]) -> KernelizeFallback:
    if isinstance(use_fallback, KernelizeFallback):
        return use_fallback
    return KernelizeFallback.UNSUPPORTED if use_fallback else KernelizeFallback.NONE
