"""A worker's way to the budget, which is kept in the job's process."""

from __future__ import annotations

import asyncio
from itertools import count

from ..ports import Seat
from ..workers.channel import Channel
from ..workers.messages import Aside, Hopeless, Learned, SetAside, Spender, Spent, ToWorker
from .excess import Excess
from .ledger import Amount


class Ticket:
    """An amount that the job's process has set aside; what becomes of it is told there."""

    __slots__ = ("_channel", "_number", "sent")

    def __init__(self, channel: Channel[ToWorker], number: int) -> None:
        self._channel = channel
        self._number = number
        self.sent = False

    def settle(self, real: Amount) -> None:
        """It turned out to be this much, which may be more."""
        self._channel.send(Spent(self._number, "known", str(real.money), real.tokens))

    def doubt(self) -> None:
        """Nobody will tell how much it was."""
        self._channel.send(Spent(self._number, "uncertain"))

    def give_back(self) -> None:
        """Nothing of it was used up, or nobody waits for it any more."""
        self._channel.send(Spent(self._number, "returned"))

    def __repr__(self) -> str:
        return f"<Ticket {self._number}, sent={self.sent}>"


class RemoteFunds:
    """Asks the job's process, one message there and one back for each attempt.

    A row that waits keeps its place: what it waits for is under way elsewhere, and comes whether
    there are other rows here or not. It holds neither a slot nor anything else that others need.
    """

    def __init__(self, channel: Channel[ToWorker]) -> None:
        self._channel = channel
        self._numbers = count(1)
        self._turns: dict[int, asyncio.Future[bool]] = {}

    def begin(self) -> None:
        """Say that attempts are paid for here, before the first of them."""
        self._channel.send(Spender())

    async def set_aside(self, worst: Amount, seat: Seat) -> Ticket:
        """Wait until there is so much; a row that waits is let go of when the job ends."""
        seat.sending = False
        ticket = Ticket(self._channel, number := next(self._numbers))
        self._channel.send(SetAside(number, str(worst.money), worst.tokens))
        try:
            await self._turn(number)
        except BaseException:
            ticket.give_back()  # also where it was granted in the same moment
            raise
        return ticket

    def learned(self, lane: str, excess: Excess) -> None:
        """Have the others know."""
        self._channel.send(Learned(lane, excess.input, excess.output, excess.markup))

    async def hopeless(self, lane: str) -> bool:
        """A row of the lane has no worst case: whether all were like that, in any worker."""
        self._channel.send(Hopeless(number := next(self._numbers), lane))
        return await self._turn(number)

    async def _turn(self, number: int) -> bool:
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._turns[number] = turn
        try:
            return await turn
        finally:
            del self._turns[number]

    def answered(self, message: Aside) -> None:
        """The job's process says so; nobody may wait for it any more."""
        turn = self._turns.get(message.ticket)
        if turn is not None and not turn.done():
            turn.set_result(message.hopeless)

    def __repr__(self) -> str:
        return f"<RemoteFunds, {len(self._turns)} wait>"
