"""What is told of kernels that this process loads itself: a name, no path, and never what views have for them."""

import json

import pytest
from torch import nn

from kernelsd import kernelize, KernelError, KernelizeFallback, LayerRepository, LocalFuncRepository
from kernelsd import LocalLayerRepository, Mode, use_kernel_mapping
from models import extensible, kernelized, local_kernel, Net, own_row


class Five(nn.Module):
    """A kernel's layer."""

    def forward(self, x):
        return x + 5


class Shelf:
    """A repository of a program's own."""

    def load(self):
        return Five


class Empty:
    """One that fails."""

    def load(self):
        raise LookupError("nothing here")


def told(host, caplog):
    """Layer to repository; nothing of the report, or of the log, has the inner name or a path."""
    row = own_row(host)
    texts = json.dumps([row, host.ask("history")]) + caplog.text + host.log()
    assert "this-process" not in texts and "loads-it" not in texts
    assert "/" not in "".join(used["repo"] or "" for used in row["used"] if used["repo"] != "org/add")
    return {used["layer"]: used["repo"] for used in row["used"]}


@pytest.fixture
def shelf(tmp_path):
    """A folder with a kernel."""
    folder = tmp_path / "secret" / "shelf"
    local_kernel(folder, 4)
    return folder


@pytest.fixture(autouse=True)
def everything(caplog):
    caplog.set_level("DEBUG", "kernelsd")


def test_folders_and_repositories_of_ones_own(host, shelf, caplog):
    with pytest.warns(DeprecationWarning):
        function = LocalFuncRepository(shelf, func_name="add")
    mapping = {"Local": LocalLayerRepository(shelf, layer_name="Add"), "Func": function, "Own": Shelf(),
               "Hub": LayerRepository("org/add", layer_name="Add", version=1)}
    with use_kernel_mapping({layer: {"cpu": repository} for layer, repository in mapping.items()}):
        kernelize(Net(*(extensible(layer)() for layer in mapping)), mode=Mode.INFERENCE, use_fallback=False)
    assert told(host, caplog) == {"Local": "local:shelf", "Func": "local:shelf", "Own": "local:Shelf",
                                  "Hub": "org/add"}


def test_what_local_kernels_replaces(host, shelf, caplog, monkeypatch):
    monkeypatch.setenv("LOCAL_KERNELS", f"org/add={shelf}:org/other={shelf}/")
    mapping = {layer: {"cpu": LayerRepository(repo, layer_name="Add", version=1)}
               for layer, repo in (("Add", "org/add"), ("Other", "org/other"))}
    with use_kernel_mapping(mapping):
        kernelize(Net(*(extensible(layer)() for layer in mapping)), mode=Mode.INFERENCE, use_fallback=False)
    assert told(host, caplog) == {"Add": "local:shelf", "Other": "local:shelf"}


def test_local_kernels_over_the_hosts_mapping(make_host, shelf, caplog, monkeypatch):
    host = make_host({"Add": [{"device": "cpu", "use": {"repo": "org/add", "version": 1}}]})
    monkeypatch.setenv("LOCAL_KERNELS", f"org/add={shelf}")
    assert kernelized(use_fallback=False) == 4
    assert told(host, caplog) == {"Add": "local:shelf"}


def test_originals(host, shelf, caplog, tmp_path):
    """What cannot be loaded, and what is for another mode."""
    mapping = {"Own": Empty(), "Nowhere": LocalLayerRepository(tmp_path / "secret" / "none", layer_name="Add"),
               "NoLayer": LocalLayerRepository(shelf, layer_name="No")}
    mapping = {layer: {"cpu": repository} for layer, repository in mapping.items()}
    mapping["Trains"] = {"cpu": {Mode.TRAINING: Shelf()}}
    mapping["Infers"] = {"cpu": {Mode.INFERENCE | Mode.TORCH_COMPILE: Shelf()}}
    net = Net(*(extensible(layer)() for layer in mapping))
    with use_kernel_mapping(mapping):
        kernelize(net, mode=Mode.TRAINING, use_fallback=KernelizeFallback.ALL)
        assert told(host, caplog) == {**dict.fromkeys(mapping), "Trains": "local:Shelf"}
        with pytest.raises(LookupError, match="nothing here"):
            kernelized("Own", use_fallback=False)


def test_the_inner_name_means_nothing_in_the_hosts_mapping(make_host):
    make_host({"Add": [{"device": "cpu", "use": {"repo": "this-process/loads-it", "revision": "0" * 40}}]})
    with pytest.raises(KernelError, match="this-process"):
        kernelized(use_fallback=False)
    assert kernelized(use_fallback=KernelizeFallback.ALL) == 0
