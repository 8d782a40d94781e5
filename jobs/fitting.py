"""What a provider takes of a request: said before anything is sent. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct, structs

from .dialects import Dialect
from .errors import BadRequest
from .model import Endpoint, Request


class Fit(Struct, frozen=True):
    """Fits requests to the route ``name``; ``drop`` leaves out what it does not know."""

    name: str
    dialect: Dialect
    drop: bool = False

    def strangers(self, endpoint: Endpoint, params: Iterable[str]) -> list[str]:
        """The names among ``params`` that the provider does not know, sorted."""
        takes = self.dialect.takes.get(endpoint)
        if takes is None or takes.issuperset(params):
            return []
        return sorted(set(params) - takes)

    def serves(self, endpoint: Endpoint) -> bool:
        """Whether the provider has that endpoint at all."""
        return endpoint in self.dialect.endpoints

    def problem(self, endpoint: Endpoint, params: Mapping[str, Any]) -> str | None:
        """Why such a request can't be sent, in words for a user; None when it can."""
        if not self.serves(endpoint):
            served = ", ".join(sorted(self.dialect.endpoints))
            return f"{self.name} has no endpoint {endpoint}, only {served}"
        strangers = [] if self.drop else self.strangers(endpoint, params)
        if not strangers:
            return None
        are, it = ("parameter", "it") if len(strangers) == 1 else ("parameters", "them")
        return (
            f"{self.name} does not know the {are} {', '.join(strangers)}: leave {it} out, let "
            f"--drop-params do so, or put {it} into extra_body to send {it} all the same"
        )

    def __call__(self, request: Request) -> tuple[Request, list[str]]:
        """The request as this provider takes it, and the names that were left out.

        Raises :class:`.errors.BadRequest` where it does not fit.
        """
        dialect, endpoint = self.dialect, request.endpoint
        takes = dialect.takes.get(endpoint)
        if endpoint in dialect.endpoints and (takes is None or takes.issuperset(request.params)):
            return request, []
        if problem := self.problem(endpoint, request.params):
            raise BadRequest(problem, provider=self.name)
        strangers = self.strangers(endpoint, request.params)
        kept = {name: value for name, value in request.params.items() if name not in strangers}
        return structs.replace(request, params=kept), strangers
