"""Bytecode of kernels: where it goes, and whose is run."""

import importlib.util
import marshal
import os
import pathlib
import pwd
import sys

import pytest

from kernelsd import bytecode, get_kernel, get_local_kernel
from models import local_kernel

STRANGER = 65534


def number(module):
    return module.add(0)


@pytest.fixture
def compiled(monkeypatch):
    """Bytecode is written; answers the names of the files that were compiled."""
    names = []
    compile_source = bytecode.KernelSourceLoader.source_to_code

    def source_to_code(self, data, path, **more):
        names.append(os.path.basename(path))
        return compile_source(self, data, path, **more)

    monkeypatch.setattr(bytecode.KernelSourceLoader, "source_to_code", source_to_code)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return names


@pytest.fixture
def kept(forget, tmp_path):
    """Where bytecode goes."""
    return tmp_path / "cache-home" / "kernelsd" / "bytecode"


@pytest.fixture
def load(host, forget, compiled):
    """What the kernel adds in a new process, and whether its `__init__.py` was compiled for that."""
    def loads():
        compiled.clear()
        forget()
        return number(get_kernel("org/add", version=1)), "__init__.py" in compiled

    return loads


def packed(code):
    """As it is kept, behind the header."""
    data = marshal.dumps(code)
    return importlib.util.source_hash(data) + data


FORGED = packed(compile("def add(x):\n    return x + 666\n", "forged", "exec"))


def file_in(folder):
    """The one of the kernel's `__init__.py`."""
    return next(file for file in folder.iterdir() if file.name.count(".") == 2)


def header_of(file):
    return file.read_bytes()[:len(bytecode._header(b"", ""))]


@pytest.fixture
def forged(load, kept):
    """The file that is kept, with code in it that adds 666."""
    assert load() == (1, True)
    file = file_in(kept)
    file.write_bytes(header_of(file) + FORGED)
    return file


def test_it_is_kept_for_this_user_and_used(host, forget, compiled, kept):
    get_kernel("org/add", version=1)
    assert sorted(compiled) == ["__init__.py", "layers.py"]
    assert not [path for path in host.cache.rglob("*") if "pycache" in path.name or path.suffix == ".pyc"]
    files = sorted(kept.iterdir())
    assert len(files) == 2 and kept.stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    compiled.clear()
    forget()
    assert number(get_kernel("org/add", version=1)) == 1
    assert compiled == []
    assert number(get_kernel("org/add", version=2)) == 2
    assert sorted(compiled) == ["__init__.py", "layers.py"]


def test_what_is_kept_here_is_run(load, forged):
    """So that the tests below show something."""
    assert load() == (666, False)


# --- what others made, or can write ---


def as_link(path):
    path.rename(path.parent / "moved")
    path.symlink_to("moved")


def as_pipe(path):
    path.unlink()
    os.mkfifo(path)


def of_a_stranger(path):
    if os.geteuid() != 0:
        pytest.skip("needs root, to make what is another uid's")
    os.chown(path, STRANGER, STRANGER)


SPOILED = [of_a_stranger, as_link, lambda path: path.chmod(0o722), lambda path: path.chmod(0o720),
           lambda path: path.chmod(0o702)]


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_folder_that_is_not_this_users_alone(load, forged, kept, spoil):
    spoil(kept)
    before = {file.name: file.read_bytes() for file in kept.iterdir()}
    assert load() == (1, True)
    assert {file.name: file.read_bytes() for file in kept.iterdir()} == before, "nor is it written to"


@pytest.mark.parametrize("spoil", [*SPOILED, as_pipe])
def test_a_file_that_is_not_this_users_alone(load, forged, spoil):
    spoil(forged)
    assert load() == (1, True)
    assert load() == (1, False), "a new one came into its place"


def test_a_folder_that_is_swapped_after_it_was_looked_at(load, forged, kept, tmp_path, monkeypatch):
    """What is read is in the folder that was looked at."""
    def swaps(fd, kind):
        verdict = is_ours(fd, kind)
        if not (tmp_path / "good").exists():
            kept.rename(tmp_path / "good")
            (tmp_path / "bad").rename(kept)
        return verdict

    bad, is_ours = kept.rename(tmp_path / "bad"), bytecode._is_ours
    assert load() == (1, True), "made anew, and good"
    assert file_in(bad).name == file_in(kept).name
    monkeypatch.setattr(bytecode, "_is_ours", swaps)
    assert load() == (1, False)
    assert file_in(kept).read_bytes().endswith(FORGED)


# --- damaged, or of another source ---


@pytest.mark.parametrize("spoil", [
    lambda header, rest: b"",
    lambda header, rest: header[:7],
    lambda header, rest: header,
    lambda header, rest: header + rest[:-9],
    lambda header, rest: header + rest[:40] + bytes(len(rest) - 40),
    lambda header, rest: header + rest[:8] + b"\xff" * (len(rest) - 8),
    lambda header, rest: header + packed("print()")[:-1] + b"!",
    lambda header, rest: header[::-1] + rest,
])
def test_what_is_damaged_is_made_anew(load, kept, spoil):
    assert load() == (1, True)
    file = file_in(kept)
    whole, header = file.read_bytes(), header_of(file)
    file.write_bytes(spoil(header, whole[len(header):]))
    assert load() == (1, True)
    assert file.read_bytes() == whole and load() == (1, False)


def test_a_source_that_was_replaced_by_one_of_its_size_and_time(host, forget, compiled, tmp_path):
    folder = local_kernel(tmp_path, 1)
    for n in (1, 2):
        source = folder / "__init__.py"
        source.write_text(f"def add(x):\n    return x + {n}\n")
        os.utime(source, (1, 1))
        forget()
        assert number(get_local_kernel(folder)) == n


# --- without a place ---


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder to work in, in which nothing must come to lie."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    assert list(folder.iterdir()) == []


def test_without_a_home(load, elsewhere, monkeypatch):
    def unknown(uid):
        raise KeyError(uid)

    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert load() == load() == (1, True)


@pytest.mark.parametrize("cache, home", [("", "relative"), ("./relative", "also/relative")])
def test_a_place_that_depends_on_where_one_is(load, elsewhere, monkeypatch, cache, home):
    monkeypatch.setenv("XDG_CACHE_HOME", cache)
    monkeypatch.setenv("HOME", home)
    assert load() == load() == (1, True)


def test_a_cache_home_that_is_not_absolute_counts_for_nothing(load, elsewhere, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert [load(), load()] == [(1, True), (1, False)]
    assert file_in(pathlib.Path(tmp_path, "home", ".cache", "kernelsd", "bytecode"))


def test_where_no_folder_can_be_made(load, kept):
    kept.parent.parent.mkdir(parents=True)
    kept.parent.write_text("no folder")
    assert load() == load() == (1, True)


def test_what_cannot_be_written_leaves_nothing(load, kept, monkeypatch):
    def full(*_, **more):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", full)
        assert load() == (1, True)
    assert list(kept.iterdir()) == []
    assert [load(), load()] == [(1, True), (1, False)]
