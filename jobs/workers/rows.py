"""The rows of a job as its process knows them while workers ask them."""

from __future__ import annotations

import math

from msgspec import Struct

from .messages import RUN, UNTOLD, WAIT, Answered, Line, Named, Verdict
from .process import Hand

DEATHS = 3
"""Workers that may die while they have a row before it is taken for the reason, and fails."""


class RawLine(Struct, frozen=True, gc=False):
    """A row as it stands in its input, not looked into."""

    path: str
    number: int
    text: bytes


class Out:
    """A row that is with a worker, or on its way to the next one.

    ``verdict`` is what was said of it, ``renamed`` its new id and the reason where its own is
    another row's. ``leads`` says that others may share its answer, ``answer`` is the line of the
    row whose answer it shares. ``deaths`` counts the workers that died while they had it, ``lost``
    says so where they were too many.
    """

    __slots__ = (
        "answer",
        "deaths",
        "leads",
        "lost",
        "name",
        "place",
        "raw",
        "renamed",
        "seq",
        "source",
        "verdict",
    )

    def __init__(self, seq: int, raw: RawLine, source: int) -> None:
        self.seq = seq
        self.raw = raw
        self.source = source
        self.place: Place | None = None
        self.name: Named | None = None
        self.verdict = UNTOLD
        self.renamed: tuple[str, str] | None = None
        self.leads = False
        self.answer: bytes | None = None
        self.deaths = 0
        self.lost = ""

    @property
    def suspect(self) -> bool:
        """Whether it is what one more worker would have died of; not while it waits for another."""
        return self.deaths == DEATHS - 1 and self.verdict != WAIT

    def tell(self) -> None:
        """Have whoever has it know what becomes of it; the next one is told with the row."""
        if self.place is None:
            return
        channel = self.place.hand.channel
        if self.answer is not None:
            channel.send(Answered(self.seq, self.answer))
        elif self.renamed is not None:
            channel.send(Verdict(self.seq, RUN, *self.renamed))
        else:
            channel.send(Verdict(self.seq, self.verdict))

    def __repr__(self) -> str:
        return f"<Out {self.seq}, {self.place!r}, verdict {self.verdict}>"


class Place:
    """What a worker has, and how much more it wants; of rows that are ``suspect`` one at a time.

    ``answered`` is when a server last answered it, on the clock.
    """

    __slots__ = ("answered", "hand", "holds", "suspect", "wants")

    def __init__(self, hand: Hand) -> None:
        self.hand = hand
        self.holds: dict[int, Out] = {}
        self.suspect: Out | None = None
        self.wants = 0
        self.answered = -math.inf

    def give(self, out: Out) -> None:
        """Hand a row over, and what was said of it already."""
        out.place = self
        self.holds[out.seq] = out
        if out.suspect:
            self.suspect = out
        self.wants -= 1
        raw = out.raw
        told = out.verdict != UNTOLD
        self.hand.channel.send(Line(out.seq, out.source, raw.number, raw.text, told))
        if told:
            out.tell()

    def __repr__(self) -> str:
        return f"<Place of {self.hand!r}, {len(self.holds)} rows>"
