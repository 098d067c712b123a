"""One of several processes that run the CUDA layer. Says `ready` once its model is
kernelized, waits for a line, runs, and prints one JSON object of what it saw."""

import json
import sys
import time
import warnings

warnings.simplefilter("ignore")

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from kernelsd import LayerRepository, Mode, get_loaded_kernels, kernelize, use_kernel_forward_from_hub  # noqa: E402
from kernelsd import use_kernel_mapping  # noqa: E402

ROUNDS = 2000


@use_kernel_forward_from_hub("SiluAndMul")
class SiluAndMul(nn.Module):
    def forward(self, input):
        d = input.shape[-1] // 2
        return functional.silu(input[..., :d]) * input[..., d:]


def main():
    torch.manual_seed(0)
    layer, input = SiluAndMul(), torch.randn(512, 4096, device="cuda")
    exact = layer(input.double())
    begin = time.perf_counter()
    with use_kernel_mapping({"SiluAndMul": {"cuda": LayerRepository("org/silu", layer_name="SiluAndMul", version=1)}}):
        kernelize(layer, mode=Mode.INFERENCE, device="cuda", use_fallback=False)
    kernelize_ms = (time.perf_counter() - begin) * 1e3
    print("ready", flush=True)
    sys.stdin.readline()
    error = 0.0
    for _ in range(ROUNDS):
        out = layer(input)
    torch.cuda.synchronize()
    error = ((out.double() - exact).abs() / exact.abs().clamp(min=1)).max().item()
    (loaded,) = get_loaded_kernels()
    print(json.dumps({"error": error, "file": loaded.module.__file__, "kernelize_ms": kernelize_ms}), flush=True)


main()
