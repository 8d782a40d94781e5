"""A collector that is down, hangs, refuses or goes: the job does not notice."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections.abc import Iterator

import pytest
from collector import Collector
from desk import Desk
from faultreplies import answer, held
from told import Told

from llmbatch.jobs.telemetry import outbox, telemetry

SOON = 0.3


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{place.getsockname()[1]}"


@pytest.fixture
def deaf() -> Iterator[str]:
    """One where connections are taken, and nobody answers."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        place.listen(16)
        yield f"http://127.0.0.1:{place.getsockname()[1]}"


async def test_a_collector_that_is_down_costs_a_line_and_nothing_else(
    desk: Desk, nobody: str
) -> None:
    desk.prompts(3)
    flags = ("--otlp", nobody, "--pushgateway", nobody, "-q")
    done = await desk.run("in.jsonl", *flags)
    assert done.code == 0, done
    pushed, sent, last = done.stderr.splitlines()
    assert pushed == (
        f"telemetry: the Pushgateway {nobody} did not take the figures: connection refused"
    )
    assert sent == (
        f"telemetry: 7 of 7 spans and no metrics did not reach {nobody}/v1/traces: "
        "connection refused"
    )
    assert last.endswith("(exit 0)")


@pytest.mark.parametrize("flag", ["--otlp", "--pushgateway"])
async def test_one_that_hangs_is_not_waited_for(
    here: Told, deaf: str, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    monkeypatch.setattr(telemetry, "FLUSH", SOON)
    here.prompts(2)
    began = time.monotonic()
    assert await here.tell("in.jsonl", flag, deaf) == 0
    assert time.monotonic() - began >= SOON, "it was waited for that long"
    assert here.said.count("telemetry:") == 1
    assert "no answer" in here.said


@pytest.mark.parametrize("status", [400, 401, 404, 413, 500, 301])
async def test_one_that_refuses_is_named_with_its_status(
    here: Told, collector: Collector, status: int
) -> None:
    collector.answer = status
    here.prompts(2)
    assert await here.tell("in.jsonl", "--otlp", collector.url) == 0
    assert here.said == (
        f"telemetry: 5 of 5 spans and no metrics did not reach {collector.url}/v1/traces: "
        f"it answered with status {status}\n"
    )
    assert len(collector.bodies("/v1/traces")) == 1, "the same is not sent twice"


async def test_what_a_collector_refuses_of_a_batch_is_counted(
    here: Told, collector: Collector
) -> None:
    collector.refuses = 2
    here.prompts(2)
    assert await here.tell("in.jsonl", "--otlp", collector.url) == 0
    assert "telemetry: 2 of 5 spans did not reach" in here.said


async def test_one_that_is_busy_for_a_while_gets_everything(
    here: Told, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says 503 while the job runs, and has its say before the job ends."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    free = asyncio.Event()
    here.server.replies = [answer("a"), held(free)]
    here.prompts(2)
    collector.answer = 503
    job = asyncio.create_task(here.tell("in.jsonl", "--otlp", collector.url, "--concurrency", "1"))
    await collector.called("/v1/traces")
    collector.answer = 200
    free.set()
    assert await job == 0
    assert here.said == ""
    assert len({span.id for span in collector.spans}) == 5


async def test_one_that_goes_and_comes_back_gets_what_waited(
    here: Told, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    first, second = asyncio.Event(), asyncio.Event()
    here.server.replies = [answer("a"), held(first), held(second)]
    here.prompts(3)
    job = asyncio.create_task(here.tell("in.jsonl", "--otlp", collector.url, "--concurrency", "1"))
    await collector.called("/v1/traces")
    await collector.go_away()
    first.set()
    while len(here.server.calls) < 3:
        await asyncio.sleep(0)
    await collector.come_back()
    second.set()
    assert await job == 0
    assert here.said == ""
    assert len({span.id for span in collector.spans}) == 7


async def test_what_waits_for_a_collector_is_bounded_and_the_rest_counted(
    here: Told, deaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "20")
    monkeypatch.setattr(telemetry, "FLUSH", SOON)
    kept: list[int] = []
    put = outbox.Outbox.put

    def counting(box: outbox.Outbox, record: outbox.Record) -> None:
        put(box, record)
        kept.append(len(box._rows))

    monkeypatch.setattr(outbox.Outbox, "put", counting)
    here.prompts(60)
    assert await here.tell("in.jsonl", "--otlp", deaf) == 0
    assert max(kept) == 10
    assert "telemetry: 121 of 121 spans and no metrics did not reach" in here.said


async def test_text_that_waits_is_bounded_too(
    here: Told, deaf: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_BYTES", 5000)
    monkeypatch.setattr(telemetry, "FLUSH", SOON)
    waiting: list[int] = []
    put = outbox.Outbox.put

    def counting(box: outbox.Outbox, record: outbox.Record) -> None:
        put(box, record)
        waiting.append(box._bytes_in - box._bytes_out)

    monkeypatch.setattr(outbox.Outbox, "put", counting)
    here.prompts(30)
    assert await here.tell("in.jsonl", "--otlp", deaf, "--otlp-content") == 0
    assert 0 < max(waiting) <= 5000


async def test_a_mistake_in_telemetry_ends_the_telemetry_alone(
    here: Told, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr("llmbatch.jobs.telemetry.otlp.record_of", broken)
    here.prompts(2)
    assert await here.tell("in.jsonl", "--otlp", collector.url) == 0
    assert len(here.results()) == 2
    assert "telemetry broke off early" in here.said
    assert "secret words" not in here.said


async def test_an_interrupted_job_tells_how_it_ended(desk: Desk, collector: Collector) -> None:
    desk.server.replies = held(asyncio.Event())
    desk.prompts(2)
    flags = ("--otlp", collector.url, "--grace", "0", "--prometheus", "x.prom")
    async with desk.running("in.jsonl", *flags) as job:
        await collector.called("/v1/metrics")
        while not desk.server.calls:
            await asyncio.sleep(0.01)
        job.send(signal.SIGINT)
        done = await job.ended()
    assert done.code == 130, done
    span = collector.spans[0]
    assert (span.failed, span.attributes["error.type"]) == (True, "SIGINT")
    assert "llmbatch.draining" in span.events
    assert "llmbatch_exit_code{" in (desk.folder / "x.prom").read_text()


async def test_a_second_interrupt_ends_a_job_at_once_whoever_hangs(desk: Desk, deaf: str) -> None:
    desk.server.replies = held(asyncio.Event())
    desk.prompts(2)
    async with desk.running("in.jsonl", "--otlp", deaf, "--pushgateway", deaf) as job:
        while not desk.server.calls:
            await asyncio.sleep(0.01)
        job.send(signal.SIGINT)
        await job.heard("stopping")
        job.send(signal.SIGINT)
        done = await job.ended()
    assert done.code == 130, done
    assert done.stderr.count("telemetry:") == 2
    assert "ended at once" in done.last


async def test_a_killed_job_leaves_whole_figures_behind(desk: Desk, collector: Collector) -> None:
    desk.server.replies = held(asyncio.Event())
    desk.prompts(2)
    flags = ("--otlp", collector.url, "--prometheus", "x.prom")
    async with desk.running("in.jsonl", *flags) as job:
        await collector.called("/v1/metrics")
        while not (desk.folder / "x.prom").exists():
            await asyncio.sleep(0.01)
        job.send(signal.SIGKILL)
        await job.ended()
    text = (desk.folder / "x.prom").read_text()
    assert "llmbatch_running{" in text
    assert text.endswith("\n")
