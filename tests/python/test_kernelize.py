"""kernelize: which forward comes to stand where, and what it costs."""

import logging
import textwrap
import time

import pytest
from torch import nn

from kernelsd import KernelizeFallback, LayerRepository, LocalLayerRepository, Mode
from kernelsd import kernelize, use_kernel_forward_from_hub, use_kernel_mapping
from models import extensible, kernelized, local_kernel, Net, own_row, Plain, value

INFERENCE, TRAINING, COMPILE = Mode.INFERENCE, Mode.TRAINING, Mode.TORCH_COMPILE

CHAINS = {
    INFERENCE: [INFERENCE, INFERENCE | COMPILE, TRAINING, TRAINING | COMPILE, Mode.FALLBACK],
    INFERENCE | COMPILE: [INFERENCE | COMPILE, TRAINING | COMPILE, Mode.FALLBACK],
    TRAINING: [TRAINING, TRAINING | COMPILE, Mode.FALLBACK],
    TRAINING | COMPILE: [TRAINING | COMPILE, Mode.FALLBACK],
}


def add(version=1, **more):
    return LayerRepository("org/add", layer_name="Add", version=version, **more)


def mapped(version=1, name="Add"):
    return {name: {"cpu": add(version)}}


@pytest.fixture
def local(tmp_path):
    """Repositories of local kernels, by what they add."""
    def make(number, **more):
        return LocalLayerRepository(local_kernel(tmp_path / str(number), number, **more), layer_name="Add")

    return make


@pytest.mark.parametrize("mode", CHAINS, ids=str)
def test_chains(host, local, mode):
    every = [INFERENCE, INFERENCE | COMPILE, TRAINING, TRAINING | COMPILE, Mode.FALLBACK]
    kernels = {one: local(n, stated="can_torch_compile = True") for n, one in enumerate(every, 1)}
    for wanted in CHAINS[mode]:
        with use_kernel_mapping({"Add": {"cpu": kernels}}):
            assert kernelized(mode=mode, use_fallback=False) == every.index(wanted) + 1
        del kernels[wanted]
    with use_kernel_mapping({"Add": {"cpu": kernels}}):
        assert kernelized(mode=mode) == 0
        with pytest.raises(ValueError, match="No (repository|layer mapping) for `Add`"):
            kernelized(mode=mode, use_fallback=False)


@pytest.mark.parametrize("mode", [Mode.FALLBACK, COMPILE])
def test_modes_that_are_for_no_model(host, mode):
    with pytest.raises(ValueError, match="Mode"):
        kernelize(Net(), mode=mode)


def test_modes_that_exclude_each_other():
    for one, other in ((INFERENCE, TRAINING), (Mode.FALLBACK, INFERENCE), (COMPILE, Mode.FALLBACK)):
        with pytest.raises(ValueError):
            one | other
    with pytest.raises(TypeError, match="Mode.INFERENCE"):
        kernelize(Net(), mode="inference")


def test_again_in_another_mode_and_back(host, local):
    net = Net(extensible()())
    modes = {INFERENCE: local(1), TRAINING: local(2)}
    with use_kernel_mapping({"Add": {"cpu": modes}}):
        for mode, expected in ((INFERENCE, 1), (TRAINING, 2), (INFERENCE, 1)):
            assert kernelize(net, mode=mode) is net
            assert value(net) == expected
    with pytest.warns(UserWarning, match="No kernel mapping found for layer `Add`"):
        kernelize(net, mode=INFERENCE)
    assert value(net) == 0


def test_nested_and_shared_modules(host):
    shared, other = extensible()(), extensible("Other")()
    net = Net(nn.Sequential(Net(shared, Plain()), shared), Net(Net(other)), shared)
    with use_kernel_mapping({**mapped(1), **mapped(3, "Other")}):
        kernelize(net, mode=INFERENCE)
    assert value(net) == 1 + 1 + 3 + 1


def test_the_model_itself_is_a_layer(host):
    layer = extensible()()
    with use_kernel_mapping(mapped(2)):
        kernelize(layer, mode=INFERENCE, device="cpu")
    assert value(layer) == 2


def test_a_class_that_inherits_is_extensible_and_a_plain_one_is_not(host):
    class Inherits(extensible()):
        pass

    net = Net(Inherits(), Plain())
    with use_kernel_mapping(mapped(2)):
        kernelize(net, mode=INFERENCE)
    assert value(net) == 2


def test_a_kernels_forward_sees_the_modules_own_members(host, tmp_path):
    source = """
        class Scale(nn.Module):
            weight: float

            def forward(self, x):
                return x + self.weight
    """
    folder = local_kernel(tmp_path, layers=[textwrap.dedent(source)])

    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = 5.0

        def forward(self, x):
            return x

    use_kernel_forward_from_hub("Scale")(Scale)
    net = Net(Scale())
    with use_kernel_mapping({"Scale": {"cpu": LocalLayerRepository(folder, layer_name="Scale")}}):
        kernelize(net, mode=INFERENCE)
    assert value(net) == 5


# --- fallbacks ---

NONE, UNSUPPORTED, LOAD, ALL = (
    KernelizeFallback.NONE, KernelizeFallback.UNSUPPORTED, KernelizeFallback.LOAD, KernelizeFallback.ALL)


@pytest.mark.filterwarnings(r"ignore:\s*No kernel mapping")
@pytest.mark.parametrize("layer, covers", [
    ("Nowhere", (UNSUPPORTED, ALL, True)),
    ("OnlyInference", (UNSUPPORTED, ALL, True)),
    ("NoSuchLayer", (LOAD, ALL)),
    ("NoSuchVersion", (LOAD, ALL)),
    ("NoSuchRepository", (LOAD, ALL)),
])
def test_what_a_fallback_covers(host, layer, covers):
    mapping = {
        "OnlyInference": {"cpu": {INFERENCE: add(1)}},
        "NoSuchLayer": {"cpu": LayerRepository("org/add", layer_name="Nothing", version=1)},
        "NoSuchVersion": {"cpu": add(99)},
        "NoSuchRepository": {"cpu": LayerRepository("org/nothing", layer_name="Add", version=1)},
    }
    with use_kernel_mapping(mapping):
        for fallback in (NONE, UNSUPPORTED, LOAD, ALL, True, False):
            if fallback in covers:
                assert kernelized(layer, TRAINING, use_fallback=fallback) == 0
            else:
                with pytest.raises((ValueError, FileNotFoundError)):
                    kernelized(layer, TRAINING, use_fallback=fallback)


def test_an_error_leaves_the_model_as_it_was(host):
    net = Net(extensible()(), extensible("Other")())
    with use_kernel_mapping({**mapped(1), **mapped(2, "Other")}):
        kernelize(net, mode=INFERENCE)
    assert value(net) == 3
    with use_kernel_mapping({**mapped(3), "Other": {"cpu": LayerRepository("org/add", layer_name="No", version=1)}}):
        with pytest.raises(ValueError, match="Layer `No` not found in kernel repo `org/add` .version 1."):
            kernelize(net, mode=INFERENCE)
        assert value(net) == 3
        kernelize(net, mode=INFERENCE, use_fallback=ALL)
        assert value(net) == 3 + 0


def test_disabled(host, monkeypatch):
    net = Net(extensible()())
    with use_kernel_mapping(mapped(2)):
        kernelize(net, mode=INFERENCE)
        monkeypatch.setitem(kernelize.__globals__, "_DISABLED", True)
        kernelize(net, mode=INFERENCE)
    assert value(net) == 0


# --- what it costs, and what is told ---


def many(n_names, n_each=1):
    return Net(*(extensible(f"Add{i % n_names}")() for i in range(n_names * n_each)))


def test_one_batch(host, hub):
    """All names in one resolve, each kernel acquired once, and once again: whether this
    process may have it is judged each time, and the second leases go back."""
    net = many(60, 5)
    mapping = {f"Add{i}": {"cpu": add(1 + i % 3)} for i in range(60)}
    with use_kernel_mapping(mapping):
        kernelize(net, mode=INFERENCE, use_fallback=False)
        first = own_row(host)
        assert first["n_leases"] == 3
        assert first["requests"] - 1 == 7, "hello, view.create, resolve, three acquires, report"
        assert value(net) == 5 * 20 * (1 + 2 + 3)
        hub.reset_requests()
        kernelize(net, mode=INFERENCE)
        second = own_row(host)
        assert (second["requests"] - first["requests"] - 1, second["n_leases"]) == (1 + 3 + 3 + 1, 3)
        assert hub.counts()["total"] == 0


def test_more_names_than_one_request_takes(host):
    net = many(2500)
    with use_kernel_mapping({f"Add{i}": {"cpu": add()} for i in range(2500)}):
        kernelize(net, mode=INFERENCE, use_fallback=False)
    assert value(net) == 2500
    row = own_row(host)
    assert (row["n_leases"], row["n_used"]) == (1, 1024), "what one report, and one session, may say"


def test_a_hundred_thousand_modules(host):
    def seconds(n):
        net = Net(*(layer() for _ in range(n)))
        begin = time.perf_counter()
        kernelize(net, mode=INFERENCE)
        return time.perf_counter() - begin

    layer = extensible()
    with use_kernel_mapping(mapped()):
        seconds(1)
        small, large = seconds(10_000), seconds(100_000)
    assert large < 40 * small, "linear, with room for a busy machine"


def used_rows(host):
    return {row["layer"]: row for row in own_row(host)["used"]}


def test_what_is_used_is_logged_and_told(host, caplog, local):
    caplog.set_level(logging.INFO, "kernelsd")
    net = Net(extensible()(), extensible("Own")(), extensible("Lacks")())
    with use_kernel_mapping({**mapped(2), "Own": {"cpu": local(5)}, "Lacks": {"cpu": {INFERENCE: add()}}}):
        kernelize(net, mode=TRAINING)
    assert "Using function/layer from repo `org/add` (version 2), layer `Add` for layer `Add`" in caplog.text
    rows = used_rows(host)
    told = {key: rows["Add"][key] for key in ("repo", "commit", "variant", "device", "mode")}
    assert told == {"repo": "org/add", "commit": host.ref("v2", "org/add"), "variant": "torch-cpu", "device": "cpu",
                    "mode": "training"}
    assert "view" in rows["Add"]["reason"]
    assert rows["Own"]["repo"] == "local:torch-cpu", "never by path"
    assert rows["Lacks"]["repo"] is None and "No repository for `Lacks`" in rows["Lacks"]["reason"]
    events = [event for event in host.ask("history")["events"] if event["what"] == "report"]
    assert {event["layer"] for event in events} == {"Add", "Own", "Lacks"}


def test_that_a_kernel_lacks_the_mode_is_told(host):
    with use_kernel_mapping(mapped(2)):
        assert kernelized(mode=INFERENCE | COMPILE) == 0
    row = used_rows(host)["Add"]
    assert row["repo"] is None and "torch.compile" in row["reason"]


def test_a_kernel_of_the_hosts_mapping(make_host, tmp_path):
    local_kernel(tmp_path, 4)
    host = make_host({"Add": [{"device": "cpu", "use": {"path": str(tmp_path)}}]})
    assert kernelized(use_fallback=False) == 4
    assert own_row(host)["n_leases"] == 1
    assert own_row(host)["used"][0]["repo"].startswith("local:")
