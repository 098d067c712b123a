"""Kernels that may not stand in for a layer, and kernels that cannot be imported."""

import json
import sys
import warnings

import pytest
import torch
from torch import nn

import harness
import kernelsd
from kernelsd import get_kernel, get_loaded_kernels, kernelize, KernelizeFallback, LayerRepository
from kernelsd import LocalLayerRepository, Mode, use_kernel_mapping
from models import adding, extensible, kernelized, layer_source, local_kernel, Net, own_row, Plain

CONSTRUCTOR = "def __init__(self):\n            super().__init__()"
BUFFER = "state = torch.zeros(1)"
METHOD = "def helper(self):\n            return 1"


def class_source(body):
    return f"class Add(nn.Module):\n    {body}"


def refused(folder, base=Plain, **more):
    """The TypeError for a kernel that is put on a layer; the layer keeps what it had."""
    net = Net(extensible("Add", base)())
    with use_kernel_mapping({"Add": {"cpu": LocalLayerRepository(folder, layer_name="Add")}}):
        with pytest.raises(TypeError) as caught:
            kernelize(net, mode=Mode.INFERENCE, **more)
    assert "forward" not in vars(net.layers[0])
    return str(caught.value)


@pytest.mark.parametrize("stated, message", [
    (CONSTRUCTOR, "must not override nn.Module constructor"),
    (BUFFER, "must not contain additional members compared to `ExtensibleAdd`: it has state"),
    (METHOD, "must not contain additional members compared to `ExtensibleAdd`: it has helper"),
])
@pytest.mark.parametrize("fallback", [False, True, KernelizeFallback.ALL])
def test_a_layer_must_be_pure(host, tmp_path, stated, message, fallback):
    folder = local_kernel(tmp_path, layers=["import torch\n" + layer_source(stated=stated)])
    assert message in refused(folder, use_fallback=fallback)


@pytest.mark.parametrize("arguments, message", [
    ("self, x, y", "different number of arguments (2, where the layer takes 1)"),
    ("self", "different number of arguments (0, where the layer takes 1)"),
    ("self, *x", "different kind of arguments"),
    ("self, *, x", "different kind of arguments"),
    ("self, x, /", "different kind of arguments"),
])
def test_another_signature(host, tmp_path, arguments, message):
    source = class_source(f"def forward({arguments}):\n        return 1\n")
    assert message in refused(local_kernel(tmp_path, layers=[source]))


def test_another_name_or_default_of_an_argument_is_no_other_signature(host, tmp_path):
    folder = local_kernel(tmp_path, layers=[class_source("def forward(self, input=None):\n        return input + 4\n")])
    with use_kernel_mapping({"Add": {"cpu": LocalLayerRepository(folder, layer_name="Add")}}):
        assert kernelized() == 4


def test_every_class_that_has_the_name_is_held_against_the_kernel(host, tmp_path):
    class Two(nn.Module):
        def forward(self, x, y):
            return x

    net = Net(extensible()(), extensible("Add", Two)())
    with use_kernel_mapping({"Add": {"cpu": LayerRepository("org/add", layer_name="Add", version=1)}}):
        with pytest.raises(TypeError, match="ExtensibleAdd"):
            kernelize(net, mode=Mode.INFERENCE)
    assert "forward" not in vars(net.layers[0])


@pytest.mark.parametrize("source", [
    "Add = 7\n",
    "def Add(x):\n    return x\n",
    "class Add:\n    def forward(self, x):\n        ...\n",
])
def test_no_torch_layer(host, tmp_path, source):
    assert "is not a Torch layer" in refused(local_kernel(tmp_path, layers=[source]))


# --- what goes wrong with loading: covered by KernelizeFallback.LOAD ---


def loading_fails(host, error, match, **repository):
    """A kernel of the Hub whose loading must fail so, unless the fallback covers it."""
    named = LayerRepository("org/bad", **{"layer_name": "Add", "version": 1, **repository})
    with use_kernel_mapping({"Add": {"cpu": named}}):
        for fallback in (True, False):
            with pytest.raises(error, match=match):
                kernelized(use_fallback=fallback)
        for fallback in (KernelizeFallback.ALL, KernelizeFallback.LOAD):
            assert kernelized(use_fallback=fallback) == 0
    with pytest.raises(error, match=match):
        named.load()
    row = own_row(host)["used"][0]
    assert row["repo"] is None and row["reason"].startswith("original: ")
    assert own_row(host)["n_leases"] == len(get_loaded_kernels()), "what failed is not held"


def bad(hub, files=None, **metadata):
    files = {"__init__.py": b"from . import layers\n", "layers.py": b"", **(files or {})}
    files = {name: data for name, data in files.items() if data is not None}
    hub.add_repository("org/bad", {"v1": harness.kernel_files(files=files, **metadata)}, trusted=True)


def test_without_the_layer(host, hub):
    bad(hub)
    loading_fails(host, ValueError, "Layer `Add` not found in kernel repo `org/bad` .version 1., layer `Add`")


def test_without_layers(host, hub):
    bad(hub, {"__init__.py": b""})
    loading_fails(host, ValueError, "`org/bad` .* does not define any layers")


def test_without_a_module(host, hub):
    bad(hub, {"__init__.py": None})
    loading_fails(host, FileNotFoundError, "No kernel module found")


@pytest.mark.parametrize("source, error", [
    (b"import no_such_module_at_all", ImportError),
    (b"raise RuntimeError('no_such_module_at_all')", RuntimeError),
    (b"def no_such_module_at_all(:", SyntaxError),
])
def test_that_cannot_be_imported(host, hub, source, error):
    bad(hub, {"layers.py": source})
    loading_fails(host, error, "no_such_module_at_all" if error is not SyntaxError else ".")


MARK = b"import sys\nsys.kernelsd_imported = True\n"


@pytest.mark.parametrize("metadata, error, match", [
    ({"python-depends": ["helion"]}, ImportError, "requires Python dependency `helion`.*pip install helion"),
    ({"python-depends": ["tvm-ffi"]}, ImportError, "apache-tvm-ffi"),
    ({"python-depends": ["requests"]}, ValueError, "unsupported kernel dependency: 'requests'"),
    ({"python-depends": ["nvidia-cutlass-dsl"]}, ValueError, "unsupported kernel dependency: 'nvidia-cutlass-dsl'"),
    ({"name": "Bad Name"}, ValueError, "/name: must be"),
    ({"name": None}, ValueError, "/name: is null"),
    ({"python-depends": "helion"}, ValueError, "python-depends"),
])
def test_what_metadata_says_is_looked_at_before_the_import(host, hub, metadata, error, match):
    bad(hub, {"__init__.py": MARK}, **metadata)
    loading_fails(host, error, match)
    assert not hasattr(sys, "kernelsd_imported")


def test_faulty_metadata_of_a_local_kernel(host, tmp_path):
    folder = local_kernel(tmp_path)
    for text in ("{", "[]", '"text"', "[" * 100_000, "\0"):
        (folder / "metadata.json").write_text(text)
        with pytest.raises(ValueError, match="metadata.json"):
            kernelsd.get_local_kernel(folder)
    good = {"name": "a-b", "id": "x", "version": 1, "backend": {"type": "cpu"}}
    for wrong in ({"name": "../evil"}, {"name": None}, {"version": -1}, {"backend": None}, {"python-depends": [1]}):
        (folder / "metadata.json").write_text(json.dumps({**good, **wrong}))
        with pytest.raises(ValueError, match=f"metadata.json.*`{next(iter(wrong))}`"):
            kernelsd.get_local_kernel(folder)
    (folder / "metadata.json").write_text(json.dumps(good))
    assert float(kernelsd.get_local_kernel(folder).add(0)) == 1


def test_a_dirty_build_is_warned_of(host, hub):
    provenance = {"kernel": {"commit": "0" * 40, "dirty": True},
                  "kernel-builder": {"version": "1", "sha": "1" * 40, "dirty": True}}
    hub.add_repository("org/dirty", {"v1": adding(6, provenance=provenance)})
    with pytest.warns(UserWarning, match="built from a dirty git tree.*kernel source, kernel-builder"):
        module = get_kernel("org/dirty", version=1)
    assert float(module.add(torch.zeros(1))) == 6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert get_kernel("org/dirty", version=1) is module


def test_an_error_of_the_tree_is_no_import(host, hub):
    """What the metadata's digest does not agree with is never run."""
    files = harness.kernel_files(files={"__init__.py": MARK})
    files["build/torch-cpu/__init__.py"] = MARK + b"# changed\n"
    hub.add_repository("org/bad", {"v1": files}, trusted=True)
    with pytest.raises(kernelsd.KernelError) as caught:
        get_kernel("org/bad", version=1)
    assert caught.value.name == "corrupt"


def test_control_characters_of_metadata_reach_no_log(host, hub, caplog):
    title = "\x1b]0;pwned\x07\x1b[2J\nforged line"
    bad(hub, **{"python-depends": [title], "license": title})
    with use_kernel_mapping({"Add": {"cpu": LayerRepository("org/bad", layer_name="Add", version=1)}}):
        assert kernelized(use_fallback=KernelizeFallback.ALL) == 0
        with pytest.raises(ValueError, match="unsupported kernel dependency") as caught:
            kernelized(use_fallback=False)
    reason = own_row(host)["used"][0]["reason"]
    for text in (str(caught.value), reason, *(record.getMessage() for record in caplog.records)):
        assert text.isprintable() and "pwned" in text


# --- code that ends the program, and what an import leaves ---

LEAVES = b"""import sys
from . import inside
from .deep import below

if sys.kernelsd_raises:
    raise sys.kernelsd_raises('by the kernel')

from . import layers
"""


@pytest.fixture
def leaving(hub, monkeypatch):
    """A kernel with modules of its own, whose import then raises what is set, until that is None."""
    files = {"__init__.py": LEAVES, "inside.py": b"", "deep/__init__.py": b"", "deep/below.py": b"",
             "layers.py": f"from torch import nn\n{layer_source()}".encode()}
    bad(hub, files)
    return lambda kind: monkeypatch.setattr(sys, "kernelsd_raises", kind, raising=False)


MAPPING = {"Add": {"cpu": LayerRepository("org/bad", layer_name="Add", version=1)}}


def kernel_modules():
    return [name for name in sys.modules if name.startswith("_kernelsd_")]


@pytest.mark.parametrize("kind", [SystemExit, RuntimeError, ImportError])
def test_a_kernel_that_exits(host, leaving, kind):
    leaving(kind)
    with use_kernel_mapping(MAPPING):
        for fallback in (KernelizeFallback.ALL, KernelizeFallback.LOAD):
            assert kernelized(use_fallback=fallback) == 0
        for fallback in (True, False):
            with pytest.raises(kind, match="by the kernel"):
                kernelized(use_fallback=fallback)
        assert kernel_modules() == [] and own_row(host)["n_leases"] == 0
        leaving(None)
        assert kernelized(use_fallback=False) == 1
    assert len(kernel_modules()) == 5 and own_row(host)["n_leases"] == 1


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit])
def test_an_interrupt_is_nothing_that_a_fallback_covers(host, leaving, kind):
    leaving(kind)
    with use_kernel_mapping(MAPPING):
        with pytest.raises(kind):
            kernelized(use_fallback=KernelizeFallback.ALL)
        assert kernel_modules() == [] and own_row(host)["n_leases"] == 0
        leaving(None)
        assert kernelized() == 1
