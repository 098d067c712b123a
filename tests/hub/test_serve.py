"""The program: a directory, the control interface, the way it ends."""

import json
import pathlib
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from .asking import LARGE, VARIANT, ask, post

import hub as double

SERVE = pathlib.Path(__file__).with_name("serve")


@contextmanager
def serving(directory, *arguments):
    """Runs the program; yields its addresses; it must end well."""
    process = subprocess.Popen([sys.executable, "-B", str(SERVE), str(directory), *map(str, arguments)],
                               stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=60)
    assert (process.returncode, rest) == (0, "")


def write(folder, files):
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


@pytest.fixture
def directory(tmp_path):
    root = tmp_path / "repositories"
    write(root, {
        "org/hub.json": b'{"trustedKernelPublisher": true}',
        "org/name/hub.json": json.dumps({"tags": {"stable": "v1", "old": "old"}, "branches": {"a/b": "v1"},
                                         "pulls": {"3": "proposal"}, "lfs_threshold": 100,
                                         "lfs_patterns": []}).encode(),
        "org/name/v1/README.md": b"one\n",
        f"org/name/v1/{VARIANT}/x.so": b"less than 100",
        f"org/name/v1/{VARIANT}/weights": LARGE * 8,  # more than is kept in memory
        "org/name/old/README.md": b"old\n",
        "org/name/proposal/README.md": b"three\n",
        "org/plain/main/x.so": b"by its name",
    })
    return root


def test_directory(directory):
    with double.Hub(directory) as hub:
        api = hub.endpoint + "/api/kernels/org/name"
        refs = ask(api + "/refs?include_prs=1").json()
        assert {kind: [item["name"] for item in refs[kind]] for kind in ("branches", "tags", "pullRequests")} == \
            {"branches": ["v1", "a/b"], "tags": ["stable", "old"], "pullRequests": ["refs/pr/3"]}
        tree = {entry["path"]: entry for entry in ask(api + "/tree/a%2Fb?recursive=true").json()}
        assert "lfs" in tree[VARIANT + "/weights"] and "lfs" not in tree[VARIANT + "/x.so"]
        assert "lfs" in ask(hub.endpoint + "/api/kernels/org/plain/tree/main").json()[0]
        url = f"{hub.endpoint}/kernels/org/name/resolve/v1/{VARIANT}/weights"
        assert ask(ask(url).headers["Location"], Range="bytes=1000000-").body == (LARGE * 8)[1000000:]


def test_reload(directory):
    with double.Hub(directory) as hub:
        old = hub.repositories.get("org/name").commit_of("v1").id
        url = ask(f"{hub.endpoint}/kernels/org/name/resolve/v1/{VARIANT}/weights").headers["Location"]
        new = directory / "new"
        new.write_bytes(b"weights" * 100)
        new.rename(directory / "org/name/v1" / VARIANT / "weights")
        hub.reload()
        api = hub.endpoint + "/api/kernels/org/name"
        assert ask(f"{api}/revision/v1").json()["sha"] != old == ask(f"{api}/revision/{old}").json()["sha"]
        assert ask(url).body == LARGE * 8


def test_ids_are_those_of_git(tmp_path):
    write(tmp_path / "org" / "name" / "main", {"a/run": b"hi\n", "a-b": b"hi\n"})
    (tmp_path / "org/name/main/a/run").chmod(0o755)
    with double.Hub(tmp_path) as hub:
        commit = hub.repositories.get("org/name").commit_of("main")
    assert commit.root.oid == "da9f50b074ae2cf2db096b1340552120cc732978"


@pytest.mark.parametrize("text", ['{"nonsense": 1}', "[1]", "{", '{"tags": {"stable": "v9"}}'])
def test_wrong_settings(directory, text):
    (directory / "org/name/hub.json").write_text(text)
    with pytest.raises(ValueError, match="hub.json"):
        double.Hub(directory)


def test_program(directory, tmp_path):
    file = tmp_path / "ports"
    with serving(directory, "--json-port-file", file, "--token", "hf_known", "--lfs-pattern", "*.md") as where:
        assert json.loads(file.read_text()) == where
        url = where["endpoint"] + "/api/kernels/org/plain/tree/main"
        assert "lfs" not in ask(url, Authorization="Bearer hf_known").json()[0]
        assert ask(where["endpoint"] + "/api/organizations/org/overview").json()["trustedKernelPublisher"] is True

        control = where["control"] + "/_double"
        value = ask(control + "/requests").json()
        assert value["counts"]["api"] == 2 and [entry["class"] for entry in value["log"]] == ["tree", "overview"]
        assert post(control + "/requests/wait", **{"class": "tree", "n": 1}).status == 200
        post(control + "/requests/reset")
        assert ask(control + "/requests?class=api").json()["log"] == []

        fault = post(control + "/faults", **{"kind": "status", "class": "tree", "status": 502, "times": 1}).json()
        assert [ask(url).status, ask(url).status] == [502, 200]
        assert post(f"{control}/faults/{fault['id']}/wait", n=1).status == 200
        assert post(f"{control}/faults/{fault['id']}/release").status == 200
        assert ask(control + "/faults").json()["faults"][0]["met"] == 1
        assert ask(f"{control}/faults/{fault['id']}", "DELETE").status == 200
        assert ask(f"{control}/faults/{fault['id']}", "DELETE").status == 404
        assert ask(control + "/faults", "DELETE").status == 200
        wrong = post(control + "/faults", kind="nothing")
        assert wrong.status == 400 and "nothing" in wrong.json()["error"]

        moved = post(control + "/move_branch", repository="org/name", branch="v1", write={"README.md": "two\n"}).json()
        assert ask(where["endpoint"] + "/api/kernels/org/name/revision/v1").json()["sha"] == moved["commit"]
        assert post(control + "/forget_commit", repository="org/name", commit=moved["commit"]).status == 200
        assert post(control + "/forget_commit", repository="org/name", commit="0" * 40).status == 404
        write(directory, {"org/name/v2/README.md": b"two\n"})
        assert post(control + "/reload").status == post(control + "/expire_links").status == 200
        assert set(ask(control + "/state").json()["repositories"]["org/name"]["branches"]) == {"v1", "v2", "a/b"}
        assert ask(control + "/nothing").status == 404


def test_port_that_is_taken(directory):
    with double.Hub() as hub:
        port = hub.endpoint.rpartition(":")[2]
        answer = subprocess.run([sys.executable, "-B", str(SERVE), str(directory), "--port", port],
                                capture_output=True, text=True, check=False)
    assert answer.returncode == 1 and answer.stderr.startswith("serve: ")
