"""How late the loop came is measured, and told where it was bad."""

import asyncio
from collections.abc import Callable

import pytest

from llmbatch.cli.summary import block
from llmbatch.jobs.looplag import BAD, LagMeter, LoopLag
from llmbatch.jobs.summary import Tally

from .virtualtime import run_virtual


class Held:
    """The virtual loop's time, which a callback may hold up."""

    def __init__(self) -> None:
        self._more = 0.0

    def now(self) -> float:
        return asyncio.get_running_loop().time() + self._more

    def up(self, seconds: float) -> None:
        self._more += seconds


def measured(holds: Callable[[Held], None], seconds: float = 10.0) -> LoopLag:
    """What is measured in so many seconds, during which ``holds`` is called once."""
    held = Held()
    meter = LagMeter(held.now)

    async def main() -> LoopLag | None:
        async with meter:
            await asyncio.sleep(seconds / 2 + 0.001)
            holds(held)
            await asyncio.sleep(seconds / 2)
        return meter.figures

    lag = run_virtual(main())
    assert lag is not None
    return lag


def test_a_loop_that_keeps_up_has_no_lag() -> None:
    lag = measured(lambda _: None)
    assert lag.max_s < 0.001
    assert not lag.bad


def test_what_holds_the_loop_up_is_measured() -> None:
    lag = measured(lambda held: held.up(0.4))
    assert lag.max_s == pytest.approx(0.4, abs=0.06), "a look was due up to 50 ms later"
    assert lag.p50_s < 0.001


def test_looks_that_fell_out_count_with_the_delay_they_would_have_had() -> None:
    """1 s in 10 is 10 % of all looks, not one of 181."""
    lag = measured(lambda held: held.up(1.0))
    assert lag.p99_s == pytest.approx(0.9, abs=0.11)
    assert lag.bad


def test_nothing_is_measured_before_the_first_look_nor_after_the_end() -> None:
    held = Held()
    meter = LagMeter(held.now)

    async def main() -> None:
        async with meter:
            assert meter.figures is None
            await asyncio.sleep(0.2)
        before = meter.figures
        assert before is not None
        held.up(5.0)
        await asyncio.sleep(1.0)
        assert meter.figures == before

    run_virtual(main())


def test_a_timer_that_comes_early_is_not_late() -> None:
    assert measured(lambda held: held.up(-0.01)).max_s < 0.001


def test_no_timer_is_left_to_keep_a_loop_waiting() -> None:
    async def main() -> None:
        async with LagMeter():
            pass

    async def end_of_all_timers() -> None:
        await main()
        # with a timer left the virtual loop would jump to it; without one it says so
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="no timer is set"):
        run_virtual(end_of_all_timers())


def test_a_job_that_broke_off_in_an_error_leaves_no_timer() -> None:
    async def main() -> None:
        try:
            async with LagMeter():
                raise OSError("the disk")
        except OSError:
            await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="no timer is set"):
        run_virtual(main())


@pytest.mark.parametrize(("p99", "said"), [(BAD, True), (BAD - 0.001, False)])
def test_a_person_reads_of_it_only_where_it_was_bad(
    p99: float, said: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lag = LoopLag(0.002, p99, 1.25)
    monkeypatch.setattr(LagMeter, "figures", lag)
    summary = Tally().summary(wall=3.0)
    assert summary.loop_lag == lag, "a program reads it always"
    assert not any(line.startswith("lag ") for line in block(summary)), "3 s are too short"
    lines = [line for line in block(Tally().summary(wall=30.0)) if line.startswith("lag ")]
    assert bool(lines) == said
    for line in lines:
        assert "p99 100 ms, at most 1.25 s" in line
        assert "--concurrency" in line
        assert "--processes" in line


def test_the_worst_of_all_processes_is_told() -> None:
    meter = LagMeter(lambda: 0.0)
    assert meter.figures is None
    meter.elsewhere(LoopLag(0.001, 0.2, 0.3))
    meter.elsewhere(LoopLag(0.002, 0.1, 0.9))
    assert meter.figures == LoopLag(0.002, 0.2, 0.9)
