"""The Python API does what its page says."""

from __future__ import annotations

import asyncio
import inspect
import re
import signal
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from command import running
from desk import Desk
from faultreplies import Call, Recipe, answer, error, held
from msgspec import structs

from llmbatch import jobs
from llmbatch.jobs import (
    AnalyzeConfig,
    Drain,
    JobConfig,
    PriceConfig,
    Result,
    Stop,
    Summary,
    load,
    plan_run,
    read_results,
    run_analysis,
    run_analysis_async,
    run_job,
    run_job_async,
    verify,
)
from llmbatch.jobs.errors import ConfigError, OutputLocked, SinkError, SourceError
from llmbatch.jobs.events import Event, JobStarted, RowFinished

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NOTHING: dict[str, str] = {}


@pytest.fixture
def config(desk: Desk) -> JobConfig:
    """A job of 5 rows, of which the last fails."""
    desk.prompts(5)

    def last_fails(call: Call) -> Recipe:
        return error(400, "Bad x") if call.prompt == "say 5" else answer()

    desk.server.replies = last_fails
    return JobConfig(
        inputs=(str(desk.folder / "in.jsonl"),), model="m", base_url=desk.server.url, concurrency=2
    )


async def test_prices_are_given_as_values(config: JobConfig) -> None:
    prices = {"openai-compatible/*": PriceConfig(input=1_000_000, output=0)}
    summary = await run_job_async(structs.replace(config, prices=prices), environ=NOTHING)
    assert summary.cost_usd == 8.0, "four rows of two words each"
    assert summary.priced_by == {"your prices": 4}


async def test_the_code_on_the_page_runs(desk: Desk) -> None:
    desk.write(
        *({"prompt": f"say {n}"} for n in range(19)), {"prompt": "bad"}, name="prompts.jsonl"
    )
    desk.server.replies = lambda call: error(400, "Bad x") if call.prompt == "bad" else answer()
    first, _, second = BLOCKS
    called = re.search(r"run_job\((JobConfig\(.*?\))\)", first)
    assert called is not None
    program = f"{first}\nconfig = {called[1]}\n{second}"
    environ = {"OPENAI_BASE_URL": desk.server.url, "OPENAI_API_KEY": "sk-test-0123456789"}
    python = (sys.executable, "-W", "error", "-c")
    async with running(program, cwd=desk.folder, env=environ, program=python) as job:
        done = await job.ended()
    assert done.code == 0, done
    lines = done.stdout.splitlines()
    assert lines[0] == "{'ok': 19, 'error': 1}"
    assert Counter(line.split()[1] for line in lines[1:21]) == {"ok": 19, "error": 1}
    assert {"1 ok You said: say 0", "20 error None"} <= set(lines[1:21])
    assert lines[21].startswith("20 Failure(type='bad_request', http_status=400")
    assert done.stderr == ""
    assert {call.body["model"] for call in desk.server.calls} == {"gpt-4o-mini"}


async def test_the_analysis_on_the_page_runs(desk: Desk) -> None:
    text = "The rent is due on the third working day of each month.\n"
    (desk.folder / "contract.txt").write_text(text)
    desk.server.replies = answer("- The rent is due on the third working day")
    environ = {"OPENAI_BASE_URL": desk.server.url, "OPENAI_API_KEY": "sk-test-0123456789"}
    python = (sys.executable, "-W", "error", "-c")
    async with running(BLOCKS[1], cwd=desk.folder, env=environ, program=python) as job:
        done = await job.ended()
    assert done.code == 0, done
    assert done.stdout.splitlines() == [
        f"{len(text)} of {len(text)} bytes {{'ok': 1}}",
        f"chunk-1 0 {len(text)} - The rent is due on the third working day",
    ]
    assert done.stderr == ""
    report = (desk.folder / "report.md").read_text()
    assert "- The rent is due on the third working day [1]\n" in report
    assert [call.prompt.splitlines()[0] for call in desk.server.calls] == [
        "List every obligation and its deadline."
    ]
    assert (desk.folder / "contract.analysis.jsonl").exists()


async def test_a_report_without_a_file_is_printed_or_handed_to_who_asked(
    desk: Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    class Paper:
        def __init__(self) -> None:
            self.text = ""

        def draft(self, text: str | None) -> None: ...

        def report(self, pieces: Iterable[str]) -> None:
            self.text = "".join(pieces)

    (desk.folder / "a.txt").write_text("Ships.\n")
    config = AnalyzeConfig(
        documents=(str(desk.folder / "a.txt"),), model="m", base_url=desk.server.url
    )
    summary = await run_analysis_async(config, environ=NOTHING)
    printed = capfd.readouterr().out
    assert "You said: " in printed
    assert summary.analysis is not None
    assert summary.analysis.report == "-"
    paper = Paper()
    summary = await run_analysis_async(config, environ=NOTHING, live=paper)
    assert (paper.text, capfd.readouterr()) == (printed, ("", ""))
    assert (summary.rows, summary.skipped) == ({}, {"ok": 1})
    with pytest.raises(RuntimeError, match="await run_analysis_async"):
        run_analysis(config, environ=NOTHING)


def test_every_name_on_the_page_is_there_and_takes_what_it_says() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+)", row)}
    assert told == set(jobs.__all__) - {"Result"}
    for row in rows:
        for name, given in re.findall(r"`(\w+)\((.*?)\)`", row):
            written = [word.split("=")[0].strip() for word in given.split(",")]
            known = list(inspect.signature(getattr(jobs, name)).parameters)
            names = [word for word in written if word != "*"]
            assert names == known[: len(names)], name
    assert set(dir(jobs)) == set(jobs.__all__)
    with pytest.raises(AttributeError, match="run_jobs"):
        _ = jobs.run_jobs


async def test_a_job_comes_back_as_its_summary_and_is_read_back(
    config: JobConfig, desk: Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[Event] = []
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    environ = {"OPENAI_API_KEY": "sk-of-this-mapping"}
    summary = await run_job_async(config, environ=environ, observers=[seen.append])
    assert isinstance(summary, Summary)
    assert summary.rows == {"ok": 4, "error": 1}
    assert (summary.failed, summary.finished, summary.total, summary.not_run) == (1, 5, 5, 0)
    assert summary.failures == {"bad_request": 1}
    assert summary.stopped is None
    assert summary.output == str(desk.folder / "in.results.jsonl")
    assert {call.headers["Authorization"] for call in desk.server.calls} == {
        "Bearer sk-of-this-mapping"
    }
    assert isinstance(seen[0], JobStarted)
    told = [event.result for event in seen if isinstance(event, RowFinished)]
    read = list(read_results(summary.output))
    assert all(isinstance(result, Result) for result in read)
    assert [(r.id, r.status, r.output) for r in read] == [(r.id, r.status, r.output) for r in told]
    assert {result.id: result.output for result in read}["r1"] == "You said: say 1"
    assert capfd.readouterr() == ("", "")
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers


async def test_a_job_is_planned_run_and_verified(config: JobConfig, desk: Desk) -> None:
    before = await asyncio.to_thread(plan_run, config, {})
    assert (before.rows.requests, desk.server.calls) == (before.rows.total, [])
    summary = await run_job_async(config, environ={})
    after = await asyncio.to_thread(plan_run, config, {})
    assert after.rows.requests == 1, "the one that failed"
    assert (await asyncio.to_thread(verify, summary.output, config, {})).well


async def test_a_drain_ends_the_job_in_order_and_the_next_run_goes_on(
    config: JobConfig, desk: Desk
) -> None:
    drain = Drain()

    def stop(event: Event) -> None:
        if isinstance(event, RowFinished):
            drain.request(Stop("SIGTERM", "the task was cancelled"))

    summary = await run_job_async(config, environ=NOTHING, observers=[stop], drain=drain)
    assert summary.stopped == Stop("SIGTERM", "the task was cancelled")
    assert summary.not_run is not None
    assert 1 <= summary.finished <= 2
    assert summary.finished + summary.not_run == 5
    assert summary.finished == len(list(read_results(summary.output)))
    summary = await run_job_async(config, environ=NOTHING)
    assert summary.finished == 5
    assert len(desk.server.calls) == 5
    assert len(desk.results()) == 5


async def test_cancelling_ends_the_job_at_once_and_keeps_what_was_written(
    config: JobConfig, desk: Desk
) -> None:
    never = asyncio.Event()
    finished = asyncio.Event()
    desk.server.replies = lambda call: answer() if call.prompt == "say 1" else held(never)

    def watch(event: Event) -> None:
        if isinstance(event, RowFinished):
            finished.set()

    task = asyncio.create_task(run_job_async(config, environ=NOTHING, observers=[watch]))
    await asyncio.wait_for(finished.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [result.id for result in read_results(desk.folder / "in.results.jsonl")] == ["r1"]
    desk.server.replies = answer()
    summary = await run_job_async(config, environ=NOTHING)
    assert (summary.rows, summary.skipped) == ({"ok": 4}, {"ok": 1})


async def test_errors_of_the_job_are_raised_and_those_of_rows_are_not(
    config: JobConfig, desk: Desk
) -> None:
    def changed(**fields: object) -> JobConfig:
        return JobConfig(**{**{"inputs": config.inputs, "model": "m"}, **fields})  # type: ignore[arg-type]  # wrong on purpose

    url = desk.server.url
    wrong: list[tuple[dict[str, object], type[Exception], str]] = [
        ({}, ConfigError, "names no provider"),
        ({"base_url": "nonsense"}, ConfigError, "is not a URL"),
        ({"base_url": url, "rpm": "fast"}, ConfigError, r"JobConfig: .*float.*\$\.rpm"),
        ({"base_url": url, "inputs": "in.jsonl"}, ConfigError, r"JobConfig: .*array.*inputs"),
        ({"base_url": url, "inputs": ("no.jsonl",)}, SourceError, "no.jsonl: no such file"),
        ({"base_url": url, "output": str(desk.folder / "no/x")}, SinkError, "does not exist"),
    ]
    for fields, kind, words in wrong:
        with pytest.raises(kind, match=words):
            await run_job_async(changed(**fields), environ=NOTHING)
    assert not desk.server.calls
    inside = asyncio.Event()
    desk.server.replies = held(inside)
    first = asyncio.create_task(run_job_async(config, environ=NOTHING))
    async with asyncio.timeout(30):
        while not desk.server.calls:
            await asyncio.sleep(0.01)
    with pytest.raises(OutputLocked, match="another run"):
        await run_job_async(config, environ=NOTHING)
    inside.set()
    assert (await first).rows == {"ok": 5}


async def test_settings_are_loaded_as_the_command_does(desk: Desk) -> None:
    (desk.folder / "llmbatch.yaml").write_text("model: m\nrpm: 60\nprofiles: {p: {retries: 1}}\n")
    flags = {"inputs": ["in.jsonl"], "rpm": "120"}
    environ = {"LLMBATCH_BASE_URL": desk.server.url}
    settings = load(flags, environ=environ, cwd=desk.folder, profile="p")
    made = settings.config
    assert (made.model, made.rpm, made.retries) == ("m", 120, 1)
    assert made.base_url == desk.server.url
    assert settings.origins["base_url"] == "LLMBATCH_BASE_URL"
    with pytest.raises(ConfigError, match="--rpm: must be a number"):
        load({"rpm": "fast"}, environ=NOTHING, cwd=desk.folder)


async def test_run_job_says_what_to_do_in_a_notebook(config: JobConfig) -> None:
    with pytest.raises(RuntimeError, match="await run_job_async"):
        run_job(config, environ=NOTHING)


async def test_jobs_run_side_by_side_and_from_a_thread(desk: Desk) -> None:
    made = []
    for name in ("a", "b"):
        path = desk.prompts(3, name=f"{name}.jsonl")
        made.append(JobConfig(inputs=(str(path),), model="m", base_url=desk.server.url))
    both = await asyncio.gather(*(run_job_async(job, environ=NOTHING) for job in made))
    assert [summary.rows for summary in both] == [{"ok": 3}, {"ok": 3}]
    desk.prompts(4, name="a.jsonl")
    summary = await asyncio.to_thread(run_job, made[0], environ=NOTHING)
    assert (summary.rows, summary.skipped) == ({"ok": 1}, {"ok": 3})
