"""A question's place in the conversation, as an engine gives one to a row."""

from __future__ import annotations

import asyncio
from typing import Any

from ..drain import Stop


class LetGo(Exception):
    """The routes have ended, and this question is not to be sent again."""


class Seat:
    """See :class:`..ports.Seat`. ``stop`` says why the question was let go of, if it was."""

    __slots__ = ("sending", "stop", "task")

    def __init__(self) -> None:
        self.sending = False
        self.stop: Stop | None = None
        self.task: asyncio.Task[Any] | None = None

    def __enter__(self) -> None:
        self.sending = False
        if self.stop is not None:
            raise LetGo

    def __exit__(self, *exc: object) -> None:
        pass

    def let_go(self, stop: Stop) -> None:
        """Nothing more is sent: a question that only waits ends, one under way may finish."""
        if self.stop is None:
            self.stop = stop
            if self.task is not None and not self.sending:
                self.task.cancel()

    def __repr__(self) -> str:
        return f"<Seat {'sending' if self.sending else 'waiting'}>"
