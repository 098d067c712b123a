#!/usr/bin/python3
"""Runs a small network as it is and with kernels in place of its layers, and compares.

usage: feedforward.py [REPOSITORY]

The kernel for SiluAndMul is the one that the host's mapping names; with REPOSITORY,
the folder of a kernel repository, the one in there. Exit status 1: the results differ,
or there is no kernel."""

import logging
import sys

import torch
from torch import nn
from torch.nn import functional

from kernelsd import (
    KernelError,
    LocalLayerRepository,
    Mode,
    kernelize,
    use_kernel_forward_from_hub,
    use_kernel_mapping,
)


@use_kernel_forward_from_hub("SiluAndMul")
class SiluAndMul(nn.Module):
    def forward(self, input: torch.Tensor) -> torch.Tensor:
        d = input.shape[-1] // 2
        return functional.silu(input[..., :d]) * input[..., d:]


class FeedForward(nn.Module):
    """Takes and gives tensors of shape [..., 64]."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(64, 2 * 256)
        self.act = SiluAndMul()
        self.down = nn.Linear(256, 64)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return self.down(self.act(self.up(input)))


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = FeedForward().to(device).eval()
    input = torch.randn(16, 64, device=device)
    mapping = {}
    if len(sys.argv) > 1:
        mapping = {"SiluAndMul": {device: LocalLayerRepository(sys.argv[1], layer_name="SiluAndMul")}}
    with torch.no_grad():
        original = model(input)
        try:
            with use_kernel_mapping(mapping):
                kernelize(model, mode=Mode.INFERENCE, use_fallback=False)
        except KernelError as error:
            print(f"feedforward: {error}", file=sys.stderr)
            return 1
        replaced = model(input)
    difference = (original - replaced).abs().max().item()
    print(f"largest difference {difference:.2g}: {'correct' if difference < 1e-5 else 'WRONG'}")
    return 0 if difference < 1e-5 else 1


sys.exit(main())
