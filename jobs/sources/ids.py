"""No id twice, at 10 to 45 bytes a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..compact import CompactMap, CompactSet
from ..errors import SourceError
from ..model import Rejected, Row
from .inputs import Input
from .invalid import excerpt
from .lines import Lines
from .rows import RowParser

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_LINE_BITS = 40  # a place is the input's index above, the line's number in these lowest bits
_LINE = (1 << _LINE_BITS) - 1


class FileIds:
    """The ids of files: a second one is an error, and both places are found by reading again."""

    __slots__ = ("_inputs", "_parser", "_seen")

    def __init__(self, inputs: Sequence[Input], parser: RowParser) -> None:
        self._inputs = inputs
        self._parser = parser
        self._seen = CompactSet()

    def __repr__(self) -> str:
        return f"FileIds({len(self._seen)} ids)"

    def add(self, source: Input, lines: Lines) -> None:
        """Note the rows of ``source``. Raises SourceError naming both places of an id."""
        read_id, path = source.format.read_id, source.path
        default_id, add = self._parser.default_id, self._seen.add
        for number, line in lines:
            row_id = read_id(line)
            if row_id is None:
                row_id = default_id(number, path, line)
            if not add(hash(row_id) & _MASK):
                self._compare(row_id, source, number)

    def _compare(self, row_id: str, source: Input, number: int) -> None:
        """Two ids may share a hash, so look for the first one, up to this place."""
        for path, line in self._places(row_id):
            if (path, line) == (source.path, number):
                return
            numbered = row_id in (
                self._parser.default_id(line, path),
                self._parser.default_id(number, source.path),
            )
            why = " (a row without an id takes its line number)" if numbered else ""
            raise SourceError(
                f"the id {excerpt(row_id)} is already used at {path}:{line}{why}: "
                "give every row an id of its own",
                path=source.path,
                line=number,
            )

    def _places(self, row_id: str) -> Iterator[tuple[str, int]]:
        for source in self._inputs:
            if source.rereadable:
                read_id = source.format.read_id
                for lines in source.blocks():
                    for number, line in lines:
                        found = read_id(line)
                        if row_id == (found or self._parser.default_id(number, source.path, line)):
                            yield source.path, number


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
