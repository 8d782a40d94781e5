"""The first pass: how many rows, no id twice, and with --strict no invalid row."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbatch.jobs.errors import ConfigError, SourceError
from llmbatch.jobs.sources import ids
from llmbatch.jobs.sources.inputs import expand
from llmbatch.jobs.sources.rows import RowDefaults, RowParser
from llmbatch.jobs.sources.scan import scan

Write = Callable[..., str]


def scanned(*patterns: str, **options: Any) -> int | None:
    inputs = expand(patterns)
    return scan(inputs, RowParser(RowDefaults(model="m"), several=len(inputs) > 1), **options)


def error_of(*patterns: str, **options: Any) -> str:
    with pytest.raises(SourceError) as caught:
        scanned(*patterns, **options)
    return str(caught.value)


def test_it_counts_rows_of_every_kind_and_no_blank_lines(write: Write) -> None:
    write("a.jsonl", {"prompt": "x"}, "", '"bare"', "not JSON", "   ", {"id": 5})
    write("b.txt", "one", "", "two")
    assert scanned("a.jsonl") == 4
    assert scanned("a.jsonl", "b.txt") == 6


def test_an_id_that_occurs_twice_names_both_places(write: Write) -> None:
    write("a.jsonl", {"id": "q1"}, "", {"id": "q2"}, {"id": "q1"})
    assert error_of("a.jsonl") == (
        'a.jsonl:4: the id "q1" is already used at a.jsonl:1: give every row an id of its own'
    )


def test_an_id_that_occurs_in_two_files_names_both(write: Write) -> None:
    write("a.jsonl", {"id": "x"}, {"custom_id": "q1"})
    Path("b.jsonl.gz").write_bytes(gzip.compress(b'{"id": "y"}\n{"id": "q1"}\n'))
    assert error_of("a.jsonl", "b.jsonl.gz").startswith(
        'b.jsonl.gz:2: the id "q1" is already used at a.jsonl:2: '
    )


@pytest.mark.parametrize(
    "second", ['{"id": 1}', '{"id": "1"}', '{"id": "1", "x": NaN}', '{"id": "1", "x": "\\ud800"}']
)
def test_a_line_number_that_serves_as_an_id_counts_too(write: Write, second: str) -> None:
    write("a.jsonl", "not JSON", second)
    assert error_of("a.jsonl").startswith(
        'a.jsonl:2: the id "1" is already used at a.jsonl:1 '
        "(a row without an id takes its line number): "
    )


def test_rows_without_ids_in_several_files_do_not_collide(write: Write) -> None:
    write("a.jsonl", '"x"', '"y"')
    write("b.jsonl", '"x"', '"y"')
    assert scanned("a.jsonl", "b.jsonl") == 4


def test_two_ids_that_share_a_hash_are_two_ids(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ids, "_MASK", 1)  # two hashes for all ids
    write("a.jsonl", *({"id": f"q{n}"} for n in range(9)))
    assert scanned("a.jsonl") == 9
    write("b.jsonl", *({"id": f"q{n}"} for n in (*range(9), 4)))
    assert error_of("b.jsonl").startswith('b.jsonl:10: the id "q4" is already used at b.jsonl:5: ')


def test_the_limit_ends_the_scan(write: Write) -> None:
    write("a.jsonl", {"id": "a"}, {"id": "b"}, {"id": "a"})
    write("b.jsonl", {"id": "c"}, {"id": "d"})
    assert scanned("a.jsonl", limit=2) == 2
    assert scanned("b.jsonl", "a.jsonl", limit=3) == 3
    assert scanned("b.jsonl", limit=9) == 2
    with pytest.raises(SourceError):
        scanned("a.jsonl", limit=3)


def test_an_empty_input_is_an_error(write: Write) -> None:
    write("empty.jsonl")
    write("blank.jsonl", "", "  ", "")
    write("row.jsonl", '"x"')
    assert error_of("empty.jsonl") == (
        "empty.jsonl: there is no row in it: it is empty or all blank"
    )
    assert error_of("blank.jsonl").startswith("blank.jsonl: there is no row in it")
    assert error_of("empty.jsonl", "blank.jsonl") == "there is no row in any of the 2 inputs"
    assert scanned("empty.jsonl", "row.jsonl") == 1


def test_strict_lists_the_first_invalid_rows_and_counts_all(write: Write) -> None:
    bad = [{"prompt": "x", "temperature": "hot"}, "oops", *({"id": n} for n in "abcde")]
    write("a.jsonl", '"good"', *bad)
    assert error_of("a.jsonl", strict=True).splitlines() == [
        "7 of 8 rows are invalid, and --strict sends nothing then:",
        '  a.jsonl:2: temperature must be a number, got "hot"',
        "  a.jsonl:3: not JSON: expecting value at column 1",
        *(
            f"  a.jsonl:{n}: no prompt: the row needs prompt or messages, or the job a template"
            for n in (4, 5, 6)
        ),
        "  ... and 2 more",
    ]
    assert error_of("a.jsonl", strict=True, limit=2).splitlines() == [
        "1 of 2 rows is invalid, and --strict sends nothing then:",
        '  a.jsonl:2: temperature must be a number, got "hot"',
    ]
    assert scanned("a.jsonl") == 8


def test_strict_passes_when_all_is_well(write: Write) -> None:
    write("a.jsonl", '"good"', {"prompt": "x"})
    assert scanned("a.jsonl", strict=True) == 2


def test_what_can_be_read_only_once_is_left_alone(write: Write) -> None:
    os.mkfifo("pipe")
    write("a.jsonl", '"x"')
    assert scanned("-") is None
    assert scanned("pipe", "a.jsonl", "-") is None
    write("twice.jsonl", {"id": "a"}, {"id": "a"})
    assert error_of("-", "twice.jsonl").startswith("twice.jsonl:2: ")


def test_strict_needs_an_input_that_can_be_read_twice(write: Write) -> None:
    os.mkfifo("pipe")
    for name, shown in (("-", "standard input"), ("pipe", "pipe")):
        with pytest.raises(ConfigError) as caught:
            scanned(name, strict=True)
        assert str(caught.value) == (
            f"--strict reads the input twice, which {shown} does not allow: save it to a file first"
        )


def test_the_scan_costs_a_few_bytes_a_row(write: Write) -> None:
    def peak(rows: int) -> int:
        write("a.jsonl", *(f'{{"id": "row-{n}", "prompt": "Hello"}}' for n in range(rows)))
        tracemalloc.start()
        try:
            assert scanned("a.jsonl") == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(60_000) - peak(20_000) < 45 * 40_000


def test_a_scan_that_nobody_needs_any_more_reads_no_further(write: Write) -> None:
    name = write("in.jsonl", {"id": "a"}, {"id": "a"})
    assert scanned(name, stopped=lambda: True) is None
    with pytest.raises(SourceError):
        scanned(name, stopped=lambda: False)


def test_standard_input_is_named_in_words() -> None:
    assert str(SourceError("broken", path="-", line=7)) == "standard input, line 7: broken"
    assert str(SourceError("broken", path="-")) == "standard input: broken"
    assert str(SourceError("broken", path="a.jsonl", line=7)) == "a.jsonl:7: broken"
    assert str(SourceError("broken")) == "broken"
