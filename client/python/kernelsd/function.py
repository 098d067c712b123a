"""A function as a layer: a torch module without state whose forward calls it."""

from __future__ import annotations

import inspect
from inspect import Parameter, Signature
from typing import Any, Callable


def function_layer(function: Callable[..., Any]) -> Any:
    """A class of nn.Module for a function. Its forward has the function's signature
    with `self` before it, so that it can be compared with a layer's; `has_backward`
    and `can_torch_compile` are those that the function has as attributes."""
    from torch import nn

    class Func(nn.Module):
        can_torch_compile = getattr(function, "can_torch_compile", False)
        has_backward = getattr(function, "has_backward", True)

        def forward(self, *args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

    signature = inspect.signature(function)
    forward: Any = Func.forward
    forward.__signature__ = Signature(
        parameters=[Parameter("self", Parameter.POSITIONAL_OR_KEYWORD), *signature.parameters.values()],
        return_annotation=signature.return_annotation,
    )
    return Func
