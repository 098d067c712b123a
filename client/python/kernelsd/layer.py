"""Making layers extensible, and what a layer of a kernel must be to stand in for one."""

from __future__ import annotations

import functools
import inspect
from types import MethodType
from typing import Any, Callable, FrozenSet, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from .function import function_layer
from .warning import warn

_T = TypeVar("_T")

# Members that a kernel's layer may have beside forward.
_STATED = frozenset(("can_torch_compile", "has_backward"))


def replace_kernel_forward_from_hub(cls: Any, layer_name: str) -> None:
    """Makes a layer class of somebody else extensible. Its forward and its members can
    change without notice: prefer `use_kernel_forward_from_hub` on classes of your own.

    Args:
        cls: the class, a torch module's.
        layer_name: the name that mappings register kernels under.
    """
    cls.kernel_layer_name = layer_name


def use_kernel_forward_from_hub(layer_name: str) -> Callable[[_T], _T]:
    """A decorator that makes a layer class, or a function, extensible.

    A function becomes a torch module whose forward calls it, and can be called as
    before; `kernelize` sees it where `use_kernelized_func` attaches it to a module.

    Args:
        layer_name: the name that mappings register kernels under.

    Raises:
        TypeError: used on neither a class nor a function.
    """

    def decorator(decorated: Any) -> Any:
        if inspect.isfunction(decorated):
            made = function_layer(decorated)
            replace_kernel_forward_from_hub(made, layer_name)
            return made()
        if inspect.isclass(decorated):
            replace_kernel_forward_from_hub(decorated, layer_name)
            return decorated
        raise TypeError("@use_kernel_forward_from_hub can only be applied to classes or functions")

    return decorator


def use_kernel_func_from_hub(func_name: str) -> Callable[[_T], _T]:
    """As `use_kernel_forward_from_hub`. Deprecated: use that."""
    warn("use_kernel_func_from_hub is deprecated. Use use_kernel_forward_from_hub instead.", DeprecationWarning)
    return use_kernel_forward_from_hub(func_name)


def use_kernelized_func(*functions: Any) -> Callable[[_T], _T]:
    """A decorator for a module class that uses extensible functions, so that
    `kernelize` sees them there. They do not become submodules.

    Args:
        functions: made by `use_kernel_forward_from_hub`.

    Raises:
        ValueError: one was not.
    """
    for function in functions:
        if not hasattr(function, "kernel_layer_name"):
            raise ValueError(
                f"Function `{getattr(function, '__name__', function)}` is not decorated with "
                "@use_kernel_forward_from_hub and cannot be used with @use_kernelized_func"
            )

    def decorator(cls: Any) -> Any:
        original = cls.__init__

        @functools.wraps(original)
        def init(self: Any, *arguments: Any, **keywords: Any) -> None:
            original(self, *arguments, **keywords)
            attached = self.__dict__.setdefault("_kernel_funcs", {})
            for function in functions:
                attached[getattr(function, "__name__", None) or function.kernel_layer_name] = function

        cls.__init__ = init
        return cls

    return decorator


def _module_members() -> FrozenSet[str]:
    from torch import nn

    return frozenset(dir(nn.Module))


# Originals that a kernel's layer was held against, so that kernelizing again costs nothing.
_fitting: WeakKeyDictionary[Any, WeakSet[Any]] = WeakKeyDictionary()


def _check_forward(layer: Any, original: Any, label: object) -> None:
    given = list(inspect.signature(layer.forward).parameters.values())
    wanted = list(inspect.signature(original.forward).parameters.values())
    begin = f"Forward signature of {label} does not match `{original.__name__}`: different"
    if len(given) != len(wanted):
        raise TypeError(f"{begin} number of arguments ({len(given) - 1}, where the layer takes {len(wanted) - 1}).")
    for parameter, reference in zip(given, wanted):
        if parameter.kind != reference.kind:
            raise TypeError(
                f"{begin} kind of arguments ({parameter} ({parameter.kind}) and {reference} ({reference.kind}))"
            )


def check_layer(layer: Any, original: Any, label: object) -> None:
    """Holds a kernel's layer to what a forward that is put on another class's
    objects must be: a torch module without state, whose forward takes the same
    kinds of arguments and calls nothing else of its own.

    Args:
        layer: the kernel's class.
        original: the class of the module in whose place its forward comes.
        label: what errors call the repository.

    Raises:
        TypeError: it is not so; the message says in what.
    """
    from torch import nn

    if inspect.isclass(layer) and original in _fitting.setdefault(layer, WeakSet()):
        return
    if not inspect.isclass(layer) or not issubclass(layer, nn.Module):
        raise TypeError(f"Layer `{getattr(layer, '__name__', layer)}` of {label} is not a Torch layer.")
    if layer.__init__ is not nn.Module.__init__:
        raise TypeError(f"{label} must not override nn.Module constructor.")
    extra = set(dir(layer)) - _module_members() - _STATED
    if extra:
        raise TypeError(
            f"{label} must not contain additional members compared to `{original.__name__}`: "
            f"it has {', '.join(sorted(extra))}."
        )
    _check_forward(layer, original, label)
    _fitting[layer].add(original)


def put_forward(module: Any, layer: Any) -> None:
    """Puts the forward of a class on a module; of the module's own: the original."""
    module.forward = MethodType(layer.forward, module)
