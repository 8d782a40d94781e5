"""The results that a table is made of: a file of lines, read as often as needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import structs

from ...model import Result
from ...records import decode

Again = Callable[[], Iterator[tuple[str, Mapping[str, Any]]]]
"""Reads the input once more: the id and the columns of every row."""

ROWS, BYTES = 10_000, 1 << 24
"""Of a batch, at most."""


def results(path: Path, again: Again | None = None) -> Iterator[Result]:
    """Every result in it, in order; lines that are none are left out.

    A row that was answered by an earlier run may have other columns now, if not another prompt:
    where the input can be read ``again``, and is in the same order, they are as they stand there.
    """
    for result, _ in _results(path, again):
        yield result


def batches(path: Path, again: Again | None = None) -> Iterator[list[Result]]:
    """The same, some at a time."""
    batch: list[Result] = []
    size = 0
    for result, length in _results(path, again):
        batch.append(result)
        size += length
        if len(batch) == ROWS or size > BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def names(found: Iterable[Result], known: Sequence[str]) -> list[str]:
    """The names of the input's columns: the known ones, then others as they come."""
    columns: dict[str, Any] = dict.fromkeys(known)
    for result in found:
        if not result.metadata.keys() <= columns.keys():
            columns.update(dict.fromkeys(result.metadata))
    return list(columns)


def _results(path: Path, again: Again | None) -> Iterator[tuple[Result, int]]:
    rows = iter(()) if again is None else again()
    with path.open("rb") as file:
        for line in file:
            try:
                result = decode(line)
            except (ValueError, RecursionError):
                continue
            for row_id, columns in rows:
                if row_id == result.id:
                    result = structs.replace(result, metadata=columns)
                    break
            yield result, len(line)
