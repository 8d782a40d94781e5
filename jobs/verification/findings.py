"""What is wrong with an output, by kind: the first few of each, and how many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

SHOWN = 20
"""Problems of a kind that are told in full."""


class Finding(Struct, frozen=True, kw_only=True):
    """One problem. ``line`` counts from 1; None where it is about the whole file."""

    file: str
    line: int | None
    id: str | None
    message: str


class Found(Struct, frozen=True):
    """So many of one kind, and the first of them."""

    count: int
    first: Sequence[Finding]


class Findings:
    """Collects problems; memory does not grow with their number."""

    __slots__ = ("_counts", "_first")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first: dict[str, list[Finding]] = {}

    def add(
        self, kind: str, file: str, message: str, line: int | None = None, row_id: str | None = None
    ) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        first = self._first.setdefault(kind, [])
        if len(first) < SHOWN:
            first.append(Finding(file=file, line=line, id=row_id, message=message))

    def more(self, kind: str, count: int) -> None:
        """So many others of a kind that has been told of."""
        self._counts[kind] += count

    def by_kind(self) -> Mapping[str, Found]:
        return {kind: Found(count, self._first[kind]) for kind, count in self._counts.items()}

    def __repr__(self) -> str:
        return f"<Findings {self._counts}>"
