"""Blocking generators feed the loop from a thread of their own."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator

import pytest

from llmbatch.jobs.sources.pump import Pump


async def test_items_arrive_in_order_and_then_the_end() -> None:
    def numbers() -> Generator[int, None, None]:
        yield from range(1, 200)

    pump = Pump(numbers)
    found = []
    while (item := await pump.get()) is not None:
        found.append(item)
    assert found == list(range(1, 200))
    assert await pump.get() is None
    assert "finished" in repr(pump)


async def test_an_error_comes_after_the_items_before_it() -> None:
    def broken() -> Generator[int, None, None]:
        yield 1
        raise OSError("the disk is gone")

    pump = Pump(broken)
    assert await pump.get() == 1
    for _ in range(2):
        with pytest.raises(OSError, match="the disk is gone"):
            await pump.get()


async def test_it_reads_no_further_ahead_than_its_depth() -> None:
    read: list[int] = []
    third, closed = threading.Event(), threading.Event()

    def endless() -> Generator[int, None, None]:
        try:
            for n in range(1, 1_000_000):
                read.append(n)
                if n == 3:
                    third.set()
                yield n
        finally:
            closed.set()

    pump = Pump(endless, depth=2)
    assert await pump.get() == 1
    assert third.wait(20)  # one was taken, so a third fits
    assert await pump.get() == 2
    pump.close()
    assert closed.wait(20), "closing ends the generator"
    assert len(read) <= 4


async def test_closing_does_not_wait_for_a_read_that_blocks() -> None:
    ours, theirs = os.pipe()
    ended = threading.Event()

    def reads() -> Generator[bytes, None, None]:
        try:
            yield b"first"
            yield os.read(ours, 1)
        finally:
            ended.set()

    pump = Pump(reads)
    assert await pump.get() == b"first"
    pump.close()
    assert not ended.is_set()
    os.close(theirs)
    assert ended.wait(20)
    os.close(ours)
