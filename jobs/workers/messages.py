"""What a job's process and its workers say to each other, in the order in which rows flow.

Rows go out as the lines that they are; a worker names them, is told what becomes of each, and sends
back whole result lines. Money and rate limits are asked for by ticket. Times are of the monotonic
clock, which all processes of a machine share.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Struct

from ..drain import Cause
from ..looplag import LoopLag
from .limits import (
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

UNTOLD, RUN, SKIP, WAIT = range(4)
"""What becomes of a row: it is asked, it is done already, another that asks the same is asked."""


class Line(Struct, frozen=True, tag=2, array_like=True, gc=False):
    """A row as it stands in input ``source``; ``told``: it was named, and its verdict follows."""

    seq: int
    source: int
    number: int
    text: bytes
    told: bool


class Setup(Struct, frozen=True, tag=1, array_like=True):
    """What a worker is made of; the first message. Never logged: it holds the keys."""

    data: bytes


class Verdict(Struct, frozen=True, tag=3, array_like=True, gc=False):
    """What becomes of a row; ``id`` and ``reason`` where its id is another row's already."""

    seq: int
    code: int
    id: str | None = None
    reason: str = ""


class Answered(Struct, frozen=True, tag=4, array_like=True, gc=False):
    """The result line of another row that asked the same as the one that waits."""

    seq: int
    line: bytes


class Ending(Struct, frozen=True, tag=5, array_like=True, gc=False):
    """No more rows are taken; either side may say so first. The fields are :class:`Stop`'s."""

    cause: Cause
    message: str


class Finish(Struct, frozen=True, tag=6, array_like=True, gc=False):
    """Every row of the job has its end."""


class Aside(Struct, frozen=True, tag=9, array_like=True, gc=False):
    """A ticket of the budget: what was asked for is set aside, or the answer to a question."""

    ticket: int
    hopeless: bool = False


class Out(Struct, frozen=True, tag=10, array_like=True, gc=False):
    """Another worker finds that nobody answers on the route of this label: leave it alone."""

    route: str
    reason: str
    cooldown: float


class Back(Struct, frozen=True, tag=11, array_like=True, gc=False):
    """Another worker was answered on it."""

    route: str


class Look(Struct, frozen=True, tag=12, array_like=True, gc=False):
    """Somebody looks at the job: some answers are to be told while they come; or nobody does."""

    on: bool


class Want(Struct, frozen=True, tag=20, array_like=True, gc=False):
    """The worker has room for so many rows more."""

    rows: int


class Named(Struct, frozen=True, tag=21, array_like=True, gc=False):
    """Who a row is, for its verdict; ``asks`` says that it can be sent."""

    seq: int
    id: str
    fingerprint: str
    asks: bool


class Done(Struct, frozen=True, tag=22, array_like=True, gc=False):
    """How a row ended: its line, as ``--format jsonl`` has it."""

    seq: int
    line: bytes


class Happened(Struct, frozen=True, tag=23, array_like=True, gc=False):
    """An event for the job's observers, pickled."""

    event: bytes


class SetAside(Struct, frozen=True, tag=25, array_like=True, gc=False):
    """An attempt that may use up so much at worst: tokens, and ``money`` in parts of a USD, in
    digits, as it may be beyond 64 bits."""

    ticket: int
    money: str
    tokens: int


class Spent(Struct, frozen=True, tag=28, array_like=True, gc=False):
    """What became of an amount that was set aside: known to be so much, uncertain, or returned.

    Also of one that nobody waits for any more, and of what was set aside for it meanwhile.
    """

    ticket: int
    how: Literal["known", "uncertain", "returned"]
    money: str = "0"
    tokens: int = 0


class Spender(Struct, frozen=True, tag=33, array_like=True, gc=False):
    """The worker spends out of the job's budget, and is to know what is learned of the lanes."""


class Hopeless(Struct, frozen=True, tag=31, array_like=True, gc=False):
    """A row of the lane of this label has no worst case: are all rows like that?"""

    ticket: int
    lane: str


class Learned(Struct, frozen=True, tag=32, array_like=True, gc=False):
    """How far answers of a lane go beyond their worst case; the other workers are told likewise.

    The fields are those of :class:`..budget.excess.Excess`.
    """

    lane: str
    input: int
    output: int
    markup: float


class Flying(Struct, frozen=True, tag=34, array_like=True, gc=False):
    """So many requests of the worker are in flight; told each second in which that changed."""

    count: int


class Spoken(Struct, frozen=True, tag=35, array_like=True, gc=False):
    """The next piece of an answer, in UTF-8 with lone surrogates; None where an attempt begins."""

    id: bytes
    line: int
    text: bytes | None


class Broken(Struct, frozen=True, tag=29, array_like=True, gc=False):
    """An error of the whole job, pickled."""

    error: bytes


class Bye(Struct, frozen=True, tag=30, array_like=True, gc=False):
    """The worker has nothing left to do; how late its event loop was."""

    lag: LoopLag | None = None


ToWorker = (
    Setup
    | Line
    | Verdict
    | Answered
    | Ending
    | Finish
    | Aside
    | Out
    | Back
    | Limits
    | Paid
    | Unpaid
    | Learned
    | Look
)
FromWorker = (
    Want
    | Named
    | Done
    | Happened
    | Pay
    | SetAside
    | Settled
    | Spent
    | Spender
    | Hopeless
    | Learned
    | Waived
    | Refused
    | Accepted
    | Heard
    | Sent
    | Flying
    | Spoken
    | Ending
    | Broken
    | Bye
)

read_to_worker = msgspec.msgpack.Decoder(list[ToWorker]).decode
read_from_worker = msgspec.msgpack.Decoder(list[FromWorker]).decode
