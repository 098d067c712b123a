"""Kernels by their repository, without a mapping: get_kernel and what is beside it."""

import warnings

import pytest

import harness
import kernelsd
from kernelsd import get_kernel, get_kernel_variants, get_loaded_kernels, get_local_kernel, has_kernel
from kernelsd import LayerRepository, VariantAccepted, VariantRejected
from models import adding, kernelized, local_kernel, own_row


def number(module):
    return module.add(0)


# --- which commit ---


def test_a_version_a_branch_a_tag_a_commit(host, hub):
    commits = hub.add_repository("org/many", {"v1": adding(1), "v2": adding(2), "main": adding(3), "dev": adding(4)},
                                 tags={"tagged": "dev"})
    for version in (1, 2):
        assert number(get_kernel("org/many", version=version)) == version
    for revision, expected in (("main", 3), ("dev", 4), ("tagged", 4), (commits["v2"], 2)):
        assert number(get_kernel("org/many", revision=revision)) == expected
    assert get_kernel("org/many", commits["v1"]) is get_kernel("org/many", version=1)
    assert len(get_loaded_kernels()) == 4


def test_neither_is_main_and_the_versions_are_named_once(host, hub):
    hub.add_repository("org/many", {"v1": adding(1), "v12": adding(2), "main": adding(3)})
    with pytest.warns(FutureWarning, match="`org/many` .*`main`.*its versions are 1, 12") as caught:
        assert number(get_kernel("org/many")) == 3
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert number(get_kernel("org/many")) == 3


def test_a_layer_without_version(host, hub):
    hub.add_repository("org/many", {"v1": adding(1), "main": adding(3)})
    repository = LayerRepository("org/many", layer_name="Add")
    with pytest.warns(FutureWarning, match="its versions are 1"):
        with kernelsd.use_kernel_mapping({"Add": {"cpu": repository}}):
            assert kernelized() == 3


@pytest.mark.parametrize("wanted, match", [
    ({"version": 1, "revision": "main"}, "not both"),
    ({"version": "1"}, "`version` is the number"),
    ({"version": True}, "`version` is the number"),
    ({"version": 1.0}, "`version` is the number"),
    ({"version": -1}, "`version` is the number"),
    ({"revision": ""}, "`revision` is a branch"),
    ({"revision": 1}, "`revision` is a branch"),
])
def test_what_is_no_version_and_no_revision(host, wanted, match):
    for function in (get_kernel, has_kernel, get_kernel_variants):
        with pytest.raises(ValueError, match=match):
            function("org/add", **wanted)
    with pytest.raises(ValueError, match=match):
        LayerRepository("org/add", layer_name="Add", **wanted)


@pytest.mark.parametrize("repo, wanted, error, match", [
    ("org/add", {"version": 9}, ValueError, "v9|version 9"),
    ("org/add", {"revision": "nowhere"}, ValueError, "nowhere"),
    ("org/nothing", {"version": 1}, FileNotFoundError, "org/nothing"),
    ("no name", {"version": 1}, ValueError, "no name"),
    ("org/add", {"version": 1, "backend": "cuda"}, ValueError, "Invalid backend 'cuda'.*cpu"),
])
def test_what_is_not_there(host, repo, wanted, error, match):
    for function in (get_kernel, has_kernel):
        with pytest.raises(error, match=match):
            function(repo, **wanted)


def test_a_redirect_leads_to_the_other_repository(host, hub):
    hub.add_repository("org/old", {"v1": harness.redirect_to("org/add")})
    module = get_kernel("org/old", version=1)
    assert number(module) == 1
    assert module is get_kernel("org/add", version=1)
    assert [loaded.repo_info.repo_id for loaded in get_loaded_kernels()] == ["org/old"]  # what was asked for


def test_backend_and_user_agent(host, hub):
    module = get_kernel("org/add", version=1, backend="cpu", user_agent={"framework": "test", "n": 1})
    assert module is get_kernel("org/add", version=1, user_agent="test")


def test_offline(make_host, hub, monkeypatch, forget):
    make_host()
    get_kernel("org/add", version=1)
    forget()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    hub.reset_requests()
    assert number(get_kernel("org/add", version=1)) == 1
    with pytest.raises(FileNotFoundError, match="offline"):
        get_kernel("org/add", version=2)
    assert has_kernel("org/add", version=1)
    assert {loaded.repo_info.repo_id for loaded in get_loaded_kernels()} == {"org/add"}
    assert hub.counts()["total"] == 0


def test_mappings_and_calls_share_a_kernel(host):
    with kernelsd.use_kernel_mapping({"Add": {"cpu": LayerRepository("org/add", layer_name="Add", version=1)}}):
        assert kernelized() == 1
    get_kernel("org/add", version=1)
    assert len(get_loaded_kernels()) == own_row(host)["n_leases"] == 1


# --- package_name ---


def test_package_name_is_checked_and_deprecated(host, tmp_path):
    for name in ("test-kernel", "test_kernel"):
        with pytest.warns(DeprecationWarning) as caught:
            named = LayerRepository("org/add", layer_name="Add", version=1, package_name=name)
        assert caught[0].filename == __file__
        assert named.load()().forward(0) == 1
    with pytest.warns(DeprecationWarning):
        wrong = LayerRepository("org/add", layer_name="Add", version=1, package_name="other")
    with pytest.raises(ValueError, match="calls itself `test-kernel`, not `other`"):
        wrong.load()
    with pytest.warns(DeprecationWarning):
        local = kernelsd.LocalLayerRepository(local_kernel(tmp_path), layer_name="Add", package_name="other")
    with kernelsd.use_kernel_mapping({"Add": {"cpu": local}}):
        with pytest.raises(ValueError, match="not `other`"):
            kernelized()


# --- local kernels ---


def test_three_layouts_of_a_local_repository(host, tmp_path):
    """A repository, its folder of variants, a variant's own folder; and a module in a folder of its name."""
    folder = local_kernel(tmp_path, 4)
    modules = [get_local_kernel(place) for place in (tmp_path, tmp_path / "build", folder)]
    assert [number(module) for module in modules] == [4, 4, 4]
    assert modules[0] is modules[1] is modules[2]
    assert get_local_kernel(str(tmp_path), backend="cpu") is modules[0]
    inner = harness.make_variant(tmp_path / "old", files={"test_kernel/__init__.py": b"def add(x): return x + 5\n"})
    assert [number(get_local_kernel(place)) for place in (tmp_path / "old", inner)] == [5, 5]
    assert {loaded.repo_info for loaded in get_loaded_kernels()} == {None}


def test_a_local_repository_that_was_built_anew(host, tmp_path):
    local_kernel(tmp_path, 4)
    assert number(get_local_kernel(tmp_path)) == 4
    local_kernel(tmp_path, 5, id="test_kernel_2")
    assert number(get_local_kernel(tmp_path)) == 5


@pytest.mark.parametrize("make", [
    lambda folder: None,
    lambda folder: folder.mkdir(),
    lambda folder: (folder / "build").mkdir(parents=True),
    lambda folder: harness.make_variant(folder, "torch-cuda", backend="cuda"),
    lambda folder: folder.write_text("a file"),
])
def test_no_local_kernel(host, tmp_path, make):
    make(tmp_path / "repository")
    with pytest.raises(FileNotFoundError, match="Could not find kernel in .*repository"):
        get_local_kernel(tmp_path / "repository")


def test_local_kernels_replace_repositories(host, tmp_path, monkeypatch):
    local_kernel(tmp_path / "one", 7)
    local_kernel(tmp_path / "two", 8)
    monkeypatch.setenv("LOCAL_KERNELS", f"org/add={tmp_path / 'one'}:org/nothing={tmp_path / 'two'}")
    assert number(get_kernel("org/add", version=99)) == 7
    assert number(get_kernel("org/nothing")) == 8
    with kernelsd.use_kernel_mapping({"Add": {"cpu": LayerRepository("org/add", layer_name="Add", version=1)}}):
        assert kernelized() == 7
        monkeypatch.setenv("LOCAL_KERNELS", f"org/add={tmp_path / 'two'}")
        assert kernelized() == 8
        monkeypatch.delenv("LOCAL_KERNELS")
        assert kernelized() == 1
    with kernelsd.use_kernel_mapping({"Add": {"cpu": LayerRepository("org/add", layer_name="Add", version=1)}}):
        assert kernelized() == 1
        monkeypatch.setenv("LOCAL_KERNELS", f"org/add={tmp_path / 'two'}")
        assert kernelized() == 8


def test_local_kernels_go_before_what_the_daemon_knows(host, hub, tmp_path, monkeypatch):
    """The reason to have one may be that the Hub's has no variant for this system."""
    hub.add_repository("org/cuda", {"v1": harness.kernel_files("torch-cuda", backend="cuda")})
    mapping = {"Add": {"cpu": LayerRepository("org/cuda", layer_name="Add", version=1)}}
    with kernelsd.use_kernel_mapping(mapping):
        with pytest.raises(FileNotFoundError):
            kernelized()
    local_kernel(tmp_path, 7)
    monkeypatch.setenv("LOCAL_KERNELS", f"org/cuda={tmp_path}")
    with kernelsd.use_kernel_mapping(mapping):
        assert kernelized() == 7


def test_local_kernels_replace_the_hosts_too(make_host, tmp_path, monkeypatch):
    make_host({"Add": [{"device": "cpu", "use": {"repo": "org/add", "version": 1, "layer": "Add"}}]})
    assert kernelized() == 1
    local_kernel(tmp_path, 7)
    monkeypatch.setenv("LOCAL_KERNELS", f"org/add={tmp_path}")
    assert kernelized() == 7


def test_a_bad_value_of_local_kernels(host, monkeypatch):
    monkeypatch.setenv("LOCAL_KERNELS", "org/add")
    with pytest.raises(ValueError, match="Invalid LOCAL_KERNELS entry: org/add"):
        get_kernel("org/add", version=1)
    with kernelsd.use_kernel_mapping({"Add": {"cpu": LayerRepository("org/add", layer_name="Add", version=1)}}):
        with pytest.raises(ValueError, match="Invalid LOCAL_KERNELS entry: org/add"):
            kernelized()


# --- looking without loading ---


def test_has_kernel_and_the_variants(host, hub):
    files = {**adding(1), **adding(1, variant="torch-cuda", backend="cuda"), **adding(1, variant="no such variant")}
    hub.add_repository("org/both", {"v1": files, "v2": adding(1, variant="torch-cuda", backend="cuda"), "v3": {}})
    assert [has_kernel("org/both", version=version) for version in (1, 2, 3)] == [True, False, False]
    first, *others = get_kernel_variants("org/both", version=1)
    assert isinstance(first, VariantAccepted) and first.variant.variant_str == "torch-cpu"
    refused = {row.variant.variant_str: row.reason for row in others if isinstance(row, VariantRejected)}
    assert "torch-cuda" in refused and all(refused.values())
    assert get_loaded_kernels() == []
    with pytest.raises(FileNotFoundError):
        get_kernel("org/both", version=2)


def test_loaded_kernels(host, hub):
    assert get_loaded_kernels() == []
    module = get_kernel("org/add", version=2)
    listed = get_loaded_kernels()
    (loaded,) = listed
    assert loaded.module is module
    assert (loaded.repo_info.repo_id, loaded.repo_info.revision) == ("org/add", host.ref("v2", "org/add"))
    metadata = loaded.metadata
    assert (metadata.name, metadata.name.python_name, metadata.version) == ("test-kernel", "test_kernel", 1)
    assert (metadata.license, metadata.python_depends, metadata.backend.backend_type) == ("Apache-2.0", [], "cpu")
    listed.clear()
    assert len(get_loaded_kernels()) == 1
