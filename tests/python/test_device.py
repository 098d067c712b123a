"""Devices: what a model is on, by name and by its parameters."""

import logging
import sys
import types

import pytest
import torch
from torch import nn

from kernelsd import CUDAProperties, Device, kernelize, LayerRepository, LocalLayerRepository, Mode
from kernelsd import register_kernel_mapping, ROCMProperties, use_kernel_mapping
from models import extensible, kernelized, local_kernel, Net, value


def mapped(version=1):
    return {"Add": {"cpu": LayerRepository("org/add", layer_name="Add", version=version)}}


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), torch.device("cpu", 0), Device("cpu")], ids=repr)
def test_a_device_that_is_named(host, device):
    layer = extensible()()
    with use_kernel_mapping(mapped(2)):
        kernelize(layer, mode=Mode.INFERENCE, device=device)
    assert value(layer) == 2


def test_a_model_without_parameters(host):
    with pytest.raises(ValueError, match="provide as `device`"):
        kernelize(extensible()(), mode=Mode.INFERENCE)


@pytest.mark.parametrize("device, hint", [("metal", "mps"), ("quantum", "cpu, cuda, mps"), ("", "cpu, cuda, mps")])
def test_device_types_that_are_none(host, device, hint):
    for named in (device, Device(device)):
        with pytest.raises(ValueError, match=hint):
            kernelize(Net(extensible()()), mode=Mode.INFERENCE, device=named)


def test_what_is_no_device_at_all(host):
    with pytest.raises(TypeError, match="device"):
        kernelize(Net(extensible()()), mode=Mode.INFERENCE, device=7)


def test_a_device_without_kernels(host):
    with use_kernel_mapping(mapped(2)):
        assert kernelized(device="xpu") == 0
        with pytest.raises(ValueError, match="No layer mapping for `Add` with device type `xpu`"):
            kernelized(device="xpu", use_fallback=False)


def test_the_meta_device(host, caplog):
    caplog.set_level(logging.INFO, "kernelsd")
    net = Net(extensible()()).to("meta")
    with use_kernel_mapping(mapped(2)):
        kernelize(net, mode=Mode.INFERENCE)
        assert value(net) == 0 and "meta" in caplog.text
        with pytest.raises(ValueError, match="meta"):
            kernelize(net, mode=Mode.INFERENCE, use_fallback=False)
        kernelize(net, mode=Mode.INFERENCE, device="cpu")
    assert value(net) == 2


def test_a_model_on_two_devices_goes_by_the_first(host, caplog):
    caplog.set_level(logging.INFO, "kernelsd")
    net = Net(extensible()(), nn.Linear(1, 1, device="meta"))
    with use_kernel_mapping(mapped(2)):
        kernelize(net, mode=Mode.INFERENCE)
    assert value(net.layers[0]) == 2
    assert "cpu" in caplog.text and "meta" in caplog.text


@pytest.fixture
def capability(monkeypatch):
    """Pretends that the model is on a GPU of a capability, by the number of the GPU."""
    known = {0: (7, 5), 1: (9, 0)}
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: known[device.index or 0])
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device=None: None)


class OnGpu(Net):
    """A model that says that its parameters are on a GPU."""

    def __init__(self, index, *layers):
        super().__init__(*layers)
        self.index = index

    def parameters(self, recurse=True):
        import types

        yield types.SimpleNamespace(device=torch.device("cuda", self.index))


def on_gpu(index, **more):
    return value(kernelize(OnGpu(index, extensible()()), mode=Mode.INFERENCE, **more))


def test_the_capability_is_that_of_the_models_device(host, tmp_path, capability):
    kernels = [LocalLayerRepository(local_kernel(tmp_path / str(n), n), layer_name="Add") for n in (1, 2, 3, 4)]
    old, new = Device("cuda", CUDAProperties(70, 80)), Device("cuda", CUDAProperties(80, sys.maxsize))
    with use_kernel_mapping({"Add": {old: kernels[0], new: kernels[1], "cuda": kernels[2]}}):
        assert (on_gpu(0), on_gpu(1)) == (1, 2)  # of ranges without an end, the higher minimum
        register_kernel_mapping({"Add": {Device("cuda", CUDAProperties(90, 90)): kernels[3]}})
        assert (on_gpu(0), on_gpu(1)) == (1, 4)
        assert (on_gpu(1, device="cuda"), on_gpu(1, device=Device("cuda"))) == (4, 4)


def test_rocm_is_what_torch_was_built_for(host, tmp_path, capability, monkeypatch):
    monkeypatch.setattr(torch.version, "hip", "6.2")
    names = types.SimpleNamespace(gcnArchName="gfx942:sramecc+:xnack-")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device=None: names)
    kernels = [LocalLayerRepository(local_kernel(tmp_path / str(n), n), layer_name="Add") for n in (1, 2)]
    with use_kernel_mapping({"Add": {"cuda": kernels[0], Device("rocm", ROCMProperties(90, 94)): kernels[1]}}):
        assert (on_gpu(1), on_gpu(0)) == (2, 0)


@pytest.mark.parametrize("error, make", [
    (ValueError, lambda: CUDAProperties(90, 80)),
    (ValueError, lambda: ROCMProperties(-1, 80)),
    (TypeError, lambda: CUDAProperties("90", 100)),
    (ValueError, lambda: Device("cpu", CUDAProperties(70, 80))),
    (ValueError, lambda: Device("cuda", ROCMProperties(70, 80))),
])
def test_properties_that_contradict_themselves(error, make):
    with pytest.raises(error):
        make()
