"""SIGINT and SIGTERM in an analysis: no report, no trace of one, and the same command goes on."""

from __future__ import annotations

import asyncio
import signal

import pytest
from faultreplies import rate_limited
from study import RESULTS, Study, paid
from watching import until

SIGNALS = [
    pytest.param(signal.SIGINT, "interrupted", 130, id="INT"),
    pytest.param(signal.SIGTERM, "terminated", 143, id="TERM"),
]
REPORT = ("-o", "report.md")


@pytest.mark.parametrize("kind", ["map", "merge", "report"])
@pytest.mark.parametrize(("number", "word", "code"), SIGNALS)
async def test_a_run_that_is_stopped_leaves_the_older_report_and_goes_on_later(
    study: Study, number: int, word: str, code: int, kind: str
) -> None:
    study.document()
    (study.folder / "report.md").write_text("older")
    study.model.hold(lambda ask: ask.kind == kind)
    async with study.reading(*REPORT, "--grace", "0") as job:
        await study.model.seen(lambda ask: ask.held)
        job.send(number)
        done = await job.ended()
    assert done.code == code, done
    assert f"stopped early ({word})" in done.last
    assert done.last.endswith(f"(exit {code})")
    assert (study.folder / "report.md").read_text() == "older"
    assert study.files() == {"big.txt", "report.md", RESULTS}
    assert "Traceback" not in done.stderr

    there = paid(study)
    lost = {*study.model.counts()} - there
    assert {ask.digest for ask in study.model.asks if ask.held} <= lost
    study.model.mend()
    again = await study.read(*REPORT)
    assert again.code == 0, again
    assert {digest for digest, times in study.model.counts().items() if times > 1} == lost
    calm = Study.beside(study)
    calm.document()
    assert (await calm.read(*REPORT)).code == 0
    assert (study.folder / "report.md").read_bytes() == (calm.folder / "report.md").read_bytes()


async def test_what_is_in_flight_may_finish_and_is_not_asked_again(study: Study) -> None:
    study.document()
    study.model.hold(lambda ask: ask.kind == "report")
    async with study.reading(*REPORT, "--grace", "50s") as job:
        await study.model.seen(lambda ask: ask.held)
        job.send(signal.SIGTERM)
        await job.heard("stopping; 1 row in flight")
        study.model.release()
        done = await job.ended()
    assert done.code == 143, done
    assert not (study.folder / "report.md").exists(), "the run was told to stop"
    study.model.forget()
    again = await study.read(*REPORT)
    assert again.code == 0
    assert study.model.asks == []
    assert study.folds()[-1]["output"].splitlines()[0] in (study.folder / "report.md").read_text()


async def test_a_second_signal_ends_at_once(study: Study) -> None:
    study.document()
    study.model.hold(lambda ask: ask.kind == "merge")
    async with study.reading(*REPORT, "--grace", "1h") as job:
        await study.model.seen(lambda ask: ask.held)
        job.send(signal.SIGINT)
        await job.heard("in flight")
        job.send(signal.SIGINT)
        done = await job.ended()
    assert done.code == 130
    assert "ended at once" in done.last
    assert not (study.folder / "report.md").exists()
    study.model.mend()
    assert (await study.read(*REPORT)).code == 0


async def test_a_report_on_standard_output_is_not_begun_by_a_run_that_is_stopped(
    study: Study,
) -> None:
    study.document()
    study.model.hold(lambda ask: ask.kind == "report")
    async with study.reading("--grace", "0") as job:
        await study.model.seen(lambda ask: ask.held)
        job.send(signal.SIGTERM)
        done = await job.ended()
    assert (done.code, done.stdout) == (143, "")


async def test_a_fold_that_backs_off_is_let_go_at_once(study: Study) -> None:
    study.document()
    study.model.fail(lambda ask: ask.kind == "report", rate_limited(retry_after="3000"))
    async with study.reading(*REPORT, "--max-wait", "1h", "--grace", "1h") as job:
        await study.model.seen(lambda ask: ask.kind == "report")
        job.send(signal.SIGTERM)
        done = await job.ended()
    assert done.code == 143
    assert all(row["status"] == "ok" for row in study.lines())
    study.model.mend()
    assert (await study.read(*REPORT)).code == 0


async def test_a_run_that_is_stopped_while_its_input_comes_slowly_ends(study: Study) -> None:
    async with study.running("-", "--results", "r.jsonl", stdin=asyncio.subprocess.PIPE) as job:
        job.stdin.write(b"There is a beginning, and no end of it.\n")
        await job.stdin.drain()
        await until((study.folder / "r.jsonl").exists, "the results are there")
        job.send(signal.SIGTERM)
        done = await job.ended()
        job.stdin.close()
    assert done.code == 143, done
    assert done.stdout == ""
    assert "Fatal Python error" not in done.stderr
