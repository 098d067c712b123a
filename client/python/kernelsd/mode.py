"""What a model is going to be used for."""

from __future__ import annotations

import functools
from enum import Flag, auto
from typing import Optional


class Mode(Flag):
    """What `kernelize` chooses kernels for, and what mappings register them for.

    `INFERENCE` and `TRAINING` exclude each other; each may be combined with
    `TORCH_COMPILE`, for a model that is compiled with `torch.compile`. `FALLBACK`
    stands in mappings only: the kernel that is taken where no other mode fits.

    Raises:
        ValueError: a combination that contradicts itself.
    """

    _NONE = 0
    FALLBACK = auto()
    TRAINING = auto()
    INFERENCE = auto()
    TORCH_COMPILE = auto()

    def __or__(self, other: Mode) -> Mode:
        union = super().__or__(other)
        if Mode.INFERENCE in union and Mode.TRAINING in union:
            raise ValueError("Mode.INFERENCE and Mode.TRAINING are mutually exclusive.")
        if Mode.FALLBACK in union and union != Mode.FALLBACK:
            raise ValueError("Mode.FALLBACK cannot be combined with other modes.")
        return union


_NAMES = (
    (Mode.INFERENCE, "inference"),
    (Mode.TRAINING, "training"),
    (Mode.TORCH_COMPILE, "torch_compile"),
    (Mode.FALLBACK, "fallback"),
)


@functools.lru_cache(maxsize=None)
def mode_text(mode: Mode) -> str:
    """The protocol's spelling: "inference|torch_compile"."""
    return "|".join(name for flag, name in _NAMES if flag in mode)


_OF_TEXT = {
    mode_text(mode): mode
    for mode in (
        Mode.INFERENCE,
        Mode.INFERENCE | Mode.TORCH_COMPILE,
        Mode.TRAINING,
        Mode.TRAINING | Mode.TORCH_COMPILE,
        Mode.FALLBACK,
    )
}


def is_mode_text(text: Optional[str]) -> bool:
    """Whether the protocol spells a mode so that a kernel may be found under."""
    return text in _OF_TEXT


def mode_of_text(text: str) -> Mode:
    """The mode that the protocol spells so."""
    return _OF_TEXT[text]
