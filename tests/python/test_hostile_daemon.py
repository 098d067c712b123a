"""A daemon that is confused, or means harm: its nonsense is an error of this package."""

import os

import msgpack
import pytest

import harness
from kernelsd import DaemonUnreachableError, disconnect, get_kernel, get_kernel_variants, has_kernel, kernelize
from kernelsd import KernelError, KernelizeFallback, LayerRepository, Mode, use_kernel_mapping
from kernelsd.device import Target
from models import extensible, kernelized, Net, value
from native_daemon import EchoDaemon

COMMIT = "0" * 40

ANSWER = {"layer": "Add", "mode": "fallback", "source": "view", "min": None, "max": None,
          "reference": {"repo": "org/add", "version": 1, "layer": "Add"}, "commit": COMMIT, "commit_age_s": 1,
          "variant": "torch-cpu", "arch": "ok", "state": "ready", "generation": 1}

HELLO = {"protocol": 1, "daemon": "hostile 1", "uid": os.getuid(), "features": [], "instance": "i", "session": 1,
         "generation": 1}


class HostileDaemon(EchoDaemon):
    """Answers `resolve` with `answers`, any other method with what `says` has for it."""

    def __init__(self, path):
        super().__init__(path)
        self.answers = []
        self.says = {"hello": HELLO}
        self.n_resolves = 0

    def _answer(self, connection):
        _, number, method, _ = self._read(connection)
        answer = self.says.get(method, {"entries": 1, "generation": 1})
        if method == "resolve":
            self.n_resolves += 1
            answer = {"generation": 1, "answers": self.answers}
        connection.sendall(harness.frame(msgpack.packb([1, number, None, answer])))


@pytest.fixture
def hostile(forget, tmp_path, monkeypatch):
    daemon = HostileDaemon(tmp_path / "hostile")
    monkeypatch.setenv("KERNELSD_SOCKET", daemon.path)
    yield daemon
    disconnect()
    daemon.stop()


FALLBACKS = [False, True, KernelizeFallback.ALL]


def registered(repo, trust=False):
    repository = LayerRepository(repo, layer_name="Add", version=1, trust_remote_code=trust)
    return {"cpu": repository, "cuda": repository}


MAPPING = {"Add": registered("org/add", trust=True), "Other": registered("org/other")}


def fails(fallback, device="cpu"):
    """The error of a kernelize that must have one; the model stays as it was."""
    net = Net(extensible()())
    with use_kernel_mapping(MAPPING):
        with pytest.raises(KernelError) as caught:
            kernelize(net, mode=Mode.INFERENCE, device=device, use_fallback=fallback)
    assert "forward" not in vars(net.layers[0]) and value(net) == 0
    return caught.value


@pytest.mark.parametrize("fallback", FALLBACKS)
@pytest.mark.parametrize("wrong", [
    {"mode": None},
    {"mode": "fo\x1bo"},
    {"mode": "torch_compile"},
    {"mode": "inference|training"},
    {"mode": None, "source": "file:x"},
    {"mode": "", "source": "file:x"},
    {"mode": None, "source": None},
    {"layer": None},
    {"layer": "Other"},
    {"layer": "Nowhere"},
    {"layer": "Other", "source": "file:x"},
    {"reference": None},
    {"reference": None, "source": "file:x"},
    {"reference": {"version": 1, "layer": "Add"}},
    {"reference": {}},
], ids=str)
def test_answers_that_make_no_sense(hostile, wrong, fallback):
    hostile.answers = [{**ANSWER, **wrong}]
    error = fails(fallback)
    assert error.name == "protocol" and "\x1b" not in str(error)
    assert hostile.n_resolves == 1


@pytest.mark.parametrize("fallback", FALLBACKS)
@pytest.mark.parametrize("wrong", [
    {"min": 5, "max": 9},
    {"min": 5, "max": -9},
    {"mode": "training"},
    {"reference": {"repo": "evil/add", "version": 1, "layer": "Add"}},
    {"reference": {"repo": "org/add", "version": 2, "layer": "Add"}},
    {"reference": {"repo": "org/add", "revision": "v1", "layer": "Add"}},
    {"reference": {"path": "/etc", "layer": "Add"}},
], ids=str)
def test_answers_of_what_is_not_registered(hostile, monkeypatch, wrong, fallback):
    """They look like those of a mapping that was changed: it is asked again, but not for ever."""
    monkeypatch.setitem(kernelize.__globals__, "named_target", lambda *_: Target("cuda", 90))
    hostile.answers = [{**ANSWER, **wrong}]
    assert fails(fallback, "cuda").name == "busy"
    assert hostile.n_resolves == 3


# --- what the library takes for no daemon of ours: it is as if there were none ---


def check_unusable(match):
    error = fails(False)
    assert isinstance(error, DaemonUnreachableError) and match in str(error)
    with use_kernel_mapping(MAPPING):
        assert kernelized(use_fallback=KernelizeFallback.ALL) == 0


@pytest.mark.parametrize("n", [0, 2])
@pytest.mark.filterwarnings("ignore:layers keep their original forward")
def test_another_number_of_answers(hostile, n):
    hostile.answers = [ANSWER] * n
    check_unusable(f"{n} answers to 1 queries")


@pytest.mark.parametrize("source", ["view", "file:x"])
def test_a_kernel_without_a_lease(hostile, source):
    hostile.answers = [{**ANSWER, "source": source}]
    hostile.says["acquire"] = {**ANSWER, "path": "/etc", "lease": 1, "metadata": b"{}", "native": None, "digest": "ok"}
    check_unusable("without a usable folder")


# --- other questions ---


@pytest.mark.parametrize("says", [{}, {"variants": None}, {"variants": 7}, {"variants": [None]},
                                  {"variants": [{}]}, {"variants": [{"verdict": "odd"}]}], ids=str)
@pytest.mark.parametrize("function", [has_kernel, get_kernel_variants])
def test_variants_that_make_no_sense(hostile, function, says):
    hostile.says["variants"] = says
    with pytest.raises(KernelError) as caught:
        function("org/add", version=1)
    assert caught.value.name == "protocol"


@pytest.mark.parametrize("says", [{}, {"revisions": None}, {"revisions": [7]}], ids=str)
def test_versions_that_make_no_sense(hostile, says):
    """They are asked for only to be named in a warning."""
    hostile.says["versions"] = says
    with pytest.warns(FutureWarning, match="its versions could not be found out"):
        with pytest.raises(KernelError):
            get_kernel("org/add")
