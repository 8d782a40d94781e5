"""From routes to lanes: the part of the composition root that knows how each of them is opened."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from .breaker import Breaker
from .clock import SystemClock
from .config import JobConfig
from .drain import Stop
from .errors import FatalError, ProviderError
from .filelimit import make_room, room_for
from .fitting import Fit
from .keys import Key
from .lane import Lane
from .limits import open_gate
from .limits.adaptive import START
from .model import Delta, Request
from .ports import Hear, Observer, Provider
from .prices.book import PriceBook
from .providers.registry import Route
from .tokens import TokenCounter

if TYPE_CHECKING:
    from .embedded.server import EmbeddedServer
    from .limits.leased import Leasing


class Part(Struct, frozen=True):
    """What a worker's process is given of the job.

    ``leasing`` asks for what the limits allow, ``end`` for the end of a job whose routes are all
    out; ``start`` is where ``concurrency: auto`` begins.
    """

    leasing: Leasing
    start: int
    end: Callable[[Stop], None]


class Opening(Struct, frozen=True, kw_only=True):
    """What all lanes of a job have in common; ``weights`` are of the embedded routes, by target.

    ``ceiling`` is how far ``concurrency: auto`` may go; ``part`` is a worker's.
    """

    config: JobConfig
    environ: Mapping[str, str]
    clock: SystemClock
    observe: Observer
    prices: PriceBook
    weights: Mapping[str, Path]
    ceiling: int
    part: Part | None = None

    def lane(self, route: Route, place: int) -> Lane:
        """That of the route in this place; nothing is connected or started yet.

        Raises :class:`.errors.ConfigError`.
        """
        config, part = self.config, self.part
        counter = None if route.tpm is None else TokenCounter()
        gate = open_gate(
            route=route.label,
            concurrency=route.concurrency,
            ceiling=self.ceiling,
            start=START if part is None else part.start,
            rpm=route.rpm,
            tpm=route.tpm,
            counter=counter,
            shared=shared_by(route, config, self.environ),
            observe=self.observe,
            leased=None if part is None else partial(part.leasing.pacer, place),
        )
        return Lane(
            self._provider(route),
            gate,
            Breaker(route.label, self.clock.now, self.observe),
            fit_of(route, config),
            model=route.model,
            whole=not config.stream,
            prices=self.prices,
        )

    def _provider(self, route: Route) -> Provider:
        if route.embedded is not None:
            return Embedded(self, route, self.weights[route.target])
        from .providers.opening import open_provider  # aiohttp: the most of the start

        return open_provider(
            route,
            timeout=self.config.timeout,
            stall_timeout=self.config.stall_timeout,
            drop=self.config.drop_params,
        )


def most_in_flight(routes: Sequence[Route], ceiling: int) -> int:
    """Make room in open files for what may be in flight; returns how far ``auto`` may go."""
    fixed = sum(route.concurrency for route in routes if isinstance(route.concurrency, int))
    auto = sum(route.concurrency == "auto" for route in routes)
    make_room(fixed)
    return max(1, (room_for(fixed + auto * ceiling) - fixed) // auto) if auto else fixed


def shared_by(route: Route, config: JobConfig, environ: Mapping[str, str]) -> Path | None:
    """The file of the budget that the route shares with other jobs; None where it does not."""
    if config.shared_limit is None or route.embedded is not None:
        return None
    from .limits.shared import shared_path  # few jobs share one, all would wait

    return shared_path(environ, config.shared_limit, route.name)


def fit_of(route: Route, config: JobConfig) -> Fit:
    """What the route takes of a request."""
    return Fit(route.name, route.dialect, config.drop_params)


class Embedded:
    """The embedded model as a provider: its server is started by the first row that needs it."""

    def __init__(self, opening: Opening, route: Route, weights: Path) -> None:
        self.name = route.name
        self._opening = opening
        self._route = route
        self._weights = weights
        self._starting = asyncio.Lock()
        self._server: EmbeddedServer | None = None
        self._provider: Provider | None = None

    @property
    def started(self) -> bool:
        """Whether the model is loaded."""
        return self._provider is not None

    async def start(self) -> None:
        """Start the server, once; raises :class:`.errors.ConfigError` where it does not."""
        if self._provider is None:
            async with self._starting:
                if self._provider is None:
                    await self._start()

    async def stream(
        self, request: Request, *, whole: bool = False, hear: Hear | None = None
    ) -> AsyncGenerator[Delta, None]:
        """As any server's; a process that has ended is a FatalError."""
        provider = self._provider
        assert provider is not None  # noqa: S101 - start() comes first
        try:
            async with aclosing(provider.stream(request, whole=whole, hear=hear)) as stream:
                async for delta in stream:
                    yield delta
        except ProviderError as error:
            if self._server is None or self._server.returncode is None:
                raise
            reason = f"the embedded model's process has ended ({error})"
        else:
            return
        raise FatalError(reason, provider=self.name)

    async def _start(self) -> None:
        from .embedded.server import EmbeddedServer
        from .providers.opening import open_provider

        route, config = self._route, self._opening.config
        assert isinstance(route.concurrency, int)  # noqa: S101 - the server's slots are fixed
        server = await EmbeddedServer.start(
            self._weights, parallel=route.concurrency, alias=route.model
        )
        self._server = server
        served = structs.replace(
            route, base_url=server.base_url, key=Key(server.key), headers=server.headers
        )
        self._provider = open_provider(
            served, timeout=config.timeout, stall_timeout=config.stall_timeout
        )

    async def aclose(self) -> None:
        """Close the connections, then end the server."""
        if self._provider is not None:
            await self._provider.aclose()
        if self._server is not None:
            await self._server.aclose()

    def __repr__(self) -> str:
        return f"<Embedded {self._route.label}, {'started' if self._server else 'not started'}>"
