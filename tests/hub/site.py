"""What the Hub's and the CDN's listener answer: routes, the journal, faults."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from . import access
from .api import Api
from .faults import Faults
from .files import Cdn, Files, Links, compressed
from .journal import HOPS, Journal
from .messages import Answer, Request, Route
from .options import Options, Places
from .repository import Repositories

# What the Hub grants in a window of five minutes; nothing here is ever used up.
QUOTAS = {"api": 500, "resolvers": 3000}
WINDOW_S = 300


class HubSite:
    """The Hub itself."""

    def __init__(self, repositories: Repositories, options: Options, places: Places, links: Links):
        self.repositories = repositories
        self.options = options
        self.sites = [Files(repositories, options, places, links), Api(repositories, options, places)]
        self.n_answers = itertools.count(1)

    def route(self, request: Request) -> Route:
        """Class of a request and how to answer it."""
        request_class, answer = next(filter(None, (site.route(request) for site in self.sites)), ("other", self._nothing))
        return request_class, lambda: self._answer(request_class, request, answer)

    def _nothing(self) -> Answer:
        raise access.Refused(404, None, "Not found")

    def _answer(self, request_class: str, request: Request, answer: Callable[[], Answer]) -> Answer:
        with self.repositories.lock:
            try:
                access.check_token(request, self.repositories, self.options.tokens)
                made = self._moved(request) or answer()
            except access.Refused as refused:
                made = refused.answer
        if self.options.gzip and request_class not in ("resolve", *HOPS) and made.status == 200 \
                and "gzip" in request.headers.get("accept-encoding", ""):
            made.compress = True
        bucket = "resolvers" if request_class in ("resolve", *HOPS) else "api"
        made.headers.setdefault("RateLimit", f'"{bucket}";r={QUOTAS[bucket]};t={WINDOW_S}')
        made.headers.setdefault("RateLimit-Policy", f'"fixed window";"{bucket}";q={QUOTAS[bucket]};w={WINDOW_S}')
        made.headers["X-Request-Id"] = f"Root=1-{next(self.n_answers):08x}"
        return made

    def _moved(self, request: Request) -> Answer | None:
        """Where a renamed repository is now, on the same host; None if it is none."""
        prefix = {"api": 2, "kernels": 1}.get("".join(request.parts[:1]), 0)
        if request.parts[:prefix][-1:] != ["kernels"]:
            return None
        repository = self.repositories.repositories.get("/".join(request.parts[prefix : prefix + 2]))
        if repository is None or repository.settings.moved_to is None:
            return None
        parts = request.target.split("/")
        parts[prefix + 1 : prefix + 3] = repository.settings.moved_to.split("/")
        return Answer(307, {"Location": "/".join(parts)})


class Watched:
    """A site whose requests are noted and whose answers may be spoilt."""

    def __init__(self, site: HubSite | Cdn, journal: Journal, faults: Faults):
        self.site = site
        self.journal = journal
        self.faults = faults

    def answer(self, request: Request) -> Answer:
        """Never raises for what an asker can send."""
        request_class, make = self.site.route(request)
        entry = self.journal.enter(request_class, request)
        try:
            answer = make()
        except access.Refused as refused:
            answer = refused.answer
        entry.faults = self.faults.act(request_class, request, answer)
        entry.status = answer.status
        return compressed(answer) if answer.compress else answer
