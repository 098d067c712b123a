"""kernelize: puts kernels in the place of a model's extensible layers.

In three steps, so that an error leaves the model as it was: the extensible layers
are collected; for each name a `Choice` is made and judged; then all forwards are put
in place."""

from __future__ import annotations

import logging
import os
from typing import Any, Dict, Iterator, List, NamedTuple, Set, Tuple, Union

from . import _native
from .choose import Choice, Chooser
from .device import check_device_type, Device, named_target, Target, torch_target
from .fallback import fallback_of, KernelizeFallback
from .layer import check_layer, put_forward
from .mode import Mode, mode_text
from .usage import report_usage

logger = logging.getLogger("kernelsd")

_DISABLED = bool(int(os.environ.get("DISABLE_KERNEL_MAPPING", "0")))


# --- what is asked for ---


def _check_mode(mode: Mode) -> None:
    if not isinstance(mode, Mode):
        raise TypeError(f"mode: a Mode such as Mode.INFERENCE, not {mode!r}")
    if mode == Mode.FALLBACK:
        raise ValueError("Mode.FALLBACK can only be used to register kernel mappings.")
    if Mode.INFERENCE not in mode and Mode.TRAINING not in mode:
        raise ValueError("kernelize mode must contain Mode.INFERENCE or Mode.TRAINING.")


def _first_device(model: Any) -> Any:
    """Where the first parameter is; None: the model has none. Says so where others
    are elsewhere."""
    devices = (parameter.device for parameter in model.parameters())
    first = next(devices, None)
    if first is not None and logger.isEnabledFor(logging.INFO):
        other = next((device for device in devices if device != first), None)
        if other is not None:
            logger.info("The model is on %s and on %s: kernels are chosen for the first, %s", first, other, first)
        if first.type == "meta":
            logger.info("The model is on the meta device, for which there are no kernels: pass `device`")
    return first


def _target(model: Any, device: Any) -> Target:
    first = _first_device(model)
    if device is None:
        if first is None:
            raise ValueError("Cannot determine model device, provide as `device` argument to `kernelize`.")
        return torch_target(first)
    if isinstance(device, str):
        check_device_type(device)
        return named_target(device, first)
    if isinstance(device, Device):
        check_device_type(device.type)
        return named_target(device.type, first)
    if not hasattr(device, "type") or not hasattr(device, "index"):
        raise TypeError(f"device: a device type such as `cuda`, a torch.device or a Device, not {device!r}")
    return torch_target(first if device.index is None and first is not None and first.type == device.type else device)


# --- the layers of a model ---


class _Found(NamedTuple):
    module: Any
    cls: Any
    name: str


def _layers_of(model: Any) -> Iterator[_Found]:
    for _, module in model.named_modules():
        for function in getattr(module, "_kernel_funcs", {}).values():
            yield _Found(function, type(function), str(type(function).kernel_layer_name))
        if hasattr(type(module), "kernel_layer_name"):
            yield _Found(module, type(module), str(type(module).kernel_layer_name))


# --- gates ---


def _judge(choice: Choice, mode: Mode, fallback: KernelizeFallback) -> Choice:
    """The choice, or the original in its place where the kernel lacks the mode."""
    layer = choice.layer
    if layer is None or choice.registered is None:
        return choice
    has_backward = bool(getattr(layer, "has_backward", True))
    can_compile = bool(getattr(layer, "can_torch_compile", False))
    use_fallback = bool(KernelizeFallback.UNSUPPORTED & fallback)
    verdict = _native.gate(mode_text(mode), mode_text(choice.registered), has_backward, can_compile, use_fallback)
    if verdict == "use_kernel":
        return choice
    if verdict == "registered_mode_unsupported":
        lacks = "backward" if Mode.TRAINING in choice.registered and not has_backward else "torch.compile"
        raise ValueError(
            f"Function/layer from repo {choice.label} does not support {lacks}.\n"
            f"Was registered for `{choice.name}` with mode `{choice.registered}`"
        )
    if verdict == "requested_mode_unsupported":
        raise ValueError(f"Available kernel does not support mode: {mode} (layer `{choice.name}`, {choice.label})")
    if Mode.TORCH_COMPILE in mode and not can_compile:
        logger.info("Layer `%s` does not support torch.compile, using fallback", choice.name)
        return Choice(choice.name, f"original: {choice.label} does not support torch.compile")
    logger.info("Layer `%s` does not support backward, using fallback", choice.name)
    return Choice(choice.name, f"original: {choice.label} does not support backward")


def _check_choices(found: List[_Found], choices: Dict[str, Choice]) -> None:
    """Each kernel's layer against each class in whose place it comes."""
    seen: Set[Tuple[Any, Any]] = set()
    for row in found:
        choice = choices[row.name]
        if choice.layer is not None and (choice.layer, row.cls) not in seen:
            check_layer(choice.layer, row.cls, choice.label)
            seen.add((choice.layer, row.cls))


def kernelize(
    model: Any,
    *,
    mode: Mode,
    device: Any = None,
    use_fallback: Union[bool, KernelizeFallback] = True,
) -> Any:
    """Puts kernels in the place of the forwards of a model's extensible layers.

    Which kernel is said by the mapping in force (`use_kernel_mapping`,
    `register_kernel_mapping`) and below it by that of the host. The model is changed
    in place; to change the mode, kernelize it again. An error leaves it as it was.

    Args:
        model: a torch module.
        mode: what it is going to be used for; holds `Mode.INFERENCE` or `Mode.TRAINING`.
        device: a device type, a torch.device or a `Device`; None: where the first
            parameter is. A capability is that of the device with the parameters.
        use_fallback: for which failures the original forward is kept: see
            `KernelizeFallback`. True: where no kernel supports what is asked for, and
            where there is no daemon; False: for none.

    Returns:
        The model.

    Raises:
        ValueError: a mode or a device type that is none; a layer without a kernel, with
            `use_fallback=False`; a kernel that lacks the mode it is registered for.
        TypeError: a kernel's layer that may not stand in for the model's.
        FileNotFoundError, ImportError, ConnectionError, KernelError: a kernel cannot be
            had or loaded, or there is no daemon, and `use_fallback` does not cover it.
    """
    _check_mode(mode)
    found = list(_layers_of(model))
    target = _target(model, device)
    if _DISABLED:
        for row in found:
            put_forward(row.module, row.cls)
        return model
    if not found:
        return model
    fallback = fallback_of(use_fallback)
    names = list(dict.fromkeys(row.name for row in found))
    chosen = Chooser(mode, target, fallback).choose(names)
    choices = {name: _judge(choice, mode, fallback) for name, choice in chosen.items()}
    _check_choices(found, choices)
    for row in found:
        choice = choices[row.name]
        put_forward(row.module, row.cls if choice.layer is None else choice.layer)
    _tell(choices, mode, target)
    return model


def _tell(choices: Dict[str, Choice], mode: Mode, target: Target) -> None:
    """To the log and to the daemon."""
    for choice in choices.values():
        if choice.layer is not None:
            logger.info("Using function/layer from repo %s for layer `%s`", choice.label, choice.name)
    report_usage([choice.used() for choice in choices.values()], target.device, mode_text(mode))
