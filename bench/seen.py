"""What the server tells about itself at ``/stats`` and, in full, at ``/stats?all``."""

from __future__ import annotations

from msgspec import Struct


class Seen(Struct):
    """Moments are in seconds of a monotonic clock, in order.

    ``refused`` are those of ``arrivals`` that got no answer, or a refusal; ``answered`` is when
    answers ended, if the server takes its time; ``outage`` is when it went down and came back;
    ``cpu`` is what the server has used so far, user and system, in seconds;
    ``together`` the most that were in flight at once since it was asked last, if it takes its time.
    """

    requests: int
    arrivals: list[float] = []
    refused: list[float] = []
    answered: list[float] = []
    outage: tuple[float, float] | None = None
    cpu: float = 0.0
    together: int = 0

    @property
    def served(self) -> list[float]:
        """The arrivals that were answered."""
        refused = set(self.refused)
        return [moment for moment in self.arrivals if moment not in refused]
