"""Whose kernels a host takes: judged for each asker, each time, whether the
kernel is here already or not; and what a refusal says."""

import shutil

import pytest

import harness
from harness import fault_of, kernel_files, until

TOKEN = "hf_secret"

# Words of advice that nobody is to be given.
CARELESS = ("trust_remote_code", "disable", "turn off", "skip", "insecure", "HF_HUB")


def refused(peer, name, line, *arguments, **keywords):
    """An acquire that policy refuses, naming the line of configuration that matters."""
    fault = fault_of(peer.fetch, *arguments, **keywords)
    assert fault.name == name, fault
    assert line in fault.message, fault
    assert not any(word in fault.message for word in CARELESS), fault
    return fault


def allow(name):
    return f'"trust": {{"allow": ["{name}"]}}'


def deny(name):
    return f'"trust": {{"deny": ["{name}"]}}'


def private(name):
    return f'"trust": {{"private": ["{name}"]}}'


@pytest.fixture
def stranger(hub):
    """A repository of a publisher whom the Hub does not trust."""
    return hub.add_repository("stranger/name", {"v1": kernel_files()}, trusted=False)["v1"]


def redirects(hub, repo, to):
    text = f'kind = "redirect"\ndestination = "{to}"\n'
    return hub.add_repository(repo, {"v1": {"kernel-status.toml": text.encode()}}, trusted=True)


# --- who is trusted ---


def test_a_publisher_whom_the_hub_trusts(fetching, hub):
    assert fetching.peer().fetch()["state"] == "ready"


@pytest.mark.parametrize("settings", [{"trustedKernelPublisher": False}, {}, {"user": True}],
                         ids=["says no", "says nothing", "a person"])
def test_others_are_refused_before_a_file_is_fetched(fetching, hub, settings):
    hub.add_repository("stranger/name", {"v1": kernel_files()})
    hub.set_organization("stranger", **settings)
    refused(fetching.peer(), "untrusted", allow("stranger"), "stranger/name")
    assert hub.counts()["files"] == 0
    assert not (fetching.repository("stranger/name") / "snapshots").exists()


@pytest.mark.parametrize("item", ["stranger", "stranger/name"])
def test_the_configuration_allows(make_fetching, hub, stranger, item):
    hub.add_repository("stranger/other", {"v1": kernel_files()})
    daemon = make_fetching()
    daemon.configure(trust={"allow": [item]}).start()
    peer = daemon.peer()
    assert peer.fetch("stranger/name")["commit"] == stranger
    assert hub.counts()["overview"] == 0, "whoever is allowed is not asked about"
    if item == "stranger":
        assert peer.fetch("stranger/other")["state"] == "ready"
    else:
        refused(peer, "untrusted", allow("stranger"), "stranger/other")


def test_the_word_of_the_hub_need_not_count(make_fetching, hub):
    daemon = make_fetching()
    daemon.configure(trust={"hub": False}).start()
    refused(daemon.peer(), "untrusted", allow("org"))
    assert hub.counts()["overview"] == hub.counts()["files"] == 0


def test_a_publisher_that_nobody_can_be_asked_about(make_fetching, hub):
    """Offline, with the kernel here, but no word of the Hub."""
    daemon = make_fetching().start()
    with daemon.peer() as peer:
        peer.fetch()
    assert daemon.stop() == 0
    shutil.rmtree(daemon.state)
    daemon.state.mkdir(mode=0o700)
    daemon.start()
    refused(daemon.peer(offline=True), "offline", allow("org"))
    assert daemon.peer().fetch()["commit"] == hub.commits["v1"]
    assert hub.counts()["overview"] == 2


# --- the asker's own word ---


def test_the_askers_word_counts_for_that_acquire_alone(fetching, hub, stranger):
    first, second = fetching.peer(), fetching.peer()
    refused(first, "untrusted", allow("stranger"), "stranger/name")
    assert second.fetch("stranger/name", trust_remote_code=True)["commit"] == stranger
    hub.reset_requests()
    for peer in (first, second, fetching.peer(offline=True)):
        refused(peer, "untrusted", allow("stranger"), "stranger/name")
        refused(peer, "untrusted", allow("stranger"), "stranger/name", revision=stranger)
    assert second.fetch("stranger/name", trust_remote_code=True)["commit"] == stranger
    assert hub.counts()["total"] == 0


def test_who_joins_is_judged_for_himself(fetching, hub, stranger):
    fault = hub.set_fault("stall", "resolve")
    trusting, other = fetching.peer(), fetching.peer()
    taken = trusting.begin_fetch("stranger/name", trust_remote_code=True)
    fault.wait()
    asked = other.begin_fetch("stranger/name")
    until(lambda: fetching.status()["acquires"] <= 2, "both asked")
    fault.release()
    assert trusting.answer(taken)["commit"] == stranger
    assert fault_of(other.answer, asked).name == "untrusted"


def test_a_restart_forgets_no_judgement(fetching, hub, stranger):
    with fetching.peer() as peer:
        refused(peer, "untrusted", allow("stranger"), "stranger/name")
        peer.fetch("stranger/name", trust_remote_code=True)
    hub.reset_requests()
    fetching.restart()
    refused(fetching.peer(), "untrusted", allow("stranger"), "stranger/name")
    assert hub.counts()["total"] == 0


# --- denials ---


@pytest.mark.parametrize("item", ["org", "org/name", "ORG/Name"])
def test_a_denial_comes_first_and_nothing_lifts_it(make_fetching, hub, item):
    daemon = make_fetching()
    daemon.configure(trust={"deny": [item], "allow": ["org", "org/name"]}).start()
    peer = daemon.peer()
    refused(peer, "denied-by-policy", deny(item))
    refused(peer, "denied-by-policy", deny(item), trust_remote_code=True)
    refused(peer, "denied-by-policy", deny(item), fresh=True)
    refused(peer, "denied-by-policy", deny(item), revision=hub.commits["v1"])
    assert hub.counts()["total"] == 0, "nothing is asked about what is denied"


def test_a_denial_of_where_a_redirect_leads(make_fetching, hub):
    hub.add_repository("bad/name", {"v1": kernel_files()}, trusted=True)
    redirects(hub, "org/old", "bad/name")
    daemon = make_fetching()
    daemon.configure(trust={"deny": ["bad"]}).start()
    peer = daemon.peer()
    fault = refused(peer, "denied-by-policy", deny("bad"), "org/old", trust_remote_code=True)
    assert "org/old leads to bad/name" in fault.message
    assert not daemon.repository("bad/name").exists()


def test_a_denial_of_where_a_redirect_begins(make_fetching, hub):
    redirects(hub, "old/name", "org/name")
    daemon = make_fetching()
    daemon.configure(trust={"deny": ["old"]}).start()
    refused(daemon.peer(), "denied-by-policy", deny("old"), "old/name")
    assert daemon.peer().fetch()["state"] == "ready"


def test_both_ends_of_a_redirect_must_be_trusted(fetching, hub, stranger):
    redirects(hub, "org/old", "stranger/name")
    peer = fetching.peer()
    fault = refused(peer, "untrusted", allow("stranger"), "org/old")
    assert "org/old leads to stranger/name" in fault.message
    redirects(hub, "stranger/old", "org/name")
    hub.set_organization("stranger", trustedKernelPublisher=False)
    refused(peer, "untrusted", allow("stranger"), "stranger/old")
    assert peer.fetch("org/old", trust_remote_code=True)["commit"] == stranger
    refused(peer, "untrusted", allow("stranger"), "org/old")


def test_what_was_fetched_before_a_denial_is_refused_after_it(make_fetching, hub):
    daemon = make_fetching().start()
    before = daemon.peer()
    held = before.fetch()
    hub.reset_requests()
    daemon.configure(trust={"deny": ["org"]})
    for peer in (before, daemon.peer(), daemon.peer(offline=True)):
        refused(peer, "denied-by-policy", deny("org"), trust_remote_code=True)
    assert harness.is_locked(held["path"]), "a lease is not taken back"
    assert daemon.stop() == 0
    daemon.start()
    refused(daemon.peer(), "denied-by-policy", deny("org"))
    daemon.configure()
    assert daemon.peer().fetch()["commit"] == hub.commits["v1"]
    assert hub.counts()["total"] == 0


def test_a_redirect_that_was_fetched_is_judged_at_both_ends(make_fetching, hub):
    hub.add_repository("new/name", {"v1": kernel_files()}, trusted=True)
    redirects(hub, "org/old", "new/name")
    daemon = make_fetching().start()
    peer = daemon.peer()
    assert peer.fetch("org/old")["redirect"] == "new/name"
    for item in ("new", "org"):
        daemon.configure(trust={"deny": [item]})
        refused(peer, "denied-by-policy", deny(item), "org/old")
        refused(daemon.peer(), "denied-by-policy", deny(item), "org/old")


# --- private ones ---


@pytest.fixture
def private_hub(make_fetching, hub):
    """A daemon with a token that is good for a private repository."""
    hub.add_repository("org/private", {"v1": kernel_files()}, private=True, tokens=[TOKEN])
    daemon = make_fetching()
    (daemon.folder / "token").write_text(TOKEN)
    (daemon.folder / "token").chmod(0o600)
    daemon.settings = {"hub": {"token_file": str(daemon.folder / "token")}}
    return daemon


def test_a_private_repository_is_for_none_unless_it_is_listed(private_hub, hub):
    private_hub.configure(**private_hub.settings).start()
    fault = fault_of(private_hub.peer().fetch, "org/private", trust_remote_code=True)
    assert fault.name == "no-repository" and "trust.private" in fault.message
    assert not any("authorization" in entry.headers for entry in hub.requests())


def test_a_refused_token_is_said_once_and_public_repositories_go_on(private_hub, hub):
    (private_hub.folder / "token").write_text("hf_wrong")
    private_hub.configure(**private_hub.settings, trust={"private": ["org/private", "org/other"]}).start()
    peer = private_hub.peer()
    for repo in ("org/private", "org/other", "org/private"):
        assert fault_of(peer.fetch, repo).name == "auth"
    assert peer.fetch()["state"] == "ready"
    assert private_hub.log().count("fetching org/private") == 1
    assert "fetching org/other" not in private_hub.log()
    assert "hf_wrong" not in private_hub.log()


def test_what_was_private_and_listed_is_refused_when_it_is_listed_no_more(private_hub, hub):
    private_hub.configure(**private_hub.settings, trust={"private": ["org/private"]}).start()
    peer = private_hub.peer()
    commit = peer.fetch("org/private")["commit"]
    hub.reset_requests()
    private_hub.configure(**private_hub.settings)
    for asker in (peer, private_hub.peer(), private_hub.peer(offline=True)):
        refused(asker, "denied-by-policy", private("org/private"), "org/private")
        refused(asker, "denied-by-policy", private("org/private"), "org/private", trust_remote_code=True)
    assert private_hub.stop() == 0
    private_hub.start()
    refused(private_hub.peer(), "denied-by-policy", private("org/private"), "org/private")
    private_hub.configure(**private_hub.settings, trust={"private": ["org/private"]})
    assert private_hub.peer().fetch("org/private")["commit"] == commit
    assert hub.counts()["total"] == 0


def test_the_commit_of_a_private_repository_is_as_private(private_hub, hub):
    private_hub.configure(**private_hub.settings, trust={"private": ["org/private"]}).start()
    commit = private_hub.peer().fetch("org/private")["commit"]
    private_hub.configure(**private_hub.settings)
    for peer in (private_hub.peer(), private_hub.peer(offline=True)):
        refused(peer, "denied-by-policy", private("org/private"), "org/private", revision=commit)
    assert private_hub.stop() == 0
    private_hub.start()
    refused(private_hub.peer(), "denied-by-policy", private("org/private"), "org/private", revision=commit)


def test_a_host_that_forgot_what_is_private_asks(make_fetching, private_hub, hub):
    """The files are here, and what is known of them is not."""
    daemon = make_fetching(system=True)
    daemon.configure(**private_hub.settings, trust={"private": ["org/private"]}).start()
    with daemon.peer() as peer:
        commits = {repo: peer.fetch(repo)["commit"] for repo in ("org/private", "org/name")}
    assert daemon.stop() == 0
    shutil.rmtree(daemon.state)
    daemon.state.mkdir(mode=0o700)
    daemon.configure(**private_hub.settings).start()
    for more in ({}, {"revision": commits["org/private"]}):
        fault = fault_of(daemon.peer().fetch, "org/private", **more)
        assert fault.name == "no-repository" and "trust.private" in fault.message
    assert daemon.peer().fetch(revision=commits["org/name"])["commit"] == commits["org/name"]
    assert hub.counts()["files"] == 4, "only what is allowed was asked"
    hub.reset_requests()
    assert daemon.peer().fetch(revision=commits["org/name"])["state"] == "ready"
    assert hub.counts()["total"] == 0


def test_a_redirect_to_a_private_repository(private_hub, hub):
    redirects(hub, "org/old", "org/private")
    private_hub.configure(**private_hub.settings, trust={"private": ["org/private"]}).start()
    peer = private_hub.peer()
    assert peer.fetch("org/old")["redirect"] == "org/private"
    assert not any("authorization" in entry.headers for entry in hub.requests() if "org/old" in entry.target)
    private_hub.configure(**private_hub.settings)
    refused(peer, "denied-by-policy", private("org/private"), "org/old")
    fault = fault_of(private_hub.peer().fetch, "org/private")
    assert fault.name in ("denied-by-policy", "no-repository")


# --- locks ---


def locked_mapping(daemon, commit):
    lock = daemon.config / "kernels.lock"
    lock.write_text(f'[{{"dependency": {{"repo-id": "org/name", "version": 1}}, "lock": {{"commit": "{commit}"}}}}]')
    daemon.write_mapping({"Silu": [{"device": "cpu", "use": {"repo": "org/name", "locked": str(lock)}}]})


def test_a_locked_reference_is_its_commit_wherever_the_branch_is(make_fetching, hub):
    old = hub.commits["v1"]
    hub.move_branch("org/name", "v1", write=kernel_files(files={"__init__.py": b"# new\n"}))
    daemon = make_fetching()
    locked_mapping(daemon, old)
    daemon.configure(fresh_s=0).start()
    peer = daemon.peer()
    result = peer.acquire("Silu", view=0)
    assert (result["commit"], result["layer"]) == (old, "Silu")
    assert result["reference"]["locked"] == str(daemon.config / "kernels.lock")
    assert hub.counts()["refs"] == 0 and not (daemon.repository() / "refs").exists()
    hub.reset_requests()
    for _ in range(2):
        assert daemon.peer().acquire("Silu", view=0)["commit"] == old
    assert hub.counts()["total"] == 0


def test_a_locked_reference_is_judged_as_others_are(make_fetching, hub):
    daemon = make_fetching()
    locked_mapping(daemon, hub.commits["v1"])
    daemon.configure(trust={"deny": ["org"]}).start()
    fault = fault_of(daemon.peer().acquire, "Silu", view=0)
    assert fault.name == "denied-by-policy" and deny("org") in fault.message


def test_a_lock_on_a_commit_that_is_gone(make_fetching, hub):
    daemon = make_fetching()
    locked_mapping(daemon, "0" * 40)
    daemon.start()
    fault = fault_of(daemon.peer().acquire, "Silu", view=0)
    assert fault.name == "no-revision" and "org/name" in fault.message
