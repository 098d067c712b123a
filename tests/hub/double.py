"""The double as one object: repositories, three listeners, faults, the journal."""

from __future__ import annotations

import pathlib
import ssl
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

from .control import Control
from .directory import read_directory
from .faults import Fault, Faults
from .files import Cdn, Links
from .journal import PATIENCE_S, Entry, Journal
from .options import Options, Places
from .repository import Organization, Repositories, Repository, RepositorySettings, settings_from
from .server import Listener
from .site import HubSite, Watched
from .tls import make_certificates, server_context
from .tree import Content, body_of


class Hub:
    """A Hub on loopback. Use it in a `with`, or call `start` and `stop`.

    `endpoint`, `cdn`, `control` are base URLs and `ca_file` the path of the
    authority's certificate (None without TLS), once it is started. Every method
    may be called from any thread."""

    def __init__(self, directory: str | pathlib.Path | None = None, *, tls: bool = False, port: int = 0,
                 cdn_port: int = 0, control_port: int = 0, options: Options | None = None):
        """directory: repositories to read, see README.md. Ports: 0 for any.

        Raises ValueError for a wrong hub.json, OSError for what cannot be read."""
        self.directory = None if directory is None else pathlib.Path(directory)
        self.options = options or Options()
        self.is_tls = tls
        self.ports = (port, cdn_port, control_port)
        self.repositories = Repositories()
        self.faults = Faults()
        self.journal = Journal()
        self.places = Places()
        self.ca_file: pathlib.Path | None = None
        self._links = Links()
        self._listeners: list[Listener] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.reload()

    # --- running ---

    @property
    def endpoint(self) -> str:
        """What HF_ENDPOINT should be."""
        return self.places.endpoint

    @property
    def cdn(self) -> str:
        return self.places.cdn

    @property
    def control(self) -> str:
        return self.places.control

    def start(self) -> Hub:
        """Listens, if it does not yet. Raises OSError for a port that is taken,
        tls.NoTls."""
        if self._listeners:
            return self
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self) -> None:
        context = self._make_tls()
        hub = Watched(HubSite(self.repositories, self.options, self.places, self._links), self.journal, self.faults)
        cdn = Watched(Cdn(self.repositories, self._links), self.journal, self.faults)
        for site, port, tls in zip((hub, cdn, Control(self)), self.ports, (context, context, None)):
            self._listeners.append(Listener(site, port, tls))
        ports = [listener.port for listener in self._listeners]
        scheme = "https" if self.is_tls else "http"
        # Two names of one address: to a client they are two hosts.
        self.places.endpoint = f"{scheme}://127.0.0.1:{ports[0]}"
        self.places.cdn = f"{scheme}://localhost:{ports[1]}"
        self.places.control = f"http://127.0.0.1:{ports[2]}"
        for listener in self._listeners:
            listener.start()

    def _make_tls(self) -> ssl.SSLContext | None:
        if not self.is_tls:
            return None
        self._folder = tempfile.TemporaryDirectory(prefix="hub-double-")
        self.ca_file = make_certificates(pathlib.Path(self._folder.name))
        return server_context(pathlib.Path(self._folder.name))

    def stop(self) -> None:
        """Ends every connection, stalled or not."""
        self.faults.remove()
        for listener in self._listeners:
            listener.stop()
        self._listeners = []
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def __enter__(self) -> Hub:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def state(self) -> dict[str, Any]:
        """Addresses, and the names and commits of every repository."""
        with self.repositories.lock:
            known = {repository.id: {"branches": repository.branches, "tags": repository.tags, "pulls": repository.pulls}
                     for repository in self.repositories.repositories.values()}
        return {**self.addresses(), "repositories": known}

    def addresses(self) -> dict[str, str | None]:
        return {"endpoint": self.endpoint, "cdn": self.cdn, "control": self.control,
                "ca_file": None if self.ca_file is None else str(self.ca_file)}

    # --- repositories ---

    def reload(self) -> None:
        """Reads the directory anew: what changed there are new commits, the old
        ones stay readable. Raises as the constructor."""
        if self.directory is not None:
            read_directory(self.directory, self.repositories, self.options.repositories)

    def add_repository(self, identity: str, branches: Mapping[str, Mapping[str, Content]], *, trusted: bool | None = None,
                       tags: Mapping[str, str] | None = None, pulls: Mapping[str, str] | None = None,
                       **settings: Any) -> dict[str, str]:
        """Adds a repository, or replaces one of the same name.

        branches: files by branch; content is bytes, text or the Path of a file.
        trusted: trustedKernelPublisher of its publisher; None leaves that as it is.
        tags, pulls: branch by tag and by number. settings: as in hub.json.
        Answers commits by branch. Raises ValueError for a setting or a branch
        that is not known, and for paths that contradict each other."""
        repository = Repository(identity, settings_from(RepositorySettings, settings, identity))
        for branch, files in branches.items():
            made = {path: repository.file(path, body_of(content)) for path, content in files.items()}
            repository.branches[branch] = repository.add_commit(made).id
        repository.tags = {name: repository.commit_of(branch).id for name, branch in (tags or {}).items()}
        repository.pulls = {name: repository.commit_of(branch).id for name, branch in (pulls or {}).items()}
        self.repositories.add(repository, None if trusted is None else Organization(trustedKernelPublisher=trusted))
        return dict(repository.branches)

    def set_organization(self, name: str, **settings: Any) -> None:
        """Adds a publisher, or replaces what is said of it.

        settings: as in its hub.json. Raises ValueError for what is not known."""
        with self.repositories.lock:
            self.repositories.organizations[name] = settings_from(Organization, settings, name)

    def move_branch(self, identity: str, branch: str, to: str | None = None, write: Mapping[str, Content] | None = None,
                    remove: Iterable[str] = ()) -> str:
        """Lets a branch, new or not, show another commit; answers its id.

        to: revision to start from, else where the branch is. write: files put on
        top. remove: paths that go. Raises repository.Unknown."""
        with self.repositories.lock:
            return self.repositories.get(identity).move_branch(branch, to, write or {}, remove).id

    def forget_commit(self, identity: str, commit: str) -> None:
        """Takes a commit away with its branches and tags. Raises repository.Unknown."""
        with self.repositories.lock:
            self.repositories.get(identity).forget(commit)

    def expire_links(self) -> None:
        """Addresses at the CDN that were given out are answered 403 from now on."""
        self._links.expire()

    # --- faults and what was asked ---

    def set_fault(self, kind: str, request_class: str = "any", path: str = "*", method: str | None = None,
                  skip: int = 0, times: int | None = None, **parameters: Any) -> Fault:
        """As faults.Faults.set; README.md has the kinds. Answers the fault, which
        has `wait`, `release` and `met`."""
        return self.faults.set(kind, request_class, path, method, skip, times, **parameters)

    def remove_faults(self) -> None:
        """Releases what they stall, too."""
        self.faults.remove()

    def requests(self, wanted: str = "any") -> list[Entry]:
        """Requests since the start or the reset, of a class or group, in order."""
        return self.journal.requests(wanted)

    def counts(self) -> dict[str, int]:
        """How many of each class and group, and `total`."""
        return self.journal.counts()

    def reset_requests(self) -> None:
        self.journal.reset()

    def wait_requests(self, wanted: str = "any", n: int = 1, patience_s: float = PATIENCE_S) -> None:
        """Returns once so many came in. Raises TimeoutError."""
        self.journal.wait(wanted, n, patience_s)
