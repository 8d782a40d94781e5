"""A rule such as ``failed>5%``: what is measured, and what of it is too much. Pure."""

from __future__ import annotations

import difflib
import re
from fractions import Fraction
from typing import Literal, Self, get_args

from msgspec import Struct

Metric = Literal["failed", "refused", "truncated", "invalid_output", "cost_per_row", "p95_latency"]
METRICS: tuple[Metric, ...] = get_args(Metric)
COUNTED: frozenset[Metric] = frozenset({"failed", "refused", "truncated", "invalid_output"})
"""Metrics that count rows; the others are measured on each row."""

FORMS = "write it as failed>5%, refused>=3, cost_per_row>0.01 or p95_latency>30s"

_RULE = re.compile(r"\s*([A-Za-z_0-9-]*)\s*(>=|>)\s*(.*?)\s*", re.DOTALL)
_NUMBER = re.compile(
    r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(%|ms|s|m|h|usd)?", re.IGNORECASE | re.ASCII
)
_SECONDS = {
    "": Fraction(1),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}


class BadRule(ValueError):
    """A text that is no rule; ``str()`` says what is wrong with it and what a rule looks like."""


class Rule(Struct, frozen=True):
    """``limit`` is a number of rows, USD a row or seconds; of a ``share`` it is percent, exact.

    ``inclusive`` is for ``>=``. ``text`` is the rule as it was written, without white space.
    """

    metric: Metric
    inclusive: bool
    limit: Fraction
    share: bool
    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises :class:`BadRule`."""
        match = _RULE.fullmatch(text)
        if match is None:
            raise BadRule(f"{_shown(text)} is no rule: {_missing(text)}{FORMS}")
        name, comparison, value = match.groups()
        metric = _metric(name, text)
        limit, unit = _number(value, text)
        share = unit == "%"
        inclusive = comparison == ">="
        if metric in COUNTED:
            _check_count(metric, limit, unit, text)
        elif metric == "cost_per_row":
            if unit not in ("", "usd"):
                raise BadRule(
                    f"{_shown(text)}: cost_per_row is USD a row, such as cost_per_row>0.01"
                )
        elif unit not in _SECONDS:
            raise BadRule(f"{_shown(text)}: p95_latency is a time, such as p95_latency>30s or >2m")
        else:
            limit *= _SECONDS[unit]
        if inclusive and not limit:
            raise BadRule(f"{_shown(text)} would stop every job: >= needs more than 0 behind it")
        return cls(metric, inclusive, limit, share, "".join(text.split()))

    def broken_by(self, value: float) -> bool:
        """Whether ``value``, in the unit of ``limit``, is too much."""
        limit = float(self.limit)  # as the value: 0.01 is not above 0.01
        return value >= limit if self.inclusive else value > limit

    def broken_by_share(self, count: int, rows: int) -> bool:
        """The same for ``count`` of so many rows: 5 of 100 are not above 5%."""
        limit = self.limit  # in whole numbers: a fraction made for every row would cost more
        part, whole = 100 * count * limit.denominator, limit.numerator * rows
        return part >= whole if self.inclusive else part > whole

    def __str__(self) -> str:
        return self.text


def _metric(name: str, text: str) -> Metric:
    for metric in METRICS:
        if name.lower().replace("-", "_") == metric:
            return metric
    if not name:
        raise BadRule(f"{_shown(text)}: no word before the comparison: {FORMS}")
    near = difflib.get_close_matches(name.lower(), METRICS, 1)
    hint = f"; did you mean {near[0]}?" if near else "."
    raise BadRule(f"{_shown(text)}: {name} is not measured{hint} A rule is about {_listed()}")


def _number(value: str, text: str) -> tuple[Fraction, str]:
    match = _NUMBER.fullmatch(value)
    if match is None:
        what = f"{_shown(value)} is no number" if value else "no number behind the comparison"
        raise BadRule(f"{_shown(text)}: {what}: {FORMS}")
    return Fraction(match[1]), (match[2] or "").lower()


def _check_count(metric: Metric, limit: Fraction, unit: str, text: str) -> None:
    if unit not in ("", "%"):
        raise BadRule(
            f"{_shown(text)}: {metric} is a share of the rows or a number of them, such as "
            f"{metric}>5% or {metric}>10"
        )
    if unit == "%" and limit > 100:
        raise BadRule(f"{_shown(text)}: a share is 100% at most")
    if not unit and limit != int(limit):
        raise BadRule(
            f"{_shown(text)}: a number of rows is a whole one; a share is written as "
            f"{metric}>{float(limit):g}%"
        )


def _missing(text: str) -> str:
    if not text.strip():
        return ""
    for wrong in ("<", "="):
        if wrong in text:
            return f"{wrong} does not stand in one, > or >= does; "
    return "it has no > or >=; "


def _listed() -> str:
    return ", ".join(METRICS[:-1]) + f" or {METRICS[-1]}"


def _shown(text: str) -> str:
    return f'"{text}"' if len(text) <= 60 else f'"{text[:57]}..."'


DEFAULT = Rule.parse("failed>5%")
"""What a canary is judged by where no rule was given."""
