"""How many arrivals fall into stretches of time. Moments and spans are in seconds, in order."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from .child import BenchFailed
from .seen import Seen

MINUTE = 60.0


def most_within(arrivals: Sequence[float], window: float) -> int:
    """The most arrivals in any ``[t, t + window)``; ``arrivals`` are sorted."""
    most = first = 0
    for last, moment in enumerate(arrivals):
        while moment - arrivals[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most


def fewest_within(arrivals: Sequence[float], window: float, begin: float) -> int:
    """The fewest arrivals in any ``(t, t + window]`` between ``begin`` and the last arrival.

    The emptiest window starts just behind an arrival, or at ``begin``.
    """
    fewest = len(arrivals)
    end = 0
    starts = [(begin, sum(moment <= begin for moment in arrivals))]
    starts += [(moment, i + 1) for i, moment in enumerate(arrivals) if moment > begin]
    if begin + window > arrivals[-1]:
        raise BenchFailed("the run was too short to judge its steady state")
    for start, first in starts:
        if start + window > arrivals[-1]:
            break
        while end < len(arrivals) and arrivals[end] <= start + window:
            end += 1
        fewest = min(fewest, end - first)
    return fewest


def flights(seen: Seen, begin: float) -> list[int]:
    """How many were in flight at each whole second from ``begin`` to the last arrival."""
    moments = [begin + i for i in range(int(seen.arrivals[-1] - begin) + 1)]
    return [bisect_right(seen.arrivals, t) - bisect_right(seen.answered, t) for t in moments]


def rate(arrivals: Sequence[float], begin: float) -> float:
    """Arrivals a second from ``begin`` to the last one; or answers, likewise."""
    first = bisect_right(arrivals, begin)
    if first == len(arrivals) or arrivals[-1] <= begin:
        raise BenchFailed("the run was over too soon")
    return (len(arrivals) - first) / (arrivals[-1] - begin)


def within(arrivals: Sequence[float], begin: float, span: float) -> int:
    """How many arrived in ``[begin, begin + span)``."""
    return bisect_left(arrivals, begin + span) - bisect_left(arrivals, begin)
