from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from sampleresults import STATUSES, request, sample

from llmbatch.jobs.model import FINAL, Status
from llmbatch.jobs.records import encode
from llmbatch.jobs.sinks.file import FileSink
from llmbatch.jobs.sinks.opening import open_output

JUNK = b"somebody's note\n"


class Run(Struct):
    """One run of a job in a random history."""

    rows: list[tuple[str, str]]
    ends: list[Status]
    late: list[int]  # results come in this order, as far as it goes
    order: Literal["finish", "input"]
    cut: int | None  # killed: so many bytes of what it wrote are lost; None: it finished
    junk: bool


runs = st.builds(
    Run,
    rows=st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(["f1", "f2"])),
        max_size=6,
        unique_by=lambda row: row[0],
    ),
    ends=st.lists(st.sampled_from(STATUSES), min_size=6, max_size=6),
    late=st.permutations(range(6)),
    order=st.sampled_from(["finish", "input"]),
    cut=st.none() | st.integers(0, 1500),
    junk=st.booleans(),
)


def split(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


def row_of(line: bytes) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return value


def proof(lines: Sequence[bytes], row_id: str, fingerprint: str) -> bytes | None:
    """The model: the last line that proves the row to be done."""
    for line in reversed(lines):
        row = row_of(line)
        same = row and (row["id"], row["fingerprint"]) == (row_id, fingerprint)
        if row and same and row["status"] in FINAL:
            return line
    return None


def finished(
    before: list[bytes], run: Run, skipped: dict[str, bytes], new: dict[str, bytes]
) -> list[bytes]:
    """The model: what the file is to hold once this run has finished."""
    last: dict[str, tuple[int, bytes]] = {}
    lines = [*before, *new.values()]
    keep: list[tuple[int, bytes]] = []
    for place, line in enumerate(lines):
        row = row_of(line)
        if row is None:
            keep.append((place, line))
        elif skipped.get(row["id"]) in (None, line):
            last[row["id"]] = (place, line)
    ordered = [line for _, line in sorted([*keep, *last.values()])]
    if run.order == "finish":
        return ordered
    ids = [row_id for row_id, _ in run.rows]
    first = [last[row_id][1] for row_id in ids]
    return first + [line for line in ordered if line not in first]


async def play(path: Path, run: Run, serial: int) -> None:
    before = split(path.read_bytes())
    if before and not before[-1].endswith(b"\n"):
        tail = before.pop()
        if row_of(tail) is not None:
            before.append(tail + b"\n")
    sink = open_output(str(path), order=run.order)
    assert isinstance(sink, FileSink)
    assert split(path.read_bytes()) == before
    skipped: dict[str, bytes] = {}
    waiting: list[tuple[str, str]] = []
    for row_id, fingerprint in run.rows:
        done = proof(before, row_id, fingerprint)
        status = await sink.expect(request(row_id, fingerprint))
        if done is None:
            assert status is None
            waiting.append((row_id, fingerprint))
        else:
            assert status == json.loads(done)["status"]
            skipped[row_id] = done
    new: dict[str, bytes] = {}
    for place in run.late:
        if place < len(waiting):
            row_id, fingerprint = waiting[place]
            result = sample(row_id, run.ends[place], fingerprint=fingerprint, line=serial)
            await sink.write(result)
            new[row_id] = encode(result)
    if run.cut is None:
        tidied = await sink.finish()
        expected = finished(before, run, skipped, new)
        assert split(path.read_bytes()) == expected
        assert tidied.dropped == len(before) + len(new) - len(expected)
        named = {row_id for row_id, _ in run.rows}
        assert tidied.strangers == len(
            {row["id"] for line in before if (row := row_of(line))} - named
        )
        assert tidied.unreadable == before.count(JUNK)
    await sink.aclose()
    if run.cut is not None:
        data = path.read_bytes()
        path.write_bytes(data[: max(len(data) - run.cut, len(b"".join(before)))])
    elif run.junk and path.stat().st_size:
        path.write_bytes(path.read_bytes() + JUNK)


@settings(max_examples=80, deadline=None)
@given(st.lists(runs, min_size=1, max_size=5))
def test_after_any_history_each_id_stands_once_with_the_right_line(history: list[Run]) -> None:
    async def all_runs(path: Path) -> None:
        for serial, run in enumerate(history):
            await play(path, run, serial)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.jsonl"
        path.touch()
        asyncio.run(all_runs(path))
        assert [p.name for p in Path(folder).iterdir()] == ["out.jsonl"]


async def test_a_finished_file_in_the_inputs_order_was_durable_before(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    sink = open_output(str(path), order="input")
    for row_id in "abc":
        await sink.expect(request(row_id))
    for row_id in "cab":
        await sink.write(sample(row_id))
    assert [json.loads(line)["id"] for line in split(path.read_bytes())] == ["c", "a", "b"]
    await sink.finish()
    await sink.aclose()
    assert [json.loads(line)["id"] for line in split(path.read_bytes())] == ["a", "b", "c"]


async def test_rows_that_came_in_order_need_no_new_file(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    sink = open_output(str(path), order="input")
    inode = path.stat().st_ino
    for row_id in "abc":
        await sink.expect(request(row_id))
        await sink.write(sample(row_id))
    await sink.expect(request("d"))  # an interrupted row
    await sink.finish()
    await sink.aclose()
    assert path.stat().st_ino == inode


async def test_a_resumed_job_ends_in_the_inputs_order_too(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(encode(sample("d")) + encode(sample("b", "error")) + encode(sample("z")))
    sink = open_output(str(path), order="input")
    for row_id in "abcd":
        await sink.expect(request(row_id))
    for row_id in "cba":
        await sink.write(sample(row_id))
    tidied = await sink.finish()
    assert (tidied.dropped, tidied.strangers) == (1, 1)
    await sink.aclose()
    assert [json.loads(line)["id"] for line in split(path.read_bytes())] == list("abcdz")


async def test_a_superseded_line_goes_also_where_the_order_is_right_already(
    tmp_path: Path,
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(encode(sample("a")) + encode(sample("b", "error")))
    sink = open_output(str(path), order="input")
    for row_id in "ab":
        await sink.expect(request(row_id))
    await sink.write(sample("b"))
    assert (await sink.finish()).dropped == 1
    await sink.aclose()
    assert path.read_bytes() == encode(sample("a")) + encode(sample("b"))


async def test_a_large_file_is_put_together_block_by_block(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    big = {"x": "x" * 700_000}
    old = [encode(sample(f"q{i}", "error" if i == 2 else "ok", metadata=big)) for i in range(6)]
    path.write_bytes(b"".join(old))
    sink = open_output(str(path))
    for i in range(6):
        await sink.expect(request(f"q{i}"))
    await sink.write(sample("q2"))
    await sink.finish()
    await sink.aclose()
    assert split(path.read_bytes()) == [*old[:2], *old[3:], encode(sample("q2"))]
