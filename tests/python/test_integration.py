"""integrate() with a package `kernels` that a test makes, and this package in the place of that one."""

import importlib
import os
import pathlib
import sys
import textwrap

import pytest

import kernelsd
from kernelsd import get_kernel, integration
from models import adding, own_row

# The parts of that package that integrate() looks for, as far as it looks.
PACKAGE = {
    "__init__.py": "from .utils import get_kernel, has_kernel\nfrom . import other\n",
    "other.py": "from .utils import get_kernel as get_kernel, install_kernel as mine\n",
    "utils.py": """
        from collections import namedtuple

        RepoInfo = namedtuple("RepoInfo", "repo_id revision")
        Imported = namedtuple("Imported", "path repo_info")


        def _import_from_path(path, repo_info=None):
            return Imported(path, repo_info)


        def get_local_kernel(path):
            return Imported(path, None)


        def install_kernel(*_, **more): raise AssertionError("asks the Hub")
        def get_kernel(*_, **more): raise AssertionError("asks the Hub")
        def has_kernel(*_, **more): raise AssertionError("asks the Hub")
        def select_revision_or_version(*_, **more): raise AssertionError("asks the Hub")
        def _resolve_local_variant_path(*_, **more): raise AssertionError("asks the Hub")
    """,
}


def forget_package():
    for name in [name for name in sys.modules if name == "kernels" or name.startswith("kernels.")]:
        del sys.modules[name]


@pytest.fixture
def absent():
    """`kernels` was not imported, and is not afterwards."""
    forget_package()
    yield
    forget_package()


@pytest.fixture
def package(absent, tmp_path, monkeypatch):
    """Such a package can be imported."""
    for name, source in PACKAGE.items():
        path = tmp_path / "site" / "kernels" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path / "site")
    return importlib.import_module("kernels")


def folder_of(host, version=1):
    return host.repository("org/add") / "snapshots" / host.ref(f"v{version}", "org/add") / "build" / "torch-cpu"


# --- integrate() ---


def test_what_is_replaced_and_only_once(package):
    replaced = kernelsd.integrate()
    assert set(replaced) == {
        "kernels.get_kernel", "kernels.has_kernel", "kernels.other.get_kernel", "kernels.utils.get_kernel",
        "kernels.utils.has_kernel", "kernels.utils.install_kernel", "kernels.utils.select_revision_or_version",
        "kernels.utils._resolve_local_variant_path"}
    assert package.other.mine.__module__ == "kernels.utils", "another name is its own affair"
    assert kernelsd.integrate() == []


def test_its_functions_ask_the_daemon(host, hub, package, tmp_path, monkeypatch):
    hub.add_repository("stranger/add", {"v1": adding(7)}, trusted=False)
    kernelsd.integrate()
    imported = package.get_kernel("org/add", version=2)
    assert imported.path == folder_of(host, 2)
    assert imported.repo_info == ("org/add", host.ref("v2", "org/add"))
    assert package.utils.install_kernel("org/add", revision="v1") == folder_of(host, 1)
    assert package.has_kernel("org/add", version=3) and host.ref("v3", "org/add") is None
    with pytest.raises(ValueError, match="Only one of"):
        package.get_kernel("org/add", version=1, revision="v1")
    with pytest.raises(ValueError, match="must be specified"):
        package.get_kernel("org/add")
    with pytest.raises(ValueError, match="stranger"):
        package.get_kernel("stranger/add", version=1)
    assert package.get_kernel("stranger/add", version=1, trust_remote_code=True).repo_info.repo_id == "stranger/add"
    monkeypatch.setenv("LOCAL_KERNELS", f"org/add={tmp_path}")
    assert package.get_kernel("org/add", version=1) == (tmp_path, None)


def test_what_it_asks_for_offline_is_not_fetched(host, hub, package):
    kernelsd.integrate()
    with pytest.raises(FileNotFoundError, match="offline"):
        package.utils.install_kernel("org/add", revision="v1", local_files_only=True)
    package.utils.install_kernel("org/add", revision="v1")
    hub.reset_requests()
    for function, more in ((package.utils.install_kernel, {"local_files_only": True}),
                           (package.utils._resolve_local_variant_path, {"api": None})):
        assert function(repo_id="org/add", revision="v1", **more) == folder_of(host)
    assert hub.counts()["total"] == 0


def descriptors(host):
    """Of folders in the host's cache. (The Hub's double has sockets in this process.)"""
    names = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
    return len([name for name in names if os.path.exists(name) and os.readlink(name).startswith(str(host.cache))])


def test_two_hundred_installs_hold_one_lease(host):
    install = integration._install_kernel_with({})
    for _ in range(200):
        assert install("org/add", revision="v1") == folder_of(host)
    assert own_row(host)["n_leases"] == descriptors(host) == 1
    assert get_kernel("org/add", version=1).add(0) == 1
    install("org/add", revision="v2")
    assert own_row(host)["n_leases"] == descriptors(host) == 2


# --- this package in the place of that one ---


def test_it_stands_in(absent, host):
    kernelsd.stand_in_for_kernels("0.15.9")
    import kernels
    from kernels.layer import device, mode

    assert kernels.kernelize is kernelsd.kernelize and kernels.__version__ == "0.15.9"
    assert mode.Mode is kernels.layer.Mode is kernelsd.Mode and device.Device is kernelsd.Device
    assert importlib.util.find_spec("kernels") is not None
    assert kernels.get_kernel("org/add", version=1).add(0) == 1
    with pytest.raises(ImportError):
        importlib.import_module("kernels.utils")
    assert vars(kernelsd)["__version__"] != "0.15.9"


@pytest.mark.parametrize("name", ["kernels", "kernels.layer", "kernels.layer.mode", "kernels.layer.device"])
def test_a_star_takes_what_is_public(absent, name):
    kernelsd.stand_in_for_kernels()
    taken = {}
    exec(f"from {name} import *", taken)
    public = set(taken) - {"__builtins__"}
    assert public and public <= set(kernelsd.__all__)
    assert public == set(kernelsd.__all__) or name.count(".") == 2


def test_it_stands_in_twice(absent):
    kernelsd.stand_in_for_kernels()
    from kernels import Mode
    kernelsd.stand_in_for_kernels("0.17.0")
    import kernels

    assert kernels.Mode is Mode and kernels.__version__ == "0.17.0"


def test_not_for_what_was_imported_already(package):
    with pytest.raises(RuntimeError, match="before"):
        kernelsd.stand_in_for_kernels()
    assert sys.modules["kernels"] is package and pathlib.Path(package.__file__).parent.name == "kernels"
    assert "kernels.layer" not in sys.modules


def test_that_package_cannot_be_integrated_where_it_is_stood_in_for(absent):
    kernelsd.stand_in_for_kernels()
    with pytest.raises(RuntimeError):
        kernelsd.integrate()
    assert sys.modules["kernels"].get_kernel is kernelsd.get_kernel
