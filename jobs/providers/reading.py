"""From the events of one read to one delta. Pure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast

from ..model import Delta

Piece = str | Delta
"""What an event brings: text and nothing else, as nearly all of them, or whatever there is."""


class EventReader(ABC):
    """What all readers of events have in common; see :class:`.wire.Reader`."""

    __slots__ = ()

    @abstractmethod
    def read(self, events: Sequence[bytes], said: list[Piece]) -> None:
        """See :class:`.wire.Reader`."""

    def add(self, data: bytes) -> Delta | None:
        """One event by itself; None where it brings nothing yet."""
        said: list[Piece] = []
        self.read((data,), said)
        return gathered(said)


def gathered(said: Sequence[Piece]) -> Delta | None:
    """The pieces of one read, in their order; None where there is none."""
    if len(said) < 2:
        only = said[0] if said else None
        return Delta(only) if isinstance(only, str) else only
    try:
        return Delta("".join(cast(Sequence[str], said)), chunks=len(said))
    except TypeError:
        return _mixed([Delta(piece) if isinstance(piece, str) else piece for piece in said])


def _mixed(deltas: Sequence[Delta]) -> Delta:
    return Delta(
        "".join([delta.text for delta in deltas]),
        "".join([delta.reasoning for delta in deltas]),
        [call for delta in deltas for call in delta.tool_calls],
        [item for delta in deltas for item in delta.logprobs],
        chunks=sum(delta.chunks for delta in deltas if delta.text) or 1,
    )
