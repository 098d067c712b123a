"""Who may read what, and the errors of the Hub."""

from __future__ import annotations

from .messages import Answer, Request, json_answer
from .repository import Repositories, Repository


class Refused(Exception):
    """Ends a request; `answer` is what the asker gets."""

    def __init__(self, status: int, code: str | None, message: str, **headers: str):
        """code: X-Error-Code. headers: more of them, `_` for `-`."""
        super().__init__(message)
        self.answer: Answer = json_answer({"error": message}, status, **headers)
        self.answer.headers["X-Error-Message"] = message
        if code:
            self.answer.headers["X-Error-Code"] = code


def repository_not_found(request: Request) -> Refused:
    """The same for what is not there and for what the asker may not know of."""
    if request.token is None:
        return Refused(401, "RepoNotFound", "Invalid username or password.")
    return Refused(404, "RepoNotFound", "Repository not found")


def revision_not_found(revision: str) -> Refused:
    return Refused(404, "RevisionNotFound", f"Invalid rev id: {revision}")


def entry_not_found(path: str, commit: str) -> Refused:
    return Refused(404, "EntryNotFound", f'Entry not found: "{path}"'.encode("ascii", "replace").decode(),
                   X_Repo_Commit=commit)


def check_token(request: Request, repositories: Repositories, known: list[str]) -> None:
    """A token that nobody has is refused, even where none is needed.

    known: tokens of people without special rights. Raises Refused."""
    if request.token is not None and request.token not in known and not repositories.knows_token(request.token):
        raise Refused(401, None, "Invalid credentials in Authorization header")


def open_repository(request: Request, repositories: Repositories, identity: str) -> Repository:
    """The repository, if the asker may know of it. Raises Refused."""
    repository = repositories.repositories.get(identity)
    if repository is None:
        raise repository_not_found(request)
    if repository.settings.private and request.token not in repository.settings.tokens:
        raise repository_not_found(request)
    if repository.settings.disabled:
        raise Refused(403, None, "Access to this resource is disabled.")
    return repository


def check_files(request: Request, repository: Repository) -> None:
    """Listings of a gated repository are open, its files are not. Raises Refused."""
    if repository.settings.gated and request.token not in repository.settings.tokens:
        message = f"Access to kernel {repository.id} is restricted and you are not in the authorized list."
        raise Refused(401 if request.token is None else 403, "GatedRepo", message)
