"""The package `kernels` itself: led to the daemon by `kernelsd.integrate()`, and, without
that, on the daemon's cache while offline.

It is no package of Debian's: KERNELS_SOURCE names folders with it and what it needs
(huggingface_hub, filelock…), ":" between; an installed one is found without."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import pytest

import harness
from models import adding

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = [place for place in os.environ.get("KERNELS_SOURCE", "").split(":") if place]


def is_there():
    names = "import huggingface_hub, kernels" if SOURCE else None
    if names is None:
        return all(importlib.util.find_spec(name) for name in ("huggingface_hub", "kernels"))
    return True


needs_kernels = pytest.mark.skipif(
    not is_there(), reason="the package kernels is not installed, and KERNELS_SOURCE names no folder with it"
)


def run(host, how, **environment):
    """What upstream/program.py sees in a process of its own."""
    places = [HERE / "upstream", *SOURCE, harness.BUILD / "client" / "python"]
    answer = harness.run(
        [sys.executable, HERE / "upstream" / "program.py", how],
        env={
            **host.environment(),
            "PYTHONPATH": ":".join(map(str, places)),
            "KERNELSD_SOCKET": str(host.socket),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            **environment,
        },
    )
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


@pytest.fixture
def filled(hub, host):
    """A host whose cache has org/add, and strangers at the Hub. Each build has an id
    of its own, as builds have: that package takes it for the module's name."""
    versions = {f"v{n}": adding(n, id=f"add_{n}", variant="torch-universal") for n in (1, 2, 3)}
    hub.add_repository("org/add", versions, trusted=True)
    hub.add_repository("stranger/add", {"v1": adding(7, variant="torch-universal")})
    hub.add_repository("org/npu-only", {"v1": adding(7, variant="torch-npu", backend="npu")}, trusted=True)
    with harness.Peer(host.socket) as peer:
        for version in (1, 2):
            peer.fetch("org/add", version)
    return host


@needs_kernels
def test_integrated(hub, filled):
    hub.reset_requests()
    seen = run(filled, "integrate", HF_HUB_CACHE=str(filled.folder / "empty"))
    assert (seen["add"], seen["layer"], seen["trusting"]) == (2, 1, 7)
    assert seen["file"].startswith(str(filled.cache))
    assert "ValueError" in seen["untrusted"]
    assert seen["has"] == [True, False]
    assert "kernels.get_kernel" in seen["replaced"]
    if seen["resolver"]:
        assert seen["resolver"][0].startswith(str(filled.cache))
    # Whatever the Hub was asked, the daemon asked it: nothing lies where the package would put it.
    assert not (filled.folder / "empty").exists()


@needs_kernels
def test_on_the_cache_offline(filled):
    """Without us: KERNELS_CACHE and HF_HUB_OFFLINE. The daemon is not asked."""
    seen = run(filled, "cache", KERNELS_CACHE=str(filled.cache), HF_HUB_OFFLINE="1", KERNELSD_SOCKET="/nowhere")
    assert (seen["add"], seen["layer"]) == (2, 1)
    assert seen["file"].startswith(str(filled.cache))


def test_the_cache_has_what_the_package_reads_offline(filled):
    """The same without the package, by what facts on the Hub say that it reads: a
    version's ref without a newline, the snapshot's folder, no list of a tree."""
    folder = filled.repository("org/add")
    commit = (folder / "refs" / "v2").read_text()
    assert len(commit) == 40
    variant = folder / "snapshots" / commit / "build" / "torch-universal"
    assert (variant / "__init__.py").read_bytes() and json.loads((variant / "metadata.json").read_text())
    assert not (folder / "trees").exists()


def test_integrate_without_the_package(tmp_path):
    """In a folder of its own: one named `kernels` would be taken for a package."""
    if importlib.util.find_spec("kernels") is not None and importlib.util.find_spec("kernels").origin:
        pytest.skip("the package kernels is installed")
    script = "import kernelsd\ntry:\n    kernelsd.integrate()\nexcept ImportError as error:\n    print(error)\n"
    answer = harness.run([sys.executable, "-c", script], cwd=tmp_path,
                         env={**os.environ, "PYTHONPATH": str(harness.BUILD / "client" / "python")})
    assert "the package kernels cannot be imported" in answer.stdout, answer.stderr


def test_integrate_with_a_package_that_is_built_otherwise(tmp_path):
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "__init__.py").write_text("def get_kernel():\n    pass\n")
    script = (
        "import kernelsd, kernels\nkept = kernels.get_kernel\ntry:\n    kernelsd.integrate()\n"
        "except RuntimeError as error:\n    print(error)\nassert kernels.get_kernel is kept\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=harness.PATIENCE_S, check=True,
        env={**os.environ, "PYTHONPATH": f"{harness.BUILD / 'client' / 'python'}:{tmp_path}"})
    assert "0.16.0" in answer.stdout  # the versions that were tried
