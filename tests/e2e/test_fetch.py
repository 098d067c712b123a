"""A kernel is fetched once for all who ask, file by file as the Hub's own client
would have it on disk, and afterwards nobody asks the Hub again."""

import concurrent.futures
import hashlib
import json
import os
import shutil
import subprocess
import sys
import textwrap

import pytest

import harness
import hub as double
from conftest import needs_root
from harness import blob_name, fault_of, kernel_files, query, redirect_to, tree_of, until

VARIANT = "build/torch-cpu"

# Of one acquire in one repository, files aside.
COLD = {"overview": 1, "refs": 1, "tree": 3, "info": 0, "revision": 0, "paths_info": 0, "other": 0}


def api_of(hub):
    counts = hub.counts()
    return {name: counts[name] for name in COLD}


def use_hub(repo="org/name", **more):
    return {"device": "cpu", "use": {"repo": repo, "version": 1, **more}}


# --- cold ---

RICH = {
    "__init__.py": b"import torch\n",
    "_x.so": bytes(range(256)) * 512,
    "empty.py": b"",
    "inner/__init__.py": b"# inner\n",
    "inner/same.py": b"import torch\n",
}
BYTECODE = {f"{VARIANT}/__pycache__/x.cpython-311.pyc": b"bytecode"}


def expected_cache(commit, files, lock_mode=0o664):
    """What design.md and the Hub's own client say of a cache with this variant."""
    name = "kernels--org--name"
    tree = {path: ("d", 0o755, None) for path in (
        ".locks", f".locks/{name}", name, f"{name}/blobs", f"{name}/refs", f"{name}/snapshots",
        f"{name}/snapshots/{commit}", f"{name}/snapshots/{commit}/build")}
    for path, data in files.items():
        blob = blob_name(data, large=path.endswith(".so"))
        link = f"{name}/snapshots/{commit}/{path}"
        tree[f"{name}/blobs/{blob}"] = ("f", 0o444, len(data))
        tree[f".locks/{name}/{blob}.lock"] = ("f", lock_mode, 0)
        tree[link] = ("l", None, "../" * (path.count("/") + 2) + f"blobs/{blob}")
        tree[os.path.dirname(link)] = ("d", 0o755, None)
    tree[f"{name}/refs/v1"] = ("f", 0o644, 40)
    tree["CACHEDIR.TAG"] = ("f", 0o644, 191)
    return tree


@pytest.mark.parametrize("system", [False, True], ids=["user", "system"])
def test_a_cold_acquire_leaves_the_cache_of_the_hubs_own_client(make_fetching, hub, system):
    files = kernel_files(files=RICH)
    commit = hub.add_repository("org/name", {"v1": {"README.md": b"# not asked for\n", **files, **BYTECODE}})["v1"]
    daemon = make_fetching(system=system).start()
    peer = daemon.peer()
    result = peer.fetch()
    assert (result["commit"], result["variant"], result["state"]) == (commit, "torch-cpu", "ready")
    assert result["digest"] == "ok" and not result.get("redirect")
    assert result["path"] == str(daemon.repository() / "snapshots" / commit / VARIANT)
    assert result["metadata"] == files[f"{VARIANT}/metadata.json"]
    assert os.path.samestat(os.fstat(peer.descriptors[0]), os.stat(result["path"]))
    found = tree_of(daemon.cache)
    assert found.pop(".kernelsd.lock")[:2] == ("f", 0o600)
    assert found == expected_cache(commit, files, lock_mode=0o600 if system else 0o664)
    assert daemon.ref() == commit
    tag = (daemon.cache / "CACHEDIR.TAG").read_bytes()
    assert hashlib.sha256(tag).hexdigest() == "f6572428f6d5e1575e73a1502895a8731f10757dfbb634909c6e154b849af91d"
    for path, data in files.items():
        assert (daemon.repository() / "snapshots" / commit / path).read_bytes() == data


def test_a_cold_acquire_asks_for_each_thing_once(fetching, hub):
    hub.add_repository("org/name", {"v1": {**kernel_files(files=RICH), **BYTECODE}})
    fetching.peer().fetch()
    assert api_of(hub) == COLD
    # Two files have the same bytes, one has none, and bytecode is left.
    assert sorted(os.path.basename(entry.target) for entry in hub.requests("files")) == [
        "__init__.py", "__init__.py", "_x.so", "metadata.json"]


def test_large_variants_are_listed_in_pages_of_a_thousand(fetching, hub):
    names = {f"f{n}.py": b"# %d\n" % (n % 3) for n in range(2100)}
    hub.add_repository("org/name", {"v1": kernel_files(files=names)})
    fetching.peer().fetch()
    assert api_of(hub) == {**COLD, "tree": 2 + 3}
    assert hub.counts()["files"] == 3 + 1


def test_ten_repositories_of_one_publisher(fetching, hub):
    for n in range(10):
        hub.add_repository(f"org/n{n}", {"v1": kernel_files(files={"__init__.py": b"# %d\n" % n})}, trusted=True)
    peer = fetching.peer()
    for n in range(10):
        peer.fetch(f"org/n{n}")
    assert api_of(hub) == {key: value if key == "overview" else 10 * value for key, value in COLD.items()}
    assert hub.counts()["files"] == 20


def test_ten_repositories_at_the_same_time(fetching, hub):
    for n in range(10):
        hub.add_repository(f"org{n}/name", {"v1": kernel_files(files={"__init__.py": b"# %d\n" % n})}, trusted=True)
    fault = hub.set_fault("stall", "refs")
    peer = fetching.peer()
    asked = [peer.begin_fetch(f"org{n}/name") for n in range(10)]
    until(lambda: fetching.status()["fetches"] == 10, "all are fetched")
    fault.release()
    for number in asked:
        peer.answer(number)
    assert api_of(hub) == {key: 10 * value for key, value in COLD.items()}


def test_repositories_of_one_publisher_at_the_same_time_are_one_question(fetching, hub):
    for n in range(10):
        hub.add_repository(f"org/n{n}", {"v1": kernel_files(files={"__init__.py": b"# %d\n" % n})}, trusted=True)
    fault = hub.set_fault("stall", "overview")
    peer = fetching.peer()
    asked = [peer.begin_fetch(f"org/n{n}") for n in range(10)]
    fault.wait()
    until(lambda: fetching.status()["acquires"] == 10, "all wait")
    assert fetching.status()["fetches"] == 1
    fault.release()
    for number in asked:
        peer.answer(number)
    assert hub.counts()["overview"] == 1


# --- warm ---


def test_warm_is_silent_for_every_later_session(fetching, hub):
    fetching.peer().fetch()
    hub.reset_requests()
    for _ in range(3):
        with fetching.peer() as peer:
            assert peer.fetch()["commit"] == hub.commits["v1"]
            assert peer.fetch(revision="v1")["state"] == "ready"
            assert peer.fetch(revision=hub.commits["v1"])["state"] == "ready"
    assert hub.counts()["total"] == 0


@pytest.mark.parametrize("system", [False, True], ids=["user", "system"])
def test_warm_is_silent_after_a_restart(make_fetching, hub, system):
    daemon = make_fetching(system=system).start()
    with daemon.peer() as peer:
        peer.fetch()
    hub.reset_requests()
    daemon.restart()
    assert daemon.status()["kernels"] == 1
    with daemon.peer() as peer:
        assert peer.fetch()["commit"] == hub.commits["v1"]
    daemon.kill()
    daemon.start()
    with daemon.peer() as peer:
        assert peer.fetch()["commit"] == hub.commits["v1"]
    assert hub.counts()["total"] == 0


def test_what_the_state_forgot_is_on_disk(make_fetching, hub):
    """All but whom the Hub trusts, which is nobody's to say but the Hub's."""
    daemon = make_fetching().start()
    with daemon.peer() as peer:
        peer.fetch()
    hub.reset_requests()
    assert daemon.stop() == 0
    shutil.rmtree(daemon.state)
    daemon.state.mkdir(mode=0o700)
    daemon.configure(trust={"allow": ["org"]}).start()
    with daemon.peer() as peer:
        assert peer.fetch()["commit"] == hub.commits["v1"]
    assert hub.counts()["total"] == 0


# --- together ---


def test_many_sessions_that_start_cold_together_are_one(fetching, hub):
    fault = hub.set_fault("stall", "refs")
    peers = [fetching.peer() for _ in range(8)]
    asked = [peer.begin_fetch() for peer in peers]
    until(lambda: fetching.status()["acquires"] == 8, "all wait")
    assert fetching.status()["fetches"] == 1
    fault.release()
    assert {peer.answer(number)["commit"] for peer, number in zip(peers, asked)} == {hub.commits["v1"]}
    assert api_of(hub) == COLD and hub.counts()["files"] == 2


def test_layers_of_one_repository_are_one_kernel(make_fetching, hub):
    daemon = make_fetching()
    daemon.write_mapping({f"L{n}": [use_hub()] for n in range(10)})
    daemon.start()
    peer = daemon.peer()
    assert peer.resolve(query("L3"), view=0)[0]["state"] == "unknown"
    asked = [peer.request("acquire", view=0, query=query(f"L{n}")) for n in range(10)]
    results = [peer.answer(number) for number in asked]
    assert [result["layer"] for result in results] == [f"L{n}" for n in range(10)]
    assert len({result["path"] for result in results}) == 1
    assert len({result["lease"] for result in results}) == 10
    assert api_of(hub) == COLD and hub.counts()["files"] == 2
    answer = peer.resolve(query("L3"), view=0)[0]
    assert (answer["state"], answer["commit"], answer["variant"]) == ("ready", hub.commits["v1"], "torch-cpu")


def test_versions_of_one_repository_share_what_they_have_in_common(fetching, hub):
    files = kernel_files(files={"__init__.py": b"# a kernel\n", "_x.so": b"x" * 1000})
    other = {**files, **kernel_files(files={"__init__.py": b"# another\n", "_x.so": b"x" * 1000})}
    commits = hub.add_repository("org/name", {"v1": files, "v2": other, "main": files})
    peer = fetching.peer()
    asked = [peer.begin_fetch(version=1), peer.begin_fetch(version=2), peer.begin_fetch(revision="main")]
    assert [peer.answer(number)["commit"] for number in asked] == [commits["v1"], commits["v2"], commits["main"]]
    assert hub.counts()["overview"] == 1
    assert sum(entry.target.endswith("_x.so") for entry in hub.requests("files")) == 1
    assert {name: fetching.ref(name) for name in commits} == commits


# --- whose turn it is ---


@needs_root
def test_the_fetches_of_one_domain_do_not_fill_the_line_to_the_hub(make_fetching, hub):
    daemon = make_fetching(system=True).start()
    daemon.folder.chmod(0o755)
    peer = daemon.peer()
    peer.fetch()  # the publisher is known from here on
    for name in ["few", *(f"many{n}" for n in range(12))]:
        hub.add_repository(f"org/{name}", {"v1": kernel_files()})
    hub.reset_requests()
    first = hub.set_fault("stall", "refs", path="*/many0/*")
    rest = hub.set_fault("stall", "refs", path="*/many[1-9]*/*")
    for n in range(12):
        peer.begin_fetch(f"org/many{n}")
    hub.wait_requests("refs", 8)

    def fetch_as_another():
        with harness.Peer(daemon.socket) as other:
            return other.fetch("org/few")["state"]

    with concurrent.futures.ThreadPoolExecutor() as pool:
        few = pool.submit(harness.as_uid, 1234, fetch_as_another)
        until(lambda: daemon.status()["fetches"] == 13, "all wait")
        first.release()  # one place becomes free
        hub.wait_requests("refs", 9)
        ninth = hub.requests("refs")[8]
        rest.release()
        assert few.result() == "ready"
    assert "/few/" in ninth.target


# --- who leaves ---


def stalled(hub, fetching, n):
    """Sessions that wait for a file of which half has come, with their requests."""
    hub.add_repository("org/name", {"v1": kernel_files(files={"_x.so": b"x" * 100_000})})
    fault = hub.set_fault("stall", "cdn", after=50_000)
    peers = [fetching.peer() for _ in range(n)]
    asked = [peer.begin_fetch() for peer in peers]
    fault.wait()
    until(lambda: fetching.status()["acquires"] == n, "all wait")
    assert fetching.half_written()
    return fault, peers, asked


def test_one_who_leaves_stops_nothing_for_others(fetching, hub):
    fault, peers, asked = stalled(hub, fetching, 3)
    peers[0].close()
    until(lambda: fetching.status()["acquires"] == 2, "one has left")
    peers[1].call("cancel", id=asked[1])
    assert fault_of(peers[1].answer, asked[1]).name == "cancelled"
    assert fetching.status()["fetches"] == 1
    fault.release()
    assert peers[2].answer(asked[2])["state"] == "ready"
    assert hub.counts()["cdn"] == 1


def test_the_last_one_who_leaves_stops_the_transfer(fetching, hub):
    _, peers, asked = stalled(hub, fetching, 2)
    for peer in peers:
        peer.close()
    until(lambda: not fetching.left_over(), "nothing is fetched any more")
    until(lambda: not fetching.half_written(), "the half of the file is gone")
    hub.remove_faults()
    assert fetching.peer().fetch()["state"] == "ready"


ASKER = textwrap.dedent("""
    import sys
    sys.path.insert(0, sys.argv[1])
    import harness
    peer = harness.Peer(sys.argv[2])
    peer.begin_fetch()
    sys.stdout.write("asked\\n")
    sys.stdout.flush()
    while True:  # until it is killed: progress comes as well
        peer.read_frame()
""")


def test_one_who_is_killed_stops_nothing_for_others(fetching, hub):
    fault, peers, asked = stalled(hub, fetching, 1)
    folder = os.path.dirname(os.path.abspath(__file__))
    with subprocess.Popen([sys.executable, "-c", ASKER, folder, str(fetching.socket)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1")) as asker:
        assert asker.stdout.readline() == b"asked\n"
        until(lambda: fetching.status()["acquires"] == 2, "both wait")
        asker.kill()
    until(lambda: fetching.status()["acquires"] == 1, "one is dead")
    fault.release()
    assert peers[0].answer(asked[0])["state"] == "ready"


def test_one_who_comes_while_the_transfer_is_being_stopped_gets_the_kernel(fetching, hub):
    _, peers, asked = stalled(hub, fetching, 1)
    hub.remove_faults()
    late = fetching.peer()
    peers[0].request("cancel", id=asked[0])
    assert late.fetch()["state"] == "ready"


def test_a_deadline_ends_the_wait(fetching, hub):
    hub.set_fault("stall", "refs")
    peer = fetching.peer()
    fault = fault_of(peer.fetch, deadline_ms=50)
    assert fault.name == "timeout" and fault.retry
    until(lambda: not fetching.status()["fetches"], "nobody waits, nothing runs")
    hub.remove_faults()
    assert peer.fetch()["state"] == "ready"


def test_progress_is_told_and_grows(fetching, hub):
    fault, peers, asked = stalled(hub, fetching, 2)
    total = 100_000 + len(kernel_files(files={"_x.so": b"x" * 100_000})[f"{VARIANT}/metadata.json"])

    def wait_half(peer):
        while not any(params["bytes"] >= 50_000 for _, params in peer.notifications):
            message, _ = peer.read_frame()
            peer.notifications.append(message[1:])

    for peer in peers:
        wait_half(peer)
    fault.release()
    for peer, number in zip(peers, asked):
        peer.answer(number)
        told = [params for name, params in peer.notifications if name == "progress"]
        assert len(told) == len(peer.notifications) and {params["id"] for params in told} == {number}
        for key in ("files", "bytes"):
            assert [params[key] for params in told] == sorted(params[key] for params in told)
            totals = {params[f"{key}_total"] for params in told} - {None}
            assert all(params[key] <= max(totals) for params in told)
        assert told[-1]["files_total"] == 2 and told[-1]["bytes_total"] == total


# --- how it is named ---


def test_a_version_a_branch_a_tag_and_a_commit(fetching, hub):
    files = kernel_files()
    commits = hub.add_repository("org/name", {"v1": files, "a/b": {**files, "x": b"x"}}, tags={"stable": "a/b"},
                                 pulls={"7": "a/b"})
    peer = fetching.peer()
    assert peer.fetch(version=1)["commit"] == commits["v1"]
    for revision in ("a/b", "stable", "refs/pr/7", commits["a/b"]):
        assert peer.fetch(revision=revision)["commit"] == commits["a/b"]
    for name in ("a/b", "stable", "refs/pr/7"):
        assert fetching.ref(name) == commits["a/b"]
    assert not (fetching.repository() / "refs" / commits["a/b"]).exists()
    # The same files, linked from the other commit, were not fetched again.
    assert hub.counts()["files"] == 2


def test_a_commit_is_never_looked_up(fetching, hub):
    fetching.peer().fetch(revision=hub.commits["v1"])
    assert api_of(hub) == {**COLD, "refs": 0}
    assert not (fetching.repository() / "refs").exists()


def test_what_is_not_there_is_named_with_what_is(fetching, hub):
    peer = fetching.peer()
    fault = fault_of(peer.fetch, version=9)
    assert fault.name == "no-revision" and "version 9" in fault.message and "versions: 1" in fault.message
    fault = fault_of(peer.fetch, revision="dev")
    assert fault.name == "no-revision" and "dev" in fault.message and "v1" in fault.message
    fault = fault_of(peer.fetch, repo="org/nothing")
    assert fault.name == "no-repository" and "org/nothing" in fault.message
    hub.add_repository("org/gpu", {"v1": kernel_files("torch-cuda", backend="cuda")})
    fault = fault_of(peer.fetch, repo="org/gpu")
    assert fault.name == "no-variant" and "torch-cuda" in fault.message
    hub.add_repository("org/empty", {"v1": {"README.md": b"nothing\n"}})
    assert fault_of(peer.fetch, repo="org/empty").name == "no-variant"


def test_fresh_asks_again(fetching, hub):
    peer = fetching.peer()
    peer.fetch()
    hub.reset_requests()
    assert peer.fetch(fresh=True)["commit"] == hub.commits["v1"]
    assert hub.counts() | {"refs": 0, "api": 0, "total": 0} == {name: 0 for name in hub.counts()}
    assert hub.counts()["refs"] == 1
    moved = hub.move_branch("org/name", "v1", write=kernel_files(files={"__init__.py": b"# new\n"}))
    assert peer.fetch()["commit"] == hub.commits["v1"]
    assert peer.fetch(fresh=True)["commit"] == moved
    assert peer.fetch()["commit"] == moved and fetching.ref() == moved


# --- the Hub in its other forms ---


def test_pages_of_seven(make_fetching):
    with double.Hub(options=double.Options(page_size=7)) as hub:
        files = kernel_files(files={f"f{n}.py": b"# %d\n" % n for n in range(50)})
        hub.add_repository("org/name", {"v1": {**files, **{f"r{n}": b"" for n in range(20)}}}, trusted=True)
        daemon = make_fetching(hub=hub).start()
        result = daemon.peer().fetch()
        assert len(os.listdir(result["path"])) == 51
        # The root has 21 entries, `build` one, the variant 51.
        assert api_of(hub) == {**COLD, "tree": 3 + 1 + 8}
        daemon.check_and_stop()


@pytest.mark.parametrize("option", ["direct", "xet", "gzip"])
def test_other_ways_to_the_same_bytes(make_fetching, option):
    with double.Hub(options=double.Options(**{option: True})) as hub:
        files = kernel_files(files=RICH)
        commit = hub.add_repository("org/name", {"v1": files}, trusted=True)["v1"]
        daemon = make_fetching(hub=hub).start()
        daemon.peer().fetch()
        found = tree_of(daemon.cache)
        del found[".kernelsd.lock"]
        assert found == expected_cache(commit, files)
        daemon.check_and_stop()


def test_a_renamed_repository_keeps_the_name_that_was_asked_for(fetching, hub):
    hub.add_repository("org/old", {"v1": {}}, moved_to="org/name")
    result = fetching.peer().fetch("org/old")
    assert result["commit"] == hub.commits["v1"] and fetching.ref(repo="org/old") == hub.commits["v1"]
    assert not fetching.repository("org/name").exists()


def test_a_new_name_is_judged_as_well(make_fetching, hub):
    hub.add_repository("org/old", {"v1": {}}, moved_to="org/name")
    hub.add_repository("good/name", {"v1": {}}, moved_to="evil/name", trusted=True)
    hub.add_repository("evil/name", {"v1": kernel_files()}, trusted=True)
    daemon = make_fetching()
    daemon.configure(trust={"deny": ["org/name"]}).start()
    peer = daemon.peer()
    fault = fault_of(peer.fetch, "org/old", trust_remote_code=True)
    assert fault.name == "denied-by-policy" and "org/old leads to org/name" in fault.message
    fault = fault_of(peer.fetch, "good/name", trust_remote_code=True)
    assert fault.name == "untrusted" and "evil/name" in fault.message
    assert not hub.counts()["files"] and peer.fetch("evil/name")["state"] == "ready"


def test_a_redirect_leads_on_with_the_version_asked_for(fetching, hub):
    commits = hub.add_repository("other/new", {"v1": kernel_files(), "main": {}}, trusted=True)
    old = hub.add_repository("org/old", {"v1": redirect_to("other/new"), "main": redirect_to("other/new", "v1")})
    peer = fetching.peer()
    result = peer.fetch("org/old")
    assert (result["redirect"], result["commit"]) == ("other/new", commits["v1"])
    assert result["path"].startswith(str(fetching.repository("other/new")))
    assert (fetching.ref(repo="org/old"), fetching.ref(repo="other/new")) == (old["v1"], commits["v1"])
    assert (fetching.repository("org/old") / "snapshots" / old["v1"] / "kernel-status.toml").is_symlink()
    counts = api_of(hub)
    # Two publishers; refs of both; of the old one its root alone.
    assert (counts["overview"], counts["refs"], counts["tree"]) == (2, 2, 1 + 2)
    assert peer.fetch("org/old", revision="main")["commit"] == commits["v1"]
    hub.reset_requests()
    with fetching.peer() as later:
        assert later.fetch("org/old")["redirect"] == "other/new"
    assert hub.counts()["total"] == 0


def test_a_redirect_is_still_known_after_a_restart(fetching, hub):
    commit = hub.add_repository("other/new", {"v1": kernel_files()}, trusted=True)["v1"]
    hub.add_repository("org/old", {"v1": redirect_to("other/new")})
    fetching.peer().fetch("org/old")
    hub.reset_requests()
    for peer in fetching.peers:
        peer.close()
    fetching.restart()
    result = fetching.peer().fetch("org/old")
    assert (result["redirect"], result["commit"]) == ("other/new", commit)
    assert hub.counts()["total"] == 0


def test_one_redirect_is_followed_and_no_circle(fetching, hub):
    hub.add_repository("org/a", {"v1": redirect_to("org/b")})
    hub.add_repository("org/b", {"v1": redirect_to("org/a")})
    hub.add_repository("org/self", {"v1": redirect_to("org/self")})
    peer = fetching.peer()
    assert fault_of(peer.fetch, "org/a").name in ("no-variant", "corrupt")
    fault = fault_of(peer.fetch, "org/self")
    assert fault.name == "corrupt" and "kernel-status.toml" in fault.message


# --- TLS and tokens ---


def test_tls_with_an_authority_of_ones_own(make_fetching):
    try:
        hub = double.Hub(tls=True).start()
    except RuntimeError as error:
        pytest.skip(str(error))
    with hub:
        hub.add_repository("org/name", {"v1": kernel_files(files=RICH)}, trusted=True)
        daemon = make_fetching(hub=hub)
        daemon.start()
        fault = fault_of(daemon.peer().fetch)
        assert fault.name == "hub" and "certificate" in fault.message and "hub.ca_file" in fault.message
        assert hub.counts()["total"] == 0
        daemon.peers[0].close()
        assert daemon.stop() == 0
        daemon.configure(hub={"ca_file": str(hub.ca_file)}).start()
        assert daemon.peer().fetch()["state"] == "ready"
        daemon.check_and_stop()


def test_the_token_is_for_private_repositories_and_the_hub_alone(make_fetching, hub):
    token = "hf_secret"
    hub.add_repository("org/private", {"v1": kernel_files(files={"_x.so": b"x" * 1000})}, private=True, tokens=[token])
    daemon = make_fetching()
    (daemon.folder / "token").write_text(token + "\n")
    (daemon.folder / "token").chmod(0o600)
    daemon.configure(hub={"token_file": str(daemon.folder / "token")}, trust={"private": ["org/private"]}).start()
    peer = daemon.peer()
    assert peer.fetch()["state"] == "ready"
    assert peer.fetch("org/private")["state"] == "ready"
    for entry in hub.requests():
        private = "org/private" in entry.target and entry.request_class != "cdn"
        assert (entry.headers.get("authorization") == f"Bearer {token}") == private, entry
        assert private or "authorization" not in entry.headers
    assert token not in daemon.log()


def test_a_refused_token_leaves_public_repositories_alone(make_fetching, hub):
    hub.add_repository("org/private", {"v1": kernel_files()}, private=True, tokens=["another"])
    daemon = make_fetching()
    daemon.configure(trust={"private": ["org/private"]}).start(HF_TOKEN="hf_wrong")
    peer = daemon.peer()
    fault = fault_of(peer.fetch, "org/private")
    assert fault.name == "auth" and "token" in fault.message and "hf_wrong" not in fault.message
    assert peer.fetch()["state"] == "ready"


def test_the_user_agent_names_the_daemon(fetching, hub):
    fetching.peer().fetch()
    agents = {entry.headers["user-agent"] for entry in hub.requests()}
    assert len(agents) == 1 and agents.pop().startswith("kernelsd/")


# --- a Hub that has troubles ---


def test_a_broken_connection_is_taken_up_where_it_broke(fetching, hub):
    hub.add_repository("org/name", {"v1": kernel_files(files={"_x.so": os.urandom(300_000)})})
    hub.set_fault("drop", "cdn", times=1, after=100_000)
    assert fetching.peer().fetch()["digest"] == "ok"
    ranges = [entry.headers.get("range") for entry in hub.requests("cdn")]
    assert ranges[0] is None and ranges[1].startswith("bytes=")


def test_a_hub_that_fails_is_named_and_tried_again_by_the_next(fetching, hub):
    hub.set_fault("status", "resolve", status=500)
    peer = fetching.peer()
    fault = fault_of(peer.fetch)
    assert fault.name == "hub" and fault.retry and "500" in fault.message
    assert "500" in fetching.status()["hub_message"]
    assert not fetching.half_written() and not (fetching.repository() / "snapshots").exists()
    hub.remove_faults()
    assert peer.fetch()["state"] == "ready"
    assert fetching.status()["hub_message"] is None


def test_a_quota_of_bytes_is_told_before_the_large_files(make_fetching, hub):
    hub.add_repository("org/name", {"v1": kernel_files(files={"_x.so": b"x" * 100_000})})
    daemon = make_fetching()
    daemon.configure(quota={"fetched": 50_000}).start()
    fault = fault_of(daemon.peer().fetch)
    assert fault.name == "limit" and "quota.fetched" in fault.message
    assert hub.counts()["cdn"] == 0


def test_what_came_counts_though_nobody_waited_for_the_rest(make_fetching, hub):
    hub.add_repository("org/name", {"v1": kernel_files(files={"_x.so": os.urandom(400_000)})})
    daemon = make_fetching()
    daemon.configure(quota={"fetched": 500_000}).start()
    fault = hub.set_fault("stall", "cdn", after=300_000)
    with daemon.peer() as peer:
        peer.begin_fetch()
        while True:
            message, _ = peer.read_frame()
            if message[0] == 2 and message[2]["bytes"] > 200_000:
                break
    until(lambda: not daemon.status()["fetches"], "nobody fetches it")
    assert daemon.status()["hub_message"] is None, "who leaves is no trouble of the Hub's"
    fault.release()
    refusal = fault_of(daemon.peer().fetch)
    assert refusal.name == "limit" and "quota.fetched" in refusal.message


# --- many who wish different things ---


def test_whoever_waits_for_others_has_his_turn(fetching, hub):
    fault = hub.set_fault("stall", "refs", times=1)
    names = [f"{n}" * 7 for n in range(10)]
    peer = fetching.peer()
    asked = [peer.begin_fetch(revision=name) for name in names]
    fault.wait()
    until(lambda: fetching.status()["acquires"] == len(names), "all wait for the first")
    fault.release()
    assert {fault_of(peer.answer, number).name for number in asked} == {"no-revision"}
    assert [os.path.basename(entry.target) for entry in hub.requests("revision")] == names


def test_what_was_acquired_by_its_repository_is_among_the_leases(fetching):
    peer = fetching.peer()
    peer.fetch()
    (lease,) = peer.call("clients")["clients"][0]["leases"]
    assert (lease["kernel"], lease["layer"]) == ("org/name", None)


def test_a_private_kernel_is_no_less_private_by_its_commit(make_fetching, hub):
    token = "hf_" + "a" * 30
    commit = hub.add_repository("org/private", {"v1": kernel_files()}, private=True, tokens=[token])["v1"]
    daemon = make_fetching()
    (daemon.folder / "token").write_text(token)
    token_file = {"token_file": str(daemon.folder / "token")}
    daemon.configure(hub=token_file, trust={"private": ["org/private"]}).start()
    assert daemon.peer().fetch("org/private", revision="v1")["commit"] == commit
    daemon.configure(trust={"private": []})
    for asked in ({"version": 1}, {"revision": commit}):
        assert fault_of(daemon.peer().fetch, "org/private", **asked).name == "denied-by-policy"
    daemon.restart()
    for asked in ({"version": 1}, {"revision": commit}):
        assert fault_of(daemon.peer().fetch, "org/private", **asked).name == "denied-by-policy"


def test_who_joins_a_fetch_for_more_is_told_of_what_he_asked_for(make_fetching, hub):
    hub.add_repository("org/name", {"v1": {**kernel_files(), **kernel_files("torch-cuda", backend="cuda")}})
    daemon = make_fetching()
    folder = daemon.config / "environment.d"
    folder.mkdir()
    for name, backend in (("a", "cpu"), ("b", "cu128")):
        environment = {"backend": backend, "cpu": "x86_64", "os": "linux"}
        (folder / f"{name}.json").write_text(json.dumps({"kernelsd": 1, "environment": environment}))
    daemon.start()
    fault = hub.set_fault("stall", "refs")
    peer = daemon.peer()
    both = peer.request("prefetch", repo="org/name", version=1)
    fault.wait()
    one = peer.request("prefetch", repo="org/name", version=1, environment="b")
    peer.call("status")  # its turn comes when the other has joined
    fault.release()
    rows = [(row["environment"], row["variant"]) for row in peer.answer(one)["fetched"]]
    assert rows == [("b", "torch-cuda")]
    assert len(peer.answer(both)["fetched"]) == 2


def test_a_ref_in_the_cache_says_nothing_of_redirects(make_fetching, hub):
    commit = hub.add_repository("other/new", {"v1": kernel_files()}, trusted=True)["v1"]
    old = hub.add_repository("org/old", {"v1": redirect_to("other/new")})["v1"]
    daemon = make_fetching()
    (daemon.repository("org/old") / "refs").mkdir(parents=True)
    (daemon.repository("org/old") / "refs" / "v1").write_text(old)
    daemon.start()
    result = daemon.peer().fetch("org/old")
    assert (result["redirect"], result["commit"]) == ("other/new", commit)


def test_any_number_of_revisions_of_one_repository(fetching, hub):
    versions = range(1, 12)
    for n in versions[1:]:
        hub.move_branch("org/name", f"v{n}", to="v1", write={"README.md": b"# %d\n" % n})
    peers = [fetching.peer() for _ in versions]
    asked = [peer.begin_fetch(version=n) for n, peer in zip(versions, peers)]
    assert len({peer.answer(number)["commit"] for peer, number in zip(peers, asked)}) == len(versions)


def test_a_fetch_that_is_cancelled_is_no_failure(fetching, hub):
    fault = hub.set_fault("stall", "resolve")
    peer = fetching.peer()
    number = peer.begin_fetch()
    fault.wait()
    peer.call("cancel", id=number)
    assert fault_of(peer.answer, number).name == "cancelled"
    until(lambda: not fetching.status()["fetches"], "it has ended")
    assert not fetching.status()["hub_message"] and not fetching.half_written()
    fault.release()


# --- what the Hub says of publishers changes ---


def test_a_publisher_who_has_become_trusted_is(make_fetching, hub):
    hub.add_repository("late/name", {"v1": kernel_files()}, trusted=False)
    daemon = make_fetching().start()
    assert fault_of(daemon.peer().fetch, "late/name").name == "untrusted"
    hub.set_organization("late", trustedKernelPublisher=True)
    assert fault_of(daemon.peer().fetch, "late/name").name == "untrusted", "that is believed for a while"
    daemon.configure(fresh_s=0)
    assert daemon.peer().fetch("late/name")["state"] == "ready"


def test_a_publisher_who_is_trusted_no_more_is_not(make_fetching, hub):
    daemon = make_fetching()
    daemon.configure(fresh_s=0).start()
    daemon.peer().fetch()
    hub.reset_requests()
    hub.set_organization("org", trustedKernelPublisher=False)
    assert daemon.peer().fetch()["state"] == "ready", "nobody waits for the Hub"
    until(lambda: hub.counts()["overview"] and not daemon.status()["fetches"], "the Hub was asked")
    assert fault_of(daemon.peer().fetch).name == "untrusted"
    assert fault_of(daemon.peer(offline=True).fetch).name == "untrusted"


def test_what_was_private_is_so_by_every_name(make_fetching, hub):
    token = "hf_secret"
    commit = hub.add_repository("org/private", {"v1": kernel_files()}, private=True, tokens=[token])["v1"]
    daemon = make_fetching()
    daemon.configure(trust={"private": ["org/private"]}).start(HF_TOKEN=token)
    peer = daemon.peer()
    assert peer.fetch("org/private")["state"] == "ready"
    assert peer.fetch("org/private", revision=commit)["state"] == "ready"

    def is_refused():
        peer = daemon.peer()
        ways = [{}, {"revision": "v1"}, {"revision": commit}, {"revision": commit, "fresh": True}, {"revision": "main"}]
        assert {fault_of(peer.fetch, "org/private", **way).name for way in ways} == {"denied-by-policy"}
        assert fault_of(peer.call, "variants", repo="org/private", version=1).name == "denied-by-policy"

    daemon.configure(trust={"private": []})
    is_refused()
    daemon.restart(HF_TOKEN=token)
    is_refused()
    daemon.configure(trust={"private": ["org/private"]})
    assert daemon.peer().fetch("org/private", revision=commit)["state"] == "ready"


def test_what_is_private_no_more_is_had_after_a_refresh(make_fetching, hub):
    token = "hf_secret"
    files = {"v1": kernel_files()}
    hub.add_repository("org/private", files, private=True, tokens=[token], trusted=True)
    daemon = make_fetching()
    daemon.configure(trust={"private": ["org/private"]}).start(HF_TOKEN=token)
    assert daemon.peer().fetch("org/private")["state"] == "ready"
    daemon.configure(trust={"private": []})
    hub.add_repository("org/private", files)
    daemon.ask("refresh", repo="org/private", version=1)
    assert daemon.peer().fetch("org/private")["state"] == "ready"
