"""The API: everything below /api/ but the files themselves."""

from __future__ import annotations

import urllib.parse
from typing import Any

from . import access
from .listing import entry_value, page
from .messages import Answer, Request, Route, json_answer
from .options import Options, Places
from .repository import Repositories, Repository
from .tree import Commit, File, Folder


class Api:
    """Answers from `repositories`, whose lock the caller holds."""

    def __init__(self, repositories: Repositories, options: Options, places: Places):
        self.repositories = repositories
        self.options = options
        self.places = places

    def route(self, request: Request) -> Route | None:
        """Class of a request and how to answer it; None if it is of no known form."""
        match request.method, request.parts[1:]:
            case "GET" | "HEAD", ["organizations", name, "overview"]:
                return "overview", lambda: self.overview(name)
            case "GET" | "HEAD", ["kernels", org, name]:
                return "info", lambda: self.info(request, f"{org}/{name}", "main")
            case "GET" | "HEAD", ["kernels", org, name, "refs"]:
                return "refs", lambda: self.refs(request, f"{org}/{name}")
            case "GET" | "HEAD", ["kernels", org, name, "revision", revision]:
                return "revision", lambda: self.info(request, f"{org}/{name}", revision)
            case "GET" | "HEAD", ["kernels", org, name, "tree", revision, *path]:
                return "tree", lambda: self.tree(request, f"{org}/{name}", revision, "/".join(path))
            case "POST", ["kernels", org, name, "paths-info", revision]:
                return "paths_info", lambda: self.paths_info(request, f"{org}/{name}", revision)
        return None

    def _commit(self, request: Request, identity: str, revision: str) -> tuple[Repository, Commit]:
        repository = access.open_repository(request, self.repositories, identity)
        commit = repository.find(revision)
        if commit is None:
            raise access.revision_not_found(revision)
        return repository, commit

    def _value(self, request: Request, repository: Repository, path: str, entry: File | Folder,
               expanded_by: str | None) -> dict[str, Any]:
        masked = repository.settings.gated and request.token not in repository.settings.tokens
        return entry_value(path, entry, self.options.xet, masked, expanded_by)

    def overview(self, name: str) -> Answer:
        """Raises Refused for what is no organization."""
        organization = self.repositories.organizations.get(name)
        if organization is None or organization.user:
            raise access.Refused(404, None, "This organization does not exist")
        value = {"name": name, "fullname": name, "type": "org", "isVerified": False, "numUsers": 1, "numFollowers": 0}
        if organization.trustedKernelPublisher is not None:
            value["trustedKernelPublisher"] = organization.trustedKernelPublisher
        return json_answer(value)

    def info(self, request: Request, identity: str, revision: str) -> Answer:
        """Raises Refused, as all that follow do."""
        repository, commit = self._commit(request, identity, revision)
        return json_answer({
            "_id": commit.id[:24],
            "id": repository.id,
            "author": repository.id.split("/")[0],
            "sha": commit.id,
            "lastModified": "2026-01-01T00:00:00.000Z",
            "private": repository.settings.private,
            "gated": "manual" if repository.settings.gated else False,
            "disabled": repository.settings.disabled,
            "downloads": 0,
            "likes": 0,
            "tags": ["kernel"],
        })

    def refs(self, request: Request, identity: str) -> Answer:
        repository = access.open_repository(request, self.repositories, identity)

        def items(names: dict[str, str], prefix: str) -> list[dict[str, str]]:
            return [{"name": name, "ref": prefix + name, "targetCommit": commit} for name, commit in names.items()]

        value = {"tags": items(repository.tags, "refs/tags/"), "branches": items(repository.branches, "refs/heads/"),
                 "converts": []}
        if request.query.get("include_prs") in ("1", "true"):
            value["pullRequests"] = [{**item, "name": item["ref"]} for item in items(repository.pulls, "refs/pr/")]
        return json_answer(value)

    def tree(self, request: Request, identity: str, revision: str, path: str) -> Answer:
        repository, commit = self._commit(request, identity, revision)
        folder = commit.find(path)
        if not isinstance(folder, Folder):
            raise access.entry_not_found(path, commit.id)
        expanded_by = commit.id if request.query.get("expand") == "true" else None
        recursive = request.query.get("recursive") in ("1", "true")
        values = [self._value(request, repository, name, entry, expanded_by)
                  for name, entry in folder.walk(f"{path}/" if path else "", recursive)]
        return page(request, values, self.places.endpoint, self.options.page_size)

    def paths_info(self, request: Request, identity: str, revision: str) -> Answer:
        repository, commit = self._commit(request, identity, revision)
        form = urllib.parse.parse_qs(request.body.decode(errors="replace"))
        expanded_by = commit.id if form.get("expand") == ["true"] else None
        found = [(path, commit.find(path)) for path in form.get("paths", []) if path]
        return json_answer([self._value(request, repository, path, entry, expanded_by)
                            for path, entry in found if entry is not None])
