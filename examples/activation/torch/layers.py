import torch
from torch import nn
from torch.nn import functional


class SiluAndMul(nn.Module):
    """silu(input[..., :d]) * input[..., d:] for `input` of shape [..., 2 * d]."""

    has_backward = True
    can_torch_compile = True

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        gate, value = input.chunk(2, dim=-1)
        return functional.silu(gate) * value
