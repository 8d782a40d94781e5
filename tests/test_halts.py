"""Rules that stop a job: how they are written, and what they are judged by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from sampleresults import request, sample

from llmbatch.jobs.drain import Drain
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.events import Event, Noted, RowFinished, RowSkipped, SourceWaited
from llmbatch.jobs.halts.canary import Canary, CanarySource, spread
from llmbatch.jobs.halts.halting import Halting
from llmbatch.jobs.halts.measured import Ended, Measured
from llmbatch.jobs.halts.rule import METRICS, BadRule, Rule
from llmbatch.jobs.halts.watch import LEAST, WINDOW, Watch, rules_of
from llmbatch.jobs.model import Metrics, Request, Result, Row, Status
from virtualtime import VirtualClock, run_virtual

TIMED = Metrics("2026-11-22T10:31:07.123Z", 0, 0, None, None, None, 1.0, None, 1, [])


def row(status: Status = "ok", cost: float | None = None, latency: float = 1.0) -> Result:
    metrics = structs.replace(TIMED, latency_s=latency)
    return sample(status=status, cost_usd=cost, metrics=metrics)


def watching(*texts: str) -> tuple[Watch, Drain]:
    drain = Drain()
    return Watch([Rule.parse(text) for text in texts], drain), drain


def feed(watch: Any, *rows: Result) -> None:
    for each in rows:
        watch(RowFinished(each))


# How a rule is written


@pytest.mark.parametrize(
    ("text", "metric", "inclusive", "limit", "share"),
    [
        ("failed>5%", "failed", False, 5, True),
        (" refused >= 3 ", "refused", True, 3, False),
        ("truncated>0.57 %", "truncated", False, Fraction(57, 100), True),
        ("invalid_output>=100%", "invalid_output", True, 100, True),
        ("cost_per_row>.01", "cost_per_row", False, Fraction(1, 100), False),
        ("cost_per_row > 2 USD", "cost_per_row", False, 2, False),
        ("p95_latency>30", "p95_latency", False, 30, False),
        ("p95_latency>30s", "p95_latency", False, 30, False),
        ("P95-Latency >= 2m", "p95_latency", True, 120, False),
        ("p95_latency>500ms", "p95_latency", False, Fraction(1, 2), False),
        ("failed>0", "failed", False, 0, False),
    ],
)
def test_a_rule_is_read(text: str, metric: str, inclusive: bool, limit: Any, share: bool) -> None:
    rule = Rule.parse(text)
    assert (rule.metric, rule.inclusive, rule.limit, rule.share) == (
        metric, inclusive, limit, share,
    )  # fmt: skip
    assert Rule.parse(str(rule)) == rule


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no rule"),
        ("failed", "no > or >="),
        ("failed<5%", "< does not stand in one"),
        ("failed=5", "= does not stand in one"),
        (">5%", "no word before the comparison"),
        ("failed>", "no number behind the comparison"),
        ("failed>x", '"x" is no number'),
        ("failed>5%%", '"5%%" is no number'),
        ("failed>-1", '"-1" is no number'),
        ("failed>nan", '"nan" is no number'),
        ("faild>5%", "did you mean failed?"),
        ("p99_latency>5s", "did you mean p95_latency?"),
        ("speed>5", "A rule is about failed, refused,"),
        ("failed>101%", "100% at most"),
        ("failed>2.5", "failed>2.5%"),
        ("failed>3s", "a share of the rows or a number of them"),
        ("failed>=0%", "would stop every job"),
        ("p95_latency>=0", "would stop every job"),
        ("p95_latency>5%", "is a time"),
        ("cost_per_row>5s", "USD a row"),
        ("failed>5%,refused>2", "no number"),
    ],
)
def test_what_is_no_rule_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(BadRule) as caught:
        Rule.parse(text)
    assert said in str(caught.value)
    assert f'"{text}"' in str(caught.value)


@given(st.text(max_size=80))
def test_any_text_is_a_rule_or_a_bad_one(text: str) -> None:
    with suppress(BadRule):
        assert Rule.parse(text).metric in METRICS


def test_rules_made_by_hand_are_looked_at_too() -> None:
    with pytest.raises(ConfigError, match=r"^halt_on: .faild>5%"):
        rules_of(["faild>5%"])


@given(st.integers(0, 10**6), st.integers(1, 10**6), st.decimals(0, 100, places=4))
def test_a_share_is_exact(count: int, rows: int, percent: Any) -> None:
    above = Fraction(count, rows) > Fraction(percent) / 100
    assert Rule.parse(f"failed>{percent:f}%").broken_by_share(count, rows) == above


# What rows come to


@pytest.mark.parametrize(
    ("status", "metrics"),
    [
        ("ok", set()),
        ("truncated", {"truncated"}),
        ("refused", {"failed", "refused"}),
        ("filtered", {"failed", "refused"}),
        ("partial", {"failed"}),
        ("invalid", {"failed"}),
        ("invalid_output", {"failed", "invalid_output"}),
        ("error", {"failed"}),
    ],
)
def test_what_counts_as_what(status: Status, metrics: set[str]) -> None:
    measured = Measured()
    measured.add(Ended(status))
    assert set(measured.counts) == metrics


_ends = st.builds(
    Ended,
    st.sampled_from(["ok", "error", "refused", "truncated"]),
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 100),
)


@given(st.lists(_ends, max_size=60), st.integers(1, 20))
def test_a_window_is_what_its_last_rows_alone_come_to(rows: list[Ended], size: int) -> None:
    window = Measured(size)
    for each in rows:
        window.add(each)
    alone = rows[-size:]
    assert window.rows == len(alone)
    assert window.counts["failed"] == sum(r.status in ("error", "refused") for r in alone)
    costs = [r.cost for r in rows if r.cost is not None][-size:]
    assert window.costs == len(costs)
    assert window.mean_cost == pytest.approx(sum(costs) / len(costs) if costs else 0)
    times = sorted([r.latency for r in rows if r.latency is not None][-size:])
    nearest = [t for n, t in enumerate(times, 1) if 100 * n >= 95 * len(times)]
    assert window.p95 == (nearest[0] if nearest else 0)


# A rule that is watched


def test_a_share_is_judged_when_twenty_rows_have_ended() -> None:
    watch, drain = watching("failed>5%")
    feed(watch, *[row("error")] * (LEAST - 1))
    assert drain.stop is None
    feed(watch, row())
    assert drain.stop is not None
    assert drain.stop.cause == "halt"
    assert drain.stop.message == "failed>5%: 19 of the last 20 rows failed (95%)"


def test_exactly_the_share_is_allowed_by_a_rule_with_above() -> None:
    rows = [row("error")] * 5 + [row()] * 95
    watch, drain = watching("failed>25%")
    feed(watch, *rows)
    assert drain.stop is None
    watch, drain = watching("failed>=25%")
    feed(watch, *rows)
    assert drain.stop is not None


def test_only_the_last_hundred_rows_count() -> None:
    watch, drain = watching("failed>10%")
    feed(watch, *[row()] * 1000, *[row("error")] * 10)
    assert drain.stop is None
    feed(watch, *[row()] * (WINDOW - 10), *[row("error")] * 10)
    assert drain.stop is None, "the first ten have left the window"
    feed(watch, row("error"))
    assert drain.stop is not None
    assert "11 of the last 100 rows" in drain.stop.message


def test_a_number_is_one_of_the_whole_run_and_judged_at_once() -> None:
    watch, drain = watching("refused>=2")
    feed(watch, row("refused"), *[row()] * 500)
    assert drain.stop is None
    feed(watch, row("filtered"))
    assert drain.stop is not None
    assert drain.stop.message == "refused>=2: 2 rows of this run were refused"


def test_rows_of_earlier_runs_stop_no_later_one() -> None:
    watch, drain = watching("failed>0")
    watch(RowSkipped("q1", "refused"))
    assert drain.stop is None


def test_the_cost_of_a_row_is_a_mean_of_those_that_have_one() -> None:
    watch, drain = watching("cost_per_row>0.01")
    feed(watch, *[row(cost=0.01)] * 20, *[row()] * 20)
    assert drain.stop is None
    feed(watch, row(cost=0.02))
    assert drain.stop is not None
    assert drain.stop.message == "cost_per_row>0.01: $0.010476 a row over the last 21 rows"


def test_the_latency_is_that_of_the_row_at_95_percent() -> None:
    watch, drain = watching("p95_latency>30s")
    feed(watch, *[row(latency=1.0)] * 95, *[row(latency=31.0)] * 5)
    assert drain.stop is None
    feed(watch, row(latency=31.0))
    assert drain.stop is not None
    assert drain.stop.message == "p95_latency>30s: 31 s over the last 100 rows"


@pytest.mark.parametrize("own", [{"cached": True}, {"same_as": "q0"}], ids=["cache", "twin"])
def test_an_answer_that_was_there_has_no_cost_and_no_latency(own: dict[str, Any]) -> None:
    result = structs.replace(row(cost=0.0), metrics=structs.replace(TIMED, **own))
    assert Ended.of(result) == Ended("ok")
    watch, drain = watching("p95_latency>0", "cost_per_row>=1", "failed>50%")
    feed(watch, *[result] * 50)
    assert drain.stop is None


def test_the_first_rule_that_breaks_is_the_reason() -> None:
    watch, drain = watching("truncated>90%", "failed>3", "failed>2")
    feed(watch, *[row("error")] * 30)
    assert drain.stop is not None
    assert drain.stop.message.startswith("failed>2: 3 rows")


# A canary


@given(st.integers(1, 500), st.integers(1, 500))
def test_a_canary_is_spread_evenly(count: int, total: int) -> None:
    places = list(spread(count, total))
    assert len(set(places)) == len(places) == min(count, total)
    assert places == sorted(places)
    assert places[0] == 0
    assert places[-1] < total
    gaps = [b - a for a, b in zip(places, [*places[1:], total], strict=True)]
    assert max(gaps) - min(gaps) <= 1


class Rows:
    """A source of so many rows, which knows how many of them were taken."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.taken = 0
        self.closed = False

    async def requests(self) -> AsyncGenerator[Row, None]:
        try:
            while self.taken < self.count:
                self.taken += 1
                yield request(f"q{self.taken}")
        finally:
            self.closed = True


class Trial:
    """A canary, its source, and the events that it sends."""

    def __init__(self, size: int, *texts: str) -> None:
        self.drain = Drain()
        self.events: list[Event] = []
        rules = [Rule.parse(text) for text in texts]
        self.halting = Halting(
            rules, self.drain, self.events.append, canary=size, clock=VirtualClock()
        )
        assert self.halting.canary is not None
        self.canary: Canary = self.halting.canary

    async def run(self, rows: Rows, ends: Any, rest: Rows | None = None, pause: float = 0) -> int:
        """Take all rows; each ends as ``ends`` says, after a pause. How many were taken."""
        source = CanarySource(self.canary, rows, None if rest is None else lambda: rest)
        taken = 0
        loop = asyncio.get_running_loop()
        async for each in source.requests():
            assert isinstance(each, Request)
            event = RowFinished(row(ends(taken)))
            taken += 1
            loop.call_later(pause, self.halting, event)
        return taken


def test_the_rest_waits_for_the_verdict() -> None:
    trial, rows = Trial(3), Rows(5)

    async def run() -> None:
        source = CanarySource(trial.canary, rows).requests()
        first = [await anext(source) for _ in range(3)]
        waiting = asyncio.ensure_future(anext(source))
        await asyncio.sleep(5)
        assert not waiting.done()
        assert rows.taken == 3, "the next row is not even read"
        for _ in first:
            trial.halting(RowFinished(row()))
        assert (await waiting).id == "q4"
        assert trial.events == [Noted("the canary has passed: 0 of its 3 rows failed")]
        event = trial.halting.corrected(SourceWaited(5.25))
        assert isinstance(event, SourceWaited)
        assert event.seconds == pytest.approx(0.25, abs=1e-6)
        assert trial.halting.corrected(SourceWaited(1.0)) == SourceWaited(1.0), "once is enough"

    run_virtual(run())


def test_a_canary_that_fails_ends_the_job_and_its_source() -> None:
    trial, rows, rest = Trial(20), Rows(20), Rows(100)
    taken = run_virtual(trial.run(rows, lambda n: "error" if n in (3, 9) else "ok", rest, 1.0))
    assert (taken, rest.taken, rows.closed) == (20, 0, True)
    assert trial.drain.stop is not None
    assert trial.drain.stop.cause == "halt"
    assert trial.drain.stop.message == ("the canary broke failed>5%: 2 of its 20 rows failed (10%)")
    assert trial.events == []


def test_a_canary_within_its_rule_passes_and_the_rules_go_on() -> None:
    trial, rest = Trial(20), Rows(30)
    ends = lambda n: "error" if n in (3, 40) else "ok"  # noqa: E731
    assert run_virtual(trial.run(Rows(20), ends, rest, 1.0)) == 50
    assert trial.drain.stop is None
    for _ in range(4):
        trial.halting(RowFinished(row("error")))
    assert trial.drain.stop is not None
    assert "of the last" in trial.drain.stop.message


def test_a_canary_smaller_than_a_window_is_judged_by_its_own_rows() -> None:
    trial = Trial(5, "failed>30%")
    run_virtual(trial.run(Rows(50), lambda n: "error" if n in (1, 2) else "ok", None, 1.0))
    assert trial.drain.stop is not None
    assert "2 of its 5 rows failed (40%)" in trial.drain.stop.message
    assert trial.drain.stop.message.startswith("the canary broke failed>30%")


def test_a_canary_that_can_only_fail_is_not_waited_for() -> None:
    trial = Trial(100, "failed>5%")
    feed(trial.halting, *[row("error")] * 5)
    assert trial.drain.stop is None
    feed(trial.halting, row("error"))
    assert trial.drain.stop is not None
    assert "6 of its 100 rows failed (6%)" in trial.drain.stop.message


def test_a_canary_is_not_judged_by_its_first_twenty_rows() -> None:
    trial = Trial(100, "failed>5%")
    feed(trial.halting, *[row("error")] * 3, *[row()] * 30)
    assert trial.drain.stop is None, "3 of 100 are allowed, although 3 of 20 are not"


@pytest.mark.parametrize(
    ("rule", "result", "said"),
    [
        ("failed>1", row("error"), "2 rows of it failed"),
        ("p95_latency>2s", row(latency=3.0), "3 s over its 4 rows"),
        ("cost_per_row>1", row(cost=2.0), "$2.000000 a row over its 4 rows"),
    ],
)
def test_every_rule_is_a_canarys(rule: str, result: Result, said: str) -> None:
    trial = Trial(4, rule)

    async def run() -> bool:
        source = CanarySource(trial.canary, Rows(9)).requests()
        for _ in range(4):
            await anext(source)
            trial.halting(RowFinished(result))
        return await anext(source, None) is None

    assert run_virtual(run())
    assert trial.drain.stop is not None
    assert said in trial.drain.stop.message


def test_rows_that_were_done_before_count_with_their_status() -> None:
    trial = Trial(4, "failed>20%")

    async def run() -> bool:
        source = CanarySource(trial.canary, Rows(9)).requests()
        for status in ("ok", "refused", "ok", "ok"):
            await anext(source)
            trial.halting(RowSkipped("q", status))
        return await anext(source, None) is None

    assert run_virtual(run())
    assert trial.drain.stop is not None
    assert "1 of its 4 rows failed (25%)" in trial.drain.stop.message


def test_a_canary_larger_than_the_input_is_all_of_it() -> None:
    trial = Trial(50)
    assert run_virtual(trial.run(Rows(3), lambda n: "ok", None, 1.0)) == 3
    assert trial.drain.stop is None
    trial = Trial(50)
    run_virtual(trial.run(Rows(3), lambda n: "error", None, 1.0))
    assert trial.drain.stop is not None
    assert "3 of its 50 rows failed (6%)" in trial.drain.stop.message, "that is too many already"
    trial = Trial(50)
    run_virtual(trial.run(Rows(3), lambda n: "error" if n == 1 else "ok", None, 1.0))
    assert trial.drain.stop is not None
    assert "1 of its 3 rows failed (33.3%)" in trial.drain.stop.message
