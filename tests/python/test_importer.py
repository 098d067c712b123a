"""Kernels' modules: names of their own, submodules, native code, threads."""

import pathlib
import platform
import shutil
import subprocess
import sys
import sysconfig
import threading

import pytest
import torch

import harness
from kernelsd import get_kernel, get_loaded_kernels, has_kernel
from models import own_row


def number(module):
    return module.add(0)


def test_two_versions_live_beside_each_other(host):
    one, two = get_kernel("org/add", version=1), get_kernel("org/add", version=2)
    assert (number(one), number(two)) == (1, 2)
    assert one.__name__ != two.__name__ and one.layers is not two.layers
    assert (one.layers.Add().forward(0), two.layers.Add().forward(0)) == (1, 2)
    assert sys.modules[one.__name__] is one and sys.modules[two.__name__] is two
    assert get_kernel("org/add", version=1) is one


# --- what is inside ---

TREE = {
    "__init__.py": b"from . import layers\nfrom .ops.fast import add\n",
    "layers.py": b"from .ops import fast\n",
    "ops/__init__.py": b"",
    "ops/fast.py": b"from ..tables import TABLE\nfrom . import slow\n\ndef add(x): return slow.add(x) + TABLE[0]\n",
    "ops/slow.py": b"def add(x):\n    from .. import late\n    return x + late.LATE\n",
    "tables.py": b"import os\n\nwith open(os.path.join(os.path.dirname(__file__), 'table.txt')) as f:\n"
                 b"    TABLE = [int(f.read())]\n",
    "table.txt": b"40",
    "late.py": b"LATE = 2\n",
}


def test_submodules_and_files(host, hub):
    hub.add_repository("org/tree", {"v1": harness.kernel_files(files=TREE)})
    module = get_kernel("org/tree", version=1)
    assert number(module) == 42
    assert module.layers.fast.__name__ == f"{module.__name__}.ops.fast"
    assert f"{module.__name__}.late" in sys.modules, "imported when it was called"


def test_a_failed_import_can_be_tried_again(host, hub, monkeypatch):
    files = {"__init__.py": b"from . import good, bad\n\ndef add(x):\n    return x + 1\n", "good.py": b"",
             "bad.py": b"import sys\nif not hasattr(sys, 'kernelsd_now_works'):\n    raise RuntimeError('not yet')\n"}
    hub.add_repository("org/late", {"v1": harness.kernel_files(files=files)})
    for _ in range(2):
        with pytest.raises(RuntimeError, match="not yet"):
            get_kernel("org/late", version=1)
    assert get_loaded_kernels() == [] and own_row(host)["n_leases"] == 0
    monkeypatch.setattr(sys, "kernelsd_now_works", True, raising=False)
    assert number(get_kernel("org/late", version=1)) == 1
    assert own_row(host)["n_leases"] == 1


def test_threads_that_import_the_same(host, hub, monkeypatch):
    runs = []
    monkeypatch.setattr(sys, "kernelsd_runs", runs, raising=False)
    source = (b"import sys, time\nsys.kernelsd_runs.append(__name__)\ntime.sleep(0.05)  # so that others come\n"
              b"def add(x):\n    return x + 1\n")
    hub.add_repository("org/slow", {"v1": harness.kernel_files(files={"__init__.py": source})})
    barrier, modules = threading.Barrier(8), []

    def load():
        barrier.wait()
        modules.append(get_kernel("org/slow", version=1))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 1 and len(modules) == 8 and len(set(map(id, modules))) == 1
    assert [number(module) for module in modules] == [1] * 8
    assert (own_row(host)["n_leases"], len(get_loaded_kernels())) == (1, 1)


# --- native code ---

EXTENSION = """
#include <Python.h>
#include <datetime.h>

static PyObject *add(PyObject *self, PyObject *x)
{
        (void)self;
        return PyLong_FromLong(PyLong_AsLong(x) + NUMBER);
}

static PyMethodDef methods[] = {{"add", add, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_fast", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__fast(void) { return PyModule_Create(&module); }
"""

PLAIN_C = "int add(int x) { return x + NUMBER; }\n"

LOADS_PLAIN = b"""
import ctypes, os

_library = ctypes.CDLL(os.path.join(os.path.dirname(__file__), "_plain.so"))


def add(x):
    return _library.add(x)
"""


@pytest.fixture
def compile_c(tmp_path):
    """Compiles C into a shared object; answers its bytes."""
    headers = sysconfig.get_path("include")
    if shutil.which("cc") is None or not pathlib.Path(headers, "Python.h").exists():
        pytest.skip("needs cc and the headers of Python (python3-dev), to make a native kernel")

    def compiles(source, number):
        (tmp_path / "source.c").write_text(source)
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", f"-DNUMBER={number}", f"-I{headers}", "-o",
                        tmp_path / "made.so", tmp_path / "source.c"], check=True)
        return (tmp_path / "made.so").read_bytes()

    return compiles


def arch_variant():
    """The true name of a variant for this torch."""
    version = "".join(torch.__version__.split("+")[0].split(".")[:2])
    abi = "cxx11" if torch.compiled_with_cxx11_abi() else "cxx98"
    return f"torch{version}-{abi}-cpu-{platform.machine()}-linux"


def test_an_arch_variant_with_an_extension(host, hub, compile_c):
    """Versions 1 and 2 of it in one process; an extension has the same name in both."""
    def files(number):
        made = {"__init__.py": b"from ._fast import add\n", "_fast.abi3.so": compile_c(EXTENSION, number)}
        return {**harness.kernel_files(arch_variant(), made),
                **harness.kernel_files("torch210-cxx11-cpu-x86_64-linux", {"__init__.py": b"raise ImportError"})}

    hub.add_repository("org/native", {"v1": files(1), "v2": files(2)})
    modules = [get_kernel("org/native", version=version) for version in (1, 2)]
    assert [number(module) for module in modules] == [1, 2]
    assert [loaded.module.__file__.split("/")[-2] for loaded in get_loaded_kernels()] == [arch_variant()] * 2
    assert has_kernel("org/native", version=1)


def test_a_library_without_python(host, hub, compile_c):
    for version in (1, 2):
        made = {"__init__.py": LOADS_PLAIN, "_plain.so": compile_c(PLAIN_C, version)}
        hub.add_repository(f"org/plain{version}", {"v1": harness.kernel_files(arch_variant(), made)})
    assert [number(get_kernel(f"org/plain{version}", version=1)) for version in (1, 2)] == [1, 2]
