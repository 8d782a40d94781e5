"""Parquet as rows: types are kept, and what is none says so."""

from __future__ import annotations

import datetime as dt
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llmbatch.jobs.errors import ConfigError, SourceError
from llmbatch.jobs.model import Request
from llmbatch.jobs.sinks.tables.parquet import require
from llmbatch.jobs.sources.inputs import Input, expand
from llmbatch.jobs.sources.rows import RowDefaults, RowParser


def input_of(path: Path) -> Input:
    (source,) = expand([str(path)])
    return source


def written(path: Path, columns: dict[str, Any], **how: Any) -> Input:
    pq.write_table(pa.table(columns), path, **how)
    return input_of(path)


def lines(source: Input) -> list[tuple[int, Any]]:
    return [(n, source.format.decode(line)) for block in source.blocks() for n, line in block]


def error_of(source: Input) -> str:
    with pytest.raises(SourceError) as caught:
        list(source.blocks())
    return str(caught.value)


def test_values_keep_their_types_and_rows_their_numbers(tmp_path: Path) -> None:
    rows = [
        {"id": 1, "x": 1.5, "ok": True, "tags": ["a"], "who": {"name": "Ada"}, "none": None},
        {"id": 2, "x": float("nan"), "ok": False, "tags": [], "who": {"name": None}, "none": None},
    ]
    path = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert lines(input_of(path)) == [(1, rows[0]), (2, {**rows[1], "x": None})]


def test_what_json_has_no_value_for_is_text(tmp_path: Path) -> None:
    moment = dt.datetime(2026, 1, 31, 12, 30, 15, 250000)
    source = written(
        tmp_path / "t.parquet",
        {
            "day": [dt.date(2026, 1, 31)],
            "at": [moment],
            "nano": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns")),
            "zone": pa.array([moment], pa.timestamp("us", "UTC")),
            "price": [Decimal("12.50")],
            "raw": [b"\x00\xff"],
            "time": [dt.time(12, 30)],
            "inside": pa.array(
                [[{"at": 1_700_000_000_123_456_789}]],
                pa.list_(pa.struct([("at", pa.timestamp("ns"))])),
            ),
        },
    )
    ((_, row),) = lines(source)
    assert row == {
        "day": "2026-01-31",
        "at": "2026-01-31 12:30:15.250000",
        "nano": "2023-11-14 22:13:20.123456789",
        "zone": "2026-01-31 12:30:15.250000Z",
        "price": "12.50",
        "raw": "AP8=",
        "time": "12:30:00.000000",
        "inside": [{"at": "2023-11-14 22:13:20.123456789"}],
    }


def test_every_row_group_is_read_once(tmp_path: Path) -> None:
    source = written(tmp_path / "t.parquet", {"n": list(range(5000))}, row_group_size=700)
    assert lines(source) == [(n + 1, {"n": n}) for n in range(5000)]


def test_nested_columns_and_parameters_reach_the_request(tmp_path: Path) -> None:
    source = written(
        tmp_path / "t.parquet",
        {"who": [{"name": "Ada"}], "max_tokens": [5.0], "temperature": [0.0], "id": [7]},
    )
    parser = RowParser(RowDefaults(model="m", template="Greet {{who.name}}"))
    (row,) = [
        parser.parse(line, n, "t", source.format) for block in source.blocks() for n, line in block
    ]
    assert isinstance(row, Request)
    assert row.id == "7"
    assert row.messages[0]["content"] == "Greet Ada"
    assert row.params == {"max_tokens": 5, "temperature": 0.0}


@pytest.mark.parametrize(
    ("data", "why"),
    [(b"", "is empty: it is no Parquet file"), (b"a,b\n1,2\n", "is no Parquet file"),
     (b"PAR1" + b"x" * 100, "damaged or cut short"), (b"PARE" + b"x" * 100, "is encrypted")],
)  # fmt: skip
def test_a_file_that_is_no_such_table_says_why(tmp_path: Path, data: bytes, why: str) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(data)
    assert why in error_of(input_of(path))


def test_damage_in_the_middle_is_found_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    values = [f"{n * 7919 % 10007}" * 20 for n in range(20000)]
    source = written(path, {"x": values}, row_group_size=2000, use_dictionary=False)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = b"\xff" * 4000
    path.write_bytes(data)
    assert "damaged" in error_of(source)


def test_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(table, path)
    assert "the columns 1 and 2 are all called a" in error_of(input_of(path))


def test_a_file_without_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({}), path)
    assert "has no columns" in error_of(input_of(path))


@pytest.mark.parametrize("name", ["t.parquet.gz", "t.parquet.zst"])
def test_a_packed_one_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(SourceError, match="unpack it"):
        input_of(tmp_path / name)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    text = [f"{n * 7919 % 10007:05}" * 200 for n in range(25_000)]  # 25 MB
    source = written(
        tmp_path / "t.parquet", {"x": text}, row_group_size=1000, use_dictionary=False,
        compression="none",
    )  # fmt: skip
    del text
    before = pa.total_allocated_bytes()
    held = max(pa.total_allocated_bytes() - before for _ in source.blocks())
    assert held < 8 << 20


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = written(tmp_path / "t.parquet", {"a": [1]})
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        ConfigError, match=r"t\.parquet needs the package pyarrow; run: pip install"
    ):
        list(source.blocks())
    with pytest.raises(ConfigError, match=r"pip install 'llmbatch\[parquet\]'"):
        require()
