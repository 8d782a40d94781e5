"""The sample contract, analysed by the embedded model: what has to hold whatever that says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from study import Study, assert_tiles

from llmbatch.jobs.fold.notes import says_nothing

SAMPLES = Path(__file__).parents[2] / "samples"
RESULTS = "lease.analysis.jsonl"
SMALL = ("--chunk-tokens", "300", "--max-tokens", "48")
"""Sizes that make three chunks of it."""

SOURCE = re.compile(
    r"^- \[(\d+)\] lease\.md, characters ([\d,]+)-([\d,]+) \(bytes ([\d,]+)-([\d,]+)\), "
    r"chunk (\d+)(?:: .*)?$",
    re.MULTILINE,
)


@pytest.mark.model
@pytest.mark.timeout(400)
async def test_the_embedded_model_makes_a_grounded_report_of_the_lease(
    study: Study, smollm2: Path
) -> None:
    cache = study.folder / "models"
    cache.mkdir()
    (cache / "SmolLM2-135M-Instruct.Q4_1.gguf").symlink_to(smollm2)
    shutil.copy(SAMPLES / "lease.md", study.folder)
    text = (SAMPLES / "lease.md").read_text()
    args = ("lease.md", *SMALL, "-o", "report.md")
    env = {"LLMBATCH_MODELS": str(cache)}

    done = await study.run(*args, route=False, env=env, within=300)
    assert done.code == 0, done
    chunks, folds = study.chunks(RESULTS), study.folds(RESULTS)
    assert len(chunks) == 3
    assert_tiles(chunks, text, "lease.md")
    for row in [*chunks, *folds]:
        assert row["status"] in ("ok", "truncated")
        assert (row["provider"], row["model"]) == ("local", "smollm2")
        assert row["usage"]["output_tokens"] > 0
    assert all(row["chunk"]["tokens"] <= 300 for row in chunks)
    folded = [n for n, row in enumerate(chunks, 1) if not says_nothing(row["output"])]
    (fold,) = folds
    assert (fold["fold"]["first_chunk"], fold["fold"]["last_chunk"]) == (folded[0], folded[-1])
    assert fold["fold"]["final"]

    report = (study.folder / "report.md").read_text()
    size = len(text.encode())
    assert f"\n- {size:,} of {size:,} bytes (100 %) analysed, in 3 of 3 chunks of 1 " in report
    assert f"coverage   {size:,} of {size:,} bytes in 3 chunks" in done.stderr
    assert_cited(report, chunks)

    before = {name: (study.folder / name).read_bytes() for name in ("report.md", RESULTS)}
    again = await study.run(*args, route=False, env=env)
    assert again.code == 0, again
    assert "nothing left to do (4 done before)" in again.last
    assert {name: (study.folder / name).read_bytes() for name in before} == before


def assert_cited(report: str, chunks: list[dict[str, object]]) -> None:
    """What is cited are the sources, and those are chunks where they stand in the document."""
    body, _, tail = report.partition("\n## Sources\n")
    body = body.partition("\n## Coverage\n")[0]
    sources = {int(found[1]): found for found in SOURCE.finditer(tail)}
    assert set(map(int, re.findall(r"\[(\d+)\]", body))) == set(sources)
    assert sorted(sources) == list(range(1, len(sources) + 1))
    known = {row["chunk"]["number"]: row["chunk"] for row in chunks}  # type: ignore[index]  # JSON
    for found in sources.values():
        *span, number = (int(figure.replace(",", "")) for figure in found.groups()[1:])
        chunk = known[number]
        assert span == [chunk[key] for key in ("start", "end", "byte_start", "byte_end")]
