"""What of a job is under way at this moment; asked for by who wants to know."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class LimitUse(Struct, frozen=True, kw_only=True):
    """The limits of a route, a minute, and which part of each the last 60 s took.

    None is unlimited, and unused where it stands for a use.
    """

    route: str
    rpm: float | None = None
    rpm_used: float | None = None
    tpm: float | None = None
    tpm_used: float | None = None

    @classmethod
    def of(
        cls, route: str, limits: tuple[float | None, float | None], lately: tuple[int, int]
    ) -> LimitUse:
        """``limits`` and ``lately`` are of requests and of tokens."""
        used = [
            None if limit is None else min(1.0, round(amount / limit, 4))
            for limit, amount in zip(limits, lately, strict=True)
        ]
        return cls(route=route, rpm=limits[0], rpm_used=used[0], tpm=limits[1], tpm_used=used[1])


class Pulse(Struct, frozen=True):
    """How many requests are in flight, and how far the limits are used."""

    in_flight: int
    limits: Sequence[LimitUse] = ()
