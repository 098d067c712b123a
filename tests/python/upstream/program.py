"""A program that uses the package `kernels`. usage: program.py integrate|cache VERSION

Prints one JSON object of what it saw."""

import json
import pathlib
import sys
import warnings

warnings.simplefilter("ignore")

import torch  # noqa: E402
from torch import nn  # noqa: E402


def model_of(kernels):
    class Add(nn.Module):
        def forward(self, x):
            return x

    return nn.Sequential(nn.Linear(1, 1), kernels.use_kernel_forward_from_hub("Add")(Add)())


def main(how):
    seen = {}
    if how == "integrate":
        import kernelsd

        seen["replaced"] = kernelsd.integrate()
        kernelsd.integrate()
    import kernels

    module = kernels.get_kernel("org/add", version=2)
    seen["add"] = float(module.add(torch.zeros(1)))
    seen["file"] = str(pathlib.Path(module.__file__).parent)
    net = model_of(kernels)
    repository = kernels.LayerRepository("org/add", layer_name="Add", version=1)
    with kernels.use_kernel_mapping({"Add": {"cpu": repository}}):
        kernels.kernelize(net, mode=kernels.Mode.INFERENCE, device="cpu")
    seen["layer"] = float(net[1](torch.zeros(1)))
    try:
        kernels.get_kernel("stranger/add", version=1)
    except Exception as error:
        seen["untrusted"] = [name.__name__ for name in type(error).__mro__]
    if how == "integrate":
        stranger = kernels.get_kernel("stranger/add", version=1, trust_remote_code=True)
        seen["trusting"] = float(stranger.add(torch.zeros(1)))
        seen["has"] = [kernels.has_kernel("org/add", version=1), kernels.has_kernel("org/npu-only", version=1)]
        seen["resolver"] = resolve_one()
    print(json.dumps(seen))


def resolve_one():
    """By the Resolver protocol, where the package has one."""
    try:
        from kernels.resolver import Resolver
    except ImportError:
        return None
    from kernels_data import KernelDependency, KernelVersion

    from kernelsd.integration import DaemonResolver

    resolver = DaemonResolver()
    assert getattr(Resolver, "_is_runtime_protocol", False) is False or isinstance(resolver, Resolver)
    found = resolver.resolve(api=None, backend=None, kernel=KernelDependency("org/add", KernelVersion.Version(3)))
    return [str(found.variant_path), str(found.metadata.name)]


main(sys.argv[1])
