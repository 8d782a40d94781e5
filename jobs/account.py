"""What the lines of an output come to: how many ended how, their tokens and what they cost."""

from __future__ import annotations

from collections import Counter

from .model import Result
from .records import Stored


class Account:
    """Sums over result lines. ``usd`` is None while no line has a price.

    ``unpriced`` counts lines with tokens and without a price.
    """

    __slots__ = ("rows", "tokens", "unpriced", "usd")

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.tokens = 0
        self.usd: float | None = None
        self.unpriced = 0

    def add(self, line: Stored | Result, times: int = 1) -> None:
        """Count a line in; ``times`` -1 takes it out again."""
        self.rows[line.status] += times
        usage = line.usage
        if usage is not None:
            self.tokens += times * (usage.input_tokens + usage.output_tokens)
        if line.cost_usd is not None:
            self.usd = (self.usd or 0.0) + times * line.cost_usd
        elif usage is not None:
            self.unpriced += times

    def __repr__(self) -> str:
        return f"<Account {dict(self.rows)}, {self.tokens} tokens, {self.usd} USD>"
