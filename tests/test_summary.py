"""The tally counts what happened, and the summary says it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from llmbatch.cli.summary import block, counts, last_line
from llmbatch.jobs.drain import Stop
from llmbatch.jobs.errors import RateLimited
from llmbatch.jobs.events import (
    AttemptFailed,
    BreakerClosed,
    BreakerOpened,
    ConcurrencyChanged,
    JobStarted,
    LimitLearned,
    LimitWaited,
    ParamsDropped,
    RoutePaused,
    RouteStopped,
    RowFinished,
    RowSkipped,
    RowsSkipped,
    SourceWaited,
)
from llmbatch.jobs.histogram import Histogram
from llmbatch.jobs.limits.adaptive import START as ADAPTIVE_START
from llmbatch.jobs.model import Failure, Metrics, Request, Result, Status, Tidied, Usage
from llmbatch.jobs.summary import START, Tally
from llmbatch.jobs.traffic import RouteFigures

REQUEST = Request(id="1", line=1, path="x.jsonl", endpoint="chat", model="m", fingerprint="f")


def result(status: Status, *, latency: float = 1.0, cost: float | None = None) -> Result:
    metrics = Metrics("2026-11-22T10:31:07.123Z", 0.5, 0.25, 0.1, 0.1, 0.1, latency, 5.0, 2, [])
    return Result(
        id="1", line=1, fingerprint="f", status=status, output="x", finish_reason="stop",
        provider="p", model="m", fallbacks=0, usage=Usage(10, 5, 2, 1), cost_usd=cost,
        metrics=metrics, metadata={},
        error=Failure("stalled", None, "", retryable=True) if status == "error" else None,
    )  # fmt: skip


def full_tally() -> Tally:
    tally = Tally()
    tally(JobStarted(10, "out.jsonl", "p/m", 4, 60.0, None))
    for status in ("ok", "ok", "truncated", "error"):
        tally(RowFinished(result(status)))  # type: ignore[arg-type]
    tally(RowSkipped("9", "ok"))
    tally(RowsSkipped({"refused": 1}, 0.1))
    tally(AttemptFailed(REQUEST, 1, RateLimited("slow down"), 1.5))
    tally(AttemptFailed(REQUEST, 6, RateLimited("slow down"), None))
    tally(SourceWaited(2.0))
    return tally


def test_every_row_is_counted_under_its_status() -> None:
    summary = full_tally().summary(wall=2.0)
    assert summary.rows == {"ok": 2, "truncated": 1, "error": 1}
    assert summary.skipped == {"ok": 1, "refused": 1}
    assert (summary.not_run, summary.failed, summary.finished) == (4, 2, 6)
    assert summary.usage == Usage(40, 20, 8, 4)
    assert summary.rows_per_s == 2.0
    assert summary.output_tokens_per_s == 10.0
    assert summary.attempts == 8
    assert summary.failures == {"stalled": 1}


def test_retries_are_counted_by_cause_and_only_when_they_happen() -> None:
    assert full_tally().summary(wall=1.0).retries == {"rate_limited": 1}


def test_time_is_split_into_limit_provider_backoff_and_source() -> None:
    time = full_tally().summary(wall=1.0).time
    assert (time.limit, time.backoff, time.source) == (1.0, 1.5, 2.0)
    assert time.provider == 4 * (0.5 + 1.0) - 1.0 - 1.5


def test_an_unknown_cost_is_none_and_a_known_one_is_added_up() -> None:
    tally = Tally()
    tally(RowFinished(result("ok")))
    assert tally.summary(wall=1.0).cost_usd is None
    tally(RowFinished(result("ok", cost=0.25)))
    tally(RowFinished(result("ok", cost=0.5)))
    assert tally.summary(wall=1.0).cost_usd == 0.75


def test_the_block_names_each_subject() -> None:
    text = "\n".join(block(full_tally().summary(wall=2.0, tidied=Tidied(1, 3, 2))))
    for part in (
        "2 ok, 1 error, 1 truncated; done before: 1 ok, 1 refused",
        "not run    4",
        "40 in (8 cached), 20 out",
        "2 rows/s, 10 output tokens/s",
        "first token p50 100 ms",
        "retries    1 rate_limited",
        "failures   1 stalled (each row's error says why)",
        "for the provider",
        "for the limits",
        "for the source",
        "1 older line was superseded",
        "keeps 3 results of rows that this run did not read",
        "keeps 2 lines that are no results",
    ):
        assert part in text


def test_the_block_says_why_the_first_invalid_row_was_none() -> None:
    tally = Tally()
    for line, why in ((3, "not JSON"), (4, "no prompt")):
        row = structs.replace(
            result("invalid"), line=line, error=Failure("invalid_row", None, why, retryable=False)
        )
        tally(RowFinished(row))
    summary = tally.summary(wall=1.0)
    assert summary.first_invalid == "line 3: not JSON"
    assert "invalid    line 3: not JSON" in block(summary)


def test_nothing_is_said_of_waiting_where_no_row_ran() -> None:
    tally = Tally()
    tally(RowSkipped("1", "ok"))
    tally(SourceWaited(2.0))
    assert block(tally.summary(wall=2.0)) == ["rows       none ran; done before: 1 ok"]


def test_the_last_line_says_how_it_ended() -> None:
    summary = full_tally().summary(wall=2.0, stopped=Stop("SIGINT", "interrupted"))
    assert last_line(summary, 130) == (
        "llmbatch: stopped early (interrupted): 2 ok, 1 error, 1 truncated (2 done before),"
        " 4 not run in 2 s -> out.jsonl (exit 130)"
    )


def test_counts_are_in_order_of_size() -> None:
    assert counts({"error": 1, "ok": 1200, "a": 1}) == "1,200 ok, 1 a, 1 error"


@given(st.lists(st.floats(min_value=1e-5, max_value=1e5), min_size=1, max_size=300))
def test_percentiles_are_within_two_percent(values: list[float]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    for percent in (50, 95, 100):
        exact = sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]
        assert histogram.percentile(percent) == pytest.approx(exact, rel=0.02)


def test_an_empty_histogram_has_no_percentile() -> None:
    assert Histogram().percentile(50) is None


def auto_tally(rows: int = 0) -> Tally:
    tally = Tally(now=lambda: 100.0)
    tally(JobStarted(rows, "out.jsonl", "p/m", 256, None, None, auto=True, fallbacks=["q/n"]))
    for _ in range(rows):
        tally(RowFinished(result("ok")))
    return tally


def test_rows_are_counted_by_who_answered_them() -> None:
    tally = auto_tally(3)
    fallen = structs.replace(result("ok"), provider="q", model="n", fallbacks=1)
    tally(RowFinished(fallen))
    tally(RowFinished(structs.replace(fallen, status="error")))
    summary = tally.summary(wall=1.0)
    assert summary.answered == {"p/m": 3, "q/n": 1}
    assert summary.fallbacks == 1
    assert "answers    3 p/m, 1 q/n (1 by a fallback)" in block(summary)


def test_a_job_that_one_route_answered_does_not_repeat_its_name() -> None:
    assert not any(line.startswith("answers") for line in block(auto_tally(3).summary(wall=1.0)))


def test_many_models_are_not_all_named() -> None:
    tally = auto_tally()
    for number in range(20):
        tally(RowFinished(structs.replace(result("ok"), model=f"m{number}")))
    (line,) = [line for line in block(tally.summary(wall=1.0)) if line.startswith("answers")]
    assert line.endswith(", 15 others")


def test_what_happens_to_a_route_is_counted_for_it() -> None:
    time = 100.0
    tally = Tally(now=lambda: time)
    tally(JobStarted(9, "out.jsonl", "p/m", 256, None, None, auto=True, fallbacks=["q/n"]))
    for event in (
        ConcurrencyChanged("p/m", 8, 16, "probing"),
        ConcurrencyChanged("p/m", 16, 64, "throughput grows"),
        ConcurrencyChanged("p/m", 64, 38, "overloaded"),
        LimitLearned("p/m", 300.0, 40_000.0),
        LimitWaited("p/m", 2.5),
        LimitWaited("p/m", 1.5),
        RoutePaused("p/m", 10.0),
        RoutePaused("p/m", 2.5),
        BreakerOpened("p/m", "HTTP 503", 1.0),
        BreakerClosed("p/m", 20.0),
        BreakerOpened("p/m", "HTTP 503", 1.0),
        RouteStopped("q/n", "the key is refused"),
    ):
        tally(event)
    time += 5
    summary = tally.summary(wall=10.0)
    assert summary.routes == {
        "p/m": RouteFigures(
            concurrency=38, highest=64, rpm=300.0, tpm=40_000.0, limited_s=4.0, pauses=2,
            paused_s=12.5, outages=2, outage_s=25.0,
        ),
        "q/n": RouteFigures(stopped="the key is refused"),
    }  # fmt: skip
    text = block(summary)
    for line in (
        "in flight  p/m: 38 at the end, 64 at most",
        "learned    p/m: 300 requests and 40,000 tokens a minute",
        "pauses     p/m: 2 pauses that the server asked for, 12.5 s",
        "outages    p/m: 2 times no answer, 25 s",
        "stopped    q/n: the key is refused",
    ):
        assert line in text


def test_the_only_route_is_not_named_in_the_block() -> None:
    tally = auto_tally()
    tally(ConcurrencyChanged("p/m", 8, 16, "probing"))
    assert "in flight  16 at the end, 16 at most" in block(tally.summary(wall=1.0))
    tally = auto_tally()
    tally(RouteStopped("q/n", "no key"))
    assert "stopped    q/n: no key" in block(tally.summary(wall=1.0))


def test_dropped_parameters_are_counted_by_name() -> None:
    tally = auto_tally()
    for names in (["seed"], ["seed", "top_k"]):
        tally(ParamsDropped("p/m", names))
    summary = tally.summary(wall=1.0)
    assert summary.dropped == {"seed": 2, "top_k": 1}
    assert "dropped    2 seed, 1 top_k (parameters, by rows)" in block(summary)


def test_the_summary_says_what_bounded_the_run() -> None:
    tally = auto_tally(300)
    tally(ConcurrencyChanged("p/m", 8, 64, "throughput grows"))
    tally(ConcurrencyChanged("p/m", 64, 38, "latency grows, throughput does not"))
    summary = tally.summary(wall=10.0, cpu=1.0)
    assert summary.bound.by == "provider"
    assert (
        "bound by   the provider: more than 38 requests in flight did not make it faster"
        in block(summary)
    )
    assert tally.summary(wall=10.0, cpu=9.0).bound.by == "client"
    tally(SourceWaited(8.0))
    assert tally.summary(wall=10.0, cpu=1.0).bound.by == "source"
    tally(LimitWaited("p/m", 9.0))
    assert tally.summary(wall=10.0, cpu=1.0).bound.by == "limit"


def test_an_outage_of_one_route_bounds_nothing_while_another_answers() -> None:
    tally = auto_tally(300)
    tally(BreakerOpened("p/m", "HTTP 503", 1.0))
    tally(BreakerClosed("p/m", 9.0))
    assert "no route" not in tally.summary(wall=10.0).bound.why
    tally(BreakerOpened("q/n", "HTTP 503", 1.0))
    tally(BreakerClosed("q/n", 8.0))
    assert tally.summary(wall=10.0).bound.why == "no route answered 80% of the time"


def test_nothing_is_said_of_the_bound_where_nobody_can_say() -> None:
    summary = auto_tally(3).summary(wall=10.0)
    assert summary.bound.by is None
    assert not any(line.startswith("bound") for line in block(summary))


def test_a_fixed_concurrency_that_is_full_is_the_limit() -> None:
    tally = Tally()
    tally(JobStarted(100, "out.jsonl", "p/m", 4, None, None))
    for _ in range(100):
        tally(RowFinished(result("ok")))
    summary = tally.summary(wall=35.0)  # each row took 1.25 s without its wait for the limit
    assert (summary.bound.by, tally.concurrency) == ("limit", 4)
    assert summary.bound.why == "4 requests were in flight on average, and --concurrency is 4"


def test_auto_begins_where_the_controller_does() -> None:
    assert START == ADAPTIVE_START
    assert auto_tally().concurrency == START
