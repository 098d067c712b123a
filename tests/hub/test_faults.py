"""Every fault does what it says, as often as it says."""

import http.client
import json
import threading

import pytest
from .asking import LARGE, VARIANT, ask, connect, files

PATH = f"/kernels/kernels-test/fake-relu/resolve/v1/{VARIANT}/_x.abi3.so"


def content(hub):
    """The large file, by way of the CDN."""
    return ask(ask(hub.endpoint + PATH).headers["Location"])


@pytest.mark.parametrize("reset", [False, True])
def test_drop(hub, reset):
    hub.set_fault("drop", "cdn", after=1000, reset=reset, times=1)
    with pytest.raises(ConnectionResetError if reset else http.client.IncompleteRead) as caught:
        content(hub)
    assert reset or len(caught.value.partial) == 1000
    assert content(hub).body == LARGE


def test_drop_before_the_answer(hub):
    hub.set_fault("drop", "refs", times=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        ask(hub.api + "/refs")
    assert ask(hub.api + "/refs").status == 200


def test_drop_and_resume(hub):
    hub.set_fault("drop", "cdn", after=1000, times=1)
    with pytest.raises(http.client.IncompleteRead) as caught:
        content(hub)
    url = ask(hub.endpoint + PATH).headers["Location"]
    assert caught.value.partial + ask(url, Range="bytes=1000-").body == LARGE


def test_flip(hub):
    hub.set_fault("flip", "cdn", at=77)
    body = content(hub).body
    assert len(body) == len(LARGE) and body[:77] + body[78:] == LARGE[:77] + LARGE[78:] and body[77] != LARGE[77]


@pytest.mark.parametrize("by", [-5, 5])
def test_length(hub, by):
    hub.set_fault("length", "cdn", by=by)
    reply = content(hub)
    assert len(reply.body) == int(reply.headers["Content-Length"]) == len(LARGE) + by


@pytest.mark.parametrize("after", [None, 0, 5000])
def test_stall(hub, after):
    fault = hub.set_fault("stall", "cdn", after=after)
    url = ask(hub.endpoint + PATH).headers["Location"]
    connection, seen = connect(url), []

    def read():
        connection.request("GET", "/" + url.partition("://")[2].partition("/")[2])
        answer = connection.getresponse()
        seen.append(answer.read(after or 0))
        if after is not None:
            arrived.set()
        seen.append(answer.read())

    arrived = threading.Event()
    thread = threading.Thread(target=read)
    thread.start()
    fault.wait(1)
    if after is not None:
        assert arrived.wait(60), "what comes before the stall was not sent"
    assert thread.is_alive() and len(seen) == (after is not None)
    fault.release()
    thread.join()
    connection.close()
    assert b"".join(seen) == LARGE


def test_stop_ends_what_is_stalled(hub):
    fault = hub.set_fault("stall", "refs")
    ended = []

    def asks():
        try:
            ended.append(ask(hub.api + "/refs").status)
        except (OSError, http.client.HTTPException) as error:
            ended.append(error)

    thread = threading.Thread(target=asks)
    thread.start()
    fault.wait(1)
    hub.stop()
    thread.join()
    assert len(ended) == 1 and fault.released.is_set(), "its thread would wait for ever"


def test_status_n_times(hub):
    fault = hub.set_fault("status", "api", skip=1, times=2, status=503, headers={"Retry-After": "1"})
    replies = [ask(hub.api + "/refs") for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 503, 503, 200] and fault.met == 2
    assert replies[1].headers["Retry-After"] == "1" and replies[1].headers["X-Error-Code"] is None
    assert [entry.faults for entry in hub.requests()] == [[], [fault.id], [fault.id], []]


def test_status_hides_a_file(hub):
    hub.set_fault("status", "files", path="*/metadata.json", status=404, code="EntryNotFound")
    reply = ask(f"{hub.files}/v1/{VARIANT}/metadata.json")
    assert (reply.status, reply.headers["X-Error-Code"]) == (404, "EntryNotFound")
    assert ask(f"{hub.files}/v1/{VARIANT}/__init__.py").status == 307


def test_rate_limit(hub):
    hub.set_fault("rate_limit", "refs", times=1, t=7, retry_after=9)
    reply = ask(hub.api + "/refs")
    assert (reply.status, reply.headers["RateLimit"], reply.headers["Retry-After"]) == (429, '"api";r=0;t=7', "9")


def test_slow_headers(hub):
    hub.set_fault("slow_headers", "refs", pause_ms=1)
    assert ask(hub.api + "/refs").json()["converts"] == []


def test_truncate(hub):
    hub.set_fault("truncate", "tree")
    reply = ask(hub.api + "/tree/v1")
    assert reply.status == 200
    with pytest.raises(json.JSONDecodeError):
        reply.json()


def test_body(hub):
    hub.set_fault("body", "overview", text="<html>")
    assert ask(hub.endpoint + "/api/organizations/kernels-test/overview").body == b"<html>"


def test_headers(hub):
    hub.set_fault("headers", "resolve", method="HEAD", set={"x-linked-etag": '"../../x"'}, remove=["X-Repo-Commit"])
    reply = ask(hub.endpoint + PATH, "HEAD")
    assert reply.headers.get_all("X-Linked-ETag") == ['"../../x"'] and reply.headers["X-Repo-Commit"] is None
    assert ask(hub.endpoint + PATH).headers["X-Repo-Commit"]


def test_listing(hub):
    names = ["../evil", "/etc/passwd", "build/./x", "readme.MD", "n" * 4096]
    hub.set_fault("listing", "tree", names=names, entries=[{"path": 7}], change={"README.md": {"oid": "no hash"}})
    value = ask(hub.api + "/tree/v1").json()
    assert [entry["path"] for entry in value] == ["README.md", "build", *names, 7] and value[0]["oid"] == "no hash"
    assert ask(hub.api + "/tree/v9").headers["X-Error-Code"] == "RevisionNotFound"


def test_malformed_names_in_a_repository(hub):
    names = ["build/v/../../evil", "/etc/passwd", "a", "A", "n" * 4096, "new\nline"]
    hub.add_repository("kernels-test/odd", {"main": {name: b"x" for name in names}})
    value = ask(hub.endpoint + "/api/kernels/kernels-test/odd/tree/main?recursive=true").json()
    assert {entry["path"] for entry in value if entry["type"] == "file"} == set(names)
    url = hub.files.replace("fake-relu", "odd") + "/main/"
    assert ask(url + "/etc/passwd").status == ask(url + "build/v/../../evil").status == 307
    assert ask(url + "no%0d%0aX-Evil:%201").headers["X-Evil"] is None


def test_moved_branch_and_removed_file(hub):
    before = hub.commits["v1"]
    after = hub.move_branch("kernels-test/fake-relu", "v1", write={"new": "x"}, remove=["README.md"])
    assert ask(hub.api + "/revision/v1").json()["sha"] == after != before
    assert ask(hub.files + "/v1/README.md").headers["X-Repo-Commit"] == after
    assert ask(f"{hub.files}/{before}/README.md").status == 307, "the old commit stays readable"
    assert hub.move_branch("kernels-test/fake-relu", "v1", to=before) == before
    assert hub.move_branch("kernels-test/fake-relu", "v2", write={"a": b"b"}) != before
    with pytest.raises(LookupError):
        hub.move_branch("kernels-test/fake-relu", "v1", remove=["nothing"])


def test_forgotten_commit(hub):
    hub.forget_commit("kernels-test/fake-relu", hub.commits["v1"])
    assert ask(hub.api + "/revision/v1").headers["X-Error-Code"] == "RevisionNotFound"
    assert [branch["name"] for branch in ask(hub.api + "/refs").json()["branches"]] == ["main"]


def test_faults_go_away(hub):
    hub.set_fault("status")
    assert ask(hub.api).status == 500
    hub.remove_faults()
    assert ask(hub.api).status == 200


@pytest.mark.parametrize("arguments", [("nothing",), ("drop", "nowhere"), ("drop", "cdn", "*", None, 0, None)])
def test_wrong_faults(hub, arguments):
    with pytest.raises(ValueError):
        hub.set_fault(*arguments, **({"nonsense": 1} if len(arguments) > 2 else {}))
    assert hub.faults.list() == []


def test_requests_are_counted_though_dropped(hub):
    hub.set_fault("drop", "cdn", times=1)
    with pytest.raises((http.client.HTTPException, OSError)):
        content(hub)
    assert hub.counts()["cdn"] == 1 and len(files()) == 6
