"""What a branch is: kept for a session, for a job, for a while; asked for again
behind everybody's back, and in force when it is complete for all."""

import json

import pytest

import harness
from conftest import needs_root
from harness import fault_of, kernel_files, query, redirect_to, until

GPU = {"backend": "cu128", "cpu": "x86_64", "os": "linux"}

OLD = {**kernel_files(), **kernel_files("torch-cuda", backend="cuda")}
NEW = {**kernel_files(files={"__init__.py": b"# new\n"}),
       **kernel_files("torch-cuda", files={"__init__.py": b"# new for a GPU\n"}, backend="cuda")}


def move(hub, **changes):
    """The branch moves; answers where to."""
    return hub.move_branch("org/name", "v1", write=NEW, **changes)


def commit_for_anew(daemon, **hello):
    """What a session that begins now is given."""
    with daemon.peer(**hello) as peer:
        return peer.fetch()["commit"]


def fetch_gpu(peer, **more):
    return peer.fetch(device="cuda", capability=90, **more)


def until_in_force(daemon, commit):
    """refs/ is written just before the daemon itself goes by it."""
    until(lambda: daemon.ref() == commit and not daemon.status()["fetches"], "the new commit is in force")


@pytest.fixture
def stale(make_fetching, hub):
    """A daemon to which nothing is fresh, with a kernel that a session has had."""
    hub.old = hub.add_repository("org/name", {"v1": OLD})["v1"]
    daemon = make_fetching()
    daemon.configure(fresh_s=0).start()
    assert commit_for_anew(daemon) == hub.old
    return daemon


# --- memories ---


def test_a_session_keeps_the_commit_that_it_had(fetching, hub):
    old = hub.commits["v1"]
    first, second = fetching.peer(), fetching.peer()
    assert first.fetch()["commit"] == old
    new = move(hub)
    assert second.fetch(fresh=True)["commit"] == new
    assert first.fetch()["commit"] == old and commit_for_anew(fetching) == new
    assert first.fetch(fresh=True)["commit"] == new
    assert first.fetch()["commit"] == new


def test_a_session_gets_more_of_the_commit_that_it_had(make_fetching, hub):
    """What it has not had yet of that commit is not here, and the branch leads elsewhere."""
    old = hub.add_repository("org/name", {"v1": OLD})["v1"]
    daemon = make_fetching().start()
    peer = daemon.peer(environment=GPU)
    assert peer.fetch()["commit"] == old
    new = move(hub)
    assert daemon.peer().fetch(fresh=True)["commit"] == new
    result = fetch_gpu(peer)
    assert (result["commit"], result["variant"]) == (old, "torch-cuda")
    assert daemon.ref() == new


def test_resolve_says_what_acquire_gives(make_fetching, hub):
    daemon = make_fetching()
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"repo": "org/name", "version": 1}}]})
    daemon.start()

    def commit(peer, **more):
        return peer.call("resolve", view=0, queries=[query("Silu")], **more)["answers"][0]["commit"]

    peer = daemon.peer()
    peer.fetch()
    new = move(hub)
    daemon.peer().fetch(fresh=True)
    assert commit(peer) == hub.commits["v1"] and commit(peer, fresh=True) == new
    assert commit(daemon.peer()) == new


def test_sessions_of_one_job_share_the_memory(fetching, hub):
    old = hub.commits["v1"]
    first = fetching.peer(job="train")
    first.fetch()
    new = move(hub)
    fetching.peer().fetch(fresh=True)
    assert commit_for_anew(fetching, job="train") == old
    assert commit_for_anew(fetching, job="another") == new
    first.close()
    until(lambda: fetching.status()["sessions"] == 2, "the last session of the job has ended")
    assert commit_for_anew(fetching, job="train") == new


def test_ranks_that_start_together_agree(fetching, hub):
    """Both wait for one fetch, and the branch moves while they do."""
    fault = hub.set_fault("stall", "resolve")
    peers = [fetching.peer(job="train") for _ in range(2)]
    asked = [peer.begin_fetch() for peer in peers]
    fault.wait()
    move(hub)
    fault.release()
    commits = {peer.answer(number)["commit"] for peer, number in zip(peers, asked)}
    assert commits == {hub.commits["v1"]} == {commit_for_anew(fetching, job="train")}


@needs_root
def test_a_job_of_another_uid_is_another_job(make_fetching, hub):
    daemon = make_fetching(system=True).start()
    daemon.folder.chmod(0o755)
    holds = daemon.peer(job="train")
    holds.fetch()
    new = move(hub)
    daemon.peer().fetch(fresh=True)

    def asks():
        with harness.Peer(daemon.socket, job="train") as peer:
            return peer.fetch()["commit"]

    assert harness.as_uid(1234, asks) == new
    assert asks() == hub.commits["v1"]


# --- stale ---


def test_what_is_stale_is_served_at_once_and_refreshed_behind(stale, hub):
    first = stale.peer()
    new = move(hub)
    hub.reset_requests()
    fault = hub.set_fault("stall", "refs")
    assert first.fetch()["commit"] == hub.old, "nobody waits for the Hub"
    fault.wait()
    assert hub.counts()["total"] == 1 and commit_for_anew(stale) == hub.old and stale.ref() == hub.old
    fault.release()
    until_in_force(stale, new)
    hub.reset_requests()
    stale.configure(fresh_s=1000)
    assert commit_for_anew(stale) == new and first.fetch()["commit"] == hub.old
    assert hub.counts()["total"] == 0


def test_it_takes_effect_when_its_files_are_here(stale, hub):
    new = move(hub)
    fault = hub.set_fault("stall", "resolve", path="*/__init__.py")
    assert commit_for_anew(stale) == hub.old
    fault.wait()
    assert stale.ref() == hub.old and commit_for_anew(stale) == hub.old
    fault.release()
    until_in_force(stale, new)
    assert commit_for_anew(stale) == new


def test_a_branch_that_did_not_move_costs_one_request(stale, hub):
    hub.reset_requests()
    for _ in range(3):
        assert commit_for_anew(stale) == hub.old
    until(lambda: hub.counts()["refs"] and not stale.status()["fetches"], "the Hub was asked")
    assert commit_for_anew(stale) == hub.old
    counts = hub.counts()
    # Publishers are asked about again along with it: they are stale as well.
    assert (counts["refs"], counts["tree"], counts["files"]) == (1, 0, 0) and counts["overview"] <= 1


def test_freshness_is_taken_over_by_a_reload(make_fetching, hub):
    daemon = make_fetching().start()
    assert commit_for_anew(daemon) == hub.commits["v1"]
    new = move(hub)
    hub.reset_requests()
    assert commit_for_anew(daemon) == hub.commits["v1"] and hub.counts()["total"] == 0
    daemon.configure(fresh_s=0)
    assert commit_for_anew(daemon) == hub.commits["v1"]
    until_in_force(daemon, new)


def test_it_is_complete_for_every_environment_that_had_it(stale, hub):
    with stale.peer(environment=GPU) as gpu:
        assert fetch_gpu(gpu)["variant"] == "torch-cuda"
    until(lambda: not stale.status()["fetches"], "quiet")
    assert stale.stop() == 0  # what was tried lately is tried again by another daemon
    stale.start()
    new = move(hub)
    fault = hub.set_fault("stall", "resolve", path="*torch-cuda/__init__.py")
    assert commit_for_anew(stale) == hub.old
    fault.wait()
    assert stale.ref() == hub.old and commit_for_anew(stale) == hub.old
    fault.release()
    until_in_force(stale, new)
    hub.reset_requests()
    stale.configure(fresh_s=1000)
    assert commit_for_anew(stale) == new
    with stale.peer(environment=GPU) as gpu:
        assert fetch_gpu(gpu)["commit"] == new
    assert hub.counts()["total"] == 0


def name_environment(daemon):
    folder = daemon.config / "environment.d"
    folder.mkdir()
    (folder / "gpu.json").write_text(json.dumps(
        {"kernelsd": 1, "environment": GPU, "device": "cuda", "capability": 90}))


def test_it_is_complete_for_every_named_environment(make_fetching, hub):
    hub.old = hub.add_repository("org/name", {"v1": OLD})["v1"]
    daemon = make_fetching()
    name_environment(daemon)
    daemon.configure(fresh_s=0).start()
    assert commit_for_anew(daemon) == hub.old
    new = move(hub)
    fault = hub.set_fault("stall", "resolve", path="*torch-cuda/__init__.py")
    assert commit_for_anew(daemon) == hub.old
    fault.wait()
    assert daemon.ref() == hub.old
    fault.release()
    until_in_force(daemon, new)
    assert (daemon.repository() / "snapshots" / new / "build" / "torch-cuda" / "__init__.py").exists()


def test_an_environment_without_a_variant_holds_nothing_back(make_fetching, hub):
    hub.old = hub.add_repository("org/name", {"v1": OLD})["v1"]
    daemon = make_fetching()
    name_environment(daemon)
    daemon.configure(fresh_s=0).start()
    gpu = daemon.peer(environment=GPU)
    assert fetch_gpu(gpu)["commit"] == hub.old and commit_for_anew(daemon) == hub.old
    until(lambda: not daemon.status()["fetches"], "quiet")
    for peer in daemon.peers:
        peer.close()
    daemon.restart()
    new = hub.move_branch("org/name", "v1", write=kernel_files(files={"__init__.py": b"# new\n"}),
                          remove=[path for path in OLD if "torch-cuda" in path])
    assert commit_for_anew(daemon) == hub.old
    until_in_force(daemon, new)
    assert commit_for_anew(daemon) == new
    with daemon.peer(environment=GPU) as late:
        assert fault_of(fetch_gpu, late).name == "no-variant"
        assert fetch_gpu(late, revision=hub.old)["commit"] == hub.old


def test_a_new_commit_with_wrong_files_never_takes_effect(stale, hub):
    bad = kernel_files(files={"__init__.py": b"# new\n"})
    bad["build/torch-cpu/__init__.py"] = b"# not what metadata.json states\n"
    hub.move_branch("org/name", "v1", write=bad)
    hub.reset_requests()
    assert commit_for_anew(stale) == hub.old
    until(lambda: hub.counts()["files"] == 2 and not stale.status()["fetches"], "it was fetched and refused")
    assert stale.ref() == hub.old and commit_for_anew(stale) == hub.old


@pytest.mark.parametrize("fault", [{"kind": "status", "status": 404, "code": "RepoNotFound"}, {"kind": "truncate"},
                                   {"kind": "drop"}], ids=lambda fault: fault["kind"])
def test_a_hub_in_trouble_changes_no_answer(stale, hub, fault):
    move(hub)
    fault = hub.set_fault(request_class="refs", **fault)
    assert commit_for_anew(stale) == hub.old
    fault.wait()
    until(lambda: not stale.status()["fetches"], "it was given up")
    assert stale.ref() == hub.old and commit_for_anew(stale) == hub.old
    hub.stop()
    stale.restart()
    assert commit_for_anew(stale) == hub.old


def test_the_generation_tells_of_a_change(stale, hub):
    def generation():
        with stale.peer() as peer:
            return peer.call("resolve", view=0, queries=[query("Silu")])["generation"]

    before = generation()
    assert generation() == before
    new = move(hub)
    assert commit_for_anew(stale) == hub.old
    until_in_force(stale, new)
    until(lambda: generation() != before, "the answers are of another generation")


# --- offline ---


def by_session(daemon):
    daemon.start()
    return {"offline": True}


def by_configuration(daemon):
    daemon.configure(offline=True).start()
    return {}


def by_environment(daemon):
    daemon.start(HF_HUB_OFFLINE="1")
    return {}


@pytest.mark.parametrize("how", [by_session, by_configuration, by_environment], ids=lambda how: how.__name__)
def test_offline_serves_what_is_complete(make_fetching, hub, how):
    daemon = make_fetching()
    daemon.configure(fresh_s=0).start()
    assert commit_for_anew(daemon) == hub.commits["v1"]
    assert daemon.stop() == 0
    move(hub)
    hub.reset_requests()
    hello = how(daemon)
    peer = daemon.peer(**hello)
    assert daemon.status()["offline"] == (not hello)
    assert peer.fetch()["commit"] == hub.commits["v1"]
    assert peer.fetch(fresh=True)["commit"] == hub.commits["v1"]
    assert peer.fetch(revision=hub.commits["v1"])["state"] == "ready"
    for asked in ({"version": 2}, {"repo": "org/nothing"}, {"revision": "main"}, {"device": "cuda", "capability": 90}):
        fault = fault_of(peer.fetch, **asked)
        assert fault.name == "offline", fault
        assert ("session" if hello else "configuration") in fault.message
    assert hub.counts()["total"] == 0


def test_another_session_may_still_ask(fetching, hub):
    offline, online = fetching.peer(offline=True), fetching.peer()
    assert fault_of(offline.fetch).name == "offline"
    online.fetch()
    assert offline.fetch()["commit"] == hub.commits["v1"]


def test_offline_ends_with_a_reload(make_fetching, hub):
    daemon = make_fetching()
    daemon.configure(offline=True).start()
    peer = daemon.peer()
    assert fault_of(peer.fetch).name == "offline"
    daemon.configure()
    assert peer.fetch()["state"] == "ready"


# --- what is not there ---


def test_what_is_not_there_is_believed_for_a_while(fetching, hub):
    with fetching.peer() as peer:
        for repo, name in (("org/nothing", "no-repository"), ("org/name", "no-revision")):
            assert fault_of(peer.fetch, repo, version=7).name == name
            hub.reset_requests()
            with fetching.peer() as other:
                assert fault_of(other.fetch, repo, version=7).name == name
            assert hub.counts()["total"] == 0
        assert peer.fetch()["state"] == "ready", "what is there is another question"


# What asks the Hub of a repository beside acquire, and how it says that there is none.
ASKING = {
    "versions": lambda peer, **name: fault_of(peer.call, "versions", repo=name["repo"]).name,
    "variants": lambda peer, **name: fault_of(peer.call, "variants", **name).name,
    "prefetch": lambda peer, **name: peer.call("prefetch", **name)["fetched"][0]["name"],
}


@pytest.mark.parametrize("method", ASKING)
@pytest.mark.parametrize("first", ("itself", "acquire"))
def test_whoever_asks_believes_what_is_not_there(fetching, hub, method, first):
    peer = fetching.peer(environment=GPU)
    # `versions` asks of the repository, which counts as its branch main.
    names = [({"repo": "org/nothing", "revision": "main"}, "no-repository")]
    if method != "versions":
        names.append(({"repo": "org/name", "version": 7}, "no-revision"))
    for name, expected in names:
        if first == "acquire":
            assert fault_of(peer.fetch, **name).name == expected
        else:
            assert ASKING[method](peer, **name) == expected
        hub.reset_requests()
        for _ in range(3):
            assert ASKING[method](peer, **name) == expected
        assert hub.counts()["total"] == 0


def test_versions_are_told_whatever_branch_is_not_there(fetching, hub):
    peer = fetching.peer()
    assert fault_of(peer.fetch, revision="main").name == "no-revision"
    assert peer.call("versions", repo="org/name")["revisions"][0]["version"] == 1


def test_what_is_known_is_prefetched_though_it_is_there_no_more(fetching, hub):
    peer = fetching.peer(environment=GPU)
    assert peer.fetch()["state"] == "ready"
    hub.set_fault("status", "refs", status=404, code="RepoNotFound")
    assert fault_of(peer.fetch, fresh=True).name == "no-repository"
    assert peer.call("prefetch", repo="org/name", version=1, device="cpu")["fetched"][0]["variant"] == "torch-cpu"


def test_fresh_does_not_believe_it(fetching, hub):
    peer = fetching.peer()
    assert fault_of(peer.fetch, version=2).name == "no-revision"
    new = hub.move_branch("org/name", "v2", to="v1", write={"README.md": b"# two\n"})
    assert fault_of(peer.fetch, version=2).name == "no-revision"
    assert peer.fetch(version=2, fresh=True)["commit"] == new
    assert peer.fetch(version=2)["commit"] == new


def test_troubles_of_the_hub_are_not_believed(fetching, hub):
    hub.set_fault("status", "refs", status=403)
    peer = fetching.peer()
    assert fault_of(peer.fetch).name == "hub"
    hub.remove_faults()
    assert peer.fetch()["state"] == "ready"


def test_a_refresh_is_on_the_account_of_who_caused_it(make_fetching, hub):
    daemon = make_fetching()
    daemon.configure(fresh_s=0, quota={"fetched": 50_000}).start()
    assert daemon.peer().fetch()["state"] == "ready"
    hub.move_branch("org/name", "v1", write=kernel_files(files={"_x.so": b"x" * 100_000}))
    assert daemon.peer().fetch()["state"] == "ready"
    until(lambda: "quota.fetched" in daemon.log(), "the refresh is refused")
    assert hub.counts()["cdn"] == 0


def test_what_was_found_is_believed_for_everybody(make_fetching, hub):
    hub.add_repository("org/name", {"v1": OLD})
    peer = make_fetching().start().peer(environment=GPU)
    assert fault_of(peer.fetch, version=2).name == "no-revision"
    hub.move_branch("org/name", "v2", to="v1", write={"README.md": b"# two\n"})
    peer.fetch(version=2, fresh=True)
    assert fetch_gpu(peer, version=2)["variant"] == "torch-cuda"


def test_a_move_to_a_publisher_who_is_not_trusted_takes_no_effect(make_fetching, hub):
    commit = hub.add_repository("org/name", {"v1": OLD})["v1"]
    hub.add_repository("other/new", {"v1": NEW}, trusted=False)
    daemon = make_fetching()
    daemon.configure(fresh_s=0).start()
    daemon.peer().fetch()
    hub.move_branch("org/name", "v1", write=redirect_to("other/new"))
    assert daemon.peer().fetch()["commit"] == commit
    until(lambda: "other, whom the Hub does not trust" in daemon.log(), "the move is refused")
    assert daemon.peer().fetch()["commit"] == commit
    assert (daemon.repository("org/name") / "refs" / "v1").read_text() == commit


def test_who_comes_while_the_branch_is_fetched_is_waited_for(stale, hub):
    fetch_gpu(stale.peer(environment=GPU), revision=hub.old)  # his files are here, but he does not go by the branch
    new = move(hub)
    fault = hub.set_fault("stall", "resolve")
    assert commit_for_anew(stale) == hub.old
    fault.wait()
    late = stale.peer(environment=GPU)
    assert fetch_gpu(late)["commit"] == hub.old
    fault.release()
    until_in_force(stale, new)
    hub.reset_requests()
    result = fetch_gpu(stale.peer(environment=GPU, offline=True))
    assert (result["commit"], result["variant"]) == (new, "torch-cuda")


def test_a_refresh_fetches_nothing_that_was_only_looked_up(make_fetching, hub):
    hub.add_repository("evil/name", {"v1": OLD}, trusted=False)
    daemon = make_fetching().start()
    daemon.peer().call("variants", repo="evil/name", version=1)
    daemon.peer(environment=GPU).fetch(trust_remote_code=True)  # whoever asks next is among the known environments
    hub.reset_requests()
    rows = daemon.ask("refresh")["fetched"]
    assert {row["repo"] for row in rows} == {"org/name"} and not hub.counts()["files"]
    (row,) = daemon.ask("refresh", repo="evil/name")["fetched"]
    assert row["name"] == "untrusted" and not hub.counts()["files"]
    for method in ("refresh", "cache.verify"):
        fault = fault_of(daemon.ask, method, repo="never/heard")
        assert fault.name == "no-repository" and "on this host" in fault.message


def test_a_pin_holds_for_everything_that_names_a_version(make_fetching, hub):
    old = hub.add_repository("org/name", {"v1": OLD})["v1"]
    new = move(hub)
    daemon = make_fetching().start()
    peer = daemon.peer(environment=GPU)
    assert peer.call("pin.set", repo="org/name", version=1, commit=old)["in_force"]
    assert peer.call("prefetch", repo="org/name", version=1, device="cpu")["fetched"][0]["commit"] == old
    assert peer.fetch(version=1)["commit"] == old
    assert peer.call("variants", repo="org/name", version=1)["commit"] == old
    assert "pinned" in fault_of(peer.call, "refresh", repo="org/name", version=1).message
    peer.call("pin.drop", repo="org/name", revision="v1")
    assert daemon.peer().fetch(version=1)["commit"] == new
