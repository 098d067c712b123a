"""What changes meanwhile: mappings between two requests of one kernelize, and kernels in a folder of the host."""

import shutil
import sys

import pytest

import harness
from kernelsd import choose, get_loaded_kernels, kernelize, KernelError, KernelizeFallback, LayerRepository
from kernelsd import LocalLayerRepository, Mode, register_kernel_mapping, use_kernel_mapping
from kernelsd.scope import Scope
from models import extensible, kernelized, layer_source, local_kernel, module_files, Net, own_row, value

MARK = b"import sys\nsys.kernelsd_stranger_ran = True\n"


def mapped(repo="org/add", version=1, trust=False):
    return {"Add": {"cpu": LayerRepository(repo, layer_name="Add", version=version, trust_remote_code=trust)}}


@pytest.fixture
def evil(hub, monkeypatch):
    """A stranger's kernel, whose code leaves a mark when it runs."""
    monkeypatch.delattr(sys, "kernelsd_stranger_ran", raising=False)
    files = module_files([layer_source(number=66)], 66)
    files["__init__.py"] += MARK
    hub.add_repository("evil/add", {"v1": harness.kernel_files(files=files)}, trusted=False)
    return "evil/add"


def check_never_ran(host):
    assert not hasattr(sys, "kernelsd_stranger_ran") and get_loaded_kernels() == []
    assert own_row(host)["n_leases"] == 0, "what was acquired for nothing is given back"


@pytest.fixture
def before_acquire(monkeypatch):
    """Has the next of some mappings registered, and known to the daemon, each time that
    names are resolved and not acquired yet; answers how often that was."""
    def install(mappings):
        def changed(self, asked, view, wanted):
            calls.append(view)
            mapping = next(left, None)
            if mapping is not None:
                register_kernel_mapping(mapping)
                with self.scope.view(asked) as same:
                    assert same == view
            return acquire(self, asked, view, wanted)

        left, calls = iter(mappings), []
        monkeypatch.setattr(choose.Chooser, "_acquire", changed)
        return calls

    acquire = choose.Chooser._acquire
    return install


def test_trust_in_one_kernel_is_none_in_that_which_took_its_place(host, evil, before_acquire):
    tries = before_acquire([mapped(evil)])
    with use_kernel_mapping(mapped(trust=True)):
        with pytest.raises(ValueError, match="evil") as caught:
            kernelized(use_fallback=False)
    assert (caught.value.name, len(tries)) == ("untrusted", 2)
    check_never_ran(host)


def test_the_original_is_kept_where_that_is_covered(host, evil, before_acquire):
    before_acquire([mapped(evil)])
    with use_kernel_mapping(mapped(trust=True)):
        assert kernelized(use_fallback=KernelizeFallback.ALL) == 0
    check_never_ran(host)


def test_trust_that_is_registered_after_the_answer_is_not_for_the_answer(host, evil, monkeypatch):
    """The daemon answered with the stranger; this process has a trusted kernel there by now."""
    def changed(self, *key):
        if changes:
            register_kernel_mapping(changes.pop())
        return modes(self, *key)

    modes, changes = Scope.modes, [mapped(version=2, trust=True)]
    monkeypatch.setattr(Scope, "modes", changed)
    with use_kernel_mapping(mapped(evil)):
        assert kernelized(use_fallback=False) == 2
    assert not hasattr(sys, "kernelsd_stranger_ran") and own_row(host)["n_leases"] == 1


def test_what_is_registered_meanwhile_is_used(host, before_acquire):
    tries = before_acquire([mapped(version=2), mapped(version=3)])
    with use_kernel_mapping(mapped(version=1)):
        assert kernelized(use_fallback=False) == 3
    assert len(tries) == 3 and own_row(host)["n_leases"] == 1


def test_other_names_of_the_model_are_not_affected(host, before_acquire):
    before_acquire([mapped(version=3)])
    net = Net(extensible()(), extensible("Other")())
    other = {"Other": {"cpu": LayerRepository("org/add", layer_name="Add", version=2)}}
    with use_kernel_mapping({**mapped(version=1), **other}):
        kernelize(net, mode=Mode.INFERENCE, use_fallback=False)
    assert [value(layer) for layer in net.layers] == [3, 2]
    assert len(get_loaded_kernels()) == own_row(host)["n_leases"] == 2


def test_a_folder_is_registered_meanwhile(host, before_acquire, tmp_path):
    local_kernel(tmp_path, 5)
    before_acquire([{"Add": {"cpu": LocalLayerRepository(tmp_path, layer_name="Add")}}])
    with use_kernel_mapping(mapped()):
        assert kernelized(use_fallback=False) == 5
    assert own_row(host)["n_leases"] == 0


def test_a_mapping_that_changes_all_the_time(host, before_acquire):
    tries = before_acquire(mapped(version=2 + n % 2) for n in range(100))
    net = Net(extensible()())
    with use_kernel_mapping(mapped(version=1)):
        with pytest.raises(KernelError, match="try again") as caught:
            kernelize(net, mode=Mode.INFERENCE, use_fallback=KernelizeFallback.ALL)
    assert (caught.value.name, caught.value.retry, len(tries)) == ("busy", True, 3)
    assert "forward" not in vars(net.layers[0]) and own_row(host)["n_leases"] == 0


# --- a kernel in a folder that the host's mapping names ---


def replace(folder, number):
    shutil.rmtree(folder, ignore_errors=True)
    local_kernel(folder, number, id=f"add_{number}")


def test_a_kernel_of_the_host_that_is_built_anew(make_host, tmp_path):
    folder = tmp_path / "add"
    replace(folder, 1)
    host = make_host({"Add": [{"device": "cpu", "use": {"path": str(folder)}}]})
    net = Net(extensible()())
    kernelize(net, mode=Mode.INFERENCE, use_fallback=False)
    assert value(net) == kernelized(use_fallback=False) == 1
    assert own_row(host)["n_leases"] == 1
    replace(folder, 2)
    assert kernelized(use_fallback=False) == 2
    assert value(net) == 1, "until it is kernelized again"
    kernelize(net, mode=Mode.INFERENCE, use_fallback=False)
    assert value(net) == 2
    assert len(get_loaded_kernels()) == own_row(host)["n_leases"] == 2
