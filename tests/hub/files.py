"""The files: resolve, the same-host cache that it redirects to, and the CDN."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import urllib.parse
import zlib

from . import access
from .body import Body
from .listing import xet_hash
from .messages import Answer, Request, Route, ranged
from .options import Options, Places
from .repository import Repositories, Repository
from .tree import Commit, File


class Links:
    """Signs addresses at the CDN. All that were given out can be made invalid,
    as happens on the Hub after an hour."""

    def __init__(self) -> None:
        self.secret = secrets.token_bytes(16)

    def expire(self) -> None:
        self.secret = secrets.token_bytes(16)

    def signature(self, path: str) -> str:
        return hmac.new(self.secret, path.encode(), hashlib.sha256).hexdigest()

    def is_valid(self, request: Request) -> bool:
        return hmac.compare_digest(request.query.get("Signature", "").encode(), self.signature(request.path).encode())


def compressed(answer: Answer) -> Answer:
    """The answer with its body as gzip: no length, no ranges, a weak etag, as the Hub does."""
    packer = zlib.compressobj(wbits=31)
    data = packer.compress(answer.body.read()) + packer.flush()
    answer.body = Body(b"%x\r\n" % len(data), data, b"\r\n0\r\n\r\n")
    for name, value in (("Content-Encoding", "gzip"), ("Transfer-Encoding", "chunked"), ("Vary", "Accept-Encoding"),
                        ("Accept-Ranges", None)):
        answer.set_header(name, value)
    if answer.header("ETag"):
        answer.set_header("ETag", f"W/{answer.header('ETag')}")
    return answer


class Files:
    """What the Hub itself answers for files. The caller holds the repositories' lock."""

    def __init__(self, repositories: Repositories, options: Options, places: Places, links: Links):
        self.repositories = repositories
        self.options = options
        self.places = places
        self.links = links

    def route(self, request: Request) -> Route | None:
        """Class of a request and how to answer it; None if it is of no known form."""
        if request.method not in ("GET", "HEAD"):
            return None
        match request.parts:
            case ["kernels", org, name, "resolve", revision, *path] if path:
                return "resolve", lambda: self.resolve(request, f"{org}/{name}", revision, "/".join(path))
            case ["api", "resolve-cache", "kernels", org, name, commit, *path] if path:
                return "resolve_cache", lambda: self.cached(request, f"{org}/{name}", commit, "/".join(path))
        return None

    def _file(self, request: Request, identity: str, revision: str, path: str) -> tuple[Repository, Commit, File]:
        repository = access.open_repository(request, self.repositories, identity)
        access.check_files(request, repository)
        commit = repository.find(revision)
        if commit is None:
            raise access.revision_not_found(revision)
        file = commit.find(path)
        if not isinstance(file, File):
            raise access.entry_not_found(path, commit.id)
        return repository, commit, file

    def resolve(self, request: Request, identity: str, revision: str, path: str) -> Answer:
        """Raises Refused."""
        repository, commit, file = self._file(request, identity, revision, path)
        if file.sha256:
            return self._to_cdn(repository, commit, file)
        is_open = not (repository.settings.private or repository.settings.gated)
        if is_open and file.body.size and not self.options.direct:
            return self._to_cache(request, repository, commit, path, file)
        return self._small(request, commit, file)

    def cached(self, request: Request, identity: str, revision: str, path: str) -> Answer:
        """Raises Refused."""
        _, commit, file = self._file(request, identity, revision, path)
        return self._small(request, commit, file)

    def _small(self, request: Request, commit: Commit, file: File) -> Answer:
        headers = {"Content-Type": "text/plain; charset=utf-8", "X-Repo-Commit": commit.id, "ETag": f'"{file.etag}"'}
        if self.options.gzip and file.body.size and "gzip" in request.headers.get("accept-encoding", ""):
            return Answer(200, headers, file.body, compress=True)
        return ranged(request, file.body, headers)

    def _to_cache(self, request: Request, repository: Repository, commit: Commit, path: str, file: File) -> Answer:
        query = urllib.parse.urlencode({request.path: "", "etag": f'"{file.etag}"'})
        target = f"/api/resolve-cache/kernels/{repository.id}/{commit.id}/{urllib.parse.quote(path)}?{query}"
        return Answer(307, {"Location": target, "X-Repo-Commit": commit.id, "Content-Type": "text/plain; charset=utf-8"},
                      Body(f"Temporary Redirect. Redirecting to {target}".encode()))

    def _to_cdn(self, repository: Repository, commit: Commit, file: File) -> Answer:
        path = f"/repos/{file.etag[:2]}/{file.etag}"
        query = urllib.parse.urlencode({"repository": repository.id, "Expires": "4102444800",
                                        "Signature": self.links.signature(path)})
        target = f"{self.places.cdn}{path}?{query}"
        headers = {"Location": target, "X-Repo-Commit": commit.id, "X-Linked-Size": str(file.body.size),
                   "X-Linked-ETag": f'"{file.etag}"', "Accept-Ranges": "bytes",
                   "Content-Type": "text/plain; charset=utf-8"}
        if self.options.xet:
            headers["X-Xet-Hash"] = xet_hash(file)
            token = f"{self.places.endpoint}/api/kernels/{repository.id}/xet-read-token/{commit.id}"
            headers["Link"] = f'<{token}>; rel="xet-auth"'
        return Answer(302, headers, Body(f"Found. Redirecting to {target}".encode()))


class Cdn:
    """The other host. It knows no repositories, only hashes, and is strict about
    who asks: a token must never come here."""

    def __init__(self, repositories: Repositories, links: Links):
        self.repositories = repositories
        self.links = links

    def route(self, request: Request) -> Route:
        return "cdn", lambda: self.content(request)

    def content(self, request: Request) -> Answer:
        """Raises Refused."""
        if "authorization" in request.headers:
            raise access.Refused(400, None, "Only one auth mechanism allowed")
        if not self.links.is_valid(request):
            raise access.Refused(403, None, "Access denied: the link is not valid, or not any more")
        with self.repositories.lock:
            file = self.repositories.content(request.parts[-1])
        if file is None or request.method not in ("GET", "HEAD"):
            raise access.Refused(404, None, "No such key")
        etag = hashlib.sha256(b"cdn" + file.etag.encode()).hexdigest()[:32]
        return ranged(request, file.body, {"Content-Type": "application/octet-stream", "ETag": f'"{etag}"'})
