"""Timeouts, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from llmbatch.jobs.providers.watchdog import JUST_HEARD, Expiry, Flight, Watchdog
from virtualtime import hold_up, run_virtual

TOTAL, STALL = 100.0, 10.0


async def waited(flight: Flight, seconds: float) -> Expiry | None:
    """Wait as a request does; why it was interrupted, or None."""
    flight.waiting = True
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        why = flight.took_back()
        if why is None:
            raise
        return why
    finally:
        flight.waiting = False
    flight.silent_since = JUST_HEARD
    return None


def run(body: Callable[[Watchdog, Flight], Awaitable[None]]) -> float:
    """Run in a task of its own; the virtual seconds that it took."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        watchdog = Watchdog(loop, TOTAL, STALL)
        flight = watchdog.start()
        try:
            await body(watchdog, flight)
        finally:
            watchdog.end(flight)
            watchdog.close()
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()
        return loop.time()

    return run_virtual(main())


def test_the_whole_request_has_its_time() -> None:
    async def body(watchdog: Watchdog, flight: Flight) -> None:
        assert await waited(flight, 1000) == "total"

    assert TOTAL <= run(body) <= TOTAL + 1.1


def test_silence_in_the_middle_is_a_stall() -> None:
    async def body(watchdog: Watchdog, flight: Flight) -> None:
        assert await waited(flight, 5) is None
        assert await waited(flight, 50) == "stall"

    assert 5 + STALL <= run(body) <= 5 + STALL + 2.1


def test_silence_before_the_first_byte_is_not_a_stall() -> None:
    async def body(watchdog: Watchdog, flight: Flight) -> None:
        assert await waited(flight, 9 * STALL) is None

    run(body)


def test_a_slow_trickle_is_not_a_stall() -> None:
    async def body(watchdog: Watchdog, flight: Flight) -> None:
        for _ in range(10):
            assert await waited(flight, 0.9 * STALL) is None

    run(body)


def test_time_that_the_consumer_takes_is_not_a_stall_and_interrupts_nothing() -> None:
    async def body(watchdog: Watchdog, flight: Flight) -> None:
        assert await waited(flight, 1) is None
        await asyncio.sleep(5 * STALL)
        assert await waited(flight, 5) is None
        await asyncio.sleep(2 * TOTAL)

    run(body)


def test_while_the_whole_process_is_held_up_nobody_is_silent() -> None:
    async def body(watchdog: Watchdog, flight: Flight) -> None:
        assert await waited(flight, 1) is None
        loop = asyncio.get_running_loop()
        loop.call_later(5, hold_up, 2 * STALL)
        assert await waited(flight, 2 * STALL + 8) is None
        loop.call_later(5, hold_up, 2 * STALL)
        assert await waited(flight, 5 * STALL) == "stall"

    run(body)


def test_a_cancellation_from_outside_is_not_taken_for_a_timeout() -> None:
    async def body(watchdog: Watchdog, flight: Flight) -> None:
        task = asyncio.current_task()
        assert task is not None
        flight.waiting = True
        flight.expire("total")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(1)
        assert flight.took_back() is None
        task.uncancel()

    run(body)


def test_no_timer_is_left_when_nothing_is_in_flight() -> None:
    async def main() -> bool:
        watchdog = Watchdog(asyncio.get_running_loop(), TOTAL, STALL)
        watchdog.end(watchdog.start())
        await asyncio.sleep(5)
        return repr(watchdog) == "Watchdog(0 in flight, ticking=False)"

    assert run_virtual(main())
