"""Which variant is taken, why the others are not, and local repositories."""

import os

import pytest

import harness
from harness import entry, fault_of, metadata, query, until

TORCH = {"torch": "2.7", "cxx11_abi": True, "backend": "cpu", "cpu": "x86_64", "os": "linux"}


@pytest.fixture
def varied(make_daemon, tmp_path):
    """A daemon with the layer `Silu` in a repository of several variants."""
    for variant in ("torch27-cxx11-cpu-x86_64-linux", "torch27-cxx98-cpu-x86_64-linux",
                    "torch26-cxx11-cpu-x86_64-linux", "torch27-cxx11-cpu-aarch64-linux", "nonsense"):
        harness.make_variant(tmp_path / "repository", variant)
    harness.make_variant(tmp_path / "repository", "torch27-cxx11-cu128-x86_64-linux", backend="cuda")
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(tmp_path / "repository")}}]})
    return daemon.start()


def test_the_one_that_fits_is_taken(varied):
    peer = varied.peer(environment=TORCH)
    assert peer.acquire("Silu")["variant"] == "torch27-cxx11-cpu-x86_64-linux"
    assert peer.resolve(query("Silu"))[0]["variant"] == "torch27-cxx11-cpu-x86_64-linux"
    peer.call("environment.set", environment={**TORCH, "torch": "2.6"})
    assert peer.resolve(query("Silu"))[0]["variant"] == "torch26-cxx11-cpu-x86_64-linux"


def test_every_variant_with_the_reason_it_was_refused(varied):
    peer = varied.peer(environment={**TORCH, "torch": "2.9"})
    fault = fault_of(peer.acquire, "Silu")
    assert fault.name == "no-variant"
    steps = peer.call("explain", view=1, query=query("Silu"))["trace"]
    refused = {step["candidate"]: step["reason"] for step in steps
               if step["step"] == "variant" and step["verdict"] == "refused"}
    assert set(refused) >= {"torch27-cxx11-cpu-x86_64-linux", "torch27-cxx98-cpu-x86_64-linux",
                            "torch26-cxx11-cpu-x86_64-linux", "torch27-cxx11-cpu-aarch64-linux",
                            "torch27-cxx11-cu128-x86_64-linux", "nonsense"}
    for variant, reason in refused.items():
        assert reason and variant in fault.message


def test_a_repository_that_goes_away(varied, tmp_path):
    peer = varied.peer(environment=TORCH)
    harness.shutil.rmtree(tmp_path / "repository")
    # Half of it may have been seen, as folders go one by one: then no variant fits.
    def has_gone():
        name = fault_of(peer.acquire, "Silu").name
        assert name in ("no-repository", "gone", "no-variant")
        return name != "no-variant"

    def is_known():
        answer = peer.resolve(query("Silu"))[0]
        assert answer.get("state", answer.get("name")) in ("local", "no-repository", "no-variant")
        return answer.get("name") != "no-variant"

    until(has_gone, "it has gone")
    until(is_known, "resolve answers from what is known, not from the disk")


def test_10000_variants_are_refused(make_daemon, tmp_path):
    build = tmp_path / "repository" / "build"
    build.mkdir(parents=True)
    for number in range(10000):
        os.mkdir(build / f"torch-cpu{number}")
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(tmp_path / "repository")}}]})
    fault = fault_of(daemon.start().peer().acquire, "Silu")
    assert fault.name == "too-large"
    assert "1024" in fault.message or "1,024" in fault.message


@pytest.mark.parametrize("what", ["missing", "file", "no build", "bad metadata", "huge metadata"])
def test_a_path_that_is_no_repository(make_daemon, repository, what):
    path = repository
    if what == "missing":
        path = repository / "nowhere"
    elif what == "file":
        path = repository / "build" / "torch-cpu" / "__init__.py"
    elif what == "no build":
        path = repository / "build"
    elif what == "bad metadata":
        (repository / "build" / "torch-cpu" / "metadata.json").write_text("{")
    else:
        (repository / "build" / "torch-cpu" / "metadata.json").write_text("{" + " " * (600 << 10) + "}")
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(path)}}],
                          "Other": [harness.use()]})
    peer = daemon.start().peer()
    fault = fault_of(peer.acquire, "Silu")
    assert fault.name == ("corrupt" if "metadata" in what else "no-repository")
    assert peer.label("Other") == "Label", "a bad repository is no fault of the mapping"


def local(*variants):
    return {"variants": [{"variant": name, "metadata": content} for name, content in variants]}


def local_entry(number=0, layer="Silu"):
    return entry(layer, modes={"fallback": {"local": number}})


def test_a_clients_own_repository_is_judged_by_what_the_client_read(daemon):
    peer = daemon.peer(environment=TORCH)
    result = peer.call("view.create", view=2, parent=0, entries=[local_entry()],
                       locals=[local(("torch27-cxx11-cpu-x86_64-linux", metadata({})), ("torch-cpu", None))])
    answer = peer.resolve(query("Silu"), view=2)[0]
    assert answer["variant"] == "torch27-cxx11-cpu-x86_64-linux" and answer["state"] == "local"
    assert answer["reference"]["local"] == result["first_local"] and not answer["reference"].get("path")
    acquired = peer.acquire("Silu", view=2)
    assert acquired["variant"] == "torch27-cxx11-cpu-x86_64-linux"
    assert acquired["lease"] is None and acquired["path"] is None and not peer.descriptors


def test_limits_of_a_clients_own_repository(daemon):
    peer = daemon.peer()

    def sends(*locals_):
        return fault_of(peer.call, "view.create", view=2, parent=0, entries=[local_entry()], locals=list(locals_)).name

    assert sends(local(*((f"torch-cpu{n}", None) for n in range(65)))) == "too-large"
    assert sends(local(("torch-cpu", b" " * ((64 << 10) + 1)))) == "too-large"
    assert sends(*[local(*((f"torch-cpu{n}", b" " * (60 << 10)) for n in range(18)))] * 2) == "too-large"
    assert sends(local(("torch-cpu/../../x", None))) in ("invalid-name", "bad-request")
    peer.call("view.create", view=2, parent=0, entries=[local_entry()],
              locals=[local(*((f"torch-cpu{n}", None) for n in range(64)))])


def test_the_arch_gate_refuses_a_variant_and_the_next_is_taken(make_daemon, tmp_path):
    repository = tmp_path / "repository"
    for variant, archs in (("torch27-cxx11-cu128-x86_64-linux", ["9.0"]), ("torch27-cxx11-cu126-x86_64-linux", ["8.0"])):
        folder = harness.make_variant(repository, variant, backend="cuda")
        content = harness.json.loads((folder / "metadata.json").read_bytes())
        content["backend"] = {"type": "cuda", "archs": archs}
        (folder / "metadata.json").write_text(harness.json.dumps(content))
    daemon = make_daemon()
    daemon.write_mapping({"Silu": [{"device": "cuda", "use": {"path": str(repository)}}]})
    peer = daemon.start().peer(environment={**TORCH, "backend": "cu128"})

    def taken(capability):
        answer = peer.resolve(query("Silu", device="cuda", capability=capability))[0]
        return answer.get("variant") or answer["name"]

    assert taken(90) == "torch27-cxx11-cu128-x86_64-linux"
    assert taken(86) == "torch27-cxx11-cu126-x86_64-linux"
    assert taken(75) == "arch"
