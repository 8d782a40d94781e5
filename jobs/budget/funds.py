"""Where an attempt's money is from: wherever the budget is kept, it is asked for like this."""

from __future__ import annotations

from typing import Protocol

from ..ports import Seat
from .excess import Excess
from .ledger import Amount


class Held(Protocol):
    """An amount that is set aside, until one of the three is called: the first one counts.

    ``sent`` says that its attempt went out, or may have: it then counts at its worst where nobody
    hears how it ends.
    """

    sent: bool

    def settle(self, real: Amount) -> None:
        """It turned out to be this much, which may be more."""
        ...

    def doubt(self) -> None:
        """Nobody will tell how much it was."""
        ...

    def give_back(self) -> None:
        """Nothing of it was used up."""
        ...


class Funds(Protocol):
    """What is left of a budget, as the asking of rows sees it."""

    async def set_aside(self, worst: Amount, seat: Seat) -> Held:
        """Wait, first come, first served, until there is so much. Raises what ``seat`` does."""
        ...

    def learned(self, lane: str, excess: Excess) -> None:
        """Answers of a lane go so far beyond their worst case; said with its first one, too."""
        ...

    async def hopeless(self, lane: str) -> bool:
        """A row of a lane has no worst case: whether its rows so far were all like that."""
        ...
