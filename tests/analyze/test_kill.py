"""kill -9 in the map or in the fold: nothing is paid for twice, and the report is the same."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from analyst import Ask
from command import Done
from study import RESULTS, Study, paid, prose
from watching import dying_at

REPORT = ("-o", "report.md")


_calm: dict[tuple[str, ...], tuple[bytes, int]] = {}  # the same for every test, and found once


async def undisturbed(study: Study, *args: str) -> tuple[bytes, int]:
    """The report of a run that nobody disturbs, and how many requests it takes."""
    if args not in _calm:
        calm = Study.beside(study)
        calm.document()
        done = await calm.read(*REPORT, *args)
        assert done.code == 0, done
        report = (calm.folder / "report.md").read_bytes()
        _calm[args] = report, len(study.model.forget())
    return _calm[args]


async def killed_when(study: Study, which: Callable[[Ask], bool], times: int = 1) -> set[str]:
    """Kill a run when so many requests are held; what was in flight then."""
    model = study.model
    model.hold(which)
    async with study.reading(*REPORT) as job:
        await model.seen(lambda ask: ask.held, times)
        job.send(signal.SIGKILL)
        assert (await job.ended()).code == -signal.SIGKILL
    model.mend()
    lost = {*model.counts()} - paid(study)
    assert {ask.digest for ask in model.asks if ask.held} <= lost
    return lost


async def mended(study: Study, *args: str) -> Done:
    """The same command again, which ends well and leaves nothing but its files."""
    done = await study.read(*REPORT, *args)
    assert done.code == 0, done
    assert study.files() == {"big.txt", RESULTS, "report.md"}
    return done


def in_chunk(word: str) -> Callable[[Ask], bool]:
    return lambda ask: ask.kind == "map" and word in ask.text


MOMENTS = {
    "before any answer": lambda ask: True,
    "at the first chunk": in_chunk("In year 1000 "),
    "in the middle of the map": in_chunk("In year 1120 "),
    "at the last chunk": in_chunk("In year 1250 "),
    "at the first fold": lambda ask: ask.kind == "merge" and "In year 1000 " in ask.prompt,
    "at every fold": lambda ask: ask.kind == "merge",
    "at the report": lambda ask: ask.kind == "report",
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_after_a_kill_only_what_was_in_flight_is_asked_again(
    study: Study, moment: str
) -> None:
    report, requests = await undisturbed(study)
    study.document()
    lost = await killed_when(study, MOMENTS[moment])
    assert not (study.folder / "report.md").exists()
    await mended(study)
    assert (study.folder / "report.md").read_bytes() == report
    counts = study.model.counts()
    assert {digest for digest, times in counts.items() if times > 1} == lost
    assert (len(counts), counts.total()) == (requests, requests + len(lost))


@pytest.mark.parametrize("seed", range(4))
async def test_runs_killed_at_random_pay_for_no_answer_twice(study: Study, seed: int) -> None:
    random = Random(seed)
    report, requests = await undisturbed(study)
    study.document()
    model = study.model
    asked: list[Ask] = []
    for _ in range(4):
        there = paid(study)
        async with study.reading(*REPORT, "--concurrency", "3") as job:
            left = requests - len(there)
            await model.seen(times=random.randint(1, max(1, left // 3)))
            job.send(signal.SIGKILL)
            await job.ended()
        again = model.forget()
        assert there.isdisjoint(ask.digest for ask in again)
        asked += again
    there = paid(study)
    await mended(study, "--concurrency", "3")
    last = model.forget()
    assert there.isdisjoint(ask.digest for ask in last)
    assert (study.folder / "report.md").read_bytes() == report
    assert {ask.digest for ask in asked + last} == paid(study)
    assert len(asked) + len(last) <= requests + 4 * 3


async def test_a_kill_at_any_step_of_writing_the_report_leaves_the_older_or_the_new_one(
    study: Study, tmp_path: Path
) -> None:
    report, _ = await undisturbed(study)
    study.document()
    path = study.folder / "report.md"
    path.write_text("older")
    left = []
    while True:
        there = paid(study)
        done = await study.read(*REPORT, env=dying_at(len(left), "report.md", tmp_path / "hook"))
        assert there.isdisjoint(ask.digest for ask in study.model.forget())
        if done.code != -signal.SIGKILL:
            break
        left.append(path.read_bytes())
    assert left == [b"older"] * 2, "before the draft is opened, before it takes the report's place"
    assert done.code == 0, done
    assert path.read_bytes() == report
    assert study.files() == {"big.txt", RESULTS, "report.md"}


async def test_a_kill_at_any_step_of_tidying_the_results_loses_nothing(
    study: Study, tmp_path: Path
) -> None:
    """The document has lost its beginning: every chunk has another place, a few another text."""
    report, _ = await undisturbed(study)
    study.document("\n\n".join(["Something else stands here."] * 90 + [prose()]))
    assert (await study.read(*REPORT)).code == 0
    study.document()
    results = study.folder / RESULTS
    assert (await study.read("--fold", "none")).code == 0
    before = results.read_bytes()
    left: list[bytes] = []
    while True:
        results.write_bytes(before)
        done = await study.read(*REPORT, env=dying_at(len(left), RESULTS, tmp_path / "hook"))
        if done.code != -signal.SIGKILL:
            break
        left.append(results.read_bytes())
    assert done.code == 0, done
    finished = {row["id"]: row["output"] for row in study.lines()}
    assert len(left) >= 4
    study.model.forget()
    for data in {*left}:
        results.write_bytes(data)
        there = paid(study)
        assert (await study.read(*REPORT)).code == 0
        assert there.isdisjoint(ask.digest for ask in study.model.forget())
        assert (study.folder / "report.md").read_bytes() == report
        assert {row["id"]: row["output"] for row in study.lines()} == finished
    assert study.files() == {"big.txt", RESULTS, "report.md"}


async def test_a_torn_last_line_costs_its_own_request_alone(study: Study) -> None:
    study.document()
    assert (await study.read(*REPORT)).code == 0
    report = (study.folder / "report.md").read_bytes()
    results = study.folder / RESULTS
    *whole, last = results.read_bytes().splitlines(keepends=True)
    results.write_bytes(b"".join(whole) + last[: len(last) // 2])
    asked = study.model.forget()
    await mended(study)
    (again,) = study.model.forget()
    assert again.digest in {ask.digest for ask in asked}
    assert (study.folder / "report.md").read_bytes() == report
