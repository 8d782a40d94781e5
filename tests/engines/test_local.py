"""The engine: bounded, lazy, lets others in for rows that back off, and drains cleanly."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from llmbatch.jobs.clock import SystemClock
from llmbatch.jobs.drain import Drain, Stop
from llmbatch.jobs.engines.local import AT_ONCE, Drained, LocalEngine
from llmbatch.jobs.errors import SinkError, SourceError
from llmbatch.jobs.events import Draining, Event, RowFinished, RowSkipped, RowsSkipped, SourceWaited
from llmbatch.jobs.model import Rejected, Result, Row, Status, Tidied
from llmbatch.jobs.ports import Seat


class Rows:
    """A source of numbered rows that tells how many were read."""

    def __init__(self, total: int, fail_at: int | None = None) -> None:
        self.total = total
        self.fail_at = fail_at
        self.read = 0

    async def requests(self) -> AsyncIterator[Row]:
        for number in range(1, self.total + 1):
            if number == self.fail_at:
                raise SourceError("broken", path="x.jsonl", line=number)
            self.read += 1
            yield Rejected(id=str(number), line=number, path="x.jsonl", reason="")


class Kept:
    """A sink that keeps ids."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.known: dict[str, Status] = {}

    async def expect(self, row: Row) -> Status | None:
        return self.known.get(row.id)

    async def finish(self) -> Tidied:
        return Tidied()

    async def write(self, result: Result) -> None:
        self.ids.append(result.id)

    async def aclose(self) -> None: ...


def result(row: Row) -> Result:
    return Result(
        id=row.id, line=row.line, fingerprint="", status="ok", output="", finish_reason=None,
        provider=None, model=None, fallbacks=0, usage=None, cost_usd=None, metrics=None,
        error=None, metadata={},
    )  # fmt: skip


class Bench:
    """One engine with everything around it."""

    def __init__(self, width: int = 4, grace: float = 60.0) -> None:
        self.width = width
        self.drain = Drain()
        self.events: list[Event] = []
        self.sink = Kept()
        self.engine = LocalEngine(
            width=lambda: self.width,
            drain=self.drain,
            grace=grace,
            clock=SystemClock(),
            observer=self.events.append,
        )

    async def run(self, rows: Rows, worker: Callable[[Row, Seat], Awaitable[Result]]) -> None:
        await asyncio.wait_for(self.engine.run(rows, worker, self.sink), 30)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_every_row_is_run_once() -> None:
    bench = Bench()

    async def worker(row: Row, seat: Seat) -> Result:
        await asyncio.sleep(0)
        return result(row)

    await bench.run(Rows(100), worker)
    assert sorted(map(int, bench.sink.ids)) == list(range(1, 101))
    assert sum(isinstance(event, RowFinished) for event in bench.events) == 100


async def test_rows_are_read_when_there_is_room_and_not_before() -> None:
    bench, rows, gate = Bench(width=3), Rows(1000), asyncio.Event()

    async def worker(row: Row, seat: Seat) -> Result:
        seat.sending = True
        await gate.wait()
        return result(row)

    run = asyncio.create_task(bench.run(rows, worker))
    await settle()
    assert rows.read == 3
    gate.set()
    await run
    assert len(bench.sink.ids) == 1000


class Turns:
    """Counts the turns of the loop."""

    def __init__(self) -> None:
        self.now = 0
        self._next()

    def _next(self) -> None:
        self.now += 1
        self._handle = asyncio.get_running_loop().call_soon(self._next)

    def stop(self) -> None:
        self._handle.cancel()


async def test_rows_begin_some_at_a_time_so_that_the_loop_turns_to_other_things() -> None:
    """All that end together are followed at once, but never in one long turn."""
    bench, gates, begun = Bench(width=1000), [asyncio.Event(), asyncio.Event()], Counter[int]()
    turns = Turns()

    async def worker(row: Row, seat: Seat) -> Result:
        begun[turns.now] += 1
        await gates[row.line > 1000].wait()
        return result(row)

    run = asyncio.create_task(bench.run(Rows(2000), worker))
    while begun.total() < 1000:
        await asyncio.sleep(0)
    opened = turns.now
    assert opened <= 200, "pumps are opened ever more at a time"
    gates[0].set()
    while begun.total() < 2000:
        await asyncio.sleep(0)
    assert turns.now - opened <= 100, "rows begin many a turn"
    assert max(begun.values()) <= 2 * AT_ONCE
    gates[1].set()
    await run
    turns.stop()
    assert len(bench.sink.ids) == 2000


class Slow(Rows):
    """Gives a row only when it is asked to."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self.more = asyncio.Semaphore(0)

    async def requests(self) -> AsyncIterator[Row]:
        async for row in super().requests():
            await self.more.acquire()
            yield row


async def test_a_row_goes_out_as_soon_as_it_is_read_whoever_else_wants_one() -> None:
    bench, rows, worker = Bench(width=40), Slow(1000), Held()
    run = asyncio.create_task(bench.run(rows, worker))
    for count in range(1, 31):
        rows.more.release()
        await settle()
        assert len(worker.rows) == count
    await worker.let_go(20)  # whose pumps all want a row now
    for count in range(11, 41):
        rows.more.release()
        await settle()
        assert len(worker.rows) == count
    for _ in range(1000):
        rows.more.release()
    await finish(worker, run)
    assert len(bench.sink.ids) == 1000


async def test_a_drain_while_many_want_a_row_ends_when_those_in_flight_have() -> None:
    bench, rows, worker = Bench(width=40), Slow(1000), Held()
    run = asyncio.create_task(bench.run(rows, worker))
    for _ in range(30):
        rows.more.release()
        await settle()
    await worker.let_go(20)
    bench.drain.request(Stop("SIGINT", "interrupted"))
    await settle()
    assert len(worker.rows) == 10
    await finish(worker, run)
    assert len(bench.sink.ids) == 30


async def test_a_width_beyond_the_rows_opens_no_more_pumps_than_they_need() -> None:
    bench, rows, gate = Bench(width=1_000_000), Rows(3), asyncio.Event()

    async def worker(row: Row, seat: Seat) -> Result:
        await gate.wait()
        return result(row)

    before = len(asyncio.all_tasks())
    run = asyncio.create_task(bench.run(rows, worker))
    await settle()
    assert rows.read == 3
    assert len(asyncio.all_tasks()) - before <= 3 + 2
    gate.set()
    await run
    assert len(bench.sink.ids) == 3


async def test_a_row_that_backs_off_lets_another_in_within_bounds() -> None:
    bench, rows, gate = Bench(width=2), Rows(1000), asyncio.Event()

    async def worker(row: Row, seat: Seat) -> Result:
        with seat:
            await gate.wait()
        return result(row)

    run = asyncio.create_task(bench.run(rows, worker))
    await settle()
    assert rows.read == 8, "four times the width, then the source has to wait"
    gate.set()
    await run
    assert len(bench.sink.ids) == 1000


async def test_surplus_pumps_leave_when_rows_come_back() -> None:
    bench, rows, gate, most = Bench(width=2), Rows(200), asyncio.Event(), 0
    active = 0

    async def worker(row: Row, seat: Seat) -> Result:
        nonlocal active, most
        if row.line <= 2:
            with seat:
                await gate.wait()
            return result(row)
        active += 1
        if row.line > 100:
            most = max(most, active)
        await asyncio.sleep(0)
        active -= 1
        if row.line == 50:
            gate.set()
        return result(row)

    await bench.run(rows, worker)
    assert len(bench.sink.ids) == 200
    assert most <= 2


async def test_draining_lets_go_of_rows_not_sent_and_waits_for_those_sent() -> None:
    bench, rows, gate = Bench(width=4), Rows(100), asyncio.Event()

    async def worker(row: Row, seat: Seat) -> Result:
        seat.sending = row.line % 2 == 1
        await gate.wait()
        return result(row)

    run = asyncio.create_task(bench.run(rows, worker))
    await settle()
    bench.drain.request(Stop("SIGINT", "interrupted"))
    await settle()
    assert not run.done()
    gate.set()
    await run
    assert sorted(bench.sink.ids) == ["1", "3"]
    assert Draining("interrupted", 2, 60.0) in bench.events


async def test_the_row_that_ends_the_job_is_not_counted_as_in_flight() -> None:
    bench = Bench(width=1)

    async def worker(row: Row, seat: Seat) -> Result:
        seat.sending = True
        bench.drain.request(Stop("fatal", "the key is refused"))
        return result(row)

    await bench.run(Rows(10), worker)
    assert bench.sink.ids == ["1"]
    assert Draining("the key is refused", 0, 60.0) in bench.events


async def test_a_row_that_would_back_off_while_draining_is_left_for_the_next_run() -> None:
    bench, rows, gate = Bench(width=1), Rows(10), asyncio.Event()

    async def worker(row: Row, seat: Seat) -> Result:
        seat.sending = True
        await gate.wait()
        with seat:
            raise AssertionError("must not be reached")
        return result(row)

    run = asyncio.create_task(bench.run(rows, worker))
    await settle()
    bench.drain.request(Stop("SIGINT", "interrupted"))
    gate.set()
    await run
    assert bench.sink.ids == []
    assert Drained.__doc__


async def test_what_is_in_flight_after_the_grace_period_is_cancelled() -> None:
    bench, cancelled = Bench(width=2, grace=0.0), []

    async def worker(row: Row, seat: Seat) -> Result:
        seat.sending = True
        if len(cancelled) == 0 and row.line == 2:
            bench.drain.request(Stop("SIGTERM", "terminated"))
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(row.id)
            raise
        return result(row)

    await bench.run(Rows(10), worker)
    assert sorted(cancelled) == ["1", "2"]


async def test_a_finished_result_is_written_although_the_job_drains_meanwhile() -> None:
    bench, gate = Bench(width=1), asyncio.Event()

    class Slow(Kept):
        async def write(self, result: Result) -> None:
            bench.drain.request(Stop("SIGINT", "interrupted"))
            await asyncio.sleep(0)
            await super().write(result)

    async def worker(row: Row, seat: Seat) -> Result:
        seat.sending = True
        gate.set()
        return result(row)

    bench.sink = Slow()
    await bench.run(Rows(10), worker)
    assert bench.sink.ids == ["1"]


async def test_a_job_that_is_stopped_before_it_starts_reads_nothing() -> None:
    bench, rows = Bench(), Rows(10)
    bench.drain.request(Stop("SIGINT", "interrupted"))

    async def worker(row: Row, seat: Seat) -> Result:
        return result(row)

    await bench.run(rows, worker)
    assert (rows.read, bench.sink.ids) == (0, [])


async def test_rows_that_the_output_has_are_skipped() -> None:
    bench = Bench(width=2)
    bench.sink.known = {str(number): "ok" for number in range(1, 2000, 2)}

    async def worker(row: Row, seat: Seat) -> Result:
        return result(row)

    await bench.run(Rows(2000), worker)
    assert sorted(map(int, bench.sink.ids)) == list(range(2, 2001, 2))
    assert sum(isinstance(event, RowSkipped) for event in bench.events) == 1000


async def test_a_drain_is_noticed_while_rows_are_being_skipped() -> None:
    bench, rows = Bench(width=1), Rows(100_000)
    bench.sink.known = {str(number): "ok" for number in range(1, 100_001)}

    async def worker(row: Row, seat: Seat) -> Result:
        raise AssertionError("nothing is to run")

    run = asyncio.create_task(bench.run(rows, worker))
    await settle()
    bench.drain.request(Stop("SIGINT", "interrupted"))
    await run
    assert 0 < rows.read < 100_000


class Told(Rows):
    """A source of blocks that are done, each found out in so many seconds of work."""

    def __init__(self, blocks: int, work: float) -> None:
        super().__init__(0)
        self.blocks = blocks
        self.work = work

    async def requests(self) -> AsyncIterator[Row | RowsSkipped]:  # type: ignore[override]
        for number in range(1, self.blocks + 1):
            began = time.monotonic()
            while time.monotonic() - began < self.work:
                pass
            self.read += 1
            yield RowsSkipped({"ok": 400}, time.monotonic() - began)
            yield RowsSkipped({}, 0.0)
            yield Rejected(id=str(number), line=number, path="x.jsonl", reason="")


async def test_what_a_source_skipped_is_told_and_counts_as_no_wait_for_it() -> None:
    bench, source = Bench(width=1), Told(5, 0.05)

    async def worker(row: Row, seat: Seat) -> Result:
        return result(row)

    await bench.run(source, worker)
    assert len(bench.sink.ids) == 5
    told = [event for event in bench.events if isinstance(event, RowsSkipped)]
    assert [event.statuses for event in told] == [{"ok": 400}] * 5
    waits = [event.seconds for event in bench.events if isinstance(event, SourceWaited)]
    assert sum(waits) < sum(event.seconds for event in told)


async def test_a_drain_is_noticed_while_a_source_skips_rows() -> None:
    class Done(Told):
        async def requests(self) -> AsyncIterator[Row | RowsSkipped]:  # type: ignore[override]
            for _ in range(self.blocks):
                self.read += 1
                yield RowsSkipped({"ok": 400}, 0.0)

    bench, source = Bench(width=1), Done(10_000, 0.0)

    async def worker(row: Row, seat: Seat) -> Result:
        raise AssertionError("nothing is to run")

    run = asyncio.create_task(bench.run(source, worker))
    await settle()
    bench.drain.request(Stop("SIGINT", "interrupted"))
    await run
    assert 0 < source.read < 10_000


async def test_a_broken_source_ends_the_job_with_its_error_after_the_rows_it_gave() -> None:
    bench, gate = Bench(width=4), asyncio.Event()

    async def worker(row: Row, seat: Seat) -> Result:
        await gate.wait()
        return result(row)

    run = asyncio.create_task(bench.run(Rows(10, fail_at=3), worker))
    await settle()
    gate.set()
    with pytest.raises(SourceError, match=r"x\.jsonl:3: broken"):
        await run
    assert sorted(bench.sink.ids) == ["1", "2"]


async def test_a_sink_that_fails_ends_the_job_at_once() -> None:
    bench = Bench()

    class Full(Kept):
        async def write(self, result: Result) -> None:
            raise SinkError("disk full")

    async def worker(row: Row, seat: Seat) -> Result:
        if row.line > 1:
            await asyncio.Event().wait()
        return result(row)

    bench.sink = Full()
    with pytest.raises(SinkError, match="disk full"):
        await bench.run(Rows(10), worker)


class Held:
    """A worker whose rows stay until they are let go, one by one."""

    def __init__(self) -> None:
        self.rows: dict[int, asyncio.Event] = {}
        self.parks = False

    async def __call__(self, row: Row, seat: Seat) -> Result:
        self.rows[row.line] = gate = asyncio.Event()
        seat.sending = True
        try:
            if self.parks:
                with seat:
                    await gate.wait()
            else:
                await gate.wait()
        finally:
            del self.rows[row.line]
        return result(row)

    async def let_go(self, count: int) -> None:
        for line in list(self.rows)[:count]:
            self.rows[line].set()
        await settle()


async def finish(worker: Held, run: asyncio.Task[None]) -> None:
    while not run.done():
        await worker.let_go(100)


async def test_a_width_that_grows_is_used_with_the_next_row_that_ends() -> None:
    bench, worker = Bench(width=2), Held()
    run = asyncio.create_task(bench.run(Rows(100), worker))
    await settle()
    bench.width = 7
    await worker.let_go(1)
    assert len(worker.rows) == 7
    await finish(worker, run)


async def test_a_width_that_shrinks_lets_pumps_go_as_their_rows_end() -> None:
    bench, rows, worker = Bench(width=8), Rows(100), Held()
    run = asyncio.create_task(bench.run(rows, worker))
    await settle()
    bench.width = 3
    await worker.let_go(4)
    assert (len(worker.rows), rows.read) == (4, 8), "no row was stopped, and none was read"
    await worker.let_go(2)
    assert (len(worker.rows), rows.read) == (3, 9)
    await finish(worker, run)
    assert len(bench.sink.ids) == 100


@pytest.mark.parametrize("width", [0, -3])
async def test_without_any_width_rows_go_on_one_by_one(width: int) -> None:
    bench, worker = Bench(width=4), Held()
    run = asyncio.create_task(bench.run(Rows(20), worker))
    await settle()
    bench.width = width
    await worker.let_go(4)
    assert len(worker.rows) == 1
    await finish(worker, run)
    assert len(bench.sink.ids) == 20


async def test_what_is_held_in_memory_is_bounded_by_the_widest_width() -> None:
    bench, rows, worker = Bench(width=2), Rows(1000), Held()
    worker.parks = True
    run = asyncio.create_task(bench.run(rows, worker))
    await settle()
    assert rows.read == 8
    bench.width = 5
    await worker.let_go(1)
    assert rows.read == 1 + 20
    worker.parks = False
    await finish(worker, run)
    assert len(bench.sink.ids) == 1000


async def test_rows_in_flight_have_all_the_time_they_need_where_a_budget_ends_the_job() -> None:
    bench, release = Bench(width=2, grace=0.0), asyncio.Event()

    async def worker(row: Row, seat: Seat) -> Result:
        seat.sending = True
        await release.wait()
        return result(row)

    running = asyncio.create_task(bench.run(Rows(5), worker))
    await settle()
    bench.drain.request(Stop("budget", "the budget is reached"))
    await settle()
    release.set()
    await running
    assert bench.sink.ids == ["1", "2"]
    assert Draining("the budget is reached", 2, None) in bench.events
