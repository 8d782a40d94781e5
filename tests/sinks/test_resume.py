from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest
from sampleresults import sample

from llmbatch.jobs.records import encode, read
from llmbatch.jobs.sinks.resume import ResumeIndex


def index_of(path: Path, *, numbered: bool = False) -> ResumeIndex:
    index = ResumeIndex(numbered=numbered)
    fd = os.open(path, os.O_RDONLY)
    try:
        index.read(fd)
    finally:
        os.close(fd)
    return index


@pytest.mark.parametrize("numbered", [False, True])
def test_the_latest_final_line_counts(tmp_path: Path, numbered: bool) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(
        encode(sample("q1", "truncated")) + encode(sample("q1")) + encode(sample("q1", "error"))
    )
    index = index_of(path, numbered=numbered)
    assert index.status("q1", "f1") == "ok"
    assert index.take("q1", "f1") == ("ok", 1 if numbered else -1)
    assert index.superseded == 2
    assert kept(index, path) == [False, True, False]


def kept(index: ResumeIndex, path: Path) -> list[bool]:
    lines = path.read_bytes().splitlines()
    stored = [read(line) for line in lines]
    return [line is None or index.keeps(n, line) for n, line in enumerate(stored)]


@pytest.mark.parametrize("numbered", [False, True])
def test_what_no_row_asked_for_is_superseded(tmp_path: Path, numbered: bool) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"".join(encode(sample(f"q{n}")) for n in range(4)) + b"a remark\n\n")
    index = index_of(path, numbered=numbered)
    index.take("q2", "f1")
    index.take("q2", "f1")
    index.take("q0", "f1")
    assert index.superseded == 2
    assert kept(index, path)[:4] == [True, False, True, False]


def test_an_answer_to_another_question_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(encode(sample("q1", fingerprint="f1")))
    index = index_of(path)
    assert index.done("q1", "f1")
    assert not index.done("q1", "f2")
    assert not index.done("q1f", "1")
    assert index.take("q1", "f2") is None
    assert index.superseded == 1


def test_an_answer_that_did_not_fit_its_schema_is_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(encode(sample("q1", "invalid_output")) + encode(sample("q2")))
    index = index_of(path)
    assert index.status("q1", "f1") is None
    assert index.status("q2", "f1") == "ok"
    assert index.unreadable == 0


@pytest.mark.parametrize(("numbered", "most"), [(False, 9), (True, 14)])
def test_the_index_costs_a_few_bytes_a_row(tmp_path: Path, numbered: bool, most: int) -> None:
    path = tmp_path / "out.jsonl"
    rows = 20_000
    with path.open("wb") as file:
        for i in range(rows):
            file.write(encode(sample(f"a rather long name for a row {i}", fingerprint="f" * 32)))
    tracemalloc.start()
    index = index_of(path, numbered=numbered)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(index) == rows
    assert size / rows < most
