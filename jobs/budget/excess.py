"""What experience adds to the worst case of an attempt."""

from __future__ import annotations

from msgspec import Struct

from ..model import Usage
from ..prices.price import Price
from .ledger import Amount, in_units
from .worstcase import WorstCase


class Excess(Struct, frozen=True):
    """How far a route's answers went beyond what was thought their worst case.

    ``input`` and ``output`` in tokens; ``markup`` is the factor by which it costs more than its
    price says. Nothing ever makes it narrower.
    """

    input: int = 0
    output: int = 0
    markup: float = 1.0

    def beside(self, worst: WorstCase, price: Price | None) -> Amount:
        """The worst case, and what experience adds to it."""
        read, said = worst.input + self.input, worst.output + self.output
        usd = 0.0 if price is None else price.worst(read, said) * self.markup
        return Amount(in_units(usd), read + said)

    def beyond(self, worst: WorstCase, usage: Usage, markup: float) -> Excess:
        """The same with what an answer took: itself where that was no more."""
        read, said = usage.input_tokens - worst.input, usage.output_tokens - worst.output
        if read <= self.input and said <= self.output and markup <= self.markup:
            return self
        return self.widest(Excess(read, said, markup))

    def widest(self, other: Excess) -> Excess:
        """The more of both."""
        return Excess(
            max(self.input, other.input),
            max(self.output, other.output),
            max(self.markup, other.markup),
        )
