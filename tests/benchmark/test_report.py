"""The page that a run of the benchmark writes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench import __main__ as command
from bench.cases import Case
from bench.chart import Bar
from bench.report import Figure, Section, at_least, markdown

EVIDENCE = "## Evidence\n\n| tried | gave | kept |\n|---|---|---|\n| a | b | c |\n"


def test_evidence_is_taken_over_word_for_word_at_the_end() -> None:
    page = markdown([Section("cost", "how", [])], [("cores", "2")], "head", evidence=EVIDENCE)
    assert page.endswith(EVIDENCE)


def test_a_page_without_evidence_has_no_such_part() -> None:
    assert "Evidence" not in markdown([Section("cost", "how", [])], [], "head")


def test_the_chart_is_shown_above_the_tables() -> None:
    page = markdown([Section("cost", "how", [])], [], "head", chart="chart.svg")
    assert page.index("](chart.svg)") < page.index("## cost")


def test_what_falls_short_says_no() -> None:
    assert at_least("times", 1.9, 2, "1.9 times", "2 times").verdict == "**no**"
    assert at_least("times", 2, 2, "2.0 times", "2 times").verdict == "yes"


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder where a whole run writes, with the page of an earlier one."""
    evidence, page = tmp_path / "EVIDENCE.md", tmp_path / "RESULTS.md"
    evidence.write_text(EVIDENCE)
    page.write_text("of an earlier run")
    monkeypatch.setattr(command, "EVIDENCE", evidence)
    monkeypatch.setattr(command, "RESULTS", page)
    monkeypatch.setattr(command, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["bench"])
    return page


def only(monkeypatch: pytest.MonkeyPatch, *cases: Case) -> None:
    monkeypatch.setattr(command, "CASES", {f"case{i}": case for i, case in enumerate(cases)})


def test_a_whole_run_writes_page_and_chart(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = Figure("plain: llmbatch", "210 µs", bar=Bar("plain", "llmbatch", 210.0))
    only(monkeypatch, Case("how", lambda lab: iter([figure])))
    assert command.main() == 0
    page = results.read_text()
    assert "| plain: llmbatch | 210 µs |" in page
    assert page.endswith(EVIDENCE)
    assert "](chart.svg)" in page
    assert "210 µs" in results.with_name("chart.svg").read_text()


def test_an_interrupted_run_leaves_the_page_of_the_last_whole_one(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(lab: object) -> None:
        raise KeyboardInterrupt

    whole = Case("how", lambda lab: iter([Figure("rows", "5")]))
    only(monkeypatch, whole, Case("how", interrupted))  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        command.main()
    assert results.read_text() == "of an earlier run"
    assert "| rows | 5 |" in (results.parent / ".bench" / "latest.md").read_text()


def test_a_run_of_some_cases_leaves_the_page_alone(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, Case("how", lambda lab: iter([Figure("rows", "5")])))
    monkeypatch.setattr(sys, "argv", ["bench", "case0"])
    assert command.main() == 0
    assert results.read_text() == "of an earlier run"
