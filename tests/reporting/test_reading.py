"""From the lines of a file to its figures, whatever the lines are."""

from __future__ import annotations

import gzip
import json
import os
import socket
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest
from resultsfiles import METRICS, row, tried, write
from sampleresults import STATUSES, sample

from llmbatch.jobs.drain import Stop
from llmbatch.jobs.errors import ConfigError, SourceError
from llmbatch.jobs.events import RowFinished
from llmbatch.jobs.manifest.manifest import Manifest, encoded, manifest_path
from llmbatch.jobs.model import Usage
from llmbatch.jobs.records import encode, encode_batch
from llmbatch.jobs.reporting.figures import Report
from llmbatch.jobs.reporting.groups import MOST
from llmbatch.jobs.reporting.reading import check_paths, read_reports, report
from llmbatch.jobs.summary import Tally


def read(folder: Path, *rows: Any, name: str = "r.jsonl", **kw: Any) -> Report:
    return report(str(write(folder / name, rows)), **kw)


def beside(output: Path, **fields: Any) -> None:
    """A manifest of that output."""
    values: dict[str, Any] = {
        "llmbatch": "1", "python": "3", "job": "run", "state": "finished", "pid": os.getpid(),
        "host": socket.gethostname(), "started_at": "s", "written_at": "w", "output": str(output),
    }  # fmt: skip
    manifest_path(output).write_bytes(encoded(Manifest(**{**values, **fields})))


def test_an_empty_file_is_a_report_of_no_rows(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert (found.lines, found.figures.failed, found.timeline.points) == (0, 0, ())
    assert found.figures.latency_s.p50 is None
    assert found.figures.wall_s is None


def test_one_row_is_all_there_is(tmp_path: Path) -> None:
    found = read(tmp_path, row("a"))
    assert found.figures.rows == {"ok": 1}
    assert (found.figures.wall_s, found.figures.timed_by) == (1.0, "rows")
    assert found.row_time.total_s == 1.5
    assert (found.row_time.first_token_s, found.row_time.answer_s) == (0.25, 0.75)
    assert [slow.id for slow in found.slowest] == ["a"]


def test_results_of_every_status_are_counted_as_a_job_counts_them(tmp_path: Path) -> None:
    tally = Tally()
    results = [sample(f"q{n}", status, cost_usd=0.1 * n) for n, status in enumerate(STATUSES)]
    for result in results:
        tally(RowFinished(result))
    found = read(tmp_path, *map(encode, results)).figures
    summary = tally.summary(wall=1.0)
    for name in ("rows", "failed", "usage", "cost_usd", "failures", "answered", "ttft_s", "itl_s"):
        assert getattr(found, name) == getattr(summary, name)
    assert found.latency_s == summary.latency_s


def test_attempts_that_failed_and_waits_between_them_are_told_apart(tmp_path: Path) -> None:
    times = tried((0, 1, "stalled"), (3, 2, None), ttft_s=0.5, limiter_s=0.5)
    found = read(tmp_path, row("a", times=times))
    spent = found.row_time
    assert (spent.total_s, spent.limiter_s, spent.failed_s) == (5.5, 0.5, 1.0)
    assert (spent.first_token_s, spent.answer_s, spent.waiting_s) == (0.5, 1.5, 2.0)
    assert spent.untold == 0
    assert found.figures.retries == {"stalled": 1}
    assert [(c.cause, c.failed, c.retried) for c in found.causes] == [("stalled", 0, 1)]
    assert [one.error for one in found.slowest[0].tries] == ["stalled", None]


def test_a_row_of_an_older_output_does_not_say_how_long_each_attempt_took(tmp_path: Path) -> None:
    found = read(tmp_path, row("a", times={"attempts": 3, "retried": ["stalled", "stalled"]}))
    assert found.row_time.untold == 1
    assert (found.slowest[0].tries, found.slowest[0].attempts) == ([], 3)


def test_the_slowest_rows_come_first_with_their_lines(tmp_path: Path) -> None:
    rows = [row(f"r{n}", times={"latency_s": (n * 7) % 10}) for n in range(10)]
    found = read(tmp_path, *rows, slowest=3)
    assert [(slow.id, slow.line) for slow in found.slowest] == [("r7", 8), ("r4", 5), ("r1", 2)]
    assert read(tmp_path, *rows, slowest=0).slowest == []


def test_costs_and_tokens_are_those_of_each_model(tmp_path: Path) -> None:
    dear = {"model": "n", "cost_usd": 0.5}
    rows = [row("a"), row("b", **dear), row("c", "error", **dear), row("d", cost_usd=None)]
    found = read(tmp_path, *rows)
    first, second = found.models
    assert (first.label, first.cost_usd, first.rows, first.failed) == ("lab/n", 1.0, 2, 1)
    assert (second.label, second.cost_usd, second.without_cost) == ("lab/m", 0.001, 1)
    assert second.usage == Usage(20, 40)


def test_rows_that_reused_an_answer_count_for_their_status_alone(tmp_path: Path) -> None:
    found = read(tmp_path, row("a"), row("b", times={"same_as": "a", "attempts": 0}))
    assert (found.figures.rows, found.figures.reused) == ({"ok": 2}, {"same": 1})
    assert (found.models[0].rows, found.figures.attempts) == (1, 1)


def test_a_torn_last_line_is_left_out_and_named(tmp_path: Path) -> None:
    found = read(tmp_path, row("a"), b'{"id": "b", "fingerprint"')
    assert (found.torn_line, found.lines, found.unreadable.count) == (2, 1, 0)
    assert any("line 2 has no end" in note for note in found.notes)


def test_a_last_line_that_is_whole_counts_without_its_line_feed(tmp_path: Path) -> None:
    found = read(tmp_path, row("a"), json.dumps(row("b")).encode())
    assert (found.torn_line, found.lines) == (None, 2)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"not json\n", "is not JSON"),
        (b"[1]\n", "Expected `object`"),
        (b'{"id": "x", "status": "ok"}\n', "fingerprint"),
        (json.dumps(row("x", "gone")).encode() + b"\n", "status"),
        (json.dumps(row("x", times={"latency_s": -1})).encode() + b"\n", "latency_s"),
        (json.dumps(row("x", times={"latency_s": float("nan")})).encode() + b"\n", "NaN"),
        (json.dumps(row("x", times={"latency_s": 1e300})).encode() + b"\n", "latency_s"),
        (json.dumps(row("x", cost_usd=-0.5)).encode() + b"\n", "cost_usd"),
        (json.dumps(row("x", usage={"input_tokens": -5})).encode() + b"\n", "input_tokens"),
        (b'{"metadata": ' + b"[" * 100_000 + b"\n", "is not JSON"),
    ],
)  # fmt: skip
def test_a_line_that_no_run_can_have_written_is_none(tmp_path: Path, line: bytes, why: str) -> None:
    found = read(tmp_path, row("a"), line, row("b"))
    assert (found.lines, found.unreadable.count) == (2, 1)
    assert found.unreadable.first[0].line == 2
    assert why in found.unreadable.first[0].reason


def test_a_line_that_is_json_to_python_alone_is_a_result(tmp_path: Path) -> None:
    line = json.dumps(row("x", "error", output="\ud800")).replace('"x"', '"\\ud800"').encode()
    found = read(tmp_path, line + b"\n")
    assert (found.figures.rows, found.causes[0].first_id) == ({"error": 1}, "\\ud800")


def test_a_file_without_a_single_result_is_an_error_that_names_its_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"r\.jsonl:1: holds no results"):
        read(tmp_path, b"hello\n", b"world\n")


def test_batch_lines_say_what_they_can(tmp_path: Path) -> None:
    results = [sample("a"), sample("b", "truncated"), sample("c", "error"), sample("d", "partial")]
    found = read(tmp_path, *map(encode_batch, results))
    assert found.formats == ["openai-batch"]
    assert found.figures.rows == {"ok": 1, "truncated": 1, "error": 1, "partial": 1}
    assert found.figures.usage == Usage(24, 160, 4, 6)
    assert [model.label for model in found.models] == ["gpt-4o-mini"]
    assert found.figures.cost_usd is None
    assert {c.cause: c.http for c in found.causes}["overloaded"] == {"503": 1}
    assert any("Batch lines say nothing of times" in note for note in found.notes)


def test_rows_without_times_are_counted_and_nothing_else(tmp_path: Path) -> None:
    found = read(
        tmp_path, row("a", times=None), row("b", times={"started_at": "yesterday"}), row("c")
    )
    assert (found.lines, found.figures.undated) == (3, 2)
    assert found.timeline.points[-1][2] == 1


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-22"])
def test_any_time_can_be_drawn(tmp_path: Path, at: str) -> None:
    found = read(tmp_path, row("a", times={"started_at": at, "latency_s": 3.0}), row("b"))
    assert found.lines == 2


def test_folds_of_an_analysis_are_rows_like_others(tmp_path: Path) -> None:
    chunk = {"document": "d", "number": 1, "start": 0, "end": 5, "byte_start": 0, "byte_end": 5}
    fold = {"level": 1, "number": 1, "first_chunk": 1, "last_chunk": 2}
    found = read(tmp_path, row("c1", chunk={**chunk, "tokens": 3}), row("f1", fold=fold))
    assert (found.lines, found.figures.folds) == (2, 1)


def test_packed_files_and_journals_of_tables_are_read_through(tmp_path: Path) -> None:
    plain = write(tmp_path / "t.csv.jsonl", [row("a"), row("b")])
    (tmp_path / "t.csv").write_text("id\n")
    (tmp_path / "p.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    found = report(str(tmp_path / "t.csv"))
    assert (found.lines, found.read_from) == (2, str(plain))
    assert report(str(tmp_path / "p.jsonl.gz")).lines == 2


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none.jsonl", "no such file"),
        ("", "is a folder"),
        ("t.csv", "is a table, which has no times"),
        ("cut.jsonl.gz", "ends too early"),
    ],
)
def test_what_can_not_be_read_says_why(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "t.csv").write_text("id\n")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b"x" * 1000)[:-12])
    with pytest.raises(SourceError, match=why):
        read_reports([f"{tmp_path}/{name}"])


def test_standard_input_can_be_named_once() -> None:
    with pytest.raises(ConfigError, match="only once"):
        check_paths(["-", "-"])


def test_names_out_of_a_file_are_remembered_up_to_a_number(tmp_path: Path) -> None:
    rows = [
        row(f"r{n}", "error" if n % 2 else "ok", model=f"m{n}", error={"type": f"e{n}"})
        for n in range(4 * MOST)
    ]
    found = read(tmp_path, *rows)
    assert len(found.models) <= MOST + 2
    assert len(found.causes) <= MOST + 2
    assert len(found.figures.answered) <= MOST + 2
    assert sum(model.rows for model in found.models) == len(rows)


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"

    def peak(rows: int) -> int:
        write(path, (row(f"r{n}", times={"latency_s": n % 97 / 10}) for n in range(rows)))
        tracemalloc.start()
        report(str(path))
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(100)
    assert peak(9000) < 1.2 * peak(3000) + 500_000


def test_a_manifest_of_these_lines_tells_the_wall_clock(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [row("a"), row("b")])
    tally = Tally()
    for result in (sample("a"), sample("b")):
        tally(RowFinished(result))
    summary = json.loads(json.dumps(_plain(tally.summary(wall=8.0))))
    beside(path, rows={"ok": 2}, total=5, not_run=3, summary=summary)
    found = report(str(path))
    assert (found.figures.wall_s, found.figures.timed_by) == (8.0, "manifest")
    assert (found.figures.total, found.figures.not_run) == (5, 3)
    assert found.last_run == summary


def test_lines_of_several_runs_are_said_to_be_that(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [row("a"), row("b")])
    tally = Tally()
    tally(RowFinished(sample("b")))
    beside(path, rows={"ok": 2}, runs=2, summary=_plain(tally.summary(wall=8.0)))
    found = report(str(path))
    assert found.figures.timed_by == "rows"
    assert found.notes == ["these are the lines of 2 runs; the last one made 1"]


def test_a_manifest_of_another_state_of_the_file_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [row("a")])
    beside(path, rows={"ok": 7})
    found = report(str(path))
    assert found.history is None
    assert found.notes == [
        "r.jsonl.manifest.json counts 7 lines and here are 1: left out, as it tells of another "
        "state of the file"
    ]


def test_a_run_that_is_at_the_file_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [row("a")])
    beside(path, state="running", rows={})
    found = report(str(path))
    assert found.history is not None
    assert found.history.running
    assert found.notes == [f"process {os.getpid()} is writing it: these are the lines so far"]


def test_a_run_that_ended_early_is_said_without_its_words(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [row("a")])
    beside(path, state="stopped", rows={"ok": 1}, stopped=Stop("fatal", "your prompt is bad"))
    assert report(str(path)).notes == ["its last run ended early: fatal"]


@pytest.mark.parametrize("text", ["{}", "nonsense", '{"manifest":"llmbatch/1"'])
def test_a_manifest_that_is_none_is_no_reason_to_fail(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "r.jsonl", [row("a")])
    manifest_path(path).write_text(text)
    assert report(str(path)).lines == 1


def test_a_summary_of_another_version_is_kept_and_not_used(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", [row("a")])
    beside(path, rows={"ok": 1}, summary={"wall_s": "<script>", "rows": {"ok": 1}})
    found = report(str(path))
    assert found.figures.timed_by == "rows"


def test_files_are_matched_by_their_ids(tmp_path: Path) -> None:
    first = [row("a"), row("b"), row("c", "error"), row("only")]
    other = [row("a"), row("b", "error"), row("b", "refused"), row("c"), row("new")]
    paths = [str(write(tmp_path / f"{n}.jsonl", rows)) for n, rows in enumerate((first, other))]
    found = read_reports(paths).comparison
    assert found is not None
    (match,) = found.matches
    assert (match.both, match.only_first, match.only_other) == (3, 1, 1)
    assert match.changed == {"ok -> refused": 1, "error -> ok": 1}
    assert (match.mended, match.broken) == (1, 1)


def test_every_figure_is_compared_with_its_direction(tmp_path: Path) -> None:
    slow = {**METRICS, "latency_s": 2.0}
    sides = ([row("a", times=slow), row("b", "error")], [row("a"), row("b", cost_usd=0.003)])
    paths = [str(write(tmp_path / f"{n}.jsonl", rows)) for n, rows in enumerate(sides)]
    found = read_reports([*paths, paths[0]]).comparison
    assert found is not None
    changes = {each.figure: each.changes for each in found.differences}

    def direction(figure: str) -> Any:
        change = changes[figure][0]
        return change and change.direction

    assert (
        direction("latency, p95") == direction("failed") == direction("failed, share") == "better"
    )
    assert direction("cost") == "worse"
    assert direction("rows") is None
    assert all(change is None or not change.by for _, change in changes.values())


def test_a_total_of_more_rows_is_neither_better_nor_worse(tmp_path: Path) -> None:
    one = write(tmp_path / "1.jsonl", [row("a")])
    two = write(tmp_path / "2.jsonl", [row("a"), row("b")])
    found = read_reports([str(one), str(two)]).comparison
    assert found is not None
    cost = next(each for each in found.differences if each.figure == "cost").changes[0]
    assert cost is not None
    assert (cost.by, cost.factor, cost.direction) == (0.001, 2.0, None)


def _plain(summary: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(summary)
    return found
