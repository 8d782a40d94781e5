"""The observer that ends a job whose latest rows break a rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..drain import Drain, Stop
from ..errors import ConfigError
from ..events import Event, RowFinished
from .measured import METRICS_OF, Ended, Measured
from .rule import COUNTED, BadRule, Metric, Rule

WINDOW = 100
"""The latest rows that a share, a cost or a latency is of."""

LEAST = 20
"""Rows that have to have ended before that says anything."""

WORDS: dict[Metric, str] = {
    "failed": "failed",
    "refused": "were refused",
    "truncated": "were truncated",
    "invalid_output": "did not fit the schema",
}


def rules_of(texts: Sequence[str]) -> tuple[Rule, ...]:
    """Raises ConfigError, for settings that were made by hand: others have been looked at."""
    try:
        return tuple(Rule.parse(text) for text in texts)
    except BadRule as error:
        raise ConfigError(f"halt_on: {error}") from None


class Watch:
    """Judges every rule by the last 100 rows of this run as soon as there are 20 of them.

    A number of rows (``failed>10``) is one of the whole run. Costs and latencies are those of rows
    that were sent; rows that earlier runs have done do not count.
    """

    __slots__ = ("_drain", "_latest", "_rules", "_totals")

    def __init__(self, rules: Sequence[Rule], drain: Drain) -> None:
        self._rules = tuple(rules)
        self._drain = drain
        self._latest = Measured(WINDOW)
        self._totals: Counter[Metric] = Counter()

    def add(self, event: Event) -> None:
        """Take in the end of a row, and judge nothing by it."""
        if isinstance(event, RowFinished):
            row = Ended.of(event.result)
            self._latest.add(row)
            for metric in METRICS_OF[row.status]:
                self._totals[metric] += 1

    def __call__(self, event: Event) -> None:
        self.add(event)
        if isinstance(event, RowFinished):
            for rule in self._rules:
                if why := self._broken(rule):
                    self._drain.request(Stop("halt", f"{rule}: {why}"))
                    return

    def _broken(self, rule: Rule) -> str | None:
        if rule.metric in COUNTED and not rule.share:
            return over_count(rule, self._totals[rule.metric], "of this run")
        return over_limit(rule, self._latest, LEAST)

    def __repr__(self) -> str:
        return f"<Watch {', '.join(map(str, self._rules))}: {self._latest!r}>"


def over_count(rule: Rule, count: int, which: str) -> str | None:
    """Why so many rows break the rule; None where they do not."""
    if not rule.broken_by(count):
        return None
    return f"{_rows(count)} {which} {_words(rule.metric, count)}"


def over_limit(rule: Rule, rows: Measured, least: int, which: str = "the last") -> str | None:
    """Why the rows break a rule about shares, costs or latencies, where there are enough."""
    if rule.metric == "cost_per_row":
        if rows.costs >= least and rule.broken_by(cost := rows.mean_cost):
            return f"${cost:.6f} a row over {which} {_rows(rows.costs)}"
    elif rule.metric == "p95_latency":
        if rows.latencies >= least and rule.broken_by(latency := rows.p95):
            return f"{latency:.3g} s over {which} {_rows(rows.latencies)}"
    elif rows.rows >= least:
        return over_share(rule, rows.counts[rule.metric], rows.rows, which)
    return None


def over_share(rule: Rule, count: int, rows: int, which: str) -> str | None:
    """Why so many of the rows break the rule; None where they do not."""
    if not rule.broken_by_share(count, rows):
        return None
    share = f"{100 * count / rows:.3g}%"
    return f"{count:,} of {which} {_rows(rows)} {_words(rule.metric, count)} ({share})"


def _words(metric: Metric, count: int) -> str:
    words = WORDS[metric]
    return words.replace("were", "was") if count == 1 else words


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
