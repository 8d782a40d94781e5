"""How often this process looks for cycles among its objects. For processes of our own alone.

Millions of short-lived values, and next to no cycles among them: 20,000 streamed rows left 1,200
objects of them. But each look goes through all that was made since the last one, and with 10,000
streams open that was a pause of 0.4 to 0.8 s. So there is none before there is more than rows in
flight are made of.
"""

from __future__ import annotations

import gc

from .config import JobConfig

SPARE = 50_000
"""Objects that may come to be between two looks, beside those of rows in flight."""

OF_A_ROW = 150
"""Objects of a row in flight that the collector knows: a task, its frames, a connection (seen: 100
at most)."""


def look_rarely(in_flight: int = 0) -> None:
    """Look when so many rows in flight can't be what the objects are; all there are now stay."""
    gc.freeze()
    gc.set_threshold(SPARE + OF_A_ROW * in_flight, 20, 50)


def in_flight_at_most(config: JobConfig) -> int:
    """How many rows may be in flight at once, on any route."""
    given = [config.concurrency, *(provider.concurrency for provider in config.providers.values())]
    numbers = [number for number in given if isinstance(number, int)]
    return max([*numbers, config.max_concurrency])
