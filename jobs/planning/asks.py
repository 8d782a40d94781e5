"""The requests that a plan would send, as numbers: a few bytes for each."""

from __future__ import annotations

from array import array

from msgspec import Struct, field

UNKNOWN = -1


class Asks(Struct, frozen=True):
    """The requests of one model: what is known of them before they are sent, in order.

    ``counted`` are tokens of the input by our count, ``caps`` the longest answers that the requests
    allow (0 is no limit of their own), ``longest`` what an answer has at worst (:data:`UNKNOWN`
    where nobody knows).
    """

    provider: str
    model: str
    counted: array[int] = field(default_factory=lambda: array("q"))
    caps: array[int] = field(default_factory=lambda: array("q"))
    longest: array[int] = field(default_factory=lambda: array("q"))

    def add(self, counted: int, cap: int, longest: int) -> None:
        self.counted.append(counted)
        self.caps.append(cap)
        self.longest.append(longest)
