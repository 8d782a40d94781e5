"""The budget of an analysis: chunks and folds are paid out of it, and nothing is paid twice."""

from __future__ import annotations

from study import Study

PRICED = ("--price-in", "0", "--price-out", "1000000", "-o", "report.md", "--summary", "sum.json")
"""A dollar for a token of an answer."""


async def test_an_analysis_stops_at_its_budget_and_a_higher_one_finishes_it(study: Study) -> None:
    study.document()
    first = await study.read(*PRICED, "--max-cost", "300")
    assert first.code == 5, first
    spent = study.summary()["budget"]["spent_usd"]
    assert 300 - 64 < spent <= 300
    assert "stopped early (the budget of $300.00 is reached: the next row may cost up to" in (
        first.last
    )
    assert not (study.folder / "report.md").exists()
    assert sum(row["cost_usd"] for row in study.lines()) == spent

    second = await study.read(*PRICED, "--max-cost", "5000")
    assert second.code == 0, second
    assert (study.folder / "report.md").exists()
    assert set(study.model.counts().values()) == {1}, "no chunk and no fold was paid for twice"
    assert study.summary()["budget"]["earlier_usd"] == spent


async def test_a_budget_that_is_gone_before_the_last_fold_is_one_too(study: Study) -> None:
    study.document()
    whole = await study.read(*PRICED)
    assert whole.code == 0, whole
    cost = study.summary()["cost_usd"]
    study.model.forget()
    again = await study.read(*PRICED, "--fresh", "--force", "--max-cost", f"{cost - 1:.0f}")
    assert again.code == 5, again
    assert study.model.asks[-1].kind != "report"
    end = await study.read(*PRICED, "--max-cost", f"{cost + 64:.0f}")
    assert end.code == 0, end
    assert study.summary()["budget"]["spent_usd"] == cost
