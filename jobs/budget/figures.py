"""What a budget has come to: figures for summaries. USD and tokens."""

from __future__ import annotations

from msgspec import Struct


class Budget(Struct, frozen=True, kw_only=True):
    """What a job and its earlier runs used up, and what they may.

    ``max_cost`` and ``max_tokens`` are the caps, None where there is none. ``spent_usd`` and
    ``spent_tokens`` are what is known to be used up, that of ``earlier`` runs included.
    ``uncertain`` counts attempts of this run that did not say what they used, as they broke off
    or the server never says: ``uncertain_usd`` and ``uncertain_tokens`` at most, which the budget
    counts as used.
    """

    max_cost: float | None = None
    max_tokens: int | None = None
    spent_usd: float = 0.0
    spent_tokens: int = 0
    earlier_usd: float = 0.0
    earlier_tokens: int = 0
    uncertain: int = 0
    uncertain_usd: float = 0.0
    uncertain_tokens: int = 0

    @property
    def used_usd(self) -> float:
        """What counts as used up."""
        return self.spent_usd + self.uncertain_usd

    @property
    def used_tokens(self) -> int:
        """The same in tokens."""
        return self.spent_tokens + self.uncertain_tokens
