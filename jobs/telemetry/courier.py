"""Carries readings to where they go, in a thread of its own; who takes them slowly gets fewer."""

from __future__ import annotations

import threading
import time
from typing import Protocol

from .reading import Reading
from .sending import Undelivered

PATIENCE = 5.0
"""Seconds that one delivery may take while the job runs."""


class Taker(Protocol):
    """Takes readings; ``every`` is how many seconds lie between two of them."""

    every: float

    def take(self, reading: Reading, timeout: float) -> None:
        """It blocks, for so many seconds at most. Raises :class:`.sending.Undelivered`."""
        ...


class Courier:
    """Brings a taker the latest reading; one that was not fetched in time gives way to the next.

    ``problem`` is why the last one was not taken.
    """

    def __init__(self, taker: Taker) -> None:
        self.taker = taker
        self.problem: str | None = None
        self._latest: Reading | None = None
        self._bell = threading.Event()
        self._deadline: float | None = None
        self._thread: threading.Thread | None = None

    def bring(self, reading: Reading) -> None:
        """Returns at once."""
        self._latest = reading
        self._bell.set()
        if self._thread is None:
            thread = threading.Thread(target=self._work, name=f"{self.taker}", daemon=True)
            thread.start()
            self._thread = thread

    def bring_last(self, reading: Reading, deadline: float) -> None:
        """The last one, until the monotonic time ``deadline``. Returns at once."""
        self._deadline = deadline
        self.bring(reading)

    def wait(self) -> None:
        """Until the last reading was taken, or not; at most until its deadline."""
        thread, deadline = self._thread, self._deadline
        if thread is not None and deadline is not None:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                self.problem = "no answer"

    def _work(self) -> None:
        while True:
            self._bell.wait()
            self._bell.clear()
            deadline, reading = self._deadline, self._latest
            self._latest = None
            if reading is not None:
                left = PATIENCE if deadline is None else deadline - time.monotonic()
                self._take(reading, max(0.1, left))
            if deadline is not None and self._latest is None:
                return

    def _take(self, reading: Reading, timeout: float) -> None:
        try:
            self.taker.take(reading, timeout)
        except Undelivered as error:
            self.problem = error.reason
        except Exception as error:  # noqa: BLE001 - a thread has nobody to tell
            self.problem = f"a bug in llmbatch, {type(error).__name__}"
        else:
            self.problem = None

    def __repr__(self) -> str:
        return f"<Courier to {self.taker}, {self.problem or 'no problem'}>"
