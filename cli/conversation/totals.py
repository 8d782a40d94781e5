"""What a conversation has used up so far."""

from __future__ import annotations

from collections.abc import Sequence

from llmbatch.jobs.budget.figures import Budget
from llmbatch.jobs.model import Result, Usage
from llmbatch.jobs.prices.book import UNBILLED

from .figures import dollars, metrics_line


class Totals:
    """Sums over answers; of those that were stopped, or failed, nobody told what they used."""

    def __init__(self) -> None:
        self.answers: list[Result] = []
        self.stopped = 0
        self.failed = 0

    def add(self, result: Result) -> None:
        """Count a question in that came to its end."""
        if result.usage is None and not result.output:
            self.failed += 1
        else:
            self.answers.append(result)

    def lines(self, budget: Budget | None) -> Sequence[str]:
        """A line for each answer, then the sum, and what is left of a budget."""
        lines = [f"{n}. {metrics_line(result)}" for n, result in enumerate(self.answers, 1)]
        lines.append(self._sum())
        if budget is not None:
            lines.append(_left(budget))
        return lines

    def _sum(self) -> str:
        usage = sum((each.usage for each in self.answers if each.usage), Usage())
        count = len(self.answers)
        text = f"{count} answer{'' if count == 1 else 's'}: "
        text += f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out{self._cost()}"
        untold = self.stopped + sum(each.usage is None for each in self.answers)
        if untold:
            text += f"; {untold} stopped or broken off, whose tokens nobody told"
        return f"{text}; {self.failed} failed" if self.failed else text

    def _cost(self) -> str:
        """What is known of it; models on a machine of one's own have none."""
        known = [each.cost_usd for each in self.answers if each.cost_usd is not None]
        unknown = sum(
            each.cost_usd is None and each.provider not in UNBILLED for each in self.answers
        )
        text = f", {dollars(sum(known))}" if known else ""
        return f"{text}, the cost of {unknown} not known" if unknown else text

    def __repr__(self) -> str:
        return f"<Totals of {len(self.answers)} answers>"


def _left(budget: Budget) -> str:
    parts = []
    if budget.max_cost is not None:
        parts.append(f"{dollars(budget.used_usd)} of {dollars(budget.max_cost)}")
    if budget.max_tokens is not None:
        parts.append(f"{budget.used_tokens:,} of {budget.max_tokens:,} tokens")
    return f"of the budget: {', '.join(parts)}"
