"""One row in, one result out: attempts, waits and times, in virtual time and through the real gate.

What several routes are for stands in test_routes.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from msgspec import UNSET
from scripted import DONE, Chair, Ending, Ran, Scripted, Step, ask, words

from llmbatch.jobs.errors import (
    AuthFailed,
    BadRequest,
    ConnectionFailed,
    Overloaded,
    QuotaExhausted,
    RateLimited,
    StreamBroken,
)
from llmbatch.jobs.events import AttemptFailed
from llmbatch.jobs.model import Delta, Failure, Metrics, Rejected, Request, Result, Row, Usage
from virtualtime import VirtualClock, run_virtual


def run(*attempts: Sequence[Step], row: Row | None = None, **limits: Any) -> tuple[Result, Ran]:
    ran = Ran(Scripted(*attempts), **limits)
    return run_virtual(ran.row(row or ask())), ran


def metrics_of(result: Result) -> Metrics:
    assert result.metrics is not None
    return result.metrics


def test_a_finished_answer_is_a_whole_result() -> None:
    usage = Usage(10, 2)
    result, ran = run([*words("Hel", "lo"), DONE, Delta(usage=usage, cost_usd=0.5)])
    assert result.metrics is not None
    assert result == Result(
        id="q1",
        line=7,
        fingerprint="f00d",
        status="ok",
        output="Hello",
        finish_reason="stop",
        provider="scripted",
        model="gpt-4o",
        fallbacks=0,
        usage=usage,
        cost_usd=0.5,
        metrics=result.metrics,
        error=None,
        metadata={"tag": 1},
        endpoint="completions",
    )
    assert (ran.events, ran.seat.sending, ran.provider.closed) == ([], True, 1)


def test_times_are_those_of_the_clock() -> None:
    script: list[Step] = [
        0.5, *words("a"), 0.25, *words("b"), 1.25, *words("c"), 0.5, DONE,
        Delta(usage=Usage(10, 5)),
    ]  # fmt: skip
    ran = Ran(Scripted(script))

    async def main() -> Result:
        await VirtualClock().sleep(3)
        return await ran.row(ask(read_at=1.0))

    assert run_virtual(main()).metrics == Metrics(
        started_at="2023-11-14T22:13:23.000Z",
        queue_s=2.0,
        limiter_s=0.0,
        ttft_s=0.5,
        itl_mean_s=0.75,
        itl_max_s=1.25,
        latency_s=2.5,
        output_tokens_per_s=2.0,
        attempts=1,
        retried=[],
    )


def test_retries_wait_as_decided_and_count_in_the_latency_but_not_in_the_first_token() -> None:
    result, ran = run(
        [1.0, Overloaded("no", http_status=500)],
        [1.0, RateLimited("wait 4", http_status=429, retry_after=4.0)],
        [1.0, *words("a"), DONE],
    )
    metrics = metrics_of(result)
    # 0.25 is half of 0.5: what the row waits by itself; the 4 s are a pause of the whole route.
    assert metrics.latency_s == pytest.approx(1 + 0.25 + 1 + 4 + 1, abs=1e-5)
    assert metrics.limiter_s == pytest.approx(4, abs=1e-5)
    assert (metrics.ttft_s, metrics.attempts) == (1.0, 3)
    assert metrics.retried == ["overloaded", "rate_limited"]
    waits = [event.wait for event in ran.events if isinstance(event, AttemptFailed)]
    assert waits == [pytest.approx(0.25), 0.0]
    assert result.status == "ok"
    assert result.error is None


def test_each_attempt_says_when_it_was_and_how_it_failed_where_there_was_more_than_one() -> None:
    result, _ = run(
        [1.0, Overloaded("no", http_status=500)],
        [2.0, *words("a"), RateLimited("wait 4", http_status=429, retry_after=4.0)],
        [0.5, *words("a"), 0.5, DONE],
    )
    metrics = metrics_of(result)
    assert metrics.tried is not UNSET
    route = "scripted/m0"
    assert [(each.route, each.error) for each in metrics.tried] == [
        (route, "overloaded"),
        (route, "rate_limited"),
        (route, None),
    ]
    times = [(each.at_s, each.took_s) for each in metrics.tried]
    assert times == [(0, 1), (1.25, 2), (pytest.approx(7.25, abs=1e-5), 1)]
    assert sum(times[-1]) == pytest.approx(metrics.latency_s)


def test_a_row_that_never_gets_an_answer_has_an_error_on_every_attempt() -> None:
    result, _ = run(*[[1.0, Overloaded("no", http_status=500)]] * 6)
    tried = metrics_of(result).tried
    assert tried is not UNSET
    assert [each.error for each in tried] == ["overloaded"] * 4  # 3 retries


def test_a_row_with_one_attempt_does_not_list_it() -> None:
    assert metrics_of(run([*words("a"), DONE])[0]).tried is UNSET
    failed, _ = run([BadRequest("no", http_status=400)])
    assert metrics_of(failed).tried is UNSET


def test_whoever_listens_hears_each_attempt_until_it_has_heard_enough() -> None:
    heard: list[tuple[str, str | None]] = []
    brief: list[str | None] = []

    def all_of_it(row: Request, text: str | None) -> None:
        heard.append((row.id, text))

    def first_word(row: Request, text: str | None) -> bool:
        brief.append(text)
        return text is not None

    script = [[*words("a", "b"), StreamBroken("cut")], [*words("c", "d"), DONE]]
    run(*script, heard=(all_of_it, first_word))
    assert heard == [("q1", text) for text in (None, "a", "b", None, "c", "d")]
    assert brief == [None, "a", None, "c"]


def test_a_row_that_backs_off_says_so_to_its_seat_and_gives_its_slot_to_another() -> None:
    first, second = Chair(), Chair()
    provider = Scripted([Overloaded("no", http_status=503)], [DONE], [*words("back"), DONE])

    async def main() -> list[Result]:
        call = Ran(provider, concurrency=1).call()
        return await asyncio.gather(call(ask(), first), call(ask(id="q2"), second))

    results = run_virtual(main())
    assert [request.id for request in provider.asked] == ["q1", "q2", "q1"]
    assert [result.status for result in results] == ["ok", "ok"]
    assert first.log == ["waits, sending=True", "is back"]
    assert second.log == []


def test_each_retry_is_a_new_trip_through_the_gate() -> None:
    failure = Overloaded("no", http_status=503)
    result, _ = run([failure], [failure], [DONE], rpm=1)
    metrics = metrics_of(result)
    assert metrics.limiter_s == pytest.approx(2 * 61, abs=1)
    assert metrics.latency_s == pytest.approx(metrics.limiter_s + 0.25 + 0.5, abs=1e-5)
    assert metrics.queue_s == 0.0


def test_waiting_for_the_limit_before_the_first_send_is_queueing() -> None:
    ran = Ran(Scripted([DONE], [1.0, *words("a"), DONE]), rpm=1)

    async def main() -> Result:
        call = ran.call()
        await call(ask(), Chair())
        return await call(ask(id="q2"), Chair())

    metrics = metrics_of(run_virtual(main()))
    assert metrics.queue_s == metrics.limiter_s == pytest.approx(61, abs=1)
    assert (metrics.latency_s, metrics.ttft_s) == (1.0, 1.0)


def test_after_the_last_retry_the_row_fails_with_its_reason() -> None:
    failure = ConnectionFailed("nobody listens at localhost:1")
    result, ran = run(*([failure],) * 4)
    assert result.error == Failure(
        "connection_failed",
        None,
        "nobody listens at localhost:1 (given up after 4 attempts)",
        retryable=True,
    )
    assert (result.status, result.output, result.usage) == ("error", None, None)
    metrics = metrics_of(result)
    assert (metrics.attempts, metrics.retried) == (4, ["connection_failed"] * 3)
    assert (metrics.ttft_s, metrics.output_tokens_per_s) == (None, None)
    last = ran.events[-1]
    assert isinstance(last, AttemptFailed)
    assert (last.attempt, last.wait) == (4, None)


def test_what_can_not_be_cured_is_asked_once() -> None:
    result, ran = run([BadRequest("no such parameter", http_status=400)])
    assert len(ran.provider.asked) == 1
    assert result.error is not None
    assert result.error.type == "bad_request"
    assert metrics_of(result).retried == []
    assert ran.drain.stop is None


def test_a_wait_beyond_max_wait_fails_the_row_with_that_reason() -> None:
    result, ran = run([RateLimited("later", http_status=429, retry_after=3600.0)])
    assert result.error is not None
    assert "asks to wait 3600 s, more than --max-wait 120 allows" in result.error.message
    assert len(ran.provider.asked) == 1


def test_a_broken_stream_keeps_what_arrived_in_the_best_attempt() -> None:
    cut = StreamBroken("cut", http_status=200)
    result, _ = run(
        [*words("one "), cut],
        [1.0, *words("one ", "two "), cut],
        [*words("o"), cut],
        [ConnectionFailed("gone")],
    )
    assert (result.status, result.output, result.finish_reason) == ("partial", "one two ", None)
    assert result.error is not None
    assert result.error.type == "connection_failed"
    metrics = metrics_of(result)
    assert (metrics.attempts, metrics.ttft_s) == (4, 1.0)
    assert metrics.retried == ["stream_broken"] * 3


def test_of_two_attempts_that_brought_as_much_the_later_one_is_kept() -> None:
    cut = StreamBroken("cut")
    result, _ = run([*words("old"), cut], [*words("new"), cut], [cut], [cut])
    assert result.output == "new"


def test_no_speed_is_claimed_for_an_answer_that_did_not_finish() -> None:
    cut = StreamBroken("cut")
    result, _ = run([1.0, *words("a"), Delta(usage=Usage(10, 4)), cut], *([cut],) * 3)
    assert (result.status, result.usage) == ("partial", Usage(10, 4))
    assert metrics_of(result).output_tokens_per_s is None


def test_nothing_of_a_failed_attempt_is_left_in_the_answer_of_a_later_one() -> None:
    broken: list[Step] = [
        *words("junk"),
        Delta(reasoning="hm", tool_calls=[{"index": 0, "id": "x"}], usage=Usage(1, 1)),
        StreamBroken("cut"),
    ]
    result, _ = run(broken, [*words("good"), DONE])
    assert (result.output, result.status, result.usage) == ("good", "ok", None)
    assert not result.tool_calls
    assert not result.reasoning


@pytest.mark.parametrize("kind", [AuthFailed, QuotaExhausted])
def test_an_error_that_every_row_would_meet_asks_the_job_to_end(
    kind: type[AuthFailed | QuotaExhausted],
) -> None:
    result, ran = run([kind("no way in", http_status=401)])
    assert ran.drain.stop is not None
    assert (ran.drain.stop.cause, ran.drain.stop.message) == ("fatal", "no way in")
    assert result.status == "error"
    assert result.error is not None
    assert result.error.type == kind.type
    assert len(ran.provider.asked) == 1


def test_a_failed_attempt_gives_back_the_tokens_it_did_not_use() -> None:
    def waited(usage: Usage | None) -> float:
        failed = [Delta(usage=usage), StreamBroken("cut")]
        row = ask(params={"max_tokens": 900})
        result, _ = run(failed, [DONE], row=row, tpm=1000)
        return metrics_of(result).limiter_s

    settled, standing = waited(Usage(10, 20)), waited(None)
    assert settled < standing - 10


def test_a_row_larger_than_the_token_budget_fails_at_once_and_was_never_sent() -> None:
    result, ran = run(row=ask(input=range(2000)), tpm=1000)
    assert (result.status, result.metrics, ran.provider.asked) == ("error", None, [])
    assert result.error is not None
    assert result.error.type == "too_large"
    assert "2000 input tokens" in result.error.message
    assert "--tpm 1000" in result.error.message
    assert ran.drain.stop is None


def test_a_row_that_can_not_be_sent_is_invalid() -> None:
    row = Rejected(
        id="q1", line=7, path="in.jsonl", reason="there is no prompt", metadata={"tag": 1}
    )
    result, ran = run(row=row)
    assert (result.status, result.metrics, result.provider) == ("invalid", None, None)
    assert result.error == Failure("invalid_row", None, "there is no prompt", retryable=False)
    assert (result.line, result.metadata) == (7, {"tag": 1})
    assert (ran.events, ran.seat.sending, ran.provider.asked) == ([], False, [])


def test_a_row_that_would_back_off_while_the_job_ends_is_left_for_the_next_run() -> None:
    ran = Ran(Scripted([Overloaded("no", http_status=503)]), seat=Chair(ending=True))
    with pytest.raises(Ending):
        run_virtual(ran.row(ask()))
    assert ran.provider.closed == 1


def test_an_error_that_is_no_providers_is_not_a_rows_result() -> None:
    class Broken(Scripted):
        async def stream(self, request: Request, **kw: Any) -> AsyncGenerator[Delta, None]:
            raise ZeroDivisionError
            yield DONE

    with pytest.raises(ZeroDivisionError):
        run_virtual(Ran(Broken()).row(ask()))


def test_two_calls_do_not_share_what_they_went_through() -> None:
    ran = Ran(Scripted([Overloaded("no")], [DONE], [DONE]))

    async def main() -> list[Result]:
        call = ran.call()
        return [await call(ask(), Chair()), await call(ask(id="q2"), Chair())]

    first, second = run_virtual(main())
    assert metrics_of(first).retried == ["overloaded"]
    assert (metrics_of(second).retried, metrics_of(second).attempts) == ([], 1)


def test_a_row_that_is_cancelled_is_not_taken_for_an_answer() -> None:
    """By one answer more, another number might be in flight; the engine of a job that is cancelled
    has no use for that."""

    class Staggered(Scripted):
        def script(self, request: Request, whole: bool) -> Sequence[Step]:
            return [1 + 0.01 * int(request.id), DONE]

    ran = Ran(Staggered(), concurrency="auto")

    async def main(seconds: float) -> int:
        call = ran.call()

        async def worker(number: int) -> None:
            while True:
                await call(ask(id=str(number)), Chair())

        workers = [asyncio.create_task(worker(number)) for number in range(8)]
        await VirtualClock().sleep(seconds)
        for one in workers:
            one.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        return len(ran.events)

    assert run_virtual(main(2.15)) == 1, "the sixteenth answer is one too many"
    ran.events.clear()
    assert run_virtual(main(2.13)) == 0
