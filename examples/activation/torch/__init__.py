"""silu_and_mul in torch's own operations, for every device that torch has."""

import torch
from torch.nn import functional

from . import layers


def silu_and_mul(input: torch.Tensor) -> torch.Tensor:
    """silu(input[..., :d]) * input[..., d:].

    Args:
        input: shape [..., 2 * d], any floating type.

    Returns:
        Shape [..., d], the type of `input`.
    """
    gate, value = input.chunk(2, dim=-1)
    return functional.silu(gate) * value


__all__ = ["layers", "silu_and_mul"]
