"""The results that a table is made of: a file of lines, read as often as needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ...model import Result
from ...records import decode


class _Row(msgspec.Struct):
    metadata: dict[str, msgspec.Raw] = {}


_row = msgspec.json.Decoder(_Row).decode


ROWS, BYTES = 10_000, 1 << 24
"""Of a batch, at most."""


def results(path: Path) -> Iterator[Result]:
    """Every result in it, in order; lines that are none are left out."""
    with path.open("rb") as file:
        for line in file:
            if (result := _result(line)) is not None:
                yield result


def batches(path: Path) -> Iterator[list[Result]]:
    """The same, some at a time."""
    batch: list[Result] = []
    size = 0
    with path.open("rb") as file:
        for line in file:
            if (result := _result(line)) is None:
                continue
            batch.append(result)
            size += len(line)
            if len(batch) == ROWS or size > BYTES:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def names(path: Path, known: Sequence[str]) -> list[str]:
    """The names of the input's columns: the known ones, then others as they come."""
    found: dict[str, Any] = dict.fromkeys(known)
    with path.open("rb") as file:
        for line in file:
            try:
                row: Mapping[str, Any] = _row(line).metadata
            except (ValueError, RecursionError):
                result = _result(line)
                row = {} if result is None else result.metadata
            found.update(dict.fromkeys(row))
    return list(found)


def _result(line: bytes) -> Result | None:
    try:
        return decode(line)
    except (ValueError, RecursionError):
        return None
