"""What the bare loop says about itself; apart from it, so that reading it needs no aiohttp."""

from __future__ import annotations

from msgspec import Struct


class Outcome(Struct, frozen=True):
    """Times of the loop alone, in seconds; ``reads``: pieces of body that aiohttp handed over."""

    rows: int
    wall: float
    cpu: float
    reads: int
