"""What a Hub must answer, as real clients need it."""

import gzip
import hashlib
import urllib.parse

import pytest
from .asking import LARGE, SMALL, VARIANT, ask, files

import hub as double
from hub import git_ids


def commit_of(hub):
    return hub.commits["v1"]


def get_file(hub, path, revision="v1", **headers):
    """Follows redirects as a client does: by hand, no token to another host."""
    url = f"{hub.files}/{revision}/{path}"
    while True:
        reply = ask(url, **headers)
        if reply.status not in (302, 307):
            return reply
        url = urllib.parse.urljoin(url, reply.headers["Location"])


# --- names as git makes them; the expected values are git's own ---


def test_git_ids():
    assert git_ids.blob_id([], 0) == git_ids.EMPTY_BLOB_ID == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
    assert git_ids.blob_id([b"h", b"i\n"], 3) == "45b983be36b73c0788dc9cbcb76cbb80fc7bb057"
    # `a-b` before the folder `a`, as if that were called `a/`
    blob = "45b983be36b73c0788dc9cbcb76cbb80fc7bb057"
    folder = git_ids.tree_id([("100755", "run", blob)])
    assert folder == "28438de185f1b301202d0600702f17c07cd769fc"
    assert git_ids.tree_id([("40000", "a", folder), ("100644", "a-b", blob)]) == "da9f50b074ae2cf2db096b1340552120cc732978"
    with pytest.raises(ValueError):
        git_ids.blob_id([b"hi"], 3)


def test_ids_are_the_same_every_time(hub):
    with double.Hub() as other:
        assert other.add_repository("kernels-test/fake-relu", {"v1": files()})["v1"] == commit_of(hub)
        assert other.add_repository("kernels-test/other", {"v1": files()})["v1"] != commit_of(hub)


# --- the API ---


def test_refs(hub):
    value = ask(hub.api + "/refs").json()
    assert value == {
        "branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": hub.commits["main"]},
                     {"name": "v1", "ref": "refs/heads/v1", "targetCommit": commit_of(hub)}],
        "converts": [],
        "tags": [{"name": "stable", "ref": "refs/tags/stable", "targetCommit": commit_of(hub)}],
    }
    value = ask(hub.api + "/refs?include_prs=1").json()
    assert value["pullRequests"] == [{"name": "refs/pr/1", "ref": "refs/pr/1", "targetCommit": commit_of(hub)}]


@pytest.mark.parametrize("revision", ["v1", "stable", "refs%2Fpr%2F1", "refs%2Fheads%2Fv1", "{commit}", "{commit:.8}"])
def test_revision(hub, revision):
    value = ask(f"{hub.api}/revision/{revision.format(commit=commit_of(hub))}").json()
    assert value["id"] == "kernels-test/fake-relu" and value["sha"] == commit_of(hub)
    assert value["author"] == "kernels-test" and value["private"] is False and value["gated"] is False
    assert "siblings" not in value


def test_info_is_that_of_main(hub):
    assert ask(hub.api).json()["sha"] == hub.commits["main"]


def test_tree(hub):
    value = {entry["path"]: entry for entry in ask(f"{hub.api}/tree/v1?recursive=true&expand=false").json()}
    assert {path for path, entry in value.items() if entry["type"] == "file"} == set(files())
    assert {path for path, entry in value.items() if entry["type"] == "directory"} == \
        {"build", VARIANT, VARIANT + "/fake_relu"}
    assert value["README.md"] == {"type": "file", "path": "README.md", "size": 12,
                                  "oid": git_ids.object_id("blob", b"# fake-relu\n")}
    digest = hashlib.sha256(LARGE).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(LARGE)}\n".encode()
    assert value[VARIANT + "/_x.abi3.so"] == {
        "type": "file", "path": VARIANT + "/_x.abi3.so", "size": len(LARGE), "oid": git_ids.object_id("blob", pointer),
        "lfs": {"oid": digest, "size": len(LARGE), "pointerSize": len(pointer)}}
    assert value[VARIANT + "/empty.py"]["oid"] == git_ids.EMPTY_BLOB_ID


def test_tree_of_a_folder(hub):
    assert [entry["path"] for entry in ask(f"{hub.api}/tree/v1").json()] == ["README.md", "build"]
    assert [entry["path"] for entry in ask(f"{hub.api}/tree/v1/build?recursive=false").json()] == [VARIANT]
    whole = ask(f"{hub.api}/tree/{commit_of(hub)}/{urllib.parse.quote(VARIANT, safe='')}?recursive=true").json()
    assert len(whole) == 6 and all(entry["path"].startswith(VARIANT + "/") for entry in whole)


def test_unknown_folder(hub):
    for path in ("nothing", "README.md"):
        reply = ask(f"{hub.api}/tree/v1/{path}")
        assert (reply.status, reply.headers["X-Error-Code"]) == (404, "EntryNotFound")
        assert reply.headers["X-Repo-Commit"] == commit_of(hub) and reply.json()["error"]


def test_pages(hub):
    hub.options.page_size = 4
    url, seen, n_pages = f"{hub.api}/tree/v1?recursive=true&expand=false", [], 0
    while url:
        reply = ask(url)
        seen += [entry["path"] for entry in reply.json()]
        n_pages += 1
        link = reply.headers["Link"]
        assert link is None or (link.startswith(f"<{hub.endpoint}/") and link.endswith('>; rel="next"'))
        url = link and link[1 : link.index(">")]
        assert url is None or "recursive=true" in url
    assert n_pages == 3 and len(seen) == len(set(seen)) == 9
    assert len(ask(f"{hub.api}/tree/v1?recursive=true&limit=2").json()) == 2
    assert ask(f"{hub.api}/tree/v1?cursor=%21").status == 400


def test_pages_hold_1000_or_50(hub):
    hub.add_repository("kernels-test/many", {"main": {f"f{number:04}": b"" for number in range(1001)}})
    url = f"{hub.endpoint}/api/kernels/kernels-test/many/tree/main"
    reply = ask(url)
    assert len(reply.json()) == 1000 and reply.headers["Link"]
    expanded = ask(url + "?expand=true").json()
    assert len(expanded) == 50 and "lastCommit" in expanded[0]


def test_paths_info(hub):
    body = urllib.parse.urlencode({"paths": ["README.md", "build", "nothing"], "expand": "false"}, doseq=True).encode()
    value = ask(f"{hub.api}/paths-info/v1", "POST", body, Content_Type="application/x-www-form-urlencoded").json()
    assert [(entry["path"], entry["type"]) for entry in value] == [("README.md", "file"), ("build", "directory")]


def test_overview(hub):
    url = hub.endpoint + "/api/organizations/{}/overview"
    assert ask(url.format("kernels-test")).json()["trustedKernelPublisher"] is True
    hub.set_organization("quiet")
    assert "trustedKernelPublisher" not in ask(url.format("quiet")).json()
    hub.set_organization("person", user=True)
    assert ask(url.format("person")).status == ask(url.format("nobody")).status == 404


def test_anything_else(hub):
    for path in ("/api/agent-harnesses", "/", "//", "/api", "/kernels", "/api/models/a/b", "/api/kernels/un-namespaced/"):
        assert ask(hub.endpoint + path).status in (404, 401), path
    assert hub.counts()["other"] >= 4


# --- files ---


def test_small_file(hub):
    name = git_ids.object_id("blob", SMALL)
    for method in ("HEAD", "GET"):
        reply = ask(f"{hub.files}/v1/{VARIANT}/__init__.py", method)
        location = urllib.parse.urlsplit(reply.headers["Location"])
        assert reply.status == 307 and not location.netloc and location.query
        assert location.path == f"/api/resolve-cache/kernels/kernels-test/fake-relu/{commit_of(hub)}/{VARIANT}/__init__.py"
        # The client drops the query.
        reply = ask(hub.endpoint + location.path, method)
        assert reply.status == 200 and reply.headers["X-Repo-Commit"] == commit_of(hub)
        assert reply.headers["ETag"] == f'"{name}"' and reply.headers["Content-Length"] == str(len(SMALL))
        assert reply.body == (SMALL if method == "GET" else b"")


def test_empty_file_is_served_at_once(hub):
    reply = ask(f"{hub.files}/v1/{VARIANT}/empty.py", "HEAD")
    assert (reply.status, reply.headers["Content-Length"], reply.headers["ETag"]) == \
        (200, "0", f'"{git_ids.EMPTY_BLOB_ID}"')


def test_large_file(hub):
    digest = hashlib.sha256(LARGE).hexdigest()
    reply = ask(f"{hub.files}/{commit_of(hub)}/{VARIANT}/_x.abi3.so", "HEAD")
    assert reply.status == 302 and reply.headers["X-Repo-Commit"] == commit_of(hub)
    assert reply.headers["X-Linked-ETag"] == f'"{digest}"' and reply.headers["X-Linked-Size"] == str(len(LARGE))
    assert "X-Xet-Hash" not in reply.headers
    location = urllib.parse.urlsplit(reply.headers["Location"])
    assert location.netloc not in ("", urllib.parse.urlsplit(hub.endpoint).netloc)
    assert location.hostname != urllib.parse.urlsplit(hub.endpoint).hostname
    reply = ask(reply.headers["Location"])
    assert reply.status == 200 and reply.body == LARGE and digest not in reply.headers["ETag"]
    assert not [name for name in reply.headers if name.lower().startswith(("x-repo", "x-linked", "x-xet"))]


def test_cdn_takes_no_token_and_no_old_link(hub):
    hub.options.tokens.append("hf_known")
    url = ask(f"{hub.files}/v1/{VARIANT}/_x.abi3.so", Authorization="Bearer hf_known").headers["Location"]
    assert ask(url, Authorization="Bearer hf_known").status == 400
    assert ask(url).status == 200
    assert ask(url.partition("?")[0]).status == 403
    hub.expire_links()
    assert ask(url).status == 403
    assert get_file(hub, VARIANT + "/_x.abi3.so").body == LARGE


@pytest.mark.parametrize("path", [VARIANT + "/_x.abi3.so", VARIANT + "/__init__.py"])
def test_ranges(hub, path):
    whole = files()[path]
    for text, start, end in (("bytes=3-7", 3, 8), ("bytes=5-", 5, None), ("bytes=-4", len(whole) - 4, None),
                             ("bytes=1-99999999", 1, None)):
        reply = get_file(hub, path, Range=text)
        expected = whole[start:end]
        assert (reply.status, reply.body) == (206, expected), text
        assert reply.headers["Content-Range"] == f"bytes {start}-{start + len(expected) - 1}/{len(whole)}"
    reply = get_file(hub, path, Range=f"bytes={len(whole)}-")
    assert reply.status == 416 and reply.headers["Content-Range"] == f"bytes */{len(whole)}"
    assert get_file(hub, path, Range="bytes=0-1,4-5").status == 200
    assert get_file(hub, path, Range="bytes=0-1", If_Range='"another"').status == 200


def test_errors(hub):
    def error(url, **headers):
        reply = ask(url, **headers)
        assert reply.json()["error"] == reply.headers["X-Error-Message"]
        return reply.status, reply.headers["X-Error-Code"], reply.headers["X-Repo-Commit"]

    hub.options.tokens.append("hf_known")
    known = {"Authorization": "Bearer hf_known"}
    missing = hub.endpoint + "/api/kernels/kernels-test/missing"
    for url in (hub.api + "/revision/v9", hub.api + "/tree/v9", hub.files + "/v9/README.md"):
        assert error(url) == (404, "RevisionNotFound", None)
    assert error(hub.files + "/v1/kernel-status.toml") == (404, "EntryNotFound", commit_of(hub))
    assert error(hub.files + "/v1/build") == (404, "EntryNotFound", commit_of(hub))
    for url in (missing, missing + "/refs", missing + "/tree/main", hub.files.replace("fake-relu", "missing") + "/main/x"):
        assert error(url) == (401, "RepoNotFound", None)
        assert error(url, **known) == (404, "RepoNotFound", None)
    assert error(hub.api, Authorization="Bearer hf_wrong") == (401, None, None)


def test_private_repository(hub):
    hub.options.tokens.append("hf_other")
    hub.add_repository("kernels-test/secret", {"main": files()}, private=True, tokens=["hf_mine"])
    api, file = hub.endpoint + "/api/kernels/kernels-test/secret", hub.files.replace("fake-relu", "secret") + "/main/README.md"
    for url in (api, api + "/refs", api + "/tree/main", file):
        assert ask(url).status == 401
        assert ask(url, Authorization="Bearer hf_other").headers["X-Error-Code"] == "RepoNotFound"
        assert ask(url, Authorization="Bearer hf_mine").status == 200
    assert ask(api, Authorization="Bearer hf_mine").json()["private"] is True


def test_gated_repository(hub):
    hub.options.tokens.append("hf_other")
    hub.add_repository("kernels-test/gated", {"main": files()}, gated=True, tokens=["hf_mine"])
    file = hub.files.replace("fake-relu", "gated") + "/main/README.md"
    assert ask(hub.endpoint + "/api/kernels/kernels-test/gated/tree/main").status == 200
    for headers, status in (({}, 401), ({"Authorization": "Bearer hf_other"}, 403)):
        reply = ask(file, **headers)
        assert (reply.status, reply.headers["X-Error-Code"]) == (status, "GatedRepo")
    assert ask(file, Authorization="Bearer hf_mine").body == files()["README.md"]  # and no redirect


def test_disabled_repository(hub):
    hub.add_repository("kernels-test/off", {"main": files()}, disabled=True)
    reply = ask(hub.endpoint + "/api/kernels/kernels-test/off/refs")
    assert reply.status == 403 and reply.headers["X-Error-Message"] == "Access to this resource is disabled."


def test_renamed_repository(hub):
    hub.add_repository("kernels-test/old", {}, moved_to="kernels-test/fake-relu")
    for path in ("/api/kernels/kernels-test/{}/refs?include_prs=1", "/kernels/kernels-test/{}/resolve/v1/README.md"):
        reply = ask(hub.endpoint + path.format("old"))
        assert (reply.status, reply.headers["Location"]) == (307, path.format("fake-relu"))


def test_rate_limits_are_told(hub):
    reply = ask(hub.api + "/refs")
    assert reply.headers["RateLimit"].startswith('"api";r=') and ";t=" in reply.headers["RateLimit"]
    assert reply.headers["RateLimit-Policy"].startswith('"fixed window";"api";q=')
    assert ask(hub.files + "/v1/README.md").headers["RateLimit"].startswith('"resolvers";')


def test_status_file_is_an_ordinary_file(hub):
    text = 'kind = "redirect"\ndestination = "kernels-test/new"\n'
    hub.move_branch("kernels-test/fake-relu", "v1", write={"kernel-status.toml": text})
    assert get_file(hub, "kernel-status.toml").body == text.encode()


# --- options ---


def test_direct(hub):
    hub.options.direct = True
    assert ask(f"{hub.files}/v1/README.md").body == files()["README.md"]


def test_gzip(hub):
    hub.options.gzip = True
    for url in (hub.api + "/tree/v1?recursive=true", hub.files + "/v1/README.md"):
        plain = get_file(hub, "README.md") if "resolve" in url else ask(url)
        packed = get_file(hub, "README.md", Accept_Encoding="gzip", Range="bytes=1-2") if "resolve" in url \
            else ask(url, Accept_Encoding="gzip")
        assert packed.headers["Content-Encoding"] == "gzip" and "Content-Length" not in packed.headers
        assert "Content-Encoding" not in plain.headers and gzip.decompress(packed.body) == plain.body
    assert packed.headers["ETag"].startswith('W/"')


def test_xet(hub):
    hub.options.xet = True
    reply = ask(f"{hub.files}/v1/{VARIANT}/_x.abi3.so", "HEAD")
    assert len(reply.headers["X-Xet-Hash"]) == 64 and 'rel="xet-auth"' in reply.headers["Link"]
    tree = {entry["path"]: entry for entry in ask(f"{hub.api}/tree/v1?recursive=1").json()}
    assert tree[VARIANT + "/_x.abi3.so"]["xetHash"] == reply.headers["X-Xet-Hash"]
    assert get_file(hub, VARIANT + "/_x.abi3.so").body == LARGE


def test_tls():
    try:
        made = double.Hub(tls=True).start()
    except double.NoTls as error:
        pytest.skip(str(error))
    with made:
        made.add_repository("a/b", {"main": files()})
        url = f"{made.endpoint}/kernels/a/b/resolve/main/{VARIANT}/_x.abi3.so"
        location = ask(url, ca_file=str(made.ca_file)).headers["Location"]
        assert url.startswith("https://127.0.0.1") and location.startswith("https://localhost")
        assert ask(location, ca_file=str(made.ca_file)).body == LARGE
        with pytest.raises(OSError, match="certificate verify failed"):
            ask(url)
    assert not made.ca_file.exists()


# --- what is counted ---


def test_counts_and_order(hub):
    ask(hub.endpoint + "/api/organizations/kernels-test/overview")
    ask(hub.api + "/refs")
    ask(f"{hub.api}/tree/v1/build")
    get_file(hub, f"{VARIANT}/__init__.py")
    get_file(hub, f"{VARIANT}/_x.abi3.so", User_Agent="me/1")
    ask(hub.endpoint + "/api/agent-harnesses")
    assert [(entry.request_class, entry.status) for entry in hub.requests()] == [
        ("overview", 200), ("refs", 200), ("tree", 200), ("resolve", 307), ("resolve_cache", 200), ("resolve", 302),
        ("cdn", 200), ("other", 404)]
    counts = hub.counts()
    assert (counts["api"], counts["files"], counts["hops"], counts["total"]) == (4, 2, 2, 8)
    assert (counts["refs"], counts["paths_info"]) == (1, 0)
    assert hub.requests("cdn")[0].headers["user-agent"] == "me/1"
    hub.reset_requests()
    assert hub.counts()["total"] == 0 and hub.requests() == []
