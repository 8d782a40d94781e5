"""Blocking reads in one thread, their results in the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from typing import Generic, TypeVar

T = TypeVar("T")


class Pump(Generic[T]):
    """Runs a blocking generator in a thread, ``depth`` items ahead of :meth:`get`.

    The thread is a daemon of its own, not one of the loop's executor: that one is joined at exit,
    and a read from a pipe that nobody writes to would hold up the end of the process for ever.
    """

    __slots__ = (
        "_error",
        "_finished",
        "_generate",
        "_loop",
        "_ready",
        "_room",
        "_stopped",
        "_waiter",
    )

    def __init__(self, generate: Callable[[], Generator[T, None, None]], depth: int = 2) -> None:
        self._generate = generate
        self._room = threading.Semaphore(depth)
        self._ready: deque[T] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._finished = False
        self._error: BaseException | None = None
        self._stopped = False
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._run, name="llmbatch-reader", daemon=True).start()

    def __repr__(self) -> str:
        state = "finished" if self._finished else "stopped" if self._stopped else "reading"
        return f"Pump({state}, {len(self._ready)} ready)"

    async def get(self) -> T | None:
        """The next item, or None at the end. Raises what the generator raised, after its items."""
        while not self._ready:
            if self._error is not None:
                raise self._error
            if self._finished:
                return None
            self._waiter = self._loop.create_future()
            await self._waiter
        self._room.release()
        return self._ready.popleft()

    def close(self) -> None:
        """Stop reading ahead. Returns at once; a read that blocks is left to the daemon thread."""
        self._stopped = True
        self._ready.clear()
        self._room.release()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            with closing(self._generate()) as items:
                while self._room.acquire() and not self._stopped:
                    item = next(items, None)
                    if item is None or self._stopped:
                        break
                    self._loop.call_soon_threadsafe(self._deliver, item)
        except BaseException as caught:  # noqa: BLE001 - carried over to the loop's side
            error = caught
        with suppress(RuntimeError):  # the loop is closed already: nobody waits any more
            self._loop.call_soon_threadsafe(self._end, error)

    def _deliver(self, item: T) -> None:
        if not self._stopped:
            self._ready.append(item)
            self._wake()

    def _end(self, error: BaseException | None) -> None:
        self._error = error
        self._finished = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
