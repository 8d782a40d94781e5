"""The cases, one a file, in the order of issue 2's table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from ..lab import Lab
from ..report import Figure
from . import cost, memory, rate, resume, start

Measure = Callable[[Lab], Iterator[Figure]]


class Case(Struct, frozen=True):
    """``measure`` yields figures as they come and raises BenchFailed; ``method`` says how."""

    method: str
    measure: Measure


CASES: Mapping[str, Case] = {
    "cost": Case(cost.METHOD, cost.measure),
    "memory": Case(memory.METHOD, memory.measure),
    "start": Case(start.METHOD, start.measure),
    "rate": Case(rate.METHOD, rate.measure),
    "resume": Case(resume.METHOD, resume.measure),
}
