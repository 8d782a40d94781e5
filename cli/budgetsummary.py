"""A budget in words: what of it is used up, and what of that nobody knows for sure."""

from __future__ import annotations

from collections.abc import Iterator

from llmbatch.jobs.budget.figures import Budget
from llmbatch.jobs.summary import Summary

from .figures import money


def budget_lines(summary: Summary) -> Iterator[str]:
    """One line for each cap."""
    budget = summary.budget
    if budget is None:
        return
    if budget.max_cost is not None:
        doubt = _doubt(budget, money(budget.uncertain_usd))
        used = f"{money(budget.used_usd)} of {money(budget.max_cost)} used"
        yield f"budget     {used}{_before(money(budget.earlier_usd), budget.earlier_usd)}{doubt}"
    if budget.max_tokens is not None:
        doubt = _doubt(budget, f"{budget.uncertain_tokens:,}")
        used = f"{budget.used_tokens:,} of {budget.max_tokens:,} tokens used"
        before = _before(f"{budget.earlier_tokens:,}", budget.earlier_tokens)
        yield f"budget     {used}{before}{doubt}"


def _before(amount: str, number: float) -> str:
    return f", {amount} of it by earlier runs" if number else ""


def _doubt(budget: Budget, amount: str) -> str:
    if not budget.uncertain:
        return ""
    attempts = f"{budget.uncertain:,} attempt{'' if budget.uncertain == 1 else 's'}"
    return f", up to {amount} of it by {attempts} that did not say what they used"
