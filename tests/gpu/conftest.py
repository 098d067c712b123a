"""Fixtures of tests/python, where a GPU is."""

import importlib.util
import json
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "python"))
_spec = importlib.util.spec_from_file_location("python_conftest", TESTS / "python" / "conftest.py")
_shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shared)

hub, forget, make_host, host = _shared.hub, _shared.forget, _shared.make_host, _shared.host


def pytest_collection_modifyitems(items):
    import torch

    if not torch.cuda.is_available():
        for item in items:
            item.add_marker(pytest.mark.skip(reason="torch finds no GPU"))


def pytest_configure(config):
    config.figures = {}


@pytest.fixture
def figures(request):
    """What is measured, for docs/benchmarks.md."""
    return request.config.figures


def pytest_terminal_summary(terminalreporter, config):
    if config.figures:
        terminalreporter.write_line("figures: " + json.dumps(config.figures))
