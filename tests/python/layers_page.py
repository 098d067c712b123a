"""The examples of upstream's page on layers, of its newest and of an old version.

Names, arguments and nesting are the page's. Where it says "cuda", `device` stands:
a test without a GPU gives "cpu", one with a GPU "cuda". What the page only sketches
(`MyModel`) is filled in; its FeedForward forgets to call its base's constructor,
which no version of torch allows: here it does."""

import inspect
import sys
import warnings

import harness
import torch
from kernelsd import (
    CUDAProperties,
    Device,
    FuncRepository,
    LayerRepository,
    LocalFuncRepository,
    LocalLayerRepository,
    Mode,
    kernelize,
    register_kernel_mapping,
    replace_kernel_forward_from_hub,
    use_kernel_forward_from_hub,
    use_kernel_func_from_hub,
    use_kernel_mapping,
    use_kernelized_func,
)
from torch import nn
from torch.nn import functional as F

# --- the kernels that the page names ---

NAMES = ("activation", "activation-hopper", "activation-inference-optimized", "activation-training-optimized")

MODULE = b"""
from torch.nn import functional as F

from . import layers


def silu_and_mul(x):
    return layers.silu_and_mul(x)


silu_and_mul.can_torch_compile = True
"""

LAYERS = b"""
from torch import nn
from torch.nn import functional as F


def silu_and_mul(x):
    gate, up = x.chunk(2, dim=-1)
    return F.silu(gate) * up


class SiluAndMul(nn.Module):
    can_torch_compile = True

    def forward(self, input):
        return silu_and_mul(input)
"""

FILES = {"__init__.py": MODULE, "layers.py": LAYERS}


def variant_of(device):
    return f"torch-{device}"


def serve(hub, devices=("cpu", "cuda")):
    """Puts the page's repositories on a double, for these devices. The old page asks
    for no version, which means `main`."""
    for name in NAMES:
        files = {}
        for device in devices:
            files.update(harness.kernel_files(variant_of(device), FILES, backend=device, name=name))
        hub.add_repository(f"kernels-community/{name}", {"main": files, "v1": files}, trusted=True)


def make_local(folder, devices=("cpu", "cuda")):
    """What the page has in /home/daniel/kernels/activation; answers its path."""
    for device in devices:
        harness.make_variant(folder / "activation", variant_of(device), FILES, backend=device, name="activation")
    return folder / "activation"


# --- layers and models ---


def silu_and_mul_class():
    @use_kernel_forward_from_hub("SiluAndMul")
    class SiluAndMul(nn.Module):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            d = input.shape[-1] // 2
            return F.silu(input[..., :d]) * input[..., d:]

    return SiluAndMul


def external_class():
    """Of a library that knows nothing of kernels."""
    class SiluAndMul(nn.Module):
        def forward(self, input: torch.Tensor) -> torch.Tensor:
            d = input.shape[-1] // 2
            return F.silu(input[..., :d]) * input[..., d:]

    replace_kernel_forward_from_hub(SiluAndMul, "SiluAndMul")
    return SiluAndMul


class MyModel(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.linear = nn.Linear(8, 16)
        self.act = layer()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.linear(x))


def feed_forward():
    """The newest page's function as a layer: the function, and the class that uses it."""
    @use_kernel_forward_from_hub("silu_and_mul")
    def silu_and_mul(x: torch.Tensor) -> torch.Tensor:
        d = x.shape[-1] // 2
        return F.silu(x[..., :d]) * x[..., d:]

    @use_kernelized_func(silu_and_mul)
    class FeedForward(nn.Module):
        def __init__(self, in_features: int, out_features: int):
            super().__init__()
            self.linear = nn.Linear(in_features, out_features)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return silu_and_mul(self.linear(x))

    return silu_and_mul, FeedForward


def old_feed_forward():
    """The old page's: the function is a member."""
    @use_kernel_func_from_hub("silu_and_mul")
    def silu_and_mul(x: torch.Tensor) -> torch.Tensor:
        d = x.shape[-1] // 2
        return F.silu(x[..., :d]) * x[..., d:]

    class FeedForward(nn.Module):
        def __init__(self, in_features: int, out_features: int):
            super().__init__()
            self.linear = nn.Linear(in_features, out_features)
            # Note: silu_and_mul is a Torch module.
            self.silu_and_mul = silu_and_mul

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.silu_and_mul(self.linear(x))

    return silu_and_mul, FeedForward


# --- what came of it ---


def kernel_in(layer):
    """The kernel whose code a layer's forward is; None: its own."""
    function = layer.forward.__func__
    if function.__module__ == "kernelsd.function":
        function = inspect.getclosurevars(function).nonlocals["function"]
    module = sys.modules[function.__module__.rpartition(".layers")[0] or function.__module__]
    name = module.__name__
    return name[len("_kernelsd_"):].rpartition("_")[0].replace("_", "-") if name.startswith("_kernelsd_") else None


class Checked:
    """A model and what it answers without kernels."""

    def __init__(self, model, layer, device):
        self.model, self.layer = model.to(device), layer
        self.x = torch.randn(4, 8, device=device)
        self.wanted = model(self.x).detach()

    def check(self, kernel):
        """That it has this kernel, and answers what it did."""
        assert kernel_in(self.layer) == kernel, (kernel_in(self.layer), kernel)
        torch.testing.assert_close(self.model(self.x).detach(), self.wanted)


def my_model(device, layer=None):
    model = MyModel(layer or silu_and_mul_class())
    return Checked(model, model.act, device)


MODES = (Mode.INFERENCE, Mode.TRAINING, Mode.INFERENCE | Mode.TORCH_COMPILE, Mode.TRAINING | Mode.TORCH_COMPILE)


def check_modes(device, mapping, kernels):
    """The kernel for each of MODES."""
    with use_kernel_mapping(mapping):
        for mode, kernel in zip(MODES, kernels):
            made = my_model(device)
            assert kernelize(made.model, mode=mode) is made.model
            made.check(kernel)


# --- the examples of both pages ---


def activation(name="activation"):
    return LayerRepository(repo_id=f"kernels-community/{name}", layer_name="SiluAndMul", version=1)


def run_registering(device):
    kernel_layer_mapping = {
        "SiluAndMul": {
            device: LayerRepository(
                repo_id="kernels-community/activation",
                layer_name="SiluAndMul",
                version=1,
            ),
            "rocm": LayerRepository(
                repo_id="kernels-community/activation",
                layer_name="SiluAndMul",
                version=1,
            )
        }
    }
    made = my_model(device)
    with use_kernel_mapping(kernel_layer_mapping):
        # Use the layer for which the mapping is applied.
        made.model = kernelize(made.model, mode=Mode.TRAINING | Mode.TORCH_COMPILE)
    made.check("activation")
    external = my_model(device, external_class())
    with use_kernel_mapping(kernel_layer_mapping):
        kernelize(external.model, mode=Mode.INFERENCE)
    external.check("activation")
    check_modes(device, kernel_layer_mapping, ["activation"] * 4)
    register_kernel_mapping(kernel_layer_mapping)
    made = my_model(device)
    for mode in MODES:  # of one model, again and again
        made.model = kernelize(made.model, mode=mode)
        made.check("activation")
    made.model = kernelize(made.model, mode=Mode.INFERENCE | Mode.TORCH_COMPILE, use_fallback=False)
    made.check("activation")
    made.model = kernelize(made.model, device=device, mode=Mode.INFERENCE)
    made.check("activation")


def run_without_parameters(device):
    """The device cannot be inferred."""
    model = silu_and_mul_class()()
    with use_kernel_mapping({"SiluAndMul": {device: activation()}}):
        kernelize(model, device=device, mode=Mode.INFERENCE)
    assert kernel_in(model) == "activation"


def run_not_scoped_any_more(device):
    """Outside the with-scope the mapping is not active."""
    made = my_model(device)
    with use_kernel_mapping({}, inherit_mapping=False):
        with use_kernel_mapping({"SiluAndMul": {device: activation()}}):
            kernelize(made.model, mode=Mode.INFERENCE)
        made.check("activation")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that there is no mapping
            kernelize(made.model, mode=Mode.INFERENCE)
        made.check(None)


def run_modes(device):
    kernel_layer_mapping = {
        "SiluAndMul": {
            device: {
                Mode.INFERENCE: LayerRepository(
                    repo_id="kernels-community/activation-inference-optimized",
                    layer_name="SiluAndMul",
                    version=1,
                ),
                Mode.TRAINING | Mode.TORCH_COMPILE: LayerRepository(
                    repo_id="kernels-community/activation-training-optimized",
                    layer_name="SiluAndMul",
                    version=1,
                ),
            }
        }
    }
    training = "activation-training-optimized"
    check_modes(device, kernel_layer_mapping, ["activation-inference-optimized", training, training, training])
    kernel_layer_mapping = {
        "SiluAndMul": {
            device: {
                Mode.FALLBACK: LayerRepository(
                    repo_id="kernels-community/activation",
                    layer_name="SiluAndMul",
                    version=1,
                ),
                Mode.INFERENCE: LayerRepository(
                    repo_id="kernels-community/activation-inference-optimized",
                    layer_name="SiluAndMul",
                    version=1,
                ),
                Mode.TRAINING: LayerRepository(
                    repo_id="kernels-community/activation-training-optimized",
                    layer_name="SiluAndMul",
                    version=1,
                ),
            }
        }
    }
    check_modes(device, kernel_layer_mapping,
                ["activation-inference-optimized", "activation-training-optimized", "activation", "activation"])


def run_capabilities(device):
    kernel_layer_mapping = {
        "SiluAndMul": {
            Device(
                type="cuda",
                properties=CUDAProperties(
                    min_capability=75, max_capability=89
                ),
            ): LayerRepository(
                repo_id="kernels-community/activation",
                layer_name="SiluAndMul",
                version=1,
            ),
            Device(
                type="cuda",
                properties=CUDAProperties(
                    min_capability=90, max_capability=sys.maxsize
                ),
            ): LayerRepository(
                repo_id="kernels-community/activation-hopper",
                layer_name="SiluAndMul",
                version=1,
            ),
        }
    }
    if device != "cuda":  # a device without capabilities beside those
        kernel_layer_mapping["SiluAndMul"][Device(type=device)] = activation("activation-hopper")
        hopper = True
    else:
        hopper = torch.cuda.get_device_capability() >= (9, 0)
    check_modes(device, kernel_layer_mapping, ["activation-hopper" if hopper else "activation"] * 4)


def run_local(device, folder, make_function, **package):
    """From a folder; `package`: the page gives a package_name, which is not needed."""
    linear = my_model(device)
    with use_kernel_mapping(
        {
            "SiluAndMul": {
                device: LocalLayerRepository(
                    repo_path=str(folder),
                    layer_name="SiluAndMul",
                    **package,
                )
            }
        },
        inherit_mapping=False,
    ):
        kernelize(linear.model, mode=Mode.INFERENCE)
    linear.check("activation")
    function, FeedForward = make_function()
    model = Checked(FeedForward(8, 16), function, device)
    with use_kernel_mapping(
        {
            "silu_and_mul": {
                device: LocalFuncRepository(
                    repo_path=str(folder),
                    func_name="silu_and_mul",
                    **package,
                )
            }
        },
        inherit_mapping=False,
    ):
        kernelize(model.model, mode=Mode.INFERENCE)
    model.check("activation")


def run_function(device, make_function, **version):
    """A layer, and a function as a layer, mapped to a kernel's function."""
    kernel_layer_mapping = {
        "SiluAndMul": {
            device: FuncRepository(
                repo_id="kernels-community/activation",
                func_name="silu_and_mul",
                **version,
            ),
        }
    }
    made = my_model(device)
    with use_kernel_mapping(kernel_layer_mapping):
        kernelize(made.model, mode=Mode.INFERENCE)
    made.check("activation")
    function, FeedForward = make_function()
    model = Checked(FeedForward(8, 16), function, device)
    with use_kernel_mapping({"silu_and_mul": kernel_layer_mapping["SiluAndMul"]}):
        kernelize(model.model, mode=Mode.INFERENCE)
    model.check("activation")


def run_without_version(device):
    """The old page: a kernel that has not been updated to versions, with the name of its package."""
    check_modes(device, {"SiluAndMul": {device: LayerRepository(repo_id="kernels-community/activation",
                                                                layer_name="SiluAndMul")}}, ["activation"] * 4)
    check_modes(device, {"SiluAndMul": {device: LayerRepository(repo_id="kernels-community/activation",
                                                                package_name="activation",
                                                                layer_name="SiluAndMul")}}, ["activation"] * 4)


def run_newest(device, folder):
    """All of the newest page; `folder`: of make_local."""
    run_without_parameters(device)
    run_not_scoped_any_more(device)
    run_modes(device)
    run_capabilities(device)
    run_local(device, folder, feed_forward, package_name="activation")
    run_function(device, feed_forward, version=1)
    run_registering(device)


def run_old(device, folder):
    """All of the old page."""
    run_without_version(device)
    run_modes(device)
    run_capabilities(device)
    run_local(device, folder, old_feed_forward, package_name="activation")
    run_function(device, old_feed_forward)
    run_registering(device)


def run_pages(device, folder):
    """Both pages, one after the other in one process, with a daemon whose Hub has `serve`d."""
    run_newest(device, folder)
    run_old(device, folder)
