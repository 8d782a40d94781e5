"""The gate of a route: slots, and in front of the way out whatever limits are known by now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from ..errors import ProviderError
from ..events import ConcurrencyChanged
from ..model import Quota, Request, Usage
from ..ports import Observer
from ..pulse import LimitUse
from ..tokens import TokenCounter
from .adaptive import START, Adaptive
from .forecast import Forecast
from .own import UNBOOKED, Budget, OwnBudget
from .pacer import Pacer
from .recent import Recent
from .slots import Slots

if TYPE_CHECKING:
    from .leased import LeasedPacer
    from .outflow import Outflow


def open_gate(
    *,
    route: str,
    concurrency: int | Literal["auto"],
    ceiling: int,
    rpm: float | None,
    tpm: float | None,
    counter: TokenCounter | None,
    shared: Path | None,
    observe: Observer,
    leased: Callable[[Slots], LeasedPacer] | None = None,
    start: int = START,
) -> RouteGate:
    """The gate of ``route``: ``concurrency`` slots, ``rpm`` requests and ``tpm`` tokens a minute.

    "auto" finds the number of slots from ``start`` up to ``ceiling``. A limit of None is what the
    server names, if it names one; ``counter`` is needed only for ``tpm``. ``shared`` is the file of
    a budget that is shared with other processes; raises :class:`..errors.ConfigError` where it
    can't be used. ``leased`` makes what asks another process, where that owns the limits.
    What is guaranteed stands at :func:`.bucket.request_pace`, :class:`.budget.TokenBudget` and
    :class:`.joint.Joint`.
    """
    adaptive = None
    if concurrency == "auto":
        adaptive = Adaptive(ceiling=ceiling, start=start)
        concurrency = adaptive.limit
    if concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, not {concurrency}")
    if tpm is not None and counter is None:
        raise ValueError("a token budget needs a token counter")
    slots = Slots(concurrency)
    forecast = Forecast(counter) if tpm is not None and counter is not None else None
    if leased is not None:
        away = leased(slots)
        away.limit(tpm, forecast)
        return RouteGate(route, slots, away, adaptive, observe)
    recent = Recent()
    pacer = Pacer(route, slots, recent, budget_of(shared, recent), observe)
    pacer.limit(rpm, tpm, forecast)
    return RouteGate(route, slots, pacer, adaptive, observe)


def budget_of(shared: Path | None, recent: Recent) -> Budget:
    """The budget of a route whose requests are noted in ``recent``."""
    if shared is None:
        return OwnBudget(recent)
    from .shared import SharedBudget  # few jobs have one, all would wait

    return SharedBudget(shared)


class RouteGate:
    """Lets in first come, first served; with a slot free and nothing to wait for it never suspends.

    Where there are limits, or a pause, only the head of the line has a slot and waits for them.
    """

    __slots__ = ("_observe", "_route", "adaptive", "now", "pacer", "recent", "slots")

    def __init__(
        self,
        route: str,
        slots: Slots,
        pacer: Pacer | LeasedPacer,
        adaptive: Adaptive | None,
        observe: Observer,
    ) -> None:
        self._route = route
        self._observe = observe
        self.slots = slots
        self.pacer = pacer
        self.recent: Recent | Outflow = pacer.recent
        self.adaptive = adaptive
        self.now = self._first_now

    @property
    def width(self) -> int:
        """How many may be in flight now."""
        return self.slots.width

    def admit(self, request: Request) -> RoutePermit:
        """See :class:`..ports.Gate`."""
        return RoutePermit(self, request, self.pacer.input_of(request))

    async def enter(self, permit: RoutePermit) -> None:
        """Wait for a slot, and then for everything else."""
        slots = self.slots
        start = self.now()
        await slots.take()
        try:
            if not slots.open:
                await self.pacer.go(permit)
        except BaseException:
            slots.give_up()
            raise
        permit.waited = self.now() - start
        slots.arrived()

    def turn_away(self) -> None:
        """See :class:`..ports.Gate`."""
        self.slots.turn_away()
        self.pacer.turn_away()

    def ended(self, permit: RoutePermit, error: ProviderError | None) -> None:
        """Let the number of slots follow from how a request went."""
        adaptive = self.adaptive
        assert adaptive is not None  # noqa: S101 - whoever calls this looked
        now = self.now()
        changed = adaptive.ended(
            permit.sent,
            now,
            saturated=self.slots.full,
            paced=self.pacer.held(now),
            error=error,
        )
        if changed:
            self._resize(adaptive)

    def restart(self) -> None:
        """See :class:`..ports.Gate`."""
        if self.adaptive is not None and self.adaptive.restart(self.now()):
            self._resize(self.adaptive)

    @property
    def in_flight(self) -> int:
        """See :class:`..ports.Gate`; who waits for a limit with a slot of his own is not."""
        slots = self.slots
        return slots.width - slots.free - slots.coming

    def use(self) -> LimitUse:
        """See :class:`..ports.Gate`; where another process has the limits, that one knows."""
        pacer = self.pacer
        return pacer.use(self.now()) if isinstance(pacer, Pacer) else LimitUse(route=self._route)

    def _resize(self, adaptive: Adaptive) -> None:
        before = self.slots.width
        self.slots.resize(adaptive.limit)
        self._observe(ConcurrencyChanged(self._route, before, self.slots.width, adaptive.reason))

    def _first_now(self) -> float:
        self.now = asyncio.get_running_loop().time
        return self.now()

    def __repr__(self) -> str:
        return f"<RouteGate {self._route}: {self.slots!r}, {self.pacer!r}>"


class RoutePermit(AbstractAsyncContextManager["RoutePermit"]):
    """A slot for as long as its context is open; see :class:`.pacer.Trip` for its numbers."""

    __slots__ = ("_gate", "input", "key", "mark", "number", "request", "reserved", "sent", "waited")

    def __init__(self, gate: RouteGate, request: Request, input_tokens: int) -> None:
        self._gate = gate
        self.request = request
        self.input = input_tokens
        self.key = UNBOOKED
        self.reserved = self.mark = self.number = 0
        self.waited = self.sent = 0.0

    def cost(self, forecast: Forecast) -> int:
        """See :class:`.pacer.Trip`; ``input`` are its input tokens, below 0 where not counted."""
        if self.input < 0:
            self.input = forecast.count(self.request)
        return forecast.cost(self.request, self.input)

    async def __aenter__(self) -> RoutePermit:
        gate = self._gate
        slots = gate.slots
        if slots.free > 0 and not slots.coming and (slots.open or gate.pacer.go_now(self)):
            slots.free -= 1
        else:
            await gate.enter(self)
        self.sent = now = gate.now()
        self.number = gate.recent.note(now)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._gate.slots.release()

    def hear(self, quota: Quota) -> None:
        """See :class:`..ports.Permit`."""
        gate = self._gate
        gate.pacer.hear(self, self.request.model, quota, gate.now())

    def refused(self, retry_after: float | None) -> float | None:
        """See :class:`..ports.Permit`."""
        gate = self._gate
        return gate.pacer.refused(self, retry_after, gate.now())

    def settle(self, usage: Usage | None, error: ProviderError | None) -> None:
        """See :class:`..ports.Permit`."""
        gate = self._gate
        pacer = gate.pacer
        if usage is not None:
            pacer.used(self, usage, gate.now())
        if pacer.paused and (error is None or error.http_status not in (None, 429)):
            pacer.answered(self, gate.now())
        if gate.adaptive is not None:
            gate.ended(self, error)
