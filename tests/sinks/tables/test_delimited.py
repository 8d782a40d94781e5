"""What is written as CSV is read back as it was."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sampleresults import sample as ok

from llmbatch.jobs.sinks.tables.columns import answer_columns
from llmbatch.jobs.sinks.tables.delimited import pieces
from llmbatch.jobs.sources.tables.delimited import DelimitedReader

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
VALUES = st.one_of(TEXTS, st.none(), st.booleans(), st.integers(), st.lists(TEXTS, max_size=2))


@given(st.lists(st.fixed_dictionaries({"a": VALUES, "b": TEXTS}), max_size=5),
       st.sampled_from([",", "\t"]))  # fmt: skip
def test_every_cell_is_read_back_by_the_csv_module_and_by_our_own_reader(
    rows: list[dict[str, Any]], delimiter: str
) -> None:
    results = [ok(metadata=row, output=row["b"]) for row in rows]
    columns = answer_columns(None, [])
    data = b"".join(pieces(["a", "b"], columns, results, delimiter))

    def cell(value: Any) -> str:
        if value is None or isinstance(value, str):
            return value or ""
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    wanted = [{"a": cell(row["a"]), "b": row["b"], "output": row["b"]} for row in rows]
    text = io.StringIO(data.decode(), newline="")
    assert list(csv.DictReader(text, delimiter=delimiter, strict=True)) == wanted
    wanted = [row for row in wanted if "".join(row.values()).strip()]
    reader = DelimitedReader(io.BytesIO(data), delimiter)
    assert [json.loads(line) for block in reader for _, line in block] == wanted


def test_half_a_character_is_an_escape() -> None:
    result = ok(metadata={}, output="x\ud800")
    assert b"".join(pieces([], answer_columns(None, []), [result], ",")) == (
        b"output\r\nx\\ud800\r\n"
    )
