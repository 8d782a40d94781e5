"""Answers that are data, folded without a model: their records, each once, with all its sources."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import SourceError
from ..model import Chunk
from .places import Citations
from .sameness import Numbers, digest
from .table import Table


def records(value: Any) -> Iterator[tuple[str | None, Any]]:
    """The records of one answer, each with the name of the list that it stands in.

    The items of a list; of an object the items of each of its lists, then all else that it says as
    one record more; any other value is a record itself. What says nothing (null, an empty text or
    object, an object of nothing but those) is none.
    """
    if isinstance(value, list):
        yield from ((None, item) for item in value if not _empty(item))
        return
    if not isinstance(value, dict):
        if not _empty(value):
            yield None, value
        return
    for name, items in value.items():
        if isinstance(items, list):
            yield from ((name, item) for item in items if not _empty(item))
    rest = {name: item for name, item in value.items() if not isinstance(item, list)}
    if not all(map(_empty, rest.values())):
        yield None, rest


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | dict | list) and not value)


class Merger:
    """The records of all answers, each once: where it first stands, with all that it cites.

    ``answers`` are chunks and the values that they gave, in the documents' order; they are gone
    through once here and once for each of :meth:`jsonl` and :meth:`csv`, and must be the same each
    time. ``duplicates`` counts the records that were there already. What two records must have in
    common to be one: see :func:`.sameness.digest`. Memory: about 80 bytes a record.
    """

    __slots__ = ("_answers", "_citations", "_keys", "_list", "_numbers", "_sources", "duplicates")

    def __init__(self, answers: Iterable[tuple[Chunk, Any]]) -> None:
        self._answers = answers
        self._numbers = Numbers()
        self._citations = Citations()
        self._keys: dict[str, None] = {}
        self.duplicates = 0
        lists: set[str] = set()
        for chunk, value in answers:
            for name, item in records(value):
                known = len(self._numbers)
                number = self._numbers.add(digest(name, item))
                self._citations.add(number, chunk)
                if number < known:
                    self.duplicates += 1
                    continue
                self._keys.update(dict.fromkeys(_object(item)))
                if name is not None:
                    lists.add(name)
        self._sources = self._free("sources")
        self._list = self._free("list") if len(lists) > 1 else None

    @property
    def records(self) -> int:
        """How many there are, each counted once."""
        return len(self._numbers)

    def jsonl(self) -> Iterator[str]:
        """A line of JSON a record, its line feed included.

        Its own keys come first (a record that is no object stands under ``value``), then ``list``,
        the name of its list where answers have several, then ``sources``. Where a record has one of
        these keys itself, ours is ``_list`` or ``_sources`` in every line.
        """
        for number, row in self._rows():
            row[self._sources] = [place.source() for place in self._citations.of(number)]
            text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
            yield _encodable(text) + "\n"

    def csv(self) -> Iterator[str]:
        """The lines of a table, header first; see :class:`.table.Table`."""
        own = [self._sources] if self._list is None else [self._list, self._sources]
        table = Table(list(self._keys), own)
        yield _encodable(table.header())
        for number, row in self._rows():
            row[self._sources] = "; ".join(map(str, self._citations.of(number)))
            yield _encodable(table.line(row))

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Each record where it first stands, as an object of its own."""
        done = 0
        for _, value in self._answers:
            for name, item in records(value):
                number = self._numbers.get(digest(name, item))
                if number is None or number > done:
                    raise SourceError("the answers changed while they were merged: run it again")
                if number < done:
                    continue
                done += 1
                row = dict(_object(item))
                if self._list is not None and name is not None:
                    row[self._list] = name
                yield number, row
        if done < self.records:
            raise SourceError("the answers changed while they were merged: run it again")

    def _free(self, name: str) -> str:
        while name in self._keys:
            name = f"_{name}"
        return name

    def __repr__(self) -> str:
        return f"<Merger {self.records} records, {self.duplicates} duplicates dropped>"


def _object(item: Any) -> dict[str, Any]:
    return item if isinstance(item, dict) else {"value": item}


def _encodable(line: str) -> str:
    """Half a surrogate pair is no text: it is written as its escape."""
    try:
        line.encode()
    except UnicodeEncodeError:
        return line.encode("utf-8", "backslashreplace").decode()
    return line
