"""What the cache holds is right or is not there: wrong bytes, full disks, other
writers, listings that lie, and a daemon that is killed at any moment."""

import contextlib
import ctypes
import hashlib
import json
import os
import random
import select
import shutil
import sqlite3

import pytest

import harness
from conftest import needs_root
from harness import blob_name, fault_of, kernel_files, tree_of, until

VARIANT = "build/torch-cpu"


def linked(daemon, repo="org/name"):
    """Every link below the snapshots of a repository."""
    folder = daemon.repository(repo) / "snapshots"
    return [path for path in folder.rglob("*") if path.is_symlink()] if folder.exists() else []


def check_links(daemon, repo="org/name"):
    """Every link leads to a blob that hashes to its name."""
    links = linked(daemon, repo)
    for link in links:
        blob = link.resolve(strict=True)
        assert blob.parent == daemon.repository(repo).resolve() / "blobs", link
        assert blob_name(blob.read_bytes(), large=len(blob.name) == 64) == blob.name, link
    return links


# --- wrong bytes on their way ---


WRONG_BYTES = {
    "flipped": {"kind": "flip", "at": 70_000},
    "shorter": {"kind": "length", "by": -1},
    "longer": {"kind": "length", "by": 1},
}


@pytest.mark.parametrize("fault", WRONG_BYTES.values(), ids=WRONG_BYTES.keys())
@pytest.mark.parametrize("name, hop, path", [("_x.so", "cdn", "*"), ("y.py", "resolve_cache", "*/y.py")],
                         ids=["large", "small"])
def test_bytes_that_are_not_what_the_hub_lists_are_refused(fetching, hub, fault, name, hop, path):
    files = kernel_files(files={"__init__.py": b"# a kernel\n", name: os.urandom(100_000)})
    hub.add_repository("org/name", {"v1": files})
    hub.set_fault(request_class=hop, path=path, **fault)
    peer = fetching.peer()
    refusal = fault_of(peer.fetch)
    assert refusal.name == "corrupt" and f"org/name: {VARIANT}/{name}" in refusal.message, refusal
    assert not linked(fetching) and not fetching.ref() and not fetching.half_written()
    hub.remove_faults()
    assert peer.fetch()["digest"] == "ok"
    check_links(fetching)


# --- wrong in the repository itself ---


def wrong_files():
    files = kernel_files(files={"__init__.py": b"# a kernel\n", "_x.so": b"x" * 1000})
    return {**files, f"{VARIANT}/_x.so": b"y" * 1000}


@pytest.mark.parametrize("system", [False, True], ids=["user", "system"])
def test_a_digest_that_is_wrong_is_refused_once_and_remembered(make_fetching, hub, system):
    commit = hub.add_repository("org/name", {"v1": wrong_files()})["v1"]
    daemon = make_fetching(system=system).start()

    def refused(**more):
        with daemon.peer() as peer:
            fault = fault_of(peer.fetch, **more)
        assert fault.name == "corrupt" and not fault.retry, fault
        assert commit in fault.message and "_x.so" in fault.message and "publisher" in fault.message

    refused()
    assert not linked(daemon) and not daemon.half_written() and not daemon.ref()
    hub.reset_requests()
    refused()
    refused(revision=commit)
    daemon.restart()
    refused()
    refused(revision=commit)
    assert hub.counts()["total"] == 0
    refused(fresh=True)
    assert hub.counts()["files"] == 0, "it is not fetched in a loop"
    good = hub.move_branch("org/name", "v1", write={f"{VARIANT}/_x.so": b"x" * 1000})
    with daemon.peer() as peer:
        assert peer.fetch(fresh=True)["commit"] == good


def test_a_missing_digest_is_accepted_and_shown(fetching, hub):
    hub.add_repository("org/name", {"v1": kernel_files(digest=False)})
    assert fetching.peer().fetch()["digest"] == "missing"
    fetching.peers[0].close()
    hub.reset_requests()
    fetching.restart()
    assert fetching.peer().fetch()["digest"] == "missing"
    assert hub.counts()["total"] == 0


def test_a_variant_without_metadata(fetching, hub):
    hub.add_repository("org/name", {"v1": {f"{VARIANT}/__init__.py": b"# a kernel\n"}})
    result = fetching.peer().fetch()
    assert result["digest"] == "missing" and result["metadata"] is None


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"digest": {"algorithm": "md5", "files": {}}}', b"\xff\xfe"])
def test_metadata_that_cannot_be_read_is_refused(fetching, hub, content):
    hub.add_repository("org/name", {"v1": {**kernel_files(), f"{VARIANT}/metadata.json": content}})
    assert fault_of(fetching.peer().fetch).name == "corrupt"
    assert not linked(fetching) and hub.counts()["files"] == 1


# --- listings ---


BAD_NAMES = {
    "case": (f"{VARIANT}/__INIT__.py", "__INIT__.py"),
    "case of a folder": ("build/TORCH-cpu/x.py", "TORCH-cpu"),
    "absolute": ("/etc/passwd", "/etc/passwd"),
    "upwards": (f"{VARIANT}/../../x", f"{VARIANT}/../../x"),
    "a dot": (f"{VARIANT}/./x", f"{VARIANT}/./x"),
    "an empty part": (f"{VARIANT}//x", f"{VARIANT}//x"),
    "4,096 bytes": (f"{VARIANT}/{'x/' * 2100}y", f"{VARIANT}/x/x/x"),
    "a long part": (f"{VARIANT}/{'z' * 256}", f"{VARIANT}/zzz"),
    "elsewhere": ("build/other/x.py", "build/other/x.py"),
    "a control character": (f"{VARIANT}/x\ny", f"{VARIANT}/x"),
    "twice": (f"{VARIANT}/__init__.py", f"{VARIANT}/__init__.py"),
    "a file and a folder": (f"{VARIANT}/__init__.py/x", f"{VARIANT}/__init__.py"),
}


def refused_listing(daemon, hub, named):
    before = tree_of(daemon.folder)
    fault = fault_of(daemon.peer().fetch)
    assert fault.name == "corrupt" and named in fault.message, fault
    assert hub.counts()["files"] == 0 and not linked(daemon)
    after = tree_of(daemon.folder)
    assert {path for path in after if path not in before} <= {path for path in after if path.startswith("state")}


@pytest.mark.parametrize("name, named", BAD_NAMES.values(), ids=BAD_NAMES.keys())
def test_a_listing_with_a_bad_name_is_refused(fetching, hub, name, named):
    hub.set_fault("listing", "tree", path=f"*/{VARIANT}", names=[name])
    refused_listing(fetching, hub, named)


BAD_ENTRIES = {
    "an oid that leads out": {"oid": "../../../../evil"},
    "an oid of another length": {"oid": "ab" * 16},
    "an oid in capitals": {"oid": "AB" * 20},
    "no oid": {"oid": None},
    "an LFS oid that is none": {"lfs": {"oid": "x" * 64, "size": 5, "pointerSize": 100}},
    "a size below zero": {"size": -1},
    "no size": {"size": None},
    "no kind": {"type": "link"},
}


@pytest.mark.parametrize("change", BAD_ENTRIES.values(), ids=BAD_ENTRIES.keys())
def test_a_listing_with_a_bad_entry_is_refused(fetching, hub, change):
    path = f"{VARIANT}/__init__.py"
    hub.set_fault("listing", "tree", path=f"*/{VARIANT}", change={path: change})
    refused_listing(fetching, hub, path)


# --- where it lies ---


@pytest.fixture
def small_disk(make_fetching):
    """Makes daemons whose cache is a file system of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    made = []

    def make(options):
        daemon = make_fetching()
        if libc.mount(b"small", os.fsencode(daemon.cache), b"tmpfs", 0, f"{options},mode=755".encode()) != 0:
            pytest.skip(f"mounting a tmpfs: {os.strerror(ctypes.get_errno())}")
        made.append(daemon)
        return daemon.start()

    yield make
    for daemon in made:
        try:
            daemon.check_and_stop()
        finally:
            if daemon.process is not None:
                daemon.kill()
                daemon.process = None
            libc.umount2(os.fsencode(daemon.cache), 2)


@needs_root
@pytest.mark.parametrize("options, files", [("size=1m", {"_x.so": b"x" * (4 << 20)}),
                                            ("nr_inodes=100", {f"f{n}.py": b"# %d\n" % n for n in range(200)})],
                         ids=["bytes", "inodes"])
def test_a_full_disk_fails_one_request_and_no_other(small_disk, hub, options, files):
    hub.add_repository("org/large", {"v1": kernel_files(files=files)})
    daemon = small_disk(options)
    peer = daemon.peer()
    held = peer.fetch()
    fault = fault_of(peer.fetch, "org/large")
    assert fault.name == "no-space" and fault.retry and str(daemon.cache) in fault.message
    assert not daemon.half_written() and not linked(daemon, "org/large")
    assert peer.fetch()["path"] == held["path"] and daemon.peer().fetch()["digest"] == "ok"
    hub.add_repository("org/small", {"v1": kernel_files(files={"__init__.py": b"# small\n"})})
    assert peer.fetch("org/small")["state"] == "ready"
    assert daemon.status()["hub_message"] is None


def second_start(first, make_fetching, hub, **keywords):
    """Another daemon on the same cache, run to its end."""
    second = make_fetching(**keywords)
    second.cache.rmdir()
    second.cache = first.cache
    return second, harness.run(second.arguments("--socket", second.socket), env=second.environment())


@pytest.mark.parametrize("system", [False, True], ids=["user", "system"])
def test_a_second_daemon_on_the_cache_is_told_who_has_it(make_fetching, hub, system):
    first = make_fetching(system=system).start()
    first.peer().fetch()
    second, answer = second_start(first, make_fetching, hub, system=system)
    assert answer.returncode not in (0, None)
    assert str(first.process.pid) in answer.stderr and str(first.cache) in answer.stderr
    assert first.peer().fetch()["state"] == "ready"
    first.kill()
    first.process = None
    second.start()
    assert second.peer().fetch()["state"] == "ready"


def test_a_systems_cache_that_others_can_write_stops_the_start(make_fetching):
    daemon = make_fetching(system=True)
    daemon.cache.chmod(0o777)
    answer = harness.run(daemon.arguments("--socket", daemon.socket), env=daemon.environment())
    assert answer.returncode != 0
    assert str(daemon.cache) in answer.stderr and "writ" in answer.stderr
    daemon.cache.chmod(0o755)
    daemon.start()


def test_a_users_cache_that_others_can_write_is_warned_of(make_fetching):
    """What is in it is not handed out as long as others could change it."""
    daemon = make_fetching()
    daemon.cache.chmod(0o777)
    daemon.start()
    assert str(daemon.cache) in daemon.log() and "writable" in daemon.log()
    fault = fault_of(daemon.peer().fetch)
    assert fault.name == "untrusted" and f"{daemon.cache} is writable" in fault.message
    daemon.cache.chmod(0o755)
    assert daemon.peer().fetch()["state"] == "ready"


def test_a_folder_that_cannot_be_made_leaves_a_user_with_what_needs_none(make_fetching, repository):
    daemon = make_fetching()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"path": str(repository)}}]})
    daemon.cache.rmdir()
    daemon.cache.write_text("a file\n")
    daemon.start()
    peer = daemon.peer()
    assert peer.acquire("Silu", view=0)["state"] == "local"
    fault = fault_of(peer.fetch)
    assert fault.name == "offline" and "cache_dir" in fault.message
    assert str(daemon.cache) in daemon.log()


# --- what other clients wrote ---

TAG = """Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by huggingface_hub.
# For information about cache directory tags, see:
#\thttps://bford.info/cachedir/
"""


def write_cache(daemon, commit, files, trees=True, links=True, ref="v1"):
    """What the Hub's Python client leaves: its modes, locks, a list of files."""
    folder = daemon.repository()
    locks = daemon.cache / ".locks" / folder.name
    for path in (folder / "blobs", folder / "refs", locks):
        path.mkdir(parents=True)
    listed = {}
    for path, data in files.items():
        large = path.endswith(".so")
        blob, link = folder / "blobs" / blob_name(data, large), folder / "snapshots" / commit / path
        link.parent.mkdir(parents=True, exist_ok=True)
        (locks / f"{blob.name}.lock").touch(0o664)
        if links:
            blob.write_bytes(data)
            link.symlink_to("../" * (path.count("/") + 2) + f"blobs/{blob.name}")
        else:
            link.write_bytes(data)
        listed[path] = {"size": len(data), "blob_id": blob_name(data)}
        if large:
            listed[path] |= {"lfs_sha256": blob.name, "lfs_size": len(data)}
    if ref:
        (folder / "refs" / ref).write_text(commit)
    if trees:
        (folder / "trees").mkdir()
        listed["README.md"] = {"size": 9, "blob_id": "ab" * 20}  # of the commit, and not asked for
        text = json.dumps({"files": listed, "format_version": 1}, indent=1, sort_keys=True)
        (folder / "trees" / f"{commit}.json").write_text(text)
    (daemon.cache / "CACHEDIR.TAG").write_text(TAG)


FILES = kernel_files(files={
    "__init__.py": b"# a kernel\n", "_x.so": b"x" * 1000, "empty.py": b"", "inner/y.py": b"y\n"})


@pytest.fixture
def other_client(make_fetching, hub):
    """A user's daemon, not started yet, to which nobody has to vouch for the publisher."""
    hub.commits = hub.add_repository("org/name", {"v1": FILES})
    return make_fetching().configure(trust={"allow": ["org"]})


@pytest.mark.parametrize("form", [{}, {"trees": False}, {"links": False}, {"links": False, "trees": False}],
                         ids=["with trees", "without trees", "without links", "neither"])
def test_what_the_hubs_client_wrote_is_used(other_client, hub, form):
    write_cache(other_client, hub.commits["v1"], FILES, **form)
    before = tree_of(other_client.cache)
    other_client.start()
    peer = other_client.peer()
    for more in ({}, {"revision": "v1"}, {"revision": hub.commits["v1"]}):
        result = peer.fetch(**more)
        assert (result["commit"], result["digest"]) == (hub.commits["v1"], "ok")
    assert hub.counts()["total"] == 0
    after = tree_of(other_client.cache)
    del after[".kernelsd.lock"]
    assert after == before, "nothing of it was touched"


def test_a_snapshot_without_a_ref_is_used_by_its_commit(other_client, hub):
    write_cache(other_client, hub.commits["v1"], FILES, ref=None)
    other_client.start()
    assert other_client.peer(offline=True).fetch(revision=hub.commits["v1"])["state"] == "ready"
    assert hub.counts()["total"] == 0


@pytest.mark.parametrize("trees", [True, False], ids=["with trees", "without trees"])
def test_what_is_missing_is_fetched_and_no_more(other_client, hub, trees):
    commit = hub.commits["v1"]
    write_cache(other_client, commit, FILES, trees=trees)
    folder = other_client.repository()
    (folder / "snapshots" / commit / VARIANT / "_x.so").unlink()
    (folder / "blobs" / blob_name(b"x" * 1000, large=True)).unlink()
    other_client.start()
    assert fault_of(other_client.peer(offline=True).fetch).name == "offline"
    assert other_client.peer().fetch()["digest"] == "ok"
    assert [entry.target.rsplit("/", 1)[1] for entry in hub.requests("files")] == ["_x.so"]
    check_links(other_client)


def test_a_link_that_leads_nowhere_counts_as_missing(other_client, hub):
    write_cache(other_client, hub.commits["v1"], FILES)
    (other_client.repository() / "blobs" / blob_name(b"y\n")).unlink()
    other_client.start()
    assert other_client.peer().fetch()["digest"] == "ok"
    assert hub.counts()["files"] == 1
    check_links(other_client)


def test_bytes_that_another_client_never_hashed(other_client, hub):
    """The Hub's own client stores what comes, if it has the right length."""
    write_cache(other_client, hub.commits["v1"], FILES)
    (other_client.repository() / "blobs" / blob_name(b"x" * 1000, large=True)).write_bytes(b"z" * 1000)
    other_client.start()
    fault = fault_of(other_client.peer().fetch)
    assert fault.name == "corrupt" and "_x.so" in fault.message


def test_wrong_blobs_are_not_used_for_another_commit(other_client, hub):
    write_cache(other_client, hub.commits["v1"], FILES)
    (other_client.repository() / "blobs" / blob_name(b"x" * 1000, large=True)).write_bytes(b"z" * 1000)
    hub.move_branch("org/name", "v2", to="v1", write={"README.md": b"# two\n"})
    other_client.start()
    assert other_client.peer().fetch(version=2)["digest"] == "ok"
    check_links(other_client)


def test_a_file_that_another_client_writes_is_waited_for(other_client, hub):
    """Its lock is held; the daemon waits, and takes what came."""
    import fcntl

    blob = blob_name(b"x" * 1000, large=True)
    locks = other_client.cache / ".locks" / other_client.repository().name
    locks.mkdir(parents=True)
    (other_client.repository() / "blobs").mkdir(parents=True)
    other_client.start()
    with open(locks / f"{blob}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        peer = other_client.peer()
        asked = peer.begin_fetch()
        hub.wait_requests("files", 3)
        assert other_client.status()["acquires"] == 1
        (other_client.repository() / "blobs" / blob).write_bytes(b"x" * 1000)
    assert peer.answer(asked)["digest"] == "ok"
    assert hub.counts()["cdn"] == 0


# --- gone, or damaged, while the daemon runs ---


@pytest.fixture
def holding(make_fetching, hub):
    """A system's daemon that has a kernel complete and hashed, and is asked for it again."""
    hub.commits = hub.add_repository("org/name", {"v1": FILES})
    daemon = make_fetching(system=True).start()
    with daemon.peer() as peer:
        assert peer.fetch()["digest"] == "ok"
    hub.reset_requests()
    return daemon


def damage(blob, data=None):
    """Other bytes of the same length, or none."""
    data = data or b"z" * blob.stat().st_size
    blob.chmod(0o644)
    blob.write_bytes(data)
    blob.chmod(0o444)


def so_blob(daemon):
    return daemon.repository() / "blobs" / blob_name(b"x" * 1000, large=True)


def variant_folder(daemon, hub):
    return daemon.repository() / "snapshots" / hub.commits["v1"] / VARIANT


GONE = {
    "repository": lambda daemon, hub: shutil.rmtree(daemon.repository()),
    "variant": lambda daemon, hub: shutil.rmtree(variant_folder(daemon, hub)),
    "blob": lambda daemon, hub: so_blob(daemon).unlink(),
    "link": lambda daemon, hub: (variant_folder(daemon, hub) / "_x.so").unlink(),
    "damaged": lambda daemon, hub: damage(so_blob(daemon)),
    "shorter": lambda daemon, hub: damage(so_blob(daemon), b"x"),
    "metadata": lambda daemon, hub: damage((variant_folder(daemon, hub) / "metadata.json").resolve()),
}


@pytest.mark.parametrize("lose", GONE.values(), ids=GONE.keys())
def test_what_has_gone_from_the_disk_is_fetched_again(holding, hub, lose):
    lose(holding, hub)
    peers = [holding.peer() for _ in range(3)]
    asked = [peer.begin_fetch() for peer in peers]
    for peer, number in zip(peers, asked):
        result = peer.answer(number)
        assert (result["digest"], result["commit"]) == ("ok", hub.commits["v1"])
    for path, data in FILES.items():
        assert (holding.repository() / "snapshots" / hub.commits["v1"] / path).read_bytes() == data
    assert len(check_links(holding)) == len(FILES) and holding.status()["kernels"] == 1
    assert len({entry.target for entry in hub.requests("files")}) == hub.counts()["files"], "once for all"
    hub.reset_requests()
    with holding.peer() as peer:
        assert peer.fetch()["digest"] == "ok"
    assert hub.counts()["total"] == 0


@pytest.mark.parametrize("lose", [GONE["repository"], GONE["damaged"]], ids=["repository", "damaged"])
def test_what_has_gone_is_named_where_nothing_may_be_fetched(holding, hub, lose):
    lose(holding, hub)
    fault = fault_of(holding.peer(offline=True).fetch)
    assert fault.name == "corrupt" and "put its files back" in fault.message, fault
    assert hub.counts()["total"] == 0
    assert holding.peer().fetch()["digest"] == "ok"


def test_a_fetch_that_began_before_does_not_bring_back_what_was_known(holding, hub):
    """It is asked behind everybody's back whether the branch has moved."""
    holding.configure(fresh_s=0)
    fault = hub.set_fault("stall", "refs")
    shutil.rmtree(holding.repository())
    peer = holding.peer()
    asked = peer.begin_fetch()
    fault.wait()
    until(lambda: "is not leased" in holding.log(), "the check has ended")
    fault.release()
    assert peer.answer(asked)["digest"] == "ok"
    check_links(holding)


def test_a_file_that_does_not_belong_is_no_less_refused_after_a_fetch(holding, hub):
    """Fetching cannot mend it, and is tried once for each who asks."""
    stray = variant_folder(holding, hub) / "stray.py"
    stray.write_bytes(b"# of nobody\n")
    for _ in range(2):
        with holding.peer() as peer:
            fault = fault_of(peer.fetch)
        assert fault.name == "corrupt" and "stray.py" in fault.message
    assert hub.counts()["files"] == 0
    stray.unlink()
    assert holding.peer().fetch()["digest"] == "ok"


def test_what_is_found_corrupt_by_verifying_is_mended_by_the_next_who_asks(holding, hub):
    def fingerprints():
        with contextlib.closing(sqlite3.connect(holding.state / "kernelsd.db")) as database:
            return [row[0] for row in database.execute("SELECT fingerprint FROM receipt")]

    damage(so_blob(holding))
    (row,) = holding.ask("cache.verify")["kernels"]
    assert row["digest"] == "corrupt" and hub.counts()["total"] == 0
    assert holding.status()["kernels"] == 0
    until(lambda: fingerprints() == [bytes(32)], "the receipt is void")
    assert holding.peer().fetch()["digest"] == "ok"
    assert hub.counts()["files"] == 1
    (row,) = holding.ask("cache.verify")["kernels"]
    assert row["digest"] == "ok"
    check_links(holding)


def test_what_a_user_changes_in_his_own_cache_is_his(fetching, hub):
    hub.commits = hub.add_repository("org/name", {"v1": FILES})
    with fetching.peer() as peer:
        peer.fetch()
        hub.reset_requests()
        damage(so_blob(fetching))
        for _ in range(2):
            assert fault_of(peer.fetch).name == "corrupt"
    assert hub.counts()["total"] == 0


@pytest.mark.parametrize("lose", [GONE["repository"], GONE["variant"]], ids=["repository", "variant"])
def test_what_a_user_removes_is_fetched_again(fetching, hub, lose):
    hub.commits = hub.add_repository("org/name", {"v1": FILES})
    with fetching.peer() as peer:
        peer.fetch()
        lose(fetching, hub)
        assert peer.fetch()["digest"] == "ok"
    check_links(fetching)


# --- killed ---

N_KILLS = 100  # of each kind of daemon


def branch_files(number):
    """One commit: small files, large ones, one that all commits have."""
    texts = {f"f{n}.py": b"# %d of %d\n" % (n, number) * 50 for n in range(4)}
    large = {f"_{n}.so": hashlib.sha256(b"%d %d" % (n, number)).digest() * 1500 for n in range(3)}
    return kernel_files(files={**texts, **large, "_common.so": b"common" * 10_000})


def placed(daemon, ending):
    blobs = daemon.repository() / "blobs"
    names = os.listdir(blobs) if blobs.exists() else []
    return sum(name.endswith(".incomplete") == (ending == "half") for name in names)


def random_moment(chance, daemon, hub):
    """What to wait for before the kill; all that can be counted has its turn."""
    kind = chance.choice(["requests", "half", "whole", "stall", "links", "at once", "answer"])
    if kind == "requests":
        n = chance.randint(1, 14)
        return lambda: hub.counts()["total"] >= n
    if kind == "stall":
        fault = hub.set_fault("stall", "cdn", skip=chance.randint(0, 2), after=chance.randint(0, 48_000))
        return lambda: fault.met and placed(daemon, "half")
    if kind in ("half", "whole"):
        n = placed(daemon, kind) + chance.randint(1, 7)
        return lambda: placed(daemon, kind) >= n
    if kind == "links":
        known = set(os.listdir(daemon.repository())) if daemon.repository().exists() else set()
        return lambda: daemon.repository().exists() and set(os.listdir(daemon.repository())) - known
    return lambda: kind == "at once"


def kill_at(daemon, hub, chance, number):
    """Begins a fetch and kills the daemon at some moment of it, or just after it."""
    with harness.Peer(daemon.socket) as peer:
        hub.reset_requests()
        moment = random_moment(chance, daemon, hub)
        peer.begin_fetch(revision=f"r{number}")
        while not moment() and not select.select([peer.socket], [], [], 0.0005)[0]:
            pass
        daemon.kill()
    hub.remove_faults()


def check_commit(daemon, hub, number):
    with harness.Peer(daemon.socket) as peer:
        result = peer.fetch(revision=f"r{number}")
    assert result["commit"] == hub.commits[f"r{number}"] == daemon.ref(f"r{number}") and result["digest"] == "ok"
    for path, data in branch_files(number).items():
        assert (daemon.repository() / "snapshots" / result["commit"] / path).read_bytes() == data


@pytest.mark.parametrize("system", [False, True], ids=["user", "system"])
def test_a_fetch_that_was_killed_leaves_nothing_wrong(make_fetching, hub, system):
    seed = random.randrange(1 << 32)
    print("seed", seed)  # shown with a failure
    chance = random.Random(seed)
    hub.commits = hub.add_repository("org/name", {f"r{n}": branch_files(n) for n in range(N_KILLS)})
    # A kill is no loss of power: in memory, where nobody waits for a disk that others keep busy.
    daemon = make_fetching(system=system, base="/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp")
    for number in range(N_KILLS):
        daemon.start()
        assert not daemon.half_written(), "the start sweeps"
        if number:
            check_commit(daemon, hub, number - 1)
        kill_at(daemon, hub, chance, number)
        for path in daemon.repository().glob(f"snapshots/{hub.commits[f'r{number}']}/build/*"):
            assert {str(file.relative_to(path)) for file in path.rglob("*") if not file.is_dir()} == {
                file[len(VARIANT) + 1 :] for file in branch_files(number)}, "all of a variant, or none"
        if number % 10 == 9:
            check_links(daemon)
    daemon.start()
    for number in range(N_KILLS):
        check_commit(daemon, hub, number)
    assert len(check_links(daemon)) == N_KILLS * len(branch_files(0))
