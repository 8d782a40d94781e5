"""What rows that were not asked will use, by what those used that were. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

FEW = 10
"""Answered rows from which a line is drawn through their inputs, and not only a ratio."""

MANY = 60
"""Answered rows from which long and short inputs may be told apart."""

STRATA = 3
CLEARLY = 0.9
"""How much smaller the error must become for the inputs' sizes to be looked at."""

GUESS = 300
"""Tokens of an answer where no row of that model was answered yet."""


class Sample(Struct, frozen=True, gc=False):
    """An answered row: tokens of its input by our count and by the provider's, and its answer.

    ``cap`` is the longest answer that it allowed, 0 where it named none; ``cut`` says that the
    answer came to it.
    """

    counted: int
    read: int
    said: int
    cap: int = 0
    cut: bool = False


class InputScale:
    """From our count of an input to the provider's: what its chat template and vocabulary add."""

    __slots__ = ("_slope", "_start", "samples")

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = len(samples)
        self._start, self._slope = _fitted(samples)

    def __call__(self, counted: int) -> float:
        """Tokens as the provider counts them."""
        return max(1.0, self._start + self._slope * counted) if counted else 0.0

    @property
    def exact(self) -> bool:
        """Whether our count is the provider's, as far as is known."""
        return self._start == 0.0 and self._slope == 1.0

    def __repr__(self) -> str:
        return f"<InputScale {self._start:.1f} + {self._slope:.3f} x, {self.samples} samples>"


def _fitted(samples: Sequence[Sample]) -> tuple[float, float]:
    counted = sum(sample.counted for sample in samples)
    read = sum(sample.read for sample in samples)
    if not counted or not read or all(sample.counted == sample.read for sample in samples):
        return 0.0, 1.0
    number = len(samples)
    middle, height = counted / number, read / number
    spread = sum((sample.counted - middle) ** 2 for sample in samples)
    if number >= FEW and spread:
        together = sum((s.counted - middle) * (s.read - height) for s in samples)
        slope = together / spread
        if 0.25 <= slope <= 4:
            return height - slope * middle, slope
    return 0.0, read / counted


class Lengths:
    """How long answers get, where some were cut at a limit: the Kaplan-Meier estimate.

    An answer that was cut is known to be at least that long, no more; so rows with other limits
    than those that were answered are judged by the same curve.
    """

    __slots__ = ("_areas", "_known", "_tail", "_times", "_values")

    def __init__(self, samples: Sequence[Sample]) -> None:
        ends = sorted((sample.said, sample.cut) for sample in samples)
        self._times = [0]
        self._values = [1.0]  # the share of answers that are longer than that time
        left = len(ends)
        ended = 0
        for said, cut in ends:
            if not cut:
                ended += 1
                value = self._values[-1] * (1 - 1 / left)
                if said == self._times[-1]:
                    self._values[-1] = value
                else:
                    self._times.append(said)
                    self._values.append(value)
            left -= 1
        self._areas = [0.0]
        for (begin, end), value in zip(pairwise(self._times), self._values, strict=False):
            self._areas.append(self._areas[-1] + (end - begin) * value)
        self._known = ends[-1][0] if ends else 0
        total = sum(said for said, _ in ends)
        self._tail = total / ended if ended else 2.0 * self._known

    def expected(self, cap: int) -> float:
        """Tokens of an answer that may have up to ``cap``; 0 is no limit."""
        known = min(cap, self._known) if cap else self._known
        at = bisect_right(self._times, known) - 1
        area = self._areas[at] + (known - self._times[at]) * self._values[at]
        beyond = self._values[-1] * self._tail
        if cap and cap <= self._known:
            return area
        return area + (min(beyond, self._values[-1] * (cap - known)) if cap else beyond)

    def __repr__(self) -> str:
        return f"<Lengths, {self.expected(0):.0f} tokens without a limit>"


class Answers:
    """The expected answer of a row, by its limit, and by its input where that tells clearly more.

    ``basis`` says in words what it is made of.
    """

    __slots__ = ("_edges", "_found", "_strata", "samples")

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = len(samples)
        self._edges: Sequence[int] = ()
        self._strata = [Lengths(samples)] if samples else []
        self._found: dict[tuple[int, int], float] = {}
        edges = _edges(samples)
        if edges and _error(samples, edges) < CLEARLY * _error(samples, ()):
            self._edges, self._strata = edges, _split(samples, edges)

    def __call__(self, counted: int, cap: int) -> float:
        """Tokens; ``counted`` are those of the input by our count, ``cap`` 0 is no limit."""
        if not self._strata:
            return float(min(cap, GUESS) if cap else GUESS)
        place = bisect_right(self._edges, counted), cap
        found = self._found.get(place)
        if found is None:
            found = self._found[place] = self._strata[place[0]].expected(cap)
        return found

    @property
    def basis(self) -> str:
        if not self._strata:
            return "a guess: no row was answered yet"
        rows = "1 answered row" if self.samples == 1 else f"{self.samples:,} answered rows"
        return f"{rows}, by the length of their inputs" if self._edges else rows

    def __repr__(self) -> str:
        return f"<Answers by {self.basis}>"


def _edges(samples: Sequence[Sample]) -> Sequence[int]:
    """Where inputs are parted into groups of one size; none where they are few, or all alike."""
    if len(samples) < MANY:
        return ()
    sizes = sorted(sample.counted for sample in samples)
    edges = {sizes[len(sizes) * part // STRATA] for part in range(1, STRATA)} - {sizes[0]}
    return sorted(edges)


def _split(samples: Sequence[Sample], edges: Sequence[int]) -> list[Lengths]:
    groups: list[list[Sample]] = [[] for _ in range(len(edges) + 1)]
    for sample in samples:
        groups[bisect_right(edges, sample.counted)].append(sample)
    return [Lengths(group) for group in groups]


def _error(samples: Sequence[Sample], edges: Sequence[int]) -> float:
    """Sum of squares that one half of the samples is missed by when judged by the other."""
    total = 0.0
    for half in (0, 1):
        strata = _split(samples[half::2], edges)
        for sample in samples[1 - half :: 2]:
            expected = strata[bisect_right(edges, sample.counted)].expected(sample.cap)
            total += (expected - sample.said) ** 2
    return total


class Whole:
    """Whole numbers whose sum keeps up with the sum of what they stand for."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = 0.0

    def __call__(self, value: float) -> int:
        self._rest += value
        whole = int(self._rest)
        self._rest -= whole
        return whole

    def __repr__(self) -> str:
        return f"<Whole, {self._rest:.3f} left>"
