"""The two gates: slots alone, and slots with a budget. Both let in first come, first served."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from .. import ports
from ..model import Request, Usage
from ..tokens import TokenCounter
from .bucket import Bucket, request_bucket
from .budget import TokenBudget
from .slots import Slots


def open_gate(
    *, concurrency: int, rpm: float | None, tpm: float | None, counter: TokenCounter | None
) -> ports.Gate:
    """The gate of one route: ``concurrency`` slots, ``rpm`` requests and ``tpm`` tokens a minute.

    None is no limit; ``counter`` is needed only for ``tpm``. What is guaranteed stands at
    :func:`.bucket.request_bucket` and :class:`.budget.TokenBudget`.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, not {concurrency}")
    slots = Slots(concurrency)
    if rpm is None and tpm is None:
        return OpenGate(slots)
    if tpm is not None and counter is None:
        raise ValueError("a token budget needs a token counter")
    return PacedGate(
        slots,
        None if rpm is None else request_bucket(rpm),
        None if tpm is None or counter is None else TokenBudget(tpm, counter),
    )


class OpenGate:
    """Slots alone; with one free, admission never suspends."""

    __slots__ = ("_slots",)

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    def admit(self, request: Request) -> SlotPermit:  # noqa: ARG002 - the port's signature
        return SlotPermit(self._slots)

    def __repr__(self) -> str:
        return f"<OpenGate: {self._slots!r}>"


class SlotPermit(AbstractAsyncContextManager["SlotPermit"]):
    """A slot for as long as its context is open."""

    __slots__ = ("_slots", "waited")

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self.waited = 0.0

    async def __aenter__(self) -> SlotPermit:
        slots = self._slots
        if slots.free:
            slots.free -= 1
        else:
            now = asyncio.get_running_loop().time
            start = now()
            await slots.wait()
            self.waited = now() - start
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._slots.release()

    def settle(self, usage: Usage | None) -> None:
        """Nothing is budgeted here."""


class PacedGate:
    """Slots, then tokens, then the request itself; one admission at a time, in order of arrival.

    The request's own budget comes last, so that it is counted in the moment in which it goes out.
    """

    __slots__ = ("_requests", "_slots", "_tokens", "_turn")

    def __init__(self, slots: Slots, requests: Bucket | None, tokens: TokenBudget | None) -> None:
        self._slots = slots
        self._requests = requests
        self._tokens = tokens
        self._turn = asyncio.Lock()  # wakes in order of arrival, and lets nobody overtake

    def admit(self, request: Request) -> PacedPermit:
        tokens = self._tokens
        return PacedPermit(self, request, 0 if tokens is None else tokens.input_tokens(request))

    async def enter(self, request: Request, input_tokens: int) -> tuple[int, int]:
        """Wait for everything in turn; returns the tokens booked, and their key."""
        slots = self._slots
        async with self._turn:
            if slots.free:
                slots.free -= 1
            else:
                await slots.wait()
            try:
                return await self._spend(request, input_tokens)
            except BaseException:
                slots.release()
                raise

    async def _spend(self, request: Request, input_tokens: int) -> tuple[int, int]:
        requests, tokens = self._requests, self._tokens
        if tokens is None:
            if requests is not None:
                await requests.take()
            return 0, 0
        amount = tokens.estimate(request, input_tokens)
        await tokens.take(amount)
        if requests is not None:
            try:
                await requests.take()
            except BaseException:
                tokens.give_back(amount)
                raise
        return amount, tokens.book(amount)

    def leave(self) -> None:
        """Give the slot back."""
        self._slots.release()

    def settle(self, key: int, booked: int, usage: Usage) -> int:
        """Replace the estimate; returns what is booked now."""
        return booked if self._tokens is None else self._tokens.settle(key, booked, usage)

    def __repr__(self) -> str:
        return f"<PacedGate: {self._slots!r}, {self._requests!r}, {self._tokens!r}>"


class PacedPermit(AbstractAsyncContextManager["PacedPermit"]):
    """A slot for as long as its context is open; ``reserved`` tokens are booked for it."""

    __slots__ = ("_gate", "_input", "_key", "_request", "reserved", "waited")

    def __init__(self, gate: PacedGate, request: Request, input_tokens: int) -> None:
        self._gate = gate
        self._request = request
        self._input = input_tokens
        self._key = self.reserved = 0
        self.waited = 0.0

    async def __aenter__(self) -> PacedPermit:
        now = asyncio.get_running_loop().time
        start = now()
        self.reserved, self._key = await self._gate.enter(self._request, self._input)
        self.waited = now() - start
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._gate.leave()

    def settle(self, usage: Usage | None) -> None:
        """Put the real usage in the place of the estimate; None leaves the estimate standing."""
        if usage is not None:
            self.reserved = self._gate.settle(self._key, self.reserved, usage)
