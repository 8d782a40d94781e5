"""What is said of limits: a worker asks for what wants to go out, and tells how it went.

Times are of the monotonic clock, which all processes of a machine share.
"""

from __future__ import annotations

from msgspec import Struct

from ..model import Quota


class Limits(Struct, frozen=True, tag=40, array_like=True, gc=False):
    """How things stand on a lane. ``open``: nothing has to be paid or waited for.

    ``pauses`` counts those that the server asked for. ``rpm`` and ``tpm`` are in force, a minute.
    ``settles``: what answers have used is to be told. ``round``: where it has changed, what was
    sent unpaid so far is to be told at once.
    """

    lane: int
    open: bool
    pauses: int = 0
    rpm: float | None = None
    tpm: float | None = None
    settles: bool = False
    round: int = 0


class Paid(Struct, frozen=True, tag=41, array_like=True, gc=False):
    """A request may go out now, which was ``at``: ``number`` of the lane, after ``mark`` tokens.

    ``booked`` are its own tokens, under ``key``. ``pauses`` as in :class:`Limits`; ``calm``: what
    the server has left is of no interest; ``waited``: a limit or a pause held it.
    """

    lane: int
    ticket: int
    number: int
    at: float
    key: int
    booked: int
    mark: int
    pauses: int
    calm: bool
    waited: bool


class Unpaid(Struct, frozen=True, tag=42, array_like=True, gc=False):
    """The budget of the lane failed, with this error, pickled."""

    lane: int
    ticket: int
    error: bytes


class Pay(Struct, frozen=True, tag=50, array_like=True, gc=False):
    """A request wants to go out: so many tokens in, and at most ``longest`` out, if that is known.

    Tickets are counted by lane and worker.
    """

    lane: int
    ticket: int
    tokens: int
    longest: int | None


class Waived(Struct, frozen=True, tag=51, array_like=True, gc=False):
    """The request does not go out, or not now; what was booked for it is given back."""

    lane: int
    ticket: int
    key: int
    booked: int


class Refused(Struct, frozen=True, tag=52, array_like=True, gc=False):
    """The server refused, for now, what went out as ``number`` (0: unpaid) when it was ``sent``."""

    lane: int
    number: int
    sent: float
    retry_after: float | None


class Accepted(Struct, frozen=True, tag=53, array_like=True, gc=False):
    """The server answered what went out as ``number``, the first time since a pause."""

    lane: int
    number: int


class Heard(Struct, frozen=True, tag=54, array_like=True, gc=False):
    """What the server said of its limits, in the answer to what went out as ``number``."""

    lane: int
    number: int
    sent: float
    mark: int
    model: str
    quota: Quota


class Sent(Struct, frozen=True, tag=55, array_like=True, gc=False):
    """Requests that went out unpaid, and tokens that were used, since this was said last."""

    lane: int
    requests: int
    tokens: int
    round: int


class Settled(Struct, frozen=True, tag=56, array_like=True, gc=False):
    """What an answer used, for which ``booked`` tokens stand under ``key``."""

    lane: int
    key: int
    booked: int
    input_tokens: int
    output_tokens: int
