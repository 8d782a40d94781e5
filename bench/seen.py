"""What the server tells about itself at ``/stats`` and, in full, at ``/stats?all``."""

from __future__ import annotations

from msgspec import Struct


class Seen(Struct):
    """Moments are in seconds of a monotonic clock, in order.

    ``refused`` are those of ``arrivals`` that got no answer, or a refusal; ``outage`` is when the
    server went down and when it came back.
    """

    requests: int
    arrivals: list[float] = []
    refused: list[float] = []
    outage: tuple[float, float] | None = None

    @property
    def served(self) -> list[float]:
        """The arrivals that were answered."""
        refused = set(self.refused)
        return [moment for moment in self.arrivals if moment not in refused]
