import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(1, os.path.dirname(os.path.dirname(__file__)))

import harness  # noqa: E402
import hub as double  # noqa: E402


@pytest.fixture
def make_daemon():
    """Makes daemons, not started yet; at the test's end each must hold nothing
    and end well."""
    made = []

    def make(kind=harness.Daemon, **keywords):
        made.append(kind(**keywords))
        return made[-1]

    yield make
    try:
        for daemon in made:
            daemon.check_and_stop()
    finally:
        for daemon in made:
            daemon.remove()


@pytest.fixture
def daemon(make_daemon):
    """One that runs, with an empty mapping."""
    return make_daemon().start()


@pytest.fixture
def repository(tmp_path):
    """A kernel repository with one variant for any CPU."""
    harness.make_variant(tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
def serving(make_daemon, repository):
    """A daemon whose mapping has the layer `Silu` in that repository."""
    made = make_daemon()
    made.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(repository)}}]})
    return made.start()


@pytest.fixture
def hub():
    """A double of the Hub with one repository of a trusted publisher."""
    with double.Hub() as made:
        made.commits = made.add_repository("org/name", {"v1": harness.kernel_files()}, trusted=True)
        yield made


@pytest.fixture
def make_fetching(hub, make_daemon):
    """Makes daemons that fetch from the double, not started yet."""
    def make(hub=hub, **keywords):
        return make_daemon(harness.HubDaemon, hub=hub, **keywords)

    return make


@pytest.fixture
def fetching(make_fetching):
    """One that runs."""
    return make_fetching().start()


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become two other users")
