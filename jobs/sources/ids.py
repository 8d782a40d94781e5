"""No id twice, at 5 to 45 bytes a row."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Protocol

from ..compact import CompactMap
from ..errors import SourceError
from ..model import Rejected, Row
from .inputs import Input
from .invalid import excerpt
from .lines import Lines

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_LINE_BITS = 40  # a place is the input's index above, the line's number in these lowest bits
_LINE = (1 << _LINE_BITS) - 1
_PART_BITS = 12
_PART = (1 << _PART_BITS) - 1
_TAG = 0xFFFF_FFFF
_HASH = (1 << 32 + _PART_BITS) - 1


class Naming(Protocol):
    """How a row without an id is called; see :class:`.rows.RowParser`."""

    def default_id(self, number: int, path: str, line: bytes = b"") -> str: ...


class FileIds:
    """The ids of files: a second one is an error that :meth:`refuse` finds.

    44 bits of each id's hash are kept until then, 32 of them in 4 to 5 bytes of that one of 4096
    lists which the others name. Where some of them occur twice the files are read once more, and
    the ids themselves compared: of a million ids all different, one time in thirty.
    """

    __slots__ = ("_count", "_inputs", "_naming", "_parts")

    def __init__(self, inputs: Sequence[Input], naming: Naming) -> None:
        self._inputs = inputs
        self._naming = naming
        self._parts = [array("I") for _ in range(_PART + 1)]
        self._count = 0

    def __repr__(self) -> str:
        return f"FileIds({self._count} ids)"

    def add(self, source: Input, lines: Lines) -> None:
        """Note the rows of ``source``."""
        read_id, path = source.format.read_id, source.path
        default_id, parts = self._naming.default_id, self._parts
        for number, line in lines:
            row_id = read_id(line)
            if row_id is None:
                row_id = default_id(number, path, line)
            hashed = hash(row_id) & _MASK
            parts[hashed & _PART].append(hashed >> _PART_BITS & _TAG)
        self._count += len(lines)

    def refuse(self) -> None:
        """Raises SourceError naming both places of the first id that occurs twice, if one does."""
        suspects = set(self._suspects())
        if not suspects:
            return
        first: dict[str, tuple[str, int]] = {}
        for row_id, source, number in self._again():
            if hash(row_id) & _MASK & _HASH in suspects:
                path, line = first.setdefault(row_id, (source.path, number))
                if (path, line) != (source.path, number):
                    self._refuse(row_id, source, number, path, line)

    def _suspects(self) -> Iterator[int]:
        """What is kept of the hashes that occur twice."""
        for low, part in enumerate(self._parts):
            if len(set(part)) < len(part):
                seen: set[int] = set()
                for tag in part:
                    if tag in seen:
                        yield tag << _PART_BITS | low
                    seen.add(tag)

    def _again(self) -> Iterator[tuple[str, Input, int]]:
        """The rows that were noted: id, input, line."""
        left = self._count
        for source in self._inputs:
            if source.rereadable and left:
                read_id, path = source.format.read_id, source.path
                for lines in source.blocks():
                    for number, line in lines[:left]:
                        yield (
                            read_id(line) or self._naming.default_id(number, path, line),
                            source,
                            number,
                        )
                    left -= min(left, len(lines))
                    if not left:
                        return

    def _refuse(self, row_id: str, source: Input, number: int, path: str, line: int) -> None:
        numbered = row_id in (
            self._naming.default_id(line, path),
            self._naming.default_id(number, source.path),
        )
        why = " (a row without an id takes its line number)" if numbered else ""
        raise SourceError(
            f"the id {excerpt(row_id)} is already used at {path}:{line}{why}: "
            "give every row an id of its own",
            path=source.path,
            line=number,
        )


class StreamIds:
    """The ids of rows that pass by once: a second one is rejected under a name of its own.

    It goes by 64-bit hashes: one false alarm in ten million jobs of a million rows.
    """

    __slots__ = ("_inputs", "_seen")

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._inputs = inputs
        self._seen = CompactMap()

    def __repr__(self) -> str:
        return f"StreamIds({len(self._seen)} ids)"

    def check(self, row: Row, index: int) -> Row:
        """``row`` of input ``index``, or a Rejected row ``<id>#<line>`` where its id is taken."""
        place = index << _LINE_BITS | row.line
        first = self._seen.setdefault(hash(row.id) & _MASK, place)
        if first == place:
            return row
        name = f"{row.id}#{row.line}"
        while self._seen.setdefault(hash(name) & _MASK, place) != place:
            name = f"{name}#{row.line}"
        return Rejected(
            id=name,
            line=row.line,
            path=row.path,
            reason=f"the id {excerpt(row.id)} is already used at "
            f"{self._inputs[first >> _LINE_BITS].path}:{first & _LINE}",
            error_type="duplicate_id",
            metadata=row.metadata,
            read_at=row.read_at,
            fingerprint=row.fingerprint,
        )
