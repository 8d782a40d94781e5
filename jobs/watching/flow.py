"""The asking of rows in this process alone, for who wants to look."""

from __future__ import annotations

from collections.abc import Sequence

from ..ports import Gate, NamedHeard
from ..pulse import Pulse


class OwnFlow:
    """A :class:`..ports.Flow` through these gates."""

    elsewhere = False

    def __init__(self, gates: Sequence[Gate]) -> None:
        self._gates = gates

    def pulse(self) -> Pulse:
        """As it is now."""
        gates = self._gates
        return Pulse(sum(gate.in_flight for gate in gates), [gate.use() for gate in gates])

    def listen(self, heard: NamedHeard | None) -> None:
        """There is no other process."""

    def __repr__(self) -> str:
        return f"<OwnFlow {self.pulse()}>"
