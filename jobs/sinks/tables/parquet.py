"""Rows of Parquet: columns keep the types that they had, or get those of the schema."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import time
from typing import Any

from ...errors import ConfigError
from ...model import Result
from .cells import sound, text
from .columns import Column

NO_EXTRA = "a Parquet output needs the package pyarrow; run: pip install 'llmbatch[parquet]'"
_INT64 = range(-(1 << 63), 1 << 63)


class Misfit(ValueError):
    """A value that its ``column`` can't hold: it has to be one of texts."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


def require() -> None:
    """Raises ConfigError where the extra is missing."""
    try:
        import pyarrow  # noqa: F401 - looked for before anything is sent
    except ImportError:
        raise ConfigError(NO_EXTRA) from None


class Inputs:
    """The types of the input's columns: those of Parquet inputs, else what their values are."""

    def __init__(self, files: Sequence[str]) -> None:
        """``files`` are the Parquet inputs; a column that differs between them is looked at."""
        self._declared: dict[str, Any] = {}
        self._kinds: dict[str, set[str]] = {}
        odd: set[str] = set()
        for file in files:
            for field in _fields(file):
                if self._declared.setdefault(field.name, field.type) != field.type:
                    odd.add(field.name)
        for name in odd:
            del self._declared[name]

    def look(self, row: Mapping[str, Any]) -> None:
        for name, value in row.items():
            kinds = self._kinds.setdefault(name, set())
            if value is not None:
                kinds.add(_kind(value))

    @property
    def names(self) -> list[str]:
        return list(self._kinds)

    def type(self, name: str) -> Any:
        """None is a text, or the JSON of another value."""
        import pyarrow as pa

        kinds = self._kinds.get(name, set())
        declared = self._declared.get(name)
        if declared is not None and (not _is_text(declared) or kinds <= {"text"}):
            return declared if _restored(declared) else None
        match sorted(kinds):
            case ["int"]:
                return pa.int64()
            case ["float"] | ["float", "int"]:
                return pa.float64()
            case ["bool"]:
                return pa.bool_()
        return None

    def __repr__(self) -> str:
        return f"<Inputs, {len(self._declared)} columns declared>"


def _fields(file: str) -> Sequence[Any]:
    """Those of an input; none where it is gone since."""
    import pyarrow as pa
    from pyarrow.parquet import read_schema

    try:
        return list(read_schema(file))
    except (pa.ArrowException, OSError):
        return ()


def pieces(
    names: Sequence[str],
    inputs: Inputs,
    columns: Sequence[Column],
    batches: Iterable[Sequence[Result]],
    texts: Collection[str] = (),
) -> Iterator[bytes]:
    """A whole table: the input's columns ``names``, then the others.

    Those of ``texts`` are texts whatever they were to be. Raises Misfit for another one of them.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    own = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}
    kinds = [inputs.type(name) for name in names] + [own.get(col.kind) for col in columns]
    titles = [sound(name) for name in (*names, *(column.name for column in columns))]
    kinds = [None if title in texts else kind for title, kind in zip(titles, kinds, strict=True)]
    schema = pa.schema(
        [(title, kind or pa.string()) for title, kind in zip(titles, kinds, strict=True)]
    )
    held = _Held()
    with ParquetWriter(held, schema) as writer:
        for batch in batches:
            values: list[list[Any]] = [[row.metadata.get(name) for row in batch] for name in names]
            values += [[column.of(row) for row in batch] for column in columns]
            arrays = [
                _array(title, cells, kind)
                for title, cells, kind in zip(titles, values, kinds, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield held.taken()
    yield held.taken()


class _Held:
    """A file in memory of which what is written is taken away again."""

    closed = False

    def __init__(self) -> None:
        self._data = bytearray()
        self._before = 0

    def write(self, data: Any) -> int:
        self._data += data
        return len(data)

    def tell(self) -> int:
        return self._before + len(self._data)

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def taken(self) -> bytes:
        data = bytes(self._data)
        self._before += len(data)
        self._data.clear()
        return data

    def __repr__(self) -> str:
        return f"<_Held {len(self._data)} bytes>"


def _array(name: str, cells: list[Any], kind: Any) -> Any:
    import pyarrow as pa
    from pyarrow import types

    try:
        if kind is None or _is_text(kind):
            texts = [None if cell is None else sound(text(cell) or "") for cell in cells]
            return pa.array(texts, kind or pa.string())
        if types.is_time(kind):
            times = [None if cell is None else time.fromisoformat(cell) for cell in cells]
            return pa.array(times, kind)
        if _by_text(kind):
            return pa.array(cells, pa.string()).cast(kind)
        if _is_binary(kind):
            return pa.array([None if c is None else b64decode(c) for c in cells], kind)
        if types.is_float16(kind):
            return pa.array(cells, pa.float32()).cast(kind)
        if types.is_dictionary(kind):
            return _array(name, cells, kind.value_type).dictionary_encode().cast(kind)
        if types.is_integer(kind):  # JSON's 1.0 is a whole number
            cells = [int(c) if isinstance(c, float) and c.is_integer() else c for c in cells]
        return pa.array(cells, kind)
    except (pa.ArrowException, binascii.Error, TypeError, ValueError, OverflowError):
        raise Misfit(name) from None


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if value in _INT64 else "json"
    return "text" if isinstance(value, str) else "float" if isinstance(value, float) else "json"


def _is_text(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_binary(kind: Any) -> bool:
    from pyarrow import types

    return bool(
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
        or types.is_binary_view(kind)
    )


def _by_text(kind: Any) -> bool:
    """Types that Arrow writes as text and reads back."""
    from pyarrow import types

    return bool(types.is_date(kind) or types.is_timestamp(kind) or types.is_decimal(kind))


def _restored(kind: Any, *, inside: bool = False) -> bool:
    """Whether the values of such a column come back from JSON as what they were."""
    from pyarrow import types

    if types.is_struct(kind):
        return all(_restored(field.type, inside=True) for field in kind)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _restored(kind.value_type, inside=True)
    if types.is_dictionary(kind):
        return not inside and _is_text(kind.value_type)
    if types.is_time(kind):  # Python's own have no nanoseconds
        return not inside and kind.unit != "ns"
    if types.is_null(kind):
        return False
    plain = types.is_integer(kind) or types.is_boolean(kind) or _is_text(kind)
    plain = plain or types.is_float32(kind) or types.is_float64(kind)
    return bool(plain or (not inside and (_by_text(kind) or _is_binary(kind)
                                          or types.is_float16(kind))))  # fmt: skip
