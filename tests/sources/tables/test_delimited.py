"""CSV and TSV as rows, whatever is in their cells."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.errors import SourceError
from llmbatch.jobs.model import Rejected, Request, Row
from llmbatch.jobs.sources.inputs import Input, expand
from llmbatch.jobs.sources.lines import NotLines
from llmbatch.jobs.sources.rows import RowDefaults, RowParser
from llmbatch.jobs.sources.scan import scan
from llmbatch.jobs.sources.tables.delimited import DelimitedReader

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
NAMES = st.text(
    st.characters(categories=["L", "N", "P"], exclude_characters=",;"), min_size=1, max_size=6
)


def table(tmp_path: Path, data: bytes, name: str = "t.csv") -> Input:
    path = tmp_path / name
    path.write_bytes(data)
    (source,) = expand([str(path)])
    return source


def lines(source: Input) -> list[tuple[int, Any]]:
    return [(n, source.format.decode(line)) for block in source.blocks() for n, line in block]


def rows(source: Input, *, whole: bool = False, **defaults: Any) -> list[Row]:
    parser = RowParser(RowDefaults(model="m", **defaults), whole=whole)
    return [
        parser.parse(line, number, "t.csv", source.format)
        for block in source.blocks()
        for number, line in block
    ]


def error_of(source: Input) -> str:
    with pytest.raises(SourceError) as caught:
        list(source.blocks())
    return str(caught.value)


@given(
    st.lists(NAMES, min_size=1, max_size=4, unique=True),
    st.lists(st.lists(CELLS, min_size=4, max_size=4), max_size=5),
    st.sampled_from([",", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.integers(1, 40),
)
def test_what_the_csv_module_writes_is_read_back(
    names: list[str], cells: list[list[str]], delimiter: str, end: str, quoting: Any, block: int
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    wanted = [row[: len(names)] for row in cells]
    if quoting == csv.QUOTE_MINIMAL and end == "\n":  # then it leaves a CR unquoted
        wanted = [[cell.replace("\r", "") for cell in row] for row in wanted]
    writer.writerow([f"x{name}" for name in names])
    writer.writerows(wanted)
    reader = DelimitedReader(io.BytesIO(text.getvalue().encode()), delimiter, block=block)
    found = [json.loads(line) for block in reader for _, line in block]
    if len(names) > 1:
        wanted = [row for row in wanted if "".join(row).strip()]
    assert [list(row.values()) for row in found] == wanted
    assert all(list(row) == [f"x{name}" for name in names] for row in found)


def test_a_row_is_named_by_the_line_where_it_begins(tmp_path: Path) -> None:
    source = table(tmp_path, b'a,b\n1,"two\nlines"\n\n2,"x ""y"" z"\r\n3,')
    assert lines(source) == [
        (2, {"a": "1", "b": "two\nlines"}),
        (5, {"a": "2", "b": 'x "y" z'}),
        (6, {"a": "3", "b": ""}),
    ]


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress])
def test_a_packed_table_is_read_through(tmp_path: Path, pack: Any) -> None:
    suffix = ".gz" if pack is gzip.compress else ".zst"
    assert lines(table(tmp_path, pack(b"a\tb\n1\t2\n"), f"t.tsv{suffix}")) == [
        (2, {"a": "1", "b": "2"})
    ]


def test_a_bom_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert lines(table(tmp_path, b"\xef\xbb\xbfa, b \n1,2\n")) == [(2, {"a": "1", "b": "2"})]


def test_a_cell_of_ten_megabytes_is_a_cell(tmp_path: Path) -> None:
    cell = f"{'x' * 1023}\n" * (10 << 10)
    ((number, row), after) = lines(table(tmp_path, f'a\n"{cell}"\nb\n'.encode()))
    assert (number, len(row["a"])) == (2, 10 << 20)
    assert after == (3 + (10 << 10), {"a": "b"})


def test_a_ragged_row_is_invalid_and_stops_no_other(tmp_path: Path) -> None:
    source = table(tmp_path, b"id,prompt\na,hello\nb\nc,too,many\n,d\n")
    good, short, long, unnamed = rows(source)
    assert isinstance(good, Request)
    assert isinstance(short, Rejected)
    assert isinstance(long, Rejected)
    assert (short.id, short.line) == ("b", 3)
    assert short.reason == "has 1 cell, and the header names 2 columns"
    assert (long.id, long.line) == ("c", 4)
    assert long.reason == "has 3 cells, and the header names 2 columns"
    assert long.metadata == {"id": "c", "prompt": "too"}
    assert isinstance(unnamed, Request)
    assert unnamed.id == "5"


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [(b'a,b\n"x"y,1\n2,3\n', 2, "text follows a closing quote"),
     (b'a,b\n2,3\n4,"open\nand on\n', 3, "the quote that opens in it is never closed")],
)  # fmt: skip
def test_a_broken_quote_makes_its_row_invalid(
    tmp_path: Path, data: bytes, line: int, reason: str
) -> None:
    found = {row.line: row for row in rows(table(tmp_path, data), template="{{a}}")}
    bad = found.pop(line)
    assert isinstance(bad, Rejected)
    assert reason in bad.reason
    (good,) = found.values()
    assert isinstance(good, Request)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty: the first line of a table names its columns"),
        (b"\n\n", "is empty"),
        (b"a,b,a\n1,2,3\n", "the columns 1 and 3 are all called a: rename them"),
        (b"a,,b\n1,2,3\n", "column 2 of 3 has no name"),
        (b"a;b\n1;2\n", "semicolons between the columns: save it with commas"),
        (b"a\tb\n1\t2\n", "tabs between the columns: name it .tsv, or give --input-format tsv"),
        (b"a,b\n1,2\nm\xfcll,3\n", "t.csv:3: is not UTF-8 (0xfc at byte 2 of the line)"),
        (b"m\xfcll\n1\n", "t.csv:1: is not UTF-8"),
        (b"a,b\n1,\0\n", "t.csv:2: has a NUL in it: is the file UTF-16?"),
        ("a,b\n1,2\n".encode("utf-16"), "it is UTF-16 text: save it as UTF-8"),
        (
            b"a,b\r1,2\r3,4\r",
            "the header can't be read: a CR stands outside of quotes: lines end in LF",
        ),
        (gzip.compress(b"a\n1\n", mtime=0), "it is gzip data"),
        (b"sep=;\na;b\n1;2\n", "t.csv:1: begins with Excel's line sep=: delete that line"),
        (b"sep=,\na,b\n1,2\n", "t.csv:1: begins with Excel's line sep=: delete that line"),
        (b'"a,b\n1,2\n', "the header can't be read: the quote that opens in it is never closed"),
    ],
)
def test_a_file_that_is_no_such_table_says_why(tmp_path: Path, data: bytes, why: str) -> None:
    assert why in error_of(table(tmp_path, data))


def test_rows_of_nothing_but_delimiters_are_no_rows(tmp_path: Path) -> None:
    source = table(tmp_path, b"id,prompt\na,hi\n,\n \nb,\n,,\n")
    assert [(n, row) for n, row in lines(source)] == [
        (2, {"id": "a", "prompt": "hi"}), (5, {"id": "b", "prompt": ""})]  # fmt: skip
    assert [row for _, row in lines(table(tmp_path, b'a\n""\nx\n'))] == [{"a": ""}, {"a": "x"}]


def test_a_row_says_which_lines_its_broken_quote_has_swallowed(tmp_path: Path) -> None:
    (bad,) = rows(table(tmp_path, b'id,prompt\n1,"hi\n2,ho\n3,hu\n'))
    assert isinstance(bad, Rejected)
    assert bad.reason.endswith("never closed (the row takes up all lines from 2 to 4)")


def test_a_broken_row_does_not_take_the_id_of_another_one(tmp_path: Path) -> None:
    source = table(tmp_path, b'id,prompt\n1,a\n2,"x"y\n3,b\n')
    parser = RowParser(RowDefaults(model="m"))
    assert scan([source], parser) == 3
    assert [row.id for row in rows(source)] == ["1", "line 3", "3"]


def test_columns_that_are_request_parameters_get_their_types(tmp_path: Path) -> None:
    head = "id,prompt,max_tokens,temperature,stop,logprobs,response_format,zip\n"
    row = '007,hi,50,0.5,"[""a"", ""b""]",TRUE,"{""type"": ""text""}",00123\n'
    empty = "008,hi,,,,,,\n"
    full, bare = rows(table(tmp_path, (head + row + empty).encode()))
    assert isinstance(full, Request)
    assert isinstance(bare, Request)
    assert full.id == "007"
    assert full.params == {
        "max_tokens": 50, "temperature": 0.5, "stop": ["a", "b"], "logprobs": True,
        "response_format": {"type": "text"},
    }  # fmt: skip
    assert full.metadata == {"zip": "00123"}
    assert (bare.params, bare.metadata) == ({}, {"zip": ""})


@pytest.mark.parametrize(
    ("cell", "reason"),
    [("many", 'max_tokens must be a whole number, got "many"'), ("1.5", "got 1.5"),
     ("NaN", 'got "NaN"')],
)  # fmt: skip
def test_a_cell_that_is_no_such_value_makes_its_row_invalid(
    tmp_path: Path, cell: str, reason: str
) -> None:
    (row,) = rows(table(tmp_path, f"prompt,max_tokens\nhi,{cell}\n".encode()))
    assert isinstance(row, Rejected)
    assert reason in row.reason


def test_a_template_takes_the_text_of_a_cell_as_it_stands(tmp_path: Path) -> None:
    (row,) = rows(table(tmp_path, b"seed,name,user\n007,Ada,\n"), template="{{seed}} {{ name }}")
    assert isinstance(row, Request)
    assert row.messages[0]["content"] == "007 Ada"
    assert row.params == {}


@pytest.mark.parametrize("template", [None, "Greet {{name}}"])
def test_counts_shops_and_people_are_data(tmp_path: Path, template: str | None) -> None:
    data = b"name,prompt,n,store,user\nAda,hi,3,Berlin,ada@example.com\n"
    (row,) = rows(table(tmp_path, data), template=template)
    assert isinstance(row, Request)
    assert row.params == {}
    assert row.metadata["n"] == "3"
    assert row.metadata["user"] == "ada@example.com"


def test_a_column_that_is_taken_for_a_parameter_says_so(tmp_path: Path) -> None:
    (row,) = rows(table(tmp_path, b"prompt,seed\nhi,wheat\n"))
    assert isinstance(row, Rejected)
    assert row.reason.startswith('seed must be a whole number, got "wheat" (a column of that name')


def test_messages_may_be_a_cell_of_json(tmp_path: Path) -> None:
    data = b'prompt,messages\n,"[{""role"": ""user"", ""content"": ""x""}]"\nhi,\n,""\n'
    said, plain = rows(table(tmp_path, data))
    assert isinstance(said, Request)
    assert said.messages == [{"role": "user", "content": "x"}]
    assert isinstance(plain, Request)


def test_no_names_of_columns_make_a_batch_line(tmp_path: Path) -> None:
    (row,) = rows(table(tmp_path, b"custom_id,body,prompt\nx,text,hi\n"))
    assert isinstance(row, Request)
    assert (row.id, row.metadata) == ("x", {"body": "text"})


def test_a_whole_row_is_handed_back_where_it_is_wanted(tmp_path: Path) -> None:
    source = table(tmp_path, b"id,prompt,max_tokens,x\na,hi,5,\nb,hi,no,1\n")
    plain = rows(source)
    whole = rows(source, whole=True)
    assert [row.fingerprint for row in plain] == [row.fingerprint for row in whole]
    assert [row.metadata for row in whole] == [
        {"id": "a", "prompt": "hi", "max_tokens": "5", "x": ""},
        {"id": "b", "prompt": "hi", "max_tokens": "no", "x": "1"},
    ]


def test_the_format_may_be_named_whatever_the_file_is_called(tmp_path: Path) -> None:
    path = tmp_path / "data.txt"
    path.write_text("a\tb\n1\t2\n")
    (source,) = expand([str(path)], "tsv")
    assert lines(source) == [(2, {"a": "1", "b": "2"})]


def test_a_cell_that_has_no_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmbatch.jobs.sources.tables.delimited.WIDEST", 1 << 20)
    said = error_of(table(tmp_path, b'a\n"' + b"x\n" * (1 << 20)))
    assert re.search("t.csv:2: a cell has more than 1 million characters: is a quote not", said)


def test_rows_are_handed_over_as_soon_as_they_arrive() -> None:
    coming = [b"a,b\n1,2\n3,", b'4\n5,"x\ny"\n', b"6,\xff\n"]
    asked: list[int] = []

    class Pipe(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            asked.append(size)
            return coming.pop(0) if coming else b""

    blocks = iter(DelimitedReader(Pipe(), ","))  # type: ignore[arg-type]
    assert [n for n, _ in next(blocks)] == [2]
    assert len(asked) == 1
    assert [n for n, _ in next(blocks)] == [3, 4]
    assert len(asked) == 2
    with pytest.raises(NotLines, match="is not UTF-8"):
        next(blocks)
