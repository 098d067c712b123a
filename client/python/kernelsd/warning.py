"""Warnings that name the line of the program, not one of this package."""

from __future__ import annotations

import sys
import warnings
from types import FrameType
from typing import Optional, Type

_PACKAGE = __name__.split(".")[0]


def warn(text: str, category: Type[Warning] = UserWarning) -> None:
    """Warns on behalf of the first caller that is not of this package."""
    level = 1
    frame: Optional[FrameType] = sys._getframe()
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] == _PACKAGE:
        frame, level = frame.f_back, level + 1
    warnings.warn(text, category, stacklevel=level)
