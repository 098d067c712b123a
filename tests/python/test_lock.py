"""Lock files: the commits that a project was released with, from a file or from what is installed."""

import importlib
import json
import sys
import warnings

import pytest

import kernelsd
from kernelsd import get_kernel, get_loaded_kernels, load_kernel, LockedLayerRepository, use_kernel_mapping
from models import adding, kernelized

NOWHERE = "0" * 40


def old_format(commits):
    return json.dumps([{"repo_id": repo, "sha": commit, "variants": {}} for repo, commit in commits.items()])


def new_format(commits):
    return json.dumps([{"dependency": {"repo-id": repo, "version": 1}, "lock": {"commit": commit, "variants": {}}}
                       for repo, commit in commits.items()])


@pytest.fixture
def commits(hub):
    """The commit of org/locked before its branch moved: it adds 1, the newest 9."""
    commits = hub.add_repository("org/locked", {"v1": adding(1)})
    files = adding(9)
    hub.move_branch("org/locked", "v1", write=files)
    return {"org/other": NOWHERE, "org/locked": commits["v1"]}


@pytest.fixture(params=[old_format, new_format])
def lockfile(request, commits, tmp_path):
    path = tmp_path / "kernels.lock"
    path.write_text(request.param(commits))
    return path


def number(module):
    return module.add(0)


def test_a_locked_layer(host, lockfile):
    repository = LockedLayerRepository("org/locked", lockfile=lockfile, layer_name="Add")
    assert repository == LockedLayerRepository("org/locked", lockfile=str(lockfile), layer_name="Add")
    with use_kernel_mapping({"Add": {"cpu": repository}}):
        assert kernelized() == 1
    assert repository.load()().forward(0) == 1
    assert number(get_kernel("org/locked", version=1)) == 9


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_locked_function(host, lockfile):
    repository = kernelsd.LockedFuncRepository("org/locked", lockfile=lockfile, func_name="add")
    assert float(repository.load()()(0)) == 1


def test_load_kernel_fetches_nothing(host, hub, lockfile, commits):
    hub.reset_requests()
    with pytest.raises(FileNotFoundError, match="Locked kernel `org/locked` was not downloaded.*kernelsctl prefetch"):
        load_kernel("org/locked", lockfile=lockfile)
    assert hub.counts()["total"] == 0
    get_kernel("org/locked", revision=commits["org/locked"])
    hub.reset_requests()
    module = load_kernel("org/locked", lockfile=lockfile)
    assert number(module) == 1 and module is load_kernel("org/locked", lockfile=lockfile, backend="cpu")
    assert hub.counts()["total"] == 0
    assert len(get_loaded_kernels()) == 1


def test_what_is_not_locked(host, lockfile):
    for function in (
        lambda: load_kernel("org/unknown", lockfile=lockfile),
        lambda: load_kernel("org/locked", lockfile=None),
        lambda: kernelsd.get_locked_kernel("org/locked"),
        lambda: LockedLayerRepository("org/unknown", lockfile=lockfile, layer_name="Add"),
    ):
        with pytest.raises(ValueError, match="is not locked. Please lock it"):
            function()


@pytest.mark.parametrize("text", [
    "", "{", "{}", "7", "[7]", "[{}]", '[{"repo_id": "org/locked"}]', '[{"repo_id": "org/locked", "sha": 7}]',
    '[{"repo_id": "org/locked", "sha": "main"}]', "[" * 100_000,
    '[{"dependency": 7}]', '[{"dependency": {"repo-id": "org/locked"}}]',
    '[{"dependency": {"repo-id": "org/locked"}, "lock": 7}]',
])
def test_what_is_no_lock_file(host, tmp_path, text):
    (tmp_path / "kernels.lock").write_text(text)
    with pytest.raises(ValueError, match="kernels.lock"):
        load_kernel("org/locked", lockfile=tmp_path / "kernels.lock")


def test_a_lock_file_that_is_not_there(host, tmp_path):
    with pytest.raises(FileNotFoundError, match="kernels.lock"):
        load_kernel("org/locked", lockfile=tmp_path / "kernels.lock")


PROJECT = """
import kernelsd


def locked():
    return kernelsd.get_locked_kernel("org/locked")


def loaded():
    return kernelsd.load_kernel("org/locked", lockfile=None)


def layer():
    return kernelsd.LockedLayerRepository("org/locked", layer_name="Add")


def unknown():
    return kernelsd.get_locked_kernel("org/unknown")
"""


@pytest.fixture(params=[old_format, new_format])
def project(request, commits, tmp_path, monkeypatch):
    """A project that is installed with its lock file; its inner module asks."""
    package, info = tmp_path / "locked_project", tmp_path / "Locked_Project-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text(PROJECT)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Locked-Project\nVersion: 1.0\n")
    (info / "top_level.txt").write_text("locked_project\n")
    (info / "RECORD").write_text("locked_project/__init__.py,,\nlocked_project/inner.py,,\n")
    (info / "kernels.lock").write_text(request.param(commits))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield importlib.import_module("locked_project.inner")
    for name in ("locked_project.inner", "locked_project"):
        del sys.modules[name]


def test_the_lock_file_of_the_calling_project(host, hub, project):
    with pytest.raises(FileNotFoundError, match="was not downloaded"):
        project.loaded()
    module = project.locked()
    assert number(module) == 1
    assert project.loaded() is module
    assert project.layer().load()().forward(0) == 1
    with pytest.raises(ValueError, match="not locked"):
        project.unknown()


def test_the_deprecated_ones_say_so(host, lockfile):
    with pytest.warns(DeprecationWarning) as caught:
        kernelsd.LockedFuncRepository("org/locked", lockfile=lockfile, func_name="add")
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LockedLayerRepository("org/locked", lockfile=lockfile, layer_name="Add")
