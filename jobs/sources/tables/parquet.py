"""Parquet files as rows: a batch of a row group at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ...errors import ConfigError
from ..invalid import shorten
from ..lines import BLOCK, Lines, NotLines
from .delimited import check_columns

BATCH = 1000
"""Rows that are decoded at a time."""

NO_EXTRA = "{} needs the package pyarrow; run: pip install 'llmbatch[parquet]' (or: pyarrow)"
_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"

_encode = msgspec.json.Encoder(decimal_format="string").encode


def open_parquet(path: str) -> Any:
    """The file, of which only its end has been read. Raises NotLines, OSError and ConfigError."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise ConfigError(NO_EXTRA.format(path)) from None
    with Path(path).open("rb") as file:
        head = file.read(4)
    if head == _ENCRYPTED:
        raise NotLines("is encrypted: write it without encryption")
    if head != _MAGIC:
        raise NotLines("is no Parquet file" if head else "is empty: it is no Parquet file")
    try:
        # Else it reads all of the file ahead, into memory.
        return ParquetFile(path, pre_buffer=False, buffer_size=BLOCK)
    except (ArrowException, OSError) as error:
        raise _damaged(error) from None


def parquet_columns(path: str) -> list[str]:
    """Its columns. Raises as :func:`open_parquet` does."""
    with open_parquet(path) as table:
        names: list[str] = table.schema_arrow.names
    check_columns(names)
    return names


class ParquetReader:
    """Iterates over the rows as numbered lines of JSON; ``reached`` is the row that comes next.

    Numbers, booleans, texts, lists and structs stay what they are. Dates, times and decimals are
    their text, binary values their base64, NaN is null.
    """

    __slots__ = ("_path", "reached")

    def __init__(self, path: str) -> None:
        self._path = path
        self.reached = 1

    def __iter__(self) -> Iterator[Lines]:
        with open_parquet(self._path) as table:
            check_columns(table.schema_arrow.names)
            from pyarrow import ArrowException

            try:
                for batch in table.iter_batches(batch_size=BATCH):
                    yield from self._blocks(_rows(batch))
            except (ArrowException, OSError, ValueError, OverflowError) as error:
                if isinstance(error, NotLines):
                    raise
                raise _damaged(error) from None

    def _blocks(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[Lines]:
        lines: Lines = []
        size = 0
        for row in rows:
            lines.append((self.reached, _encode(row)))
            self.reached += 1
            size += len(lines[-1][1])
            if size >= BLOCK:
                yield lines
                lines, size = [], 0
        if lines:
            yield lines

    def __repr__(self) -> str:
        return f"ParquetReader({self._path!r}, at row {self.reached})"


def _rows(batch: Any) -> Any:
    """Python values; what Python has no exact value for is text already."""
    import pyarrow as pa

    columns = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        wanted = _as_text(column.type)
        try:
            columns.append(column if wanted == column.type else column.cast(wanted))
        except pa.ArrowNotImplementedError:
            raise NotLines(
                f"the column {shorten(name)} holds {shorten(str(column.type))}, which can't be "
                "read as text: leave it out"
            ) from None
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names).to_pylist()


def _as_text(kind: Any) -> Any:
    """The same type with texts for dates, times and decimals, also deep inside."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_temporal(kind) and not types.is_duration(kind) and not types.is_interval(kind):
        return pa.string()
    if types.is_decimal(kind):
        return pa.string()
    if types.is_struct(kind):
        return pa.struct([field.with_type(_as_text(field.type)) for field in kind])
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        inner = kind.value_field.with_type(_as_text(kind.value_type))
        if types.is_fixed_size_list(kind):
            return pa.list_(inner, kind.list_size)
        return pa.large_list(inner) if types.is_large_list(kind) else pa.list_(inner)
    return kind


def _damaged(error: Exception) -> NotLines:
    said = " ".join(str(error).split())
    if "ncrypt" in said or "ecrypt" in said:
        return NotLines("is encrypted: write it without encryption")
    return NotLines(f"the Parquet data is damaged or cut short ({said[:120]}): make the file again")
