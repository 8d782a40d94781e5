"""A document in, a report out: what comes where, and what it says of itself."""

from __future__ import annotations

import re

from study import RESULTS, Study, assert_tiles, prose

from llmbatch.jobs.results import read_results


async def test_a_document_becomes_a_report_on_standard_output_and_results_beside_it(
    study: Study,
) -> None:
    study.document()
    done = await study.read()
    assert done.code == 0, done
    assert study.files() == {"big.txt", RESULTS}
    final = study.folds()[-1]
    assert final["output"].splitlines()[0] in done.stdout
    assert done.stdout.startswith("# Analysis of big.txt\n\nTask: Summarise the main points")
    size, chunks = len(prose()), len(study.chunks())
    assert (
        f"- {size:,} of {size:,} bytes (100 %) analysed, in {chunks} of {chunks} chunks of 1"
        " document\n" in done.stdout
    )
    assert f"coverage   {size:,} of {size:,} bytes in {chunks} chunks" in done.stderr
    assert re.fullmatch(
        rf"llmbatch: {len(study.lines())} ok in .* -> standard output \(exit 0\)", done.last
    )


async def test_the_results_are_the_documents_chunks_and_the_folds_of_them(study: Study) -> None:
    study.document()
    done = await study.read()
    assert done.code == 0, done
    chunks, folds = study.chunks(), study.folds()
    assert len(chunks) >= 10
    assert_tiles(chunks, prose())
    assert [row["id"] for row in chunks] == [f"chunk-{n}" for n in range(1, len(chunks) + 1)]
    for row in chunks:
        assert row["chunk"]["tokens"] <= 300
        assert row["line"] == row["chunk"]["number"]
    assert max(row["fold"]["level"] for row in folds) >= 2
    assert [row["id"] for row in folds if row["fold"].get("final")] == [folds[-1]["id"]]
    first_level = [row["fold"] for row in folds if row["fold"]["level"] == 1]
    assert first_level[0]["first_chunk"] == 1
    assert first_level[-1]["last_chunk"] == len(chunks)
    stored = list(read_results(study.folder / RESULTS))
    assert sum(bool(result.chunk) for result in stored) == len(chunks)
    assert sum(bool(result.fold) for result in stored) == len(folds)


async def test_what_each_chunk_was_sent_is_its_text_with_its_overlap(study: Study) -> None:
    text = prose()
    study.document(text)
    assert (await study.read("--overlap", "40")).code == 0
    shown = {ask.digest: ask.text for ask in study.model.asks if ask.kind == "map"}
    by_text = {}
    for row in study.chunks():
        chunk = row["chunk"]
        whole = text[chunk["start"] - chunk.get("overlap", 0) : chunk["end"]]
        by_text[whole] = row
        assert (chunk.get("overlap", 0) > 0) == (chunk["number"] > 1)
    assert set(shown.values()) == set(by_text)


async def test_citations_of_the_report_resolve_to_places_in_the_document(study: Study) -> None:
    text = prose()
    study.document(text)
    done = await study.read()
    body, _, tail = done.stdout.partition("\n## Sources\n")
    cited = {int(number) for number in re.findall(r"\[(\d+)\]", body)}
    sources = re.findall(
        r"^- \[(\d+)\] big\.txt, characters ([\d,]+)-([\d,]+) .*, chunk (\d+)$", tail, re.M
    )
    assert cited == {int(number) for number, *_ in sources} != set()
    spans = {
        int(number): text[int(start.replace(",", "")) : int(end.replace(",", ""))]
        for number, start, end, _ in sources
    }
    findings = re.findall(r"^- (In year .*) \[(\d+)\]$", body, re.M)
    assert findings
    for finding, number in findings:
        assert finding in spans[int(number)]
