"""What experience adds to the worst case of an attempt."""

from __future__ import annotations

from msgspec import Struct

from ..model import Usage
from ..prices.price import Price
from .ledger import Amount, in_units
from .worstcase import WorstCase


class Excess(Struct):
    """How far a route's answers went beyond what was thought their worst case.

    ``input`` and ``output`` in tokens; ``markup`` is the factor by which it costs more than its
    price says.
    """

    input: int = 0
    output: int = 0
    markup: float = 1.0

    def beside(self, worst: WorstCase, price: Price | None) -> Amount:
        """The worst case, and what experience adds to it."""
        read, said = worst.input + self.input, worst.output + self.output
        usd = 0.0 if price is None else price.worst(read, said) * self.markup
        return Amount(in_units(usd), read + said)

    def learn(self, worst: WorstCase, usage: Usage) -> None:
        """Widen by what was used; nothing ever makes it narrower."""
        self.input = max(self.input, usage.input_tokens - worst.input)
        self.output = max(self.output, usage.output_tokens - worst.output)
