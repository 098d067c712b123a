"""The package runs in the process of the tests, against a real daemon and the Hub double."""

import contextvars
import os
import pathlib
import sys
import warnings

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
for place in (pathlib.Path(os.environ["KERNELSD_BUILD"]) / "client" / "python", TESTS / "e2e", TESTS):
    sys.path.insert(0, str(place))

MISSING = ""
try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch 1.13 with a newer numpy
        import torch  # noqa: F401
except ImportError as error:
    MISSING = f"SKIPPED: the Python package cannot be tried here: {error}"

if not MISSING:
    import harness
    import hub as double
    import kernelsd
    from kernelsd import importer, load, mapping
    from models import adding


def pytest_sessionstart():
    if MISSING:
        print(MISSING)
        pytest.exit(MISSING, returncode=77)  # meson's number for a skip


@pytest.fixture
def hub():
    """A double of the Hub; `org` is trusted and has `org/add`, versions 1 to 3."""
    with double.Hub() as made:
        made.add_repository("org/add", {f"v{n}": adding(n) for n in (1, 2, 3)}, trusted=True)
        yield made


@pytest.fixture
def forget(monkeypatch, tmp_path):
    """The package as a new process has it, before and after; bytecode goes to a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache-home"))
    for name in ("LOCAL_KERNELS", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)

    def forget_all():
        kernelsd.disconnect()
        importer.forget_kernels()
        mapping._scope = contextvars.ContextVar("kernelsd_scope", default=mapping.Scope(None, True))
        load._warn_main.cache_clear()

    forget_all()
    yield forget_all
    forget_all()


@pytest.fixture
def make_host(hub, forget, monkeypatch):
    """Makes a daemon that fetches from the double, and leads the package to it."""
    made = []

    def make(mapping=None):
        made.append(harness.HubDaemon(hub=hub))
        if mapping is not None:
            made[-1].write_mapping(mapping)
        monkeypatch.setenv("KERNELSD_SOCKET", str(made[-1].socket))
        return made[-1].start()

    yield make
    try:
        forget()
        for daemon in made:
            daemon.check_and_stop()
    finally:
        for daemon in made:
            daemon.remove()


@pytest.fixture
def host(make_host):
    """One that runs, with an empty host mapping."""
    return make_host()
