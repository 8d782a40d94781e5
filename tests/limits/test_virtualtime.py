"""The virtual loop that the tests of waiting code stand on."""

from __future__ import annotations

import asyncio

import pytest

from virtualtime import Deadlock, VirtualClock, run_virtual


def test_time_jumps_to_the_next_timer() -> None:
    async def main() -> list[tuple[str, float]]:
        clock, seen = VirtualClock(), []

        async def sleeper(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            seen.append((name, clock.now()))

        await asyncio.gather(sleeper("day", 86_400), sleeper("second", 1), sleeper("hour", 3_600))
        return seen

    names, times = zip(*run_virtual(main()), strict=True)
    assert names == ("second", "hour", "day")
    assert times == pytest.approx((1, 3_600, 86_400))


def test_a_timeout_fires_in_virtual_time() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3_600):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == pytest.approx(3_600)


def test_what_would_hang_is_an_error() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        run_virtual(main())
