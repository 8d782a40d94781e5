"""How a job is asked to stop: once, with its reason, from anywhere in the loop's thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

Cause = Literal["SIGINT", "SIGTERM", "fatal", "outage", "budget", "halt"]


class Stop(Struct, frozen=True):
    """Why no more rows are taken; ``message`` is fit to be shown to a user."""

    cause: Cause
    message: str


class Drain:
    """A switch that goes one way: no more rows, and those in flight may finish."""

    __slots__ = ("_cutters", "_listeners", "stop")

    def __init__(self) -> None:
        self.stop: Stop | None = None
        self._listeners: list[Callable[[Stop], None]] = []
        self._cutters: list[Callable[[], None]] = []

    def request(self, stop: Stop) -> None:
        """Ask for the end; the first reason stands."""
        if self.stop is None:
            self.stop = stop
            for listener in self._listeners:
                listener(stop)

    def listen(self, listener: Callable[[Stop], None]) -> None:
        """Call ``listener`` once, at once if the end was asked for already."""
        self._listeners.append(listener)
        if self.stop is not None:
            listener(self.stop)

    def cut(self) -> None:
        """The process ends now, and nothing is waited for."""
        for cutter in self._cutters:
            cutter()

    def before_cut(self, cutter: Callable[[], None]) -> None:
        """Have ``cutter`` called, in the order of asking, where the process is to end at once."""
        self._cutters.append(cutter)

    def __repr__(self) -> str:
        return f"Drain({self.stop!r})"
