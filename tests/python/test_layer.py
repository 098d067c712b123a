"""Extensible layers: classes, classes of others, functions."""

import pytest
import torch
from torch import nn

import kernelsd
from kernelsd import kernelize, LayerRepository, Mode, replace_kernel_forward_from_hub
from kernelsd import use_kernel_forward_from_hub, use_kernel_func_from_hub, use_kernel_mapping, use_kernelized_func
from models import local_kernel, Net, value


def mapped(version=1):
    return {"Add": {"cpu": LayerRepository("org/add", layer_name="Add", version=version)}}


def test_a_class_of_somebody_else(host):
    class Foreign(nn.Module):
        def forward(self, x):
            return x

    replace_kernel_forward_from_hub(Foreign, "Add")
    net = Net(Foreign())
    with use_kernel_mapping(mapped(2)):
        kernelize(net, mode=Mode.INFERENCE)
    assert value(net) == 2
    with pytest.raises(TypeError, match="classes or functions"):
        use_kernel_forward_from_hub("Add")(7)


def test_a_function_as_a_layer(host):
    @use_kernel_forward_from_hub("Add")
    def add_nothing(x):
        return x

    @use_kernelized_func(add_nothing)
    class Uses(nn.Module):
        def forward(self, x):
            return add_nothing(x)

    net = Net(Uses(), Uses())
    assert value(net) == 0 and float(add_nothing(torch.zeros(1))) == 0
    assert not list(net.layers[0].children()), "it is no submodule"
    with use_kernel_mapping(mapped(2)):
        kernelize(net, mode=Mode.INFERENCE)
    assert value(net) == 4
    assert float(add_nothing(torch.zeros(1))) == 2, "there is one of it"


def test_only_extensible_functions_can_be_attached():
    with pytest.raises(ValueError, match="plain"):
        def plain(x):
            return x

        use_kernelized_func(plain)


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
def test_a_function_of_a_kernel(host, tmp_path):
    @use_kernel_func_from_hub("Add")
    def add_nothing(x):
        return x

    @use_kernelized_func(add_nothing)
    class Uses(nn.Module):
        def forward(self, x):
            return add_nothing(x)

    local = local_kernel(tmp_path, 7)
    for repository, expected in (
        (kernelsd.FuncRepository("org/add", func_name="add", version=3), 3),
        (kernelsd.LocalFuncRepository(local, func_name="add"), 7),
    ):
        net = Net(Uses())
        with use_kernel_mapping({"Add": {"cpu": repository}}):
            kernelize(net, mode=Mode.INFERENCE, use_fallback=False)
        assert value(net) == expected


def test_functions_are_deprecated(tmp_path):
    for make in (
        lambda: kernelsd.FuncRepository("org/add", func_name="add", version=1),
        lambda: kernelsd.LocalFuncRepository(tmp_path, func_name="add"),
        lambda: use_kernel_func_from_hub("Add"),
    ):
        with pytest.warns(DeprecationWarning) as caught:
            make()
        assert caught[0].filename == __file__
