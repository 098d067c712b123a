"""A running double for its own tests."""

from collections.abc import Iterator

import pytest

import hub as double

from .asking import files


@pytest.fixture
def hub() -> Iterator[double.Hub]:
    """A running double with one repository, `kernels-test/fake-relu`."""
    with double.Hub() as made:
        made.commits = made.add_repository("kernels-test/fake-relu", {"main": {"README.md": b"# fake-relu\n"}, "v1": files()},
                                           trusted=True, tags={"stable": "v1"}, pulls={"1": "v1"})
        made.api = f"{made.endpoint}/api/kernels/kernels-test/fake-relu"
        made.files = f"{made.endpoint}/kernels/kernels-test/fake-relu/resolve"
        yield made
