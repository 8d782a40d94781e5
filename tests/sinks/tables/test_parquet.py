"""Parquet tables, whatever their columns have to hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from sampleresults import sample as ok

from llmbatch.jobs.records import encode
from llmbatch.jobs.sinks.tables.columns import answer_columns
from llmbatch.jobs.sinks.tables.table import Table


def table_of(tmp_path: Path, schema: Any, *results: Any) -> Any:
    table = Table(
        path=str(tmp_path / "t.parquet"), form="parquet", answers=answer_columns(schema, [])
    )
    Path(table.journal).write_bytes(b"".join(encode(result) for result in results))
    table.write()
    return pq.read_table(table.path)


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [("integer", 10**30, str(10**30)), ("number", 10**400, str(10**400)),
     ("number", 2**53 + 1, str(2**53 + 1)), ("integer", 1e30, "1e+30"),
     ("boolean", "true", "true")],
)  # fmt: skip
def test_a_value_that_its_column_can_not_hold_makes_it_one_of_texts(
    tmp_path: Path, kind: str, value: Any, cell: str
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": kind}, "m": {"type": "integer"}}}
    rows = [ok(id=name, output={"n": n, "m": 3}) for name, n in (("a", 1), ("b", value))]
    found = table_of(tmp_path, schema, *rows)
    assert found["n"].to_pylist() == ["1", cell]
    assert found["m"].to_pylist() == [3, 3]
    assert [path.name for path in tmp_path.iterdir() if "tmp" in path.name] == []


def test_numbers_of_the_input_that_are_no_doubles_are_texts(tmp_path: Path) -> None:
    rows = [ok(id=str(n), metadata={"x": x}) for n, x in enumerate((2**53 + 1, 0.5, None))]
    assert table_of(tmp_path, None, *rows)["x"].to_pylist() == [str(2**53 + 1), "0.5", None]


def test_half_a_character_in_the_name_of_a_column_is_an_escape(tmp_path: Path) -> None:
    found = table_of(tmp_path, None, ok(metadata={"x\ud800": 1}))
    assert found.column_names[0] == "x\\ud800"
