"""One lane of a job whose workers are processes: the limits, and all who want to go out."""

from __future__ import annotations

import asyncio
import math
import pickle
from collections import deque
from collections.abc import Callable
from typing import Protocol

from ..errors import LlmbatchError
from ..model import Quota, Usage
from ..ports import Observer
from ..pulse import LimitUse
from ..workers.limits import (
    Accepted,
    Heard,
    Limits,
    Paid,
    Pay,
    Refused,
    Sent,
    Settled,
    Unpaid,
    Waived,
)
from .forecast import Estimating, Forecast
from .own import UNBOOKED, Budget
from .pacer import NOTICEABLE, Pacer
from .recent import Recent

Word = Pay | Waived | Settled | Refused | Accepted | Heard | Sent


class Wire(Protocol):
    """How a worker is answered."""

    def send(self, message: object) -> None: ...


class Hand(Protocol):
    """A worker."""

    @property
    def channel(self) -> Wire: ...


class Asked:
    """A request that a worker wants to send, or has sent; see :class:`.pacer.Trip`."""

    __slots__ = (
        "at", "hand", "key", "longest", "mark", "number", "reserved", "sent", "ticket", "tokens",
    )  # fmt: skip

    def __init__(self, hand: Hand, pay: Pay | None = None, at: float = 0.0) -> None:
        self.hand = hand
        self.at = at
        self.ticket, self.tokens, self.longest = (
            (0, 0, None) if pay is None else (pay.ticket, pay.tokens, pay.longest)
        )
        self.number = self.mark = self.reserved = 0
        self.sent = 0.0
        self.key = UNBOOKED

    def cost(self, forecast: Forecast) -> int:
        """See :class:`.pacer.Trip`."""
        return forecast.expect(self.tokens, self.longest)


class Line:
    """One lane: what all workers send on it stands in one line, in front of one pacer.

    While nothing is known to be paid, workers send without asking, and report how much. When that
    changes all of them are told to stop and to report at once; who has done so counts, and then
    the limit begins with the whole of the last minute. What a worker was granted counts as sent,
    whatever becomes of it.
    """

    def __init__(
        self, lane: int, route: str, budget_of: Callable[[Recent], Budget], observe: Observer
    ) -> None:
        self._lane = lane
        self._hands: list[Hand] = []
        self._waiting: deque[Asked] = deque()
        self._serving: asyncio.Task[None] | None = None
        self._open = False
        self._pauses = 0
        self._old_until = -math.inf  # what went out unpaid before this is of a pause that has been
        self._round = 0
        self._silent: set[Hand] = set()  # who has not reported yet
        self._news: list[tuple[Hand, Heard]] = []
        self._said = Limits(lane, open=False)
        self._recent = Recent()
        self._budget = budget_of(self._recent)
        self._lasting = not self._budget.free  # there is something to settle, limit or not
        self._pacer = Pacer(route, self, self._recent, self._budget, observe)

    def limit(self, rpm: float | None, tpm: float | None) -> None:
        """The user's limits; None leaves it to the server to name one."""
        self._pacer.limit(rpm, tpm, None if tpm is None else Forecast(Estimating()))

    def use(self) -> LimitUse:
        """How far the limits are used, by all workers together."""
        return self._pacer.use(_now())

    def set_open(self, value: bool) -> None:
        """See :class:`.pacer.Door`."""
        if value and not self._open and self._pauses:
            self._old_until = _now()
        self._open = value

    def came(self, hand: Hand) -> None:
        """There is a worker, which has sent nothing yet."""
        self._hands.append(hand)
        hand.channel.send(self._state())

    def left(self, hand: Hand) -> None:
        """It is gone; nobody waits for it."""
        if hand in self._hands:
            self._hands.remove(hand)
        self._forget(lambda asked: asked.hand is hand)
        self._reported(hand)

    def take(self, hand: Hand, word: Word) -> None:
        """What a worker asks or tells."""
        now = _now()
        match word:
            case Pay():
                self._waiting.append(Asked(hand, word, now))
                self._serve()
            case Waived():
                self._forget(lambda a: a.ticket == word.ticket and a.hand is hand)
                if word.booked:
                    self._budget.settle(word.key, word.booked, 0, now)
            case Settled():
                asked = Asked(hand)
                asked.key, asked.reserved = word.key, word.booked
                self._pacer.used(asked, Usage(word.input_tokens, word.output_tokens), now)
            case Sent():
                self._count(hand, word, now)
            case Heard():
                self._hear(hand, word, now)
            case Refused():
                self._refused(hand, word, now)
            case Accepted():
                self._pacer.answered(self._trip(hand, word.number), now)
                self._say()

    def _refused(self, hand: Hand, word: Refused, now: float) -> None:
        number = word.number
        if not number and word.sent >= self._old_until:
            number = self._recent.sent + 1
        trip = self._trip(hand, number)
        if self._pacer.refused(trip, word.retry_after, now) is None:
            hand.channel.send(self._state())  # it has stopped, and asks how things stand
            return
        self._pauses += 1
        self._old_until = math.inf
        self._say()

    def _hear(self, hand: Hand, word: Heard, now: float) -> None:
        if self._news or self._begins(word.quota):
            self._news.append((hand, word))
            if len(self._news) == 1:
                self._round += 1
                self._silent = set(self._hands)
                self._say()
            return
        self._heed(hand, word, now)
        self._say()

    def _heed(self, hand: Hand, word: Heard, now: float) -> None:
        trip = self._trip(hand, word.number or self._recent.sent)
        trip.mark = word.mark if word.number else self._pacer.booked
        trip.sent = word.sent
        self._pacer.hear(trip, word.model, word.quota, now)

    def _begins(self, quota: Quota) -> bool:
        """Whether there is a limit of what was not limited before."""
        pacer = self._pacer
        return bool(quota.rpm and pacer.rpm is None) or bool(quota.tpm and pacer.tpm is None)

    def _count(self, hand: Hand, word: Sent, now: float) -> None:
        if word.requests:
            self._recent.note(now, word.requests)
        if word.tokens:
            self._budget.settle(UNBOOKED, 0, word.tokens, now)
        if word.round == self._round:
            self._reported(hand)

    def _reported(self, hand: Hand) -> None:
        """Nothing that it sent is unknown; when that is so of all, what they heard takes effect."""
        self._silent.discard(hand)
        if self._silent or not self._news:
            return
        news, self._news = self._news, []
        for whose, word in news:
            self._heed(whose, word, _now())
        self._say()
        self._serve()

    @staticmethod
    def _trip(hand: Hand, number: int) -> Asked:
        trip = Asked(hand)
        trip.number = number
        return trip

    def _state(self) -> Limits:
        return Limits(
            self._lane,
            open=self._open and not self._news,
            pauses=self._pauses,
            rpm=self._pacer.rpm,
            tpm=self._pacer.tpm,
            settles=self._lasting or self._pacer.tpm is not None,
            round=self._round,
        )

    def _say(self) -> None:
        """Tell all workers where something has changed."""
        state = self._state()
        if state != self._said:
            self._said = state
            for hand in self._hands:
                hand.channel.send(state)

    def _serve(self) -> None:
        if self._serving is None and self._waiting and not self._news:
            self._serving = asyncio.create_task(self._go())

    async def _go(self) -> None:
        """Let out who waits, one after the other."""
        try:
            while self._waiting and not self._news:
                asked = self._waiting[0]
                await self._pacer.go(asked)
                self._waiting.popleft()
                self._grant(asked, _now())
        except LlmbatchError as error:
            waiting, self._waiting = self._waiting, deque()
            for asked in waiting:
                failed = Unpaid(self._lane, asked.ticket, pickle.dumps(error))
                asked.hand.channel.send(failed)
        self._serving = None

    def _grant(self, asked: Asked, now: float) -> None:
        paid = Paid(
            self._lane,
            asked.ticket,
            number=self._recent.note(now),
            at=now,
            key=asked.key,
            booked=asked.reserved,
            mark=asked.mark,
            pauses=self._pauses,
            calm=self._pacer.calm,
            waited=now - asked.at > NOTICEABLE,
        )
        asked.hand.channel.send(paid)
        self._say()

    def _forget(self, gone: Callable[[Asked], bool]) -> None:
        """Who is gone waits no longer, and holds nobody up."""
        if not self._waiting:
            return
        head = self._waiting[0]
        self._waiting = deque(asked for asked in self._waiting if not gone(asked))
        if self._serving is not None and gone(head):
            self._serving.cancel()
            self._serving = None
            self._serve()

    def __repr__(self) -> str:
        return f"<Line {self._lane}: {self._pacer!r}, {len(self._waiting)} waiting>"


def _now() -> float:
    return asyncio.get_running_loop().time()
