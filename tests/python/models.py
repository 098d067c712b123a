"""Kernels and models for the tests of the Python package.

A kernel's layer adds a number to what it gets, so that a test sees by the result
which one ran; the original adds nothing."""

import textwrap

import torch
from torch import nn

import harness

PLAIN = """
    from . import layers


    def add(x):
        return x + {number}
"""

LAYER = """
    class {name}(nn.Module):
        {stated}

        def forward(self, x):
            return x + {number}
"""


def layer_source(name="Add", number=1, stated=""):
    """The source of one layer; `stated`: lines such as "has_backward = False"."""
    return textwrap.dedent(LAYER).format(name=name, number=number, stated=stated or '"""Adds."""')


def module_files(layers, number=1):
    """Files of a kernel whose `layers` are sources of layers."""
    source = "from torch import nn\n" + "\n".join(layers)
    return {"__init__.py": textwrap.dedent(PLAIN).format(number=number).encode(), "layers.py": source.encode()}


def adding(number=1, name="Add", stated="", variant="torch-cpu", **more):
    """Files of a repository of the Hub with one layer that adds `number`."""
    files = module_files([layer_source(name, number, stated)], number)
    return harness.kernel_files(variant, files, **more)


class Plain(nn.Module):
    """Adds nothing."""

    def forward(self, x):
        return x


def extensible(name="Add", base=Plain):
    """A new class of layer that can be replaced under a name."""
    import kernelsd

    return kernelsd.use_kernel_forward_from_hub(name)(type(f"Extensible{name}", (base,), {}))


class Net(nn.Module):
    """A model with a parameter on the CPU, and layers."""

    def __init__(self, *layers):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def value(model):
    """What a model makes of 0."""
    return float(model(torch.zeros(1)))


def local_kernel(folder, number=1, name="Add", stated="", layers=None, **more):
    """Writes a kernel below a folder; answers its variant's own folder."""
    files = module_files(layers or [layer_source(name, number, stated)], number)
    return harness.make_variant(folder, files=files, **more)


def kernelized(name="Add", mode=None, **more):
    """What a new model with one layer adds, once it is kernelized."""
    import kernelsd

    mode = kernelsd.Mode.INFERENCE if mode is None else mode
    return value(kernelsd.kernelize(Net(extensible(name)()), mode=mode, **more))


def own_row(host):
    """What the daemon's `clients` shows of this process's package. A request of the
    package's own goes before, so that all that it sent is there: one more counts."""
    from kernelsd.client import client

    client().call("status", {})
    rows = [row for row in host.ask("clients")["clients"] if row["client"].startswith("kernelsd-python")]
    assert len(rows) == 1, rows
    return rows[0]
