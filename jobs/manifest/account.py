"""What the lines of an output come to: how many ended how, their tokens and what they cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ..model import Result
from ..records import Stored


class Account:
    """Sums over result lines. ``unpriced`` counts lines with tokens and without a price."""

    __slots__ = ("_usd", "rows", "tokens", "unpriced")

    def __init__(self) -> None:
        self.rows: Counter[str] = Counter()
        self.tokens = 0
        self._usd: float | None = None
        self.unpriced = 0

    @property
    def usd(self) -> float | None:
        """None while no line has a price; that other rows shared an answer for nothing is none."""
        return None if self.unpriced and not self._usd else self._usd

    def add(self, line: Stored | Result, times: int = 1) -> None:
        """Count a line in; ``times`` -1 takes it out again."""
        self.rows[line.status] += times
        usage = line.usage
        if usage is not None:
            self.tokens += times * (usage.input_tokens + usage.output_tokens)
        if line.cost_usd is not None:
            self._usd = (self._usd or 0.0) + times * line.cost_usd
        elif usage is not None:
            self.unpriced += times

    def add_all(self, lines: Iterable[Stored]) -> None:
        """Count many in."""
        statuses, tokens, unpriced, usd = [], 0, 0, self._usd
        for line in lines:
            statuses.append(line.status)
            usage, cost = line.usage, line.cost_usd
            if usage is not None:
                tokens += usage.input_tokens + usage.output_tokens
            if cost is not None:
                usd = (usd or 0.0) + cost
            elif usage is not None:
                unpriced += 1
        self.rows.update(statuses)
        self.tokens += tokens
        self.unpriced += unpriced
        self._usd = usd

    def __repr__(self) -> str:
        return f"<Account {dict(self.rows)}, {self.tokens} tokens, {self.usd} USD>"
