"""Several routes: fallbacks, breakers, outages, and streams that don't work; in virtual time."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence

import pytest
from scripted import DONE, Chair, Ran, Scripted, Step, ask, words

from llmbatch.jobs.breaker import DOWN, LONGEST_COOLDOWN
from llmbatch.jobs.dialects import Dialect
from llmbatch.jobs.drain import Stop
from llmbatch.jobs.errors import (
    AuthFailed,
    BadRequest,
    ConnectionFailed,
    ContextTooLong,
    FatalError,
    NoStreaming,
    NotFound,
    Overloaded,
    PermanentError,
    RateLimited,
    Refused,
    Stalled,
    StreamBroken,
)
from llmbatch.jobs.events import (
    BreakerClosed,
    BreakerOpened,
    ParamsDropped,
    RoutePaused,
    RouteStopped,
)
from llmbatch.jobs.lane import Lane
from llmbatch.jobs.model import Delta, Request, Result, Usage
from virtualtime import VirtualClock, run_virtual

GONE = ConnectionFailed("nobody listens")
CUT = StreamBroken("cut", http_status=200)


def two(
    first: Sequence[Sequence[Step]], second: Sequence[Sequence[Step]], **more: object
) -> tuple[Result, Ran]:
    """One row over two routes."""
    ran = Ran(Scripted(*first, name="a"), Scripted(*second, name="b"), **more)  # type: ignore[arg-type]
    return run_virtual(ran.row(ask())), ran


async def rows(ran: Ran, count: int, **more: object) -> list[Result]:
    """Many rows, as many at a time as the routes have slots."""
    call = ran.call()
    assert ran.routes is not None
    places = asyncio.Semaphore(ran.routes.width)

    async def one(n: int) -> Result:
        async with places:
            return await call(ask(id=f"r{n}", **more), Chair())

    try:
        return await asyncio.gather(*map(one, range(count)))
    finally:
        assert ran.routes is not None
        ran.routes.close()


async def in_turn(ran: Ran, count: int) -> list[Result]:
    """One row after the other."""
    call = ran.call()
    try:
        return [await call(ask(id=f"r{n}"), Chair()) for n in range(count)]
    finally:
        assert ran.routes is not None
        ran.routes.close()


@pytest.mark.parametrize("kind", [ContextTooLong, Refused, NotFound, BadRequest, PermanentError])
def test_what_another_model_may_not_share_goes_to_the_next_route(
    kind: type[PermanentError],
) -> None:
    result, ran = two([[kind("not here", http_status=400)]], [[*words("hello"), DONE]])
    assert (result.status, result.output, result.error) == ("ok", "hello", None)
    assert (result.provider, result.model, result.fallbacks) == ("b", "m1", 1)
    assert [request.model for request in ran.providers[1].asked] == ["m1"]
    assert len(ran.provider.asked) == 1


def test_a_row_goes_to_the_next_route_after_its_retries_are_used_up() -> None:
    busy = Overloaded("HTTP 500", http_status=500)
    result, ran = two([[busy]] * 4, [[busy], [*words("hello"), DONE]])
    assert (result.status, result.provider, result.fallbacks) == ("ok", "b", 1)
    assert len(ran.provider.asked) == 4
    assert result.metrics is not None
    assert result.metrics.attempts == 6


def test_the_first_route_is_asked_first_by_every_row() -> None:
    ran = Ran(
        Scripted([NotFound("no")], [DONE], name="a"), Scripted([DONE], name="b"), concurrency=1
    )
    results = run_virtual(rows(ran, 2))
    assert [(r.provider, r.fallbacks) for r in results] == [("b", 1), ("a", 0)]


def test_a_row_that_no_route_answers_says_what_each_of_them_said() -> None:
    result, _ = two([[NotFound("no such model")]], [[BadRequest("too odd")]])
    assert (result.status, result.provider, result.model, result.fallbacks) == (
        "error",
        "b",
        "m1",
        1,
    )
    assert result.error is not None
    assert result.error.type == "bad_request"
    assert result.error.message == "a/m0: no such model; b/m1: too odd"


def test_a_broken_answer_is_kept_with_the_route_that_gave_it() -> None:
    result, _ = two([[*words("half"), CUT]] * 5, [[NotFound("no such model")]])
    assert (result.status, result.output) == ("partial", "half")
    assert (result.provider, result.model, result.fallbacks) == ("a", "gpt-4o", 0)
    assert result.error is not None
    assert result.error.type == "not_found"


def test_a_refused_key_takes_its_route_out_of_the_job_and_not_the_job() -> None:
    ran = Ran(
        Scripted(always=[AuthFailed("HTTP 401: bad key", http_status=401)], name="a"),
        Scripted(always=[DONE], name="b"),
        concurrency=2,
    )
    results = run_virtual(rows(ran, 10))
    assert {r.status for r in results} == {"ok"}
    assert {r.provider for r in results} == {"b"}
    assert len(ran.provider.asked) <= 2
    assert ran.drain.stop is None
    stops = [event for event in ran.events if isinstance(event, RouteStopped)]
    assert stops == [RouteStopped("a/m0", "HTTP 401: bad key")]


def test_where_no_route_is_left_the_job_ends() -> None:
    _, ran = two([[AuthFailed("bad key")]], [[FatalError("gone")]])
    assert ran.drain.stop is not None
    assert (ran.drain.stop.cause, ran.drain.stop.message) == ("fatal", "gone")


def test_a_failing_route_is_passed_over_and_probed_by_one_row_at_a_time() -> None:
    first = Scripted(always=[GONE], name="a")
    second = Scripted(always=[0.1, DONE], name="b")
    ran = Ran(first, second, concurrency=8)
    results = run_virtual(rows(ran, 400))
    assert {r.status for r in results} == {"ok"}
    assert {r.provider for r in results} == {"b"}
    # 400 rows, 8 at a time, take 5 s on the second route.
    assert len(first.asked) <= 8 + 4
    opened = [event for event in ran.events if isinstance(event, BreakerOpened)]
    assert opened == [BreakerOpened("a/m0", "nobody listens", 1.0)]


def test_a_route_that_is_back_is_asked_again() -> None:
    first = Scripted(*([[GONE]] * (DOWN + 1)), always=[0.1, DONE], name="a")
    ran = Ran(first, Scripted(always=[0.1, DONE], name="b"), concurrency=4)
    results = run_virtual(rows(ran, 400))
    assert {r.status for r in results} == {"ok"}
    by = [r.provider for r in results]
    assert by.count("a") > 100
    assert by.count("b") > 10
    assert [type(e) for e in ran.events if isinstance(e, BreakerClosed)] == [BreakerClosed]


class Outage(Scripted):
    """Answers in 50 ms, but for a time in which nobody is there."""

    latency = 0.05

    def __init__(self, start: float, end: float, error: Exception = GONE) -> None:
        super().__init__(name="a")
        self.window = (start, end)
        self.error = error

    def script(self, request: Request, whole: bool) -> Sequence[Step]:
        start, end = self.window
        down = start <= VirtualClock().now() < end
        return [self.error] if down else [self.latency, *words("hi"), DONE]  # type: ignore[list-item]

    @property
    def meanwhile(self) -> int:
        start, end = self.window
        return sum(start <= at < end for at in self.times)


@pytest.mark.parametrize("error", [GONE, Overloaded("HTTP 500", http_status=500)])
def test_in_an_outage_no_row_fails_and_hardly_anything_is_sent(error: Exception) -> None:
    server = Outage(2.0, 22.0, error)
    ran = Ran(server, concurrency=16, retries=2)
    results = run_virtual(rows(ran, 2000))
    assert {r.status for r in results} == {"ok"}
    assert server.meanwhile < 60
    assert ran.drain.stop is None
    assert [type(e) for e in ran.events if isinstance(e, BreakerClosed)] == [BreakerClosed]


def test_a_row_that_asks_for_the_others_does_not_pay_for_it_with_its_retries() -> None:
    server = Outage(0.0, 22.0)
    ran = Ran(server, concurrency=DOWN, retries=1)
    results = run_virtual(rows(ran, DOWN))
    assert {r.status for r in results} == {"ok"}
    assert len(server.asked) > 2 * DOWN + 2, "each of them probed, and one more than once"


class Dying(Outage):
    """As an outage, but what is in flight when it begins is cut in the middle of the answer."""

    def script(self, request: Request, whole: bool) -> Sequence[Step]:
        start, now = self.window[0], VirtualClock().now()
        if start - 0.05 < now < start:
            return [start - now, *words("h"), CUT]
        return super().script(request, whole)


def test_what_a_dying_server_cuts_is_not_sent_again_before_it_is_back() -> None:
    server = Dying(2.0, 22.0)
    ran = Ran(server, concurrency=64, retries=2)
    results = run_virtual(rows(ran, 4000))
    assert {r.status for r in results} == {"ok"}
    assert server.meanwhile < 40


def test_after_an_outage_auto_is_soon_as_fast_as_before() -> None:
    server = Outage(10.0, 30.0, Overloaded("HTTP 503", http_status=503))
    server.latency = 0.5
    ran = Ran(server, concurrency="auto")

    async def main() -> list[Result]:
        call = ran.call()
        assert ran.routes is not None
        left = iter(range(9000))

        async def pump() -> list[Result]:
            return [await call(ask(id=f"r{n}"), Chair()) for n in left]

        try:
            found = await asyncio.gather(*(pump() for _ in range(256)))
        finally:
            ran.routes.close()
        return [result for each in found for result in each]

    results = run_virtual(main())
    assert {r.status for r in results} == {"ok"}
    per_second = Counter(int(at) for at in server.times)
    before = max(per_second[second] for second in range(10))
    assert max(per_second[second] for second in range(40, 50)) > 0.8 * before


def test_streams_that_are_cut_from_some_day_on_are_asked_for_in_one_piece() -> None:
    class Cutting(Scripted):
        """Streams are whole for a second, then a box in between begins to cut every one of them."""

        def script(self, request: Request, whole: bool) -> Sequence[Step]:
            good = whole or VirtualClock().now() < 1.0
            return [0.05, *words("hi"), DONE if good else CUT]

    ran = Ran(Cutting(), concurrency=8, retries=2)
    results = run_virtual(rows(ran, 1000))
    assert {r.status for r in results} == {"ok"}
    assert ran.provider.wholes[-500:] == [True] * 500


def test_an_outage_that_lasts_too_long_asks_the_job_to_end_and_fails_no_row() -> None:
    server = Outage(0.0, 10_000.0)
    ran = Ran(server, concurrency=4, max_outage=60.0)

    assert run_virtual(ran.until_stopped(20)) == pytest.approx(60, abs=5)
    assert ran.drain.stop is not None
    assert ran.drain.stop.cause == "outage"
    assert "a/m0" in ran.drain.stop.message
    assert "nobody listens" in ran.drain.stop.message
    assert "--max-outage 60 s" in ran.drain.stop.message


def test_where_the_end_is_refused_the_route_is_probed_on_and_every_row_gets_its_answer() -> None:
    """Another worker of the same job gets answers meanwhile."""
    ran = Ran(Outage(0.0, 100.0), concurrency=4, max_outage=60.0)
    asked: list[tuple[float, Stop]] = []
    ran.end = lambda stop: asked.append((VirtualClock().now(), stop))

    results = run_virtual(rows(ran, 20))
    assert {result.status for result in results} == {"ok"}
    assert ran.drain.stop is None
    times = [at for at, _ in asked]
    assert times[0] == pytest.approx(60, abs=5)
    assert 10 < len(times) < 55, "again and again, not all the time"
    assert {stop.cause for _, stop in asked} == {"outage"}


def test_a_row_that_waits_for_a_dead_route_fails_when_others_go_on() -> None:
    """Its own route is out for ever, the other one can't answer it."""

    class Picky(Scripted):
        def script(self, request: Request, whole: bool) -> Sequence[Step]:
            return [NotFound("not here")] if request.id == "r0" else [1.0, DONE]

    first, second = Picky(name="a"), Scripted(always=[GONE], name="b")
    ran = Ran(first, second, concurrency=1, max_outage=30.0, retries=0)

    async def main() -> list[Result]:
        call = ran.call()
        assert ran.routes is not None
        for n in range(DOWN):
            ran.routes.lanes[1].breaker.failed(f"x{n}", GONE, probe=False)
        try:
            many = (call(ask(id=f"r{n}"), Chair()) for n in range(100))
            return await asyncio.gather(*many)
        finally:
            ran.routes.close()

    results = run_virtual(main())
    assert [r.status for r in results] == ["error"] + ["ok"] * 99
    assert ran.drain.stop is None


def test_a_waiting_row_that_is_let_go_leaves_the_line_to_the_next() -> None:
    server = Outage(0.0, 3.0)
    ran = Ran(server, concurrency=4)

    async def main() -> list[Result | BaseException]:
        call = ran.call()
        tasks = [asyncio.create_task(call(ask(id=f"r{n}"), Chair())) for n in range(8)]
        await VirtualClock().sleep(0.99)
        for task in tasks[:6]:
            task.cancel()
        try:
            return await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            assert ran.routes is not None
            ran.routes.close()

    results = run_virtual(main())
    assert [isinstance(r, Result) and r.status for r in results[6:]] == ["ok", "ok"]


def test_a_429_pauses_the_route_once_and_costs_one_row_one_of_its_retries() -> None:
    class Storm(Scripted):
        """Refuses everything for 8 seconds."""

        def script(self, request: Request, whole: bool) -> Sequence[Step]:
            limited = RateLimited("slow down", http_status=429, retry_after=5.0)
            return [0.1, limited if VirtualClock().now() < 8 else DONE]

    ran = Ran(Storm(), concurrency=8, retries=2)
    results = run_virtual(rows(ran, 8))
    assert {r.status for r in results} == {"ok"}
    pauses = [event for event in ran.events if isinstance(event, RoutePaused)]
    assert [round(pause.seconds) for pause in pauses] == [5, 5]
    assert len(ran.provider.asked) == 8 + 1 + 8


def test_a_server_that_wants_to_be_left_alone_for_longer_than_max_wait_is_left_alone() -> None:
    limited = RateLimited("tomorrow", http_status=429, retry_after=3600.0)
    ran = Ran(Scripted(always=[limited], name="a"), Scripted(always=[DONE], name="b"))
    results = run_virtual(rows(ran, 50))
    assert {(r.status, r.provider) for r in results} == {("ok", "b")}
    assert len(ran.provider.asked) == DOWN
    assert ran.drain.stop is None


def test_where_it_is_the_only_one_the_job_ends_without_waiting() -> None:
    limited = RateLimited("tomorrow", http_status=429, retry_after=3600.0)
    ran = Ran(Scripted(always=[limited]), concurrency=1)

    async def main() -> float:
        call = ran.call()
        for n in range(DOWN):
            assert (await call(ask(id=f"r{n}"), Chair())).status == "error"
        waiting = asyncio.create_task(call(ask(id="q2"), Chair()))
        stopped = asyncio.get_running_loop().create_future()
        ran.drain.listen(lambda stop: stopped.set_result(VirtualClock().now()))
        at: float = await stopped
        waiting.cancel()
        assert ran.routes is not None
        ran.routes.close()
        return at

    assert run_virtual(main()) < 1


@pytest.mark.parametrize("more", [1, 2])
def test_a_server_that_refuses_to_stream_is_asked_in_one_piece_from_then_on(more: int) -> None:
    class Plain(Scripted):
        def script(self, request: Request, whole: bool) -> Sequence[Step]:
            refused = NoStreaming("stream is not supported", http_status=400)
            return [*words("hi"), DONE] if whole else [refused]

    ran = Ran(Plain())
    results = run_virtual(in_turn(ran, 1 + more))
    assert [r.status for r in results] == ["ok"] * (1 + more)
    assert ran.provider.wholes == [False, True] + [True] * more
    assert results[0].metrics is not None
    assert results[0].metrics.retried == ["bad_request"]


@pytest.mark.parametrize("error", [CUT, Stalled("silent", http_status=200)])
def test_where_every_stream_is_cut_the_row_is_asked_in_one_piece(error: Exception) -> None:
    class Cutting(Scripted):
        def script(self, request: Request, whole: bool) -> Sequence[Step]:
            if whole:
                return [*words("all of it"), DONE, Delta(usage=Usage(1, 2))]
            return [*words("all"), error]  # type: ignore[list-item]

    ran = Ran(Cutting(), retries=5)
    results = run_virtual(in_turn(ran, 3))
    assert [(r.status, r.output) for r in results] == [("ok", "all of it")] * 3
    assert ran.provider.wholes == [False] * 3 + [True] * 3


def test_where_other_streams_are_whole_it_is_the_last_thing_that_is_tried() -> None:
    cut: list[Step] = [*words("a"), CUT]
    ran = Ran(Scripted([DONE], cut, cut, cut, cut, [*words("whole"), DONE], [DONE]))
    results = run_virtual(in_turn(ran, 3))
    assert [r.status for r in results] == ["ok"] * 3
    assert ran.provider.wholes == [False] + [False] * 4 + [True] + [False]


def test_one_piece_is_tried_only_once() -> None:
    ran = Ran(Scripted(always=[*words("half"), CUT]), retries=5)
    result = run_virtual(ran.row(ask()))
    assert (result.status, result.output) == ("partial", "half")
    assert ran.provider.wholes == [False] * 3 + [True] + [False] * 2


def test_parameters_that_a_route_does_not_know_are_dropped_for_it_alone() -> None:
    narrow = Dialect(takes={"completions": frozenset({"max_tokens"})})
    ran = Ran(
        Scripted([NotFound("no")], name="a"),
        Scripted([DONE], name="b"),
        dialects=[Dialect(), narrow],
        drop=True,
    )
    result = run_virtual(ran.row(ask(params={"max_tokens": 5, "seed": 1, "top_k": 2})))
    assert result.status == "ok"
    assert ran.provider.asked[0].params == {"max_tokens": 5, "seed": 1, "top_k": 2}
    assert ran.providers[1].asked[0].params == {"max_tokens": 5}
    assert ParamsDropped("b/m1", ["seed", "top_k"]) in ran.events


def test_a_route_that_does_not_know_a_parameter_is_passed_over_unless_it_may_be_dropped() -> None:
    narrow = Dialect(takes={"completions": frozenset({"max_tokens"})})
    ran = Ran(
        Scripted([NotFound("no")], name="a"),
        Scripted([DONE], name="b"),
        Scripted([DONE], name="c"),
        dialects=[Dialect(), narrow, Dialect()],
    )
    result = run_virtual(ran.row(ask(params={"seed": 1})))
    assert (result.status, result.provider, result.fallbacks) == ("ok", "c", 2)
    assert ran.providers[1].asked == []


def test_a_row_that_waits_for_a_route_which_dies_is_told_at_once() -> None:
    """The first route can't answer it; the second is out, and its probe finds it gone for good."""

    class Picky(Scripted):
        def script(self, request: Request, whole: bool) -> Sequence[Step]:
            return [NotFound("not here")]

    second = Scripted(always=[FatalError("the process has ended")], name="b")
    ran = Ran(Picky(name="a"), second)

    async def main() -> tuple[list[Result], float]:
        call = ran.call()
        assert ran.routes is not None
        for n in range(DOWN):
            ran.routes.lanes[1].breaker.failed(f"x{n}", GONE, probe=False)
        try:
            results = await asyncio.gather(*(call(ask(id=f"r{n}"), Chair()) for n in range(3)))
            return results, VirtualClock().now()
        finally:
            ran.routes.close()

    results, end = run_virtual(main())
    assert [r.status for r in results] == ["error"] * 3
    assert len(second.asked) == 1
    assert end < 2


def test_who_waits_at_the_gate_of_a_route_that_fails_is_not_in_the_way_of_its_probe() -> None:
    """At one a second, 64 rows would take a minute to come through and find the route closed."""
    server = Outage(30.0, 50.0)
    ran = Ran(server, concurrency=64, rpm=60)
    results = run_virtual(rows(ran, 200))
    assert {r.status for r in results} == {"ok"}
    back = min(at for at in server.times if at >= 50)
    assert back < 50 + LONGEST_COOLDOWN + 2


def test_who_waits_at_the_gate_of_a_route_that_dies_goes_to_the_next_one_at_once() -> None:
    class Revoked(Scripted):
        def script(self, request: Request, whole: bool) -> Sequence[Step]:
            refused = AuthFailed("HTTP 401: bad key", http_status=401)
            return [0.1, DONE] if VirtualClock().now() < 10 else [refused]

    class OneLimited(Ran):
        def lane(self, place: int, provider: Scripted) -> Lane:
            self.limits["rpm"] = None if place else 60
            return super().lane(place, provider)

    ran = OneLimited(Revoked(name="a"), Scripted(always=[0.1, DONE], name="b"), concurrency=32)
    results = run_virtual(rows(ran, 100))
    assert {r.status for r in results} == {"ok"}
    assert sum(at >= 10 for at in ran.provider.times) == 1
    assert max(ran.providers[1].times) < 15


@pytest.mark.parametrize(
    "error",
    [Overloaded("HTTP 503", http_status=503), RateLimited("HTTP 429", http_status=429)],
    ids=["503", "429"],
)
def test_probes_that_are_refused_do_not_shrink_what_may_be_in_flight(error: Exception) -> None:
    ran = Ran(Outage(5.0, 35.0, error), concurrency="auto")

    async def main() -> tuple[int, int]:
        call = ran.call()
        assert ran.routes is not None
        ids = itertools.count()

        async def worker() -> None:
            while True:
                await call(ask(id=f"r{next(ids)}"), Chair())

        workers = [asyncio.create_task(worker()) for _ in range(64)]
        await VirtualClock().sleep(4.9)
        before = ran.routes.width
        await VirtualClock().sleep(30.0)
        after = ran.routes.width
        for one in workers:
            one.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        ran.routes.close()
        return before, after

    before, after = run_virtual(main())
    assert before >= 32
    assert after >= before // 3


def test_a_probe_whose_answer_takes_long_does_not_keep_the_others_waiting() -> None:
    """Once it has been coming for some time, the server is there."""

    class Slow(Outage):
        def script(self, request: Request, whole: bool) -> Sequence[Step]:
            script = super().script(request, whole)
            if script[0] is self.error:
                return script
            return [1.0, *(step for _ in range(900) for step in (1.0, *words("word"))), DONE]

    ran = Ran(Slow(0.0, 3.0), concurrency=8, max_outage=600.0)
    results = run_virtual(rows(ran, 16))
    assert {r.status for r in results} == {"ok"}
    assert ran.drain.stop is None
    assert sum(at < 3 + 2 * LONGEST_COOLDOWN + 2 for at in ran.provider.times if at >= 3) == 8
