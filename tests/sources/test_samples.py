"""The samples that ship are good rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmbatch.jobs.clock import SystemClock
from llmbatch.jobs.model import Request
from llmbatch.jobs.sources.files import FileSource
from llmbatch.jobs.sources.inputs import expand
from llmbatch.jobs.sources.rows import RowDefaults, RowParser
from llmbatch.jobs.sources.scan import scan

SAMPLES = Path(__file__).parents[2] / "samples"


async def rows_of(name: str, **defaults: Any) -> list[Request]:
    inputs = expand([str(SAMPLES / name)])
    parser = RowParser(RowDefaults(model="m", **defaults))
    count = scan(inputs, parser, strict=True)
    rows = [row async for row in FileSource(inputs, parser, SystemClock()).requests()]
    assert len(rows) == count
    return [row for row in rows if isinstance(row, Request)]


async def test_the_prompts_are_20_and_varied() -> None:
    rows = await rows_of("prompts.jsonl")
    assert len(rows) == 20
    assert all(row.max_tokens is None or 24 <= row.max_tokens <= 96 for row in rows)
    assert {row.messages[0]["role"] for row in rows} == {"system", "user"}
    assert {"7", "13", "15"} <= {row.id for row in rows}
    assert any(not row.id.isascii() for row in rows)
    assert any(row.metadata for row in rows)


async def test_the_batch_lines_are_chats() -> None:
    rows = await rows_of("batch.jsonl")
    assert [row.id for row in rows] == [f"request-{n}" for n in range(1, 7)]
    assert {row.endpoint for row in rows} == {"chat"}


async def test_the_reviews_fit_their_template() -> None:
    rows = await rows_of("reviews.jsonl", template="Is this review positive or negative? {{text}}")
    assert len(rows) == 8
    assert all(row.messages[0]["content"].endswith(row.metadata["text"]) for row in rows)
    assert all({"product", "stars"} <= row.metadata.keys() for row in rows)


async def test_the_countries_are_a_table_with_quotes_and_accents() -> None:
    rows = await rows_of("countries.csv", template="What is the capital of {{country}}?")
    assert len(rows) == 125
    assert len({row.id for row in rows}) == 125
    asked = {row.id: row.messages[0]["content"] for row in rows}
    assert asked["KR"] == "What is the capital of Korea, South?"
    assert asked["CI"] == "What is the capital of Côte d'Ivoire?"
    assert all(row.metadata["capital"].strip() for row in rows)
