"""What a job cost, in words: where the figure is from, and what it leaves out."""

from __future__ import annotations

from collections.abc import Iterator

from llmbatch.jobs.prices.bill import REPORTED
from llmbatch.jobs.prices.published import PROVIDERS, installed
from llmbatch.jobs.summary import Summary

from .figures import money

NAMED = 3
"""Models without a price that are named one by one."""


def cost_lines(summary: Summary) -> Iterator[str]:
    """One line a subject; none where there is nothing to say."""
    if summary.cost_usd is not None:
        yield f"cost       {money(summary.cost_usd)}{_from(summary)}"
        if summary.uncertain:
            yield f"cost       leaves out {_broken(summary.uncertain)} were counted"
    if summary.saved_usd >= 1e-6:
        cached = summary.usage.cached_tokens
        yield f"saved      {money(summary.saved_usd)} by {cached:,} cached input tokens"
    if unpriced := sum(summary.unpriced.values()):
        yield (
            f"cost       unknown for {_rows(unpriced)}: no price for {_models(summary)}; name it "
            f"under prices:, or give --price-in and --price-out{_more(summary)}"
        )
    if summary.unmetered:
        yield (
            f"cost       unknown for {_rows(summary.unmetered)}: the answer did not say how many "
            "tokens it took"
        )


def _from(summary: Summary) -> str:
    """Where the figure is from, the most rows first."""
    sources = sorted(summary.priced_by, key=lambda source: -summary.priced_by[source])
    told = ["as the provider reports it" if each == REPORTED else f"by {each}" for each in sources]
    return f", {' and '.join(told)}" if told else ""


def _models(summary: Summary) -> str:
    models = sorted(summary.unpriced, key=lambda label: -summary.unpriced[label])
    others = len(models) - NAMED
    return ", ".join(models[:NAMED]) + (f" and {others:,} others" if others > 0 else "")


def _more(summary: Summary) -> str:
    """What else helps where the provider is one whose prices are published."""
    known = any(label.partition("/")[0] in (*PROVIDERS, "litellm") for label in summary.unpriced)
    if not known or installed():
        return ""
    return "; published prices come with pip install 'llmbatch[prices]'"


def _broken(number: int) -> str:
    several = f"{number:,} attempts that broke off before their tokens"
    return "1 attempt that broke off before its tokens" if number == 1 else several


def _rows(number: int) -> str:
    return f"{number:,} row" if number == 1 else f"{number:,} rows"
