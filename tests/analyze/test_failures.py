"""Chunks and folds that fail: what the report says of them, what it costs to mend them."""

from __future__ import annotations

import re

import pytest
from analyst import Ask
from faultreplies import answer, cut, error, unauthorized
from study import RESULTS, Study, paid, prose

REPORT = ("-o", "report.md")
BAD = "In year 1120 "


def bad_chunk(ask: Ask) -> bool:
    """The chunk, or chunks where it is in an overlap, with a sentence from the middle."""
    return ask.kind == "map" and BAD in ask.text


async def fresh_report(study: Study, *args: str) -> bytes:
    fresh = Study.beside(study)
    fresh.document()
    assert (await fresh.read(*REPORT, *args)).code == 0
    study.model.forget()
    return (fresh.folder / "report.md").read_bytes()


@pytest.mark.parametrize(
    ("recipe", "status", "says"),
    [
        (error(400, "The text is not allowed"), "error", "The text is not allowed"),
        (answer("- x", finish="content_filter"), "filtered", ""),
    ],
    ids=["400", "filtered"],
)
async def test_a_chunk_that_fails_is_named_with_its_span_and_the_others_are_there(
    study: Study, recipe: object, status: str, says: str
) -> None:
    text = prose()
    study.document(text)
    study.model.fail(bad_chunk, recipe)  # type: ignore[arg-type]
    done = await study.read(*REPORT, "--overlap", "0")
    assert done.code == 1, done
    (failed,) = [row for row in study.chunks() if row["status"] != "ok"]
    assert failed["status"] == status
    chunk = failed["chunk"]
    report = (study.folder / "report.md").read_text()
    span = f"characters {chunk['start']:,}-{chunk['end']:,}"
    assert "1 chunk was not analysed:" in report
    named = re.search(rf"big\.txt, {span} .*chunk {chunk['number']}: {status}.*", report)
    assert named
    assert says in named[0]
    lost = chunk["byte_end"] - chunk["byte_start"]
    assert f"{len(text) - lost:,} of {len(text):,} bytes" in report
    assert "(100 %)" not in report
    assert f"1 chunk failed: chunk {chunk['number']} (big.txt, {span})" in done.stderr
    assert f"1 {status}" in done.last


async def test_mending_a_chunk_costs_it_and_the_folds_that_depend_on_it(study: Study) -> None:
    whole = await fresh_report(study)
    study.document()
    study.model.fail(bad_chunk, error(400))
    assert (await study.read(*REPORT)).code == 1
    failed = [row["id"] for row in study.chunks() if row["status"] == "error"]
    there = paid(study)
    study.model.mend()
    study.model.forget()
    done = await study.read(*REPORT)
    assert done.code == 0, done
    again = study.model.forget()
    assert there.isdisjoint(ask.digest for ask in again)
    maps = [ask for ask in again if ask.kind == "map"]
    assert len(maps) == len(failed)
    assert all(BAD in ask.text for ask in maps)
    assert (study.folder / "report.md").read_bytes() == whole
    assert {row["status"] for row in study.lines()} == {"ok"}


async def test_a_chunk_that_still_fails_costs_itself_alone(study: Study) -> None:
    study.document()
    study.model.fail(bad_chunk, error(400))
    assert (await study.read(*REPORT)).code == 1
    report = (study.folder / "report.md").read_bytes()
    study.model.forget()
    done = await study.read(*REPORT)
    assert done.code == 1, done
    assert all(bad_chunk(ask) for ask in study.model.forget())
    assert (study.folder / "report.md").read_bytes() == report


async def test_a_filtered_chunk_is_final_and_the_exit_code_goes_on_saying_so(
    study: Study,
) -> None:
    study.document()
    study.model.fail(bad_chunk, answer("", finish="content_filter"))
    assert (await study.read(*REPORT)).code == 1
    report = (study.folder / "report.md").read_bytes()
    study.model.forget()
    done = await study.read(*REPORT)
    assert (done.code, study.model.forget()) == (1, [])
    assert (study.folder / "report.md").read_bytes() == report


async def test_max_failed_decides_how_many_chunks_may_fail(study: Study) -> None:
    study.document()
    study.model.fail(bad_chunk, error(400))
    done = await study.read(*REPORT, "--max-failed", "1", "--overlap", "0")
    assert done.code == 0, done
    assert "1 chunk was not analysed" in (study.folder / "report.md").read_text()


@pytest.mark.parametrize("fold", ["summary", "concat"])
async def test_where_every_chunk_fails_an_older_report_stands(study: Study, fold: str) -> None:
    study.document()
    (study.folder / "report.md").write_text("older")
    study.model.fail(lambda ask: True, error(400, "No model today"))
    done = await study.read(*REPORT, "--fold", fold, "--max-failed", "100%")
    assert done.code == 1, done
    assert (study.folder / "report.md").read_text() == "older"
    assert study.files() == {"big.txt", "report.md", RESULTS}
    assert "none was written: no chunk could be analysed: " in done.stderr
    assert "No model today" in done.stderr
    assert "-> report.md" not in done.last
    study.model.mend()
    assert (await study.read(*REPORT, "--fold", fold)).code == 0


@pytest.mark.parametrize("kind", ["merge", "report"])
async def test_a_fold_that_fails_leaves_no_report_and_says_which_failed(
    study: Study, kind: str
) -> None:
    whole = await fresh_report(study)
    study.document()
    (study.folder / "report.md").write_text("older")
    study.model.fail(lambda ask: ask.kind == kind, error(400, "Too many notes"))
    done = await study.read(*REPORT)
    assert done.code == 1, done
    assert re.search(r"none was written: fold-\d+-\d+ failed: .*Too many notes", done.stderr)
    assert (study.folder / "report.md").read_text() == "older"
    assert "-> report.md" not in done.last
    there = paid(study)
    study.model.mend()
    study.model.forget()
    again = await study.read(*REPORT)
    assert again.code == 0, again
    asked = study.model.forget()
    assert there.isdisjoint(ask.digest for ask in asked)
    assert {ask.kind for ask in asked} <= {"merge", "report"}
    assert (study.folder / "report.md").read_bytes() == whole


async def test_a_fold_whose_stream_breaks_every_time_is_no_report(study: Study) -> None:
    study.document()
    study.model.fail(lambda ask: ask.kind == "report", cut(2, text="## Half a report"))
    done = await study.read(*REPORT, "--retries", "0")
    assert done.code == 1, done
    assert not (study.folder / "report.md").exists()
    (final,) = [row for row in study.folds() if row["fold"].get("final")]
    assert final["status"] in ("partial", "error")
    study.model.mend()
    assert (await study.read(*REPORT)).code == 0


async def test_an_empty_report_is_none(study: Study) -> None:
    study.document()
    study.model.fail(lambda ask: ask.kind == "report", answer(""))
    done = await study.read(*REPORT)
    assert done.code == 1, done
    assert not (study.folder / "report.md").exists()
    assert "none was written" in done.stderr


async def test_an_empty_answer_to_a_chunk_is_nothing_found(study: Study) -> None:
    study.document()
    study.model.fail(bad_chunk, answer(""))
    done = await study.read(*REPORT)
    assert done.code == 0, done


async def test_a_key_that_is_refused_stops_it_and_writes_nothing(study: Study) -> None:
    study.document()
    (study.folder / "report.md").write_text("older")
    study.model.fail(lambda ask: True, unauthorized())
    done = await study.read(*REPORT, env={"OPENAI_API_KEY": "sk-wrong-123456"})
    assert done.code == 4, done
    assert (study.folder / "report.md").read_text() == "older"
    assert {row["status"] for row in study.lines()} == {"error"}
    assert "Traceback" not in done.stderr
    assert len(study.model.asks) <= 16
    study.model.mend()
    assert (await study.read(*REPORT)).code == 0


async def test_a_key_that_is_refused_at_the_fold_stops_it_and_keeps_the_map(study: Study) -> None:
    study.document()
    study.model.fail(lambda ask: ask.kind != "map", unauthorized())
    done = await study.read(*REPORT)
    assert done.code == 4, done
    assert not (study.folder / "report.md").exists()
    assert {row["status"] for row in study.chunks()} == {"ok"}
    there = paid(study)
    study.model.mend()
    study.model.forget()
    assert (await study.read(*REPORT)).code == 0
    assert there.isdisjoint(ask.digest for ask in study.model.forget())
