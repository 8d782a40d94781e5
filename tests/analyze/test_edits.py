"""A document that is edited between two runs: what is asked again, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from study import RESULTS, Study, assert_tiles, paragraphs

REPORT = ("-o", "report.md")


def joined(parts: list[str]) -> str:
    return "\n\n".join(parts) + "\n"


def inserted(parts: list[str]) -> str:
    first = parts[1].split(". ")
    return joined(
        [parts[0], ". ".join([first[0], "A sentence was added here", *first[1:]]), *parts[2:]]
    )


def removed(parts: list[str]) -> str:
    half = len(parts) // 2
    return joined(parts[:half] + parts[half + 1 :])


def appended(parts: list[str]) -> str:
    return joined([*parts, "At last there is more to read about the lighthouse and its keeper."])


def shortened(parts: list[str]) -> str:
    return joined(parts[: len(parts) * 2 // 3])


def reworded(parts: list[str]) -> str:
    return joined(parts).replace("In year 1120 the", "In year 1120 no")


def moved(parts: list[str]) -> str:
    return joined(parts[3:] + parts[:3])


def wide(parts: list[str]) -> str:
    """Bytes are other than characters from its second paragraph on."""
    return joined([parts[0], "Grüße an die Bürger, 中文 und 🧭.", *parts[1:]])


EDITS = [inserted, removed, appended, shortened, reworded, moved, wide]


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
async def test_only_chunks_whose_text_changed_are_asked_again(
    study: Study, edit: Callable[[list[str]], str]
) -> None:
    parts = paragraphs(150, sentences=3)
    study.document(joined(parts))
    assert (await study.read(*REPORT)).code == 0
    before = {ask.digest for ask in study.model.forget()}
    text = edit(parts)
    study.document(text)
    done = await study.read(*REPORT)
    assert done.code == 0, done
    asked = study.model.forget()
    assert before.isdisjoint(ask.digest for ask in asked)
    maps = [ask for ask in asked if ask.kind == "map"]
    chunks = study.chunks()
    assert len(maps) <= len(chunks) // 4
    assert_tiles(chunks, text)
    assert [row["id"] for row in chunks] == [f"chunk-{n}" for n in range(1, len(chunks) + 1)]
    assert [row["line"] for row in chunks] == list(range(1, len(chunks) + 1))
    assert len(study.lines()) == len(chunks) + len(study.folds())
    for row in chunks:
        chunk = row["chunk"]
        start = chunk["start"] - chunk.get("overlap", 0)
        assert " ".join(text[start:].split()[:4]) in row["output"]

    fresh = Study.beside(study, "fresh")
    fresh.document(text)
    assert (await fresh.read(*REPORT)).code == 0
    assert (study.folder / "report.md").read_bytes() == (fresh.folder / "report.md").read_bytes()
    assert plain(study) == plain(fresh)


def plain(study: Study) -> dict[str, dict[str, object]]:
    """The results without what differs from run to run."""
    kept = ("line", "fingerprint", "status", "output", "chunk", "fold")
    return {row["id"]: {key: row.get(key) for key in kept} for row in study.lines()}


async def test_a_document_that_was_not_touched_costs_nothing(study: Study) -> None:
    study.document()
    assert (await study.read(*REPORT)).code == 0
    study.model.forget()
    results, report = study.folder / RESULTS, study.folder / "report.md"
    before = results.read_bytes(), report.read_bytes()
    report.unlink()
    done = await study.read(*REPORT)
    assert done.code == 0
    assert "nothing left to do" in done.last
    assert study.model.asks == []
    assert (results.read_bytes(), report.read_bytes()) == before


async def test_the_same_text_in_two_places_is_asked_once_when_it_is_known(study: Study) -> None:
    parts = paragraphs(12)
    study.document(joined(parts))
    assert (await study.read(*REPORT)).code == 0
    study.model.forget()
    study.document(joined(parts + parts))
    done = await study.read(*REPORT)
    assert done.code == 0, done
    chunks = study.chunks()
    assert_tiles(chunks, joined(parts + parts))
    again = [ask for ask in study.model.forget() if ask.kind == "map"]
    assert len(again) <= len(chunks) // 2


async def test_another_task_asks_everything_and_leaves_no_answer_to_the_old_one(
    study: Study,
) -> None:
    study.document()
    assert (await study.read(*REPORT)).code == 0
    first = study.model.forget()
    done = await study.read(*REPORT, "--task", "Who met whom?")
    assert done.code == 0, done
    second = study.model.forget()
    assert {ask.digest for ask in first}.isdisjoint(ask.digest for ask in second)
    assert len(second) == len(study.lines())
    digests = {ask.digest for ask in second}
    for row in study.lines():
        assert any(digest in row["output"] for digest in digests)
    assert "Task: Who met whom?" in (study.folder / "report.md").read_text()


async def test_other_chunk_sizes_leave_no_chunk_of_the_old_ones(study: Study) -> None:
    study.document()
    assert (await study.read()).code == 0
    many = len(study.chunks())
    done = await study.read("--chunk-tokens", "420")
    assert done.code == 0, done
    assert len(study.chunks()) < many
    assert_tiles(study.chunks(), (study.folder / "big.txt").read_text())
