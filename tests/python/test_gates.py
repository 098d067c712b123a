"""The vectors of the gates, through kernelize with real classes on both sides."""

import functools
import json
import operator
import pathlib
import re

import pytest

from kernelsd import LocalLayerRepository, Mode, use_kernel_mapping
from models import kernelized, local_kernel

VECTORS = pathlib.Path(__file__).resolve().parent.parent / "data" / "vectors" / "gates.json"

MESSAGES = {
    "registered_mode_unsupported": "does not support (backward|torch.compile)",
    "requested_mode_unsupported": "Available kernel does not support mode",
    "no_mode": "No repository for `Add` for configuration",
    "no_mapping": "No layer mapping for `Add`",
    "invalid_mode": "[Mm]ode",
}


def mode_of(text):
    """A mode by its spelling; a ValueError where that contradicts itself."""
    modes = [Mode[name.upper()] for name in text.split("|") if name != "none"]
    return functools.reduce(operator.or_, modes, Mode._NONE)


def stated(vector):
    """What the kernel's class says of itself; null: nothing."""
    names = [name for name in ("has_backward", "can_torch_compile") if vector[name] is not None]
    return "; ".join(f"{name} = {vector[name]}" for name in names)


def judged(vector, folder):
    """What kernelize makes of a vector: (what happened, message)."""
    repository = LocalLayerRepository(folder, layer_name="Add")
    try:
        mapping = {"Add": {"cpu": {mode_of(vector["registered"]): repository}}} if vector["registered"] else {}
        with use_kernel_mapping(mapping):
            added = kernelized(mode=mode_of(vector["requested"]), use_fallback=vector["use_fallback"])
    except ValueError as error:
        return "error", str(error)
    return ("use_kernel" if added == 1 else "use_original"), ""


@pytest.mark.filterwarnings(r"ignore:\s*No kernel mapping")
def test_vectors(host, tmp_path):
    vectors = json.loads(VECTORS.read_text())
    assert len(vectors) > 200
    folders = {}
    for vector in vectors:
        text = stated(vector)
        if text not in folders:
            folders[text] = local_kernel(tmp_path / str(len(folders)), 1, stated=text)
        happened, message = judged(vector, folders[text])
        assert happened == vector["expect"], (vector, message)
        assert re.search(MESSAGES.get(vector["reason"], "^$"), message), (vector, message)
    assert len(folders) == 9
