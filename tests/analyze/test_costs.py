"""What an analysis costs: its chunks and its folds."""

from __future__ import annotations

from study import Study


async def test_the_cost_of_an_analysis_is_that_of_its_chunks_and_folds(study: Study) -> None:
    study.document()
    done = await study.read("--price-in", "1", "--price-out", "2", "--summary", "sum.json")
    assert done.code == 0, done.stderr
    lines = study.lines()
    assert sum("fold" in line for line in lines) > 1
    for line in lines:
        usage = line["usage"]
        millionths = usage["input_tokens"] + 2 * usage["output_tokens"]
        assert line["cost_usd"] == round(millionths / 1_000_000, 12)
    cost = study.summary()["cost_usd"]
    assert cost == round(sum(line["cost_usd"] for line in lines), 10) > 0
    assert "by --price-in and --price-out" in done.stderr


async def test_the_summary_of_an_analysis_says_how_late_the_loop_came(study: Study) -> None:
    study.document()
    assert (await study.read("--summary", "sum.json")).code == 0
    lag = study.summary()["loop_lag"]
    assert 0 <= lag["p50_s"] <= lag["p99_s"] <= lag["max_s"]
