"""A program that uses transformers with kernels. Prints one JSON object of what it saw.

transformers imports `kernels`, and gets kernelsd under that name."""

import json
import warnings

import kernelsd

kernelsd.stand_in_for_kernels()
warnings.simplefilter("ignore")

import torch  # noqa: E402
import transformers  # noqa: E402
from transformers import KernelConfig, LlamaConfig, LlamaForCausalLM  # noqa: E402
from transformers.utils.import_utils import is_kernels_available  # noqa: E402


def main():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=512, hidden_size=128, intermediate_size=256, num_hidden_layers=4, num_attention_heads=8,
        num_key_value_heads=4,
    )
    model = LlamaForCausalLM(config).to("cuda").eval()
    tokens = torch.randint(0, 512, (2, 32), device="cuda")
    mapping = {
        "RMSNorm": {"cuda": ("org/llama:LlamaRMSNorm", {"version": 1})},
        "rotary_pos_emb": {"cuda": ("org/llama:Rotary", {"version": 1})},
    }
    with torch.no_grad():
        plain = model(tokens).logits
        model.set_use_kernels(True, KernelConfig(mapping))
        replaced = model(tokens).logits
    calls = {}
    for loaded in kernelsd.get_loaded_kernels():
        calls.update(loaded.module.layers.calls)
    print(json.dumps({
        "transformers": transformers.__version__,
        "available": bool(is_kernels_available()),
        "difference": (plain - replaced).abs().max().item(),
        "largest": plain.abs().max().item(),
        "calls": calls,
    }))


main()
