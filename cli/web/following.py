"""One running job that at least one browser looks at, and what is told to those that do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from llmbatch.jobs.watching.client import Gone, follow

from .outbox import KEPT, Outbox, Text

ROWS = 32
"""Answers that are remembered for a browser that comes later; a job shows a few at a time."""


class _Line(Struct):
    """As much of a line as decides where it goes; the rest is relayed unread."""

    type: str = ""
    row: str = ""
    attempt: int = 1
    text: str | None = None
    gap: int = 0


class Following:
    """The one connection to a job, for all browsers; ``ended`` is called when the job is over."""

    def __init__(self, job: str, environ: Mapping[str, str], ended: Callable[[], None]) -> None:
        self.job = job
        self._environ = environ
        self._ended = ended
        self._last: str | None = None
        self._texts: dict[str, Text] = {}
        self._outboxes: set[Outbox] = set()
        self._task = asyncio.create_task(self._follow())

    def __repr__(self) -> str:
        return f"<Following {self.job}, {len(self._outboxes)} browsers>"

    def __bool__(self) -> bool:
        """Whether anybody looks."""
        return bool(self._outboxes)

    def add(self, outbox: Outbox) -> None:
        """Tell this one how the job stands, and whatever comes."""
        self._outboxes.add(outbox)
        if self._last is not None:
            outbox.show(("job", self.job), self._last)
        for row, text in self._texts.items():
            outbox.chunk((self.job, row), text.head, None)
            outbox.chunk((self.job, row), text.head, text.kept(), text.gap)

    def remove(self, outbox: Outbox) -> None:
        self._outboxes.discard(outbox)

    def close(self) -> None:
        """Look at the job no more."""
        self._task.cancel()

    async def _follow(self) -> None:
        lines = follow(self.job, self._environ)
        try:
            async for data in lines:
                self._tell(data)
        except (Gone, OSError):  # it is over, or this process has no descriptor left to look at it
            pass
        finally:
            await lines.aclose()
        self._ended()

    def _tell(self, data: bytes) -> None:
        try:
            line, shown = _read(data), data.decode()
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        if line.type == "job":
            self._last = shown
            for outbox in self._outboxes:
                outbox.show(("job", self.job), shown)
        elif line.type == "chunk":
            self._chunk(line)
        elif line.type == "done":
            self._texts.pop(line.row, None)
            for outbox in self._outboxes:
                outbox.end((self.job, line.row), shown)

    def _chunk(self, line: _Line) -> None:
        head: dict[str, Any] = {
            "type": "chunk",
            "job": self.job,
            "row": line.row,
            "attempt": line.attempt,
        }
        kept = self._texts.get(line.row)
        if kept is None:
            while len(self._texts) >= ROWS:
                del self._texts[next(iter(self._texts))]
            kept = self._texts[line.row] = Text(KEPT)
        kept.head = head
        kept.add(line.text, line.gap)
        for outbox in self._outboxes:
            outbox.chunk((self.job, line.row), head, line.text, line.gap)


_read = msgspec.json.Decoder(_Line).decode
