"""The package's types, style and docstrings; and that _native.pyi says what the extension has."""

import ast
import inspect
import os
import pathlib
import shutil
import subprocess

import kernelsd
import pytest
from kernelsd import _native

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "client" / "python" / "kernelsd"
BUILT = pathlib.Path(os.environ["KERNELSD_BUILD"]) / "client" / "python" / "kernelsd"


def check_by(program, *arguments):
    """What a tool says, which must be nothing; without the tool the test is skipped."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    # A sanitizer of this process is not for the tool.
    environment = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
    run = subprocess.run([found, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_mypy():
    check_by("mypy", "--config-file", PACKAGE.parent / "mypy.ini", "--cache-dir", BUILT.parent / "mypy-cache", PACKAGE)


@pytest.mark.parametrize("folder", [PACKAGE, ROOT / "tests" / "python"])
def test_flake8(folder):
    check_by("flake8", "--max-line-length", "120", folder)


# --- the extension's stub ---


def is_ours(name):
    return not name.startswith("_") or name == "__init__"


def names_in(node):
    """Of a module or a class, as the stub declares them; without types that only the stub has."""
    for child in node.body:
        if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
            yield child.name
        elif isinstance(child, ast.AnnAssign):
            yield child.target.id


STUB = ast.parse((PACKAGE / "_native.pyi").read_text())
CLASSES = {node.name: set(names_in(node)) for node in STUB.body if isinstance(node, ast.ClassDef)}


def test_stub_has_the_names_of_the_module():
    assert set(names_in(STUB)) == {name for name in dir(_native) if is_ours(name)}


@pytest.mark.parametrize("name", sorted(set(CLASSES) - {"Answer", "Error"}))
def test_stub_has_the_names_of_a_class(name):
    own = {key for key in vars(getattr(_native, name)) if is_ours(key)}
    assert CLASSES[name] == own


def test_stub_has_the_fields_of_an_answer():
    fields = [node.target.id for node in next(node for node in STUB.body if getattr(node, "name", "") == "Answer").body]
    members = [key for key, value in vars(_native.Answer).items() if inspect.ismemberdescriptor(value)]
    assert sorted(fields) == sorted(members) and _native.Answer.n_fields == len(fields)
    # In the order in which an Answer has them.
    assert _native.Answer(range(len(fields)))[:] == tuple(range(len(fields)))
    answer = _native.Answer(range(len(fields)))
    assert [getattr(answer, field) for field in fields] == list(range(len(fields)))


def test_stub_has_the_attributes_of_an_error():
    with pytest.raises(_native.Error) as caught:
        _native.Client(socket="/nowhere/at/all")
    assert CLASSES["Error"] == set(vars(caught.value))


# --- what users see ---


def test_typed():
    assert (BUILT / "py.typed").exists()
    assert (BUILT / "_native.pyi").read_text() == (PACKAGE / "_native.pyi").read_text()


def own_doc(value):
    """Not one that a base class or dataclass gives it."""
    doc = vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__
    return doc if doc and not doc.startswith(f"{value.__name__}(") else None


@pytest.mark.parametrize("name", sorted(set(kernelsd.__all__) - {"__version__"}))
def test_docstring(name):
    assert own_doc(getattr(kernelsd, name)), f"{name} has no docstring"


@pytest.mark.parametrize("name", sorted(set(kernelsd.__all__) - {"__version__"}))
def test_docstrings_name_every_argument(name):
    value = getattr(kernelsd, name)
    if not inspect.isfunction(value) or "Arguments as" in value.__doc__ or "As `" in value.__doc__:
        return
    for parameter in inspect.signature(value).parameters:
        assert f"{parameter}" in value.__doc__, f"{name}: its docstring says nothing of {parameter}"


def test_all_is_sorted_and_there():
    assert list(kernelsd.__all__) == sorted(set(kernelsd.__all__))
    assert all(hasattr(kernelsd, name) for name in kernelsd.__all__)
