"""What a conversation has used up so far."""

from __future__ import annotations

from collections.abc import Sequence

from llmbatch.jobs.budget.figures import Budget
from llmbatch.jobs.model import Result, Usage

from .figures import dollars, metrics_line


class Totals:
    """Sums over answers; of those that were stopped nobody told what they used."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.stopped = 0

    def lines(self, budget: Budget | None) -> Sequence[str]:
        """A line for each answer, then the sum, and what is left of a budget."""
        lines = [f"{n}. {metrics_line(result)}" for n, result in enumerate(self.results, 1)]
        lines.append(self._sum())
        if budget is not None:
            lines.append(_left(budget))
        return lines

    def _sum(self) -> str:
        answers = len(self.results)
        usage = sum((each.usage for each in self.results if each.usage), Usage())
        text = f"{answers} answer{'' if answers == 1 else 's'}: "
        text += f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out"
        costs = [each.cost_usd for each in self.results]
        known = [cost for cost in costs if cost is not None]
        if known:
            text += f", {dollars(sum(known))}"
        if None in costs and answers:
            text += ", what some of them cost is not known" if known else ", cost not known"
        untold = sum(each.usage is None for each in self.results) + self.stopped
        if untold:
            text += f"; {untold} without figures, as {'it' if untold == 1 else 'they'} broke off"
        return text

    def __repr__(self) -> str:
        return f"<Totals of {len(self.results)} answers>"


def _left(budget: Budget) -> str:
    parts = []
    if budget.max_cost is not None:
        parts.append(f"{dollars(budget.used_usd)} of {dollars(budget.max_cost)}")
    if budget.max_tokens is not None:
        parts.append(f"{budget.used_tokens:,} of {budget.max_tokens:,} tokens")
    return f"of the budget: {', '.join(parts)}"
