"""The results file of an analysis: whose answer is found, and which lines are left at its end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sampleresults import sample

from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.model import Chunk, Request, Result, Row
from llmbatch.jobs.records import encode_batch
from llmbatch.jobs.sinks.recall import RecallSink, open_results


class Taken:
    """What the sink has told of each row, in order."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, object, bool]] = []

    def __call__(self, row: Row, result: Result, earlier: bool) -> None:
        self.answers.append((row.id, result.output, earlier))


def opened(path: Path | str, taken: Taken) -> RecallSink:
    return open_results(
        str(path),
        fresh=False,
        force=False,
        own=re.compile(r"chunk-\d+"),
        finish_row=lambda _, result: result,
        taken=taken,
    )


def chunk(number: int) -> Request:
    """A chunk like every other one, but for its place."""
    place = Chunk(
        document="a.txt",
        number=number,
        start=10 * number - 10,
        end=10 * number,
        byte_start=10 * number - 10,
        byte_end=10 * number,
        tokens=2,
    )
    return Request(
        id=f"chunk-{number}",
        line=number,
        path="a.txt",
        endpoint="chat",
        model="m",
        fingerprint="same",
        chunk=place,
    )


async def answer(sink: RecallSink, row: Request, output: str) -> None:
    assert await sink.expect(row) is None
    await sink.write(
        sample(row.id, fingerprint="same", line=row.line, output=output, chunk=row.chunk)
    )


async def test_rows_that_ask_the_same_keep_their_own_answers(tmp_path: Path) -> None:
    """Else every run gives them one answer, the parts of folds change, and folds are paid again."""
    path, taken = tmp_path / "a.jsonl", Taken()
    sink = opened(path, taken)
    rows = [chunk(number) for number in (1, 2, 3)]
    for row in rows:
        await answer(sink, row, f"answer to {row.id}")
    await sink.finish()
    await sink.aclose()
    before, taken = path.read_bytes(), Taken()
    sink = opened(path, taken)
    for row in rows:
        assert await sink.expect(row) == "ok"
    assert (await sink.finish()).dropped == 0
    await sink.aclose()
    assert taken.answers == [(row.id, f"answer to {row.id}", True) for row in rows]
    assert path.read_bytes() == before


async def test_a_row_that_asks_what_was_answered_elsewhere_has_that_answer(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    sink = opened(path, Taken())
    await answer(sink, chunk(1), "first")
    await answer(sink, chunk(2), "second")
    await sink.aclose()
    taken = Taken()
    sink = opened(path, taken)
    assert await sink.expect(chunk(9)) == "ok"
    await sink.finish()
    await sink.aclose()
    assert taken.answers == [("chunk-9", "first", True)]
    sink = opened(path, Taken())
    assert len(sink.answers.starts) == 1, "what is no chunk any more has no line"
    assert await sink.expect(chunk(9)) == "ok"
    await sink.aclose()


@pytest.mark.parametrize("name", ["new/", "/dev/null", "-"])
def test_results_that_could_not_be_read_again_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="must be a file"):
        opened(name if name[0] in "/-" else f"{tmp_path}/{name}", Taken())
    assert list(tmp_path.iterdir()) == []


def test_lines_of_another_format_are_refused_in_words_that_fit(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(encode_batch(sample("q1")))
    with pytest.raises(ConfigError, match=r"openai-batch.*: name another output \(--results\)"):
        opened(path, Taken())
