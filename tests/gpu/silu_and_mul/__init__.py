"""silu_and_mul for CUDA, a torch extension."""

import pathlib

import torch

torch.ops.load_library(str(pathlib.Path(__file__).parent / "_silu_and_mul.so"))

from . import layers  # noqa: E402

silu_and_mul = torch.ops._kernelsd_silu_and_mul.silu_and_mul

__all__ = ["layers", "silu_and_mul"]
