"""Processes of their own: fork, a long run, Python's development mode, what is read once at the start."""

import os
import pathlib
import subprocess
import sys
import textwrap

import pytest

import harness
from harness import until
from kernelsd import disconnect, get_kernel, importer

HERE = pathlib.Path(__file__).resolve().parent

# What every program below begins with: warnings of torch itself are not ours.
BEGIN = """
import os, sys, warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch
import kernelsd
from kernelsd import LayerRepository, Mode, importer, kernelize, register_kernel_mapping, use_kernel_mapping
from models import Net, Plain, extensible, kernelized, value


def add(version):
    return LayerRepository("org/add", layer_name="Add", version=version)


def mapped(version):
    return {"Add": {"cpu": add(version)}}
"""


def start(source, *options, **environment):
    paths = [os.path.join(os.environ["KERNELSD_BUILD"], "client", "python"), str(HERE), str(HERE.parent / "e2e")]
    return subprocess.Popen([sys.executable, *options, "-c", BEGIN + textwrap.dedent(source)],
                            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment}, text=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def output(source, *options, **environment):
    """What a program prints; it must end well and complain of nothing."""
    process = start(source, *options, **environment)
    out, err = process.communicate(timeout=harness.PATIENCE_S)
    assert (process.returncode, err) == (0, ""), out + err
    return out


FORKS = """
net = Net(extensible()())
with use_kernel_mapping(mapped(1)):
    kernelize(net, mode=Mode.INFERENCE)
    for _ in range(3):
        if os.fork() == 0:
            os.read(0, 1)
            kept = value(net)
            new = kernelized(use_fallback=False)
            with use_kernel_mapping(mapped(2)):
                kernelize(net, mode=Mode.INFERENCE, use_fallback=False)
            os.write(1, f"{kept} {new} {value(net)}\\n".encode())
            os.read(0, 1)
            os._exit(0)
if sys.argv[1] == "frees":
    importer.forget_kernels()
    kernelsd.disconnect()
    os.write(1, b"parent\\n")
    for _ in range(3):
        os.wait()
os._exit(0)
"""


@pytest.mark.parametrize("parent", ["ends", "frees"])
def test_workers_hold_what_they_inherited(host, parent):
    get_kernel("org/add", version=1)  # so that the folder is there
    folder = host.repository("org/add") / "snapshots" / host.ref("v1", "org/add") / "build" / "torch-cpu"
    importer.forget_kernels()
    disconnect()
    until(lambda: not harness.is_locked(folder), "nobody uses it")
    with start(FORKS.replace("sys.argv[1]", repr(parent))) as process:
        if parent == "ends":
            assert process.wait(harness.PATIENCE_S) == 0
        else:
            assert process.stdout.readline() == "parent\n"
        assert harness.is_locked(folder)
        process.stdin.write("xxx")
        process.stdin.flush()
        assert [process.stdout.readline() for _ in range(3)] == ["1.0 1.0 2.0\n"] * 3
        rows = [row for row in host.ask("clients")["clients"] if row["client"].startswith("kernelsd-python")]
        assert len(rows) == 3 and len({row["pid"] for row in rows}) == 3
        assert harness.is_locked(folder)
        process.stdin.write("xxx")
        process.stdin.close()
        assert process.stdout.read() == "" and process.stderr.read() == ""
        assert process.wait(harness.PATIENCE_S) == 0
    until(lambda: not harness.is_locked(folder), "the lease ends with the last of them")


ROUNDS = """
def measure():
    status = open("/proc/self/status").read()
    return int(status.split("RssAnon:")[1].split()[0]), len(os.listdir("/proc/self/fd"))


def rounds(n):
    for i in range(n):
        with use_kernel_mapping(mapped(1 + i % 2)):
            kernelize(net, mode=Mode.INFERENCE)
        kernelize(net, mode=Mode.INFERENCE)  # back: nothing is mapped out here


import warnings
warnings.simplefilter("ignore")
net = Net(extensible()(), extensible()())
rounds(1000)
assert value(net) == 0
before = measure()
rounds(9000)
after = measure()
print(after[0] - before[0], after[1] - before[1])
"""


def anonymous_kib(pid):
    return int(pathlib.Path(f"/proc/{pid}/status").read_text().split("RssAnon:")[1].split()[0])


def test_ten_thousand_rounds_leave_nothing(host):
    get_kernel("org/add", version=1)
    before = anonymous_kib(host.process.pid)
    grown_kib, descriptors = map(int, output(ROUNDS).split())
    assert descriptors == 0
    assert grown_kib < 1024, "a hundred bytes a round would be 900 KiB"
    assert anonymous_kib(host.process.pid) - before < 4096


DEVELOPMENT = """
import asyncio, contextvars, gc, threading

with use_kernel_mapping(mapped(1)):
    assert kernelized() == 1
    with use_kernel_mapping(mapped(2)):
        threads = [threading.Thread(target=contextvars.copy_context().run, args=(kernelized,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        async def task():
            return kernelized()

        assert asyncio.run(task()) == 2
module = kernelsd.get_kernel("org/add", version=3)
assert module.add(0) == 3 and kernelsd.has_kernel("org/add", version=3)
for _ in range(2):
    try:
        kernelsd.get_kernel("org/add", version=99)
    except ValueError:
        pass
kernelsd.disconnect()
with use_kernel_mapping(mapped(3)):
    assert kernelized() == 3
if MODE == "ends":
    importer.forget_kernels()
    kernelsd.disconnect()
gc.collect()
print("good")
"""


@pytest.mark.parametrize("end", ["ends", "leaves"])
def test_the_development_mode_finds_nothing(host, end):
    assert output(DEVELOPMENT.replace("MODE", repr(end)), "-X", "dev", "-W", "error") == "good\n"


def test_mappings_that_are_disabled(forget, tmp_path):
    """Read at the start; then neither a mapping nor a daemon matters."""
    source = """
        net = Net(extensible()())
        with use_kernel_mapping(mapped(1)):
            kernelize(net, mode=Mode.INFERENCE, use_fallback=False)
        print(value(net))
    """
    assert output(source, DISABLE_KERNEL_MAPPING="1", KERNELSD_SOCKET=str(tmp_path / "socket")) == "0.0\n"


def test_torch_is_not_imported_before_it_is_needed():
    source = "import sys, kernelsd; print('torch' in sys.modules)"
    paths = os.path.join(os.environ["KERNELSD_BUILD"], "client", "python")
    answer = harness.run([sys.executable, "-c", source], env={**os.environ, "PYTHONPATH": paths})
    assert answer.stdout == "False\n", answer.stderr
