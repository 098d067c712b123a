"""The layers of a test kernel for transformers' Llama, in torch's own operations."""

# The one that transformers' own mapping refers to, in kernels-community/activation.
SILU = '''
from torch import nn
from torch.nn import functional

calls = {"Silu": 0}


class Silu(nn.Module):
    can_torch_compile = True

    def forward(self, input):
        calls["Silu"] += 1
        return functional.silu(input)
'''

SOURCE = '''
import torch
from torch import nn

calls = {"LlamaRMSNorm": 0, "Rotary": 0}


class LlamaRMSNorm(nn.Module):
    def forward(self, hidden_states):
        calls["LlamaRMSNorm"] += 1
        wide = hidden_states.to(torch.float32)
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)
        return self.weight * wide.to(hidden_states.dtype)


def _rotated(x):
    first, second = x.chunk(2, dim=-1)
    return torch.cat((-second, first), dim=-1)


class Rotary(nn.Module):
    def forward(self, q, k, cos, sin, unsqueeze_dim=1):
        calls["Rotary"] += 1
        cos, sin = cos.unsqueeze(unsqueeze_dim), sin.unsqueeze(unsqueeze_dim)
        return q * cos + _rotated(q) * sin, k * cos + _rotated(k) * sin
'''
