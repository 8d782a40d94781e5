"""A worker's side: how many requests it has in flight, and answers while somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..events import Event, RowFinished
from ..ports import Flow, Named
from ..workers.messages import Flying, Look, Spoken
from .texts import UNWATCHED, WATCHED, Answer, Texts

EVERY = 1.0
"""Seconds between two looks at how things are; shorter while somebody looks."""

WATCHED_EVERY = 0.25


class Speaker:
    """Tells through ``send`` of at most ``share(6)`` answers at a time, of ``flow`` always."""

    def __init__(self, send: Callable[[object], None], share: Callable[[int], int]) -> None:
        self._send = send
        self._flow: Flow | None = None
        self._texts = Texts(share(WATCHED), share(UNWATCHED))
        self._looking = False
        self._flying = 0
        self._timer: asyncio.TimerHandle | None = None

    def heard(self, row: Named, text: str | None) -> bool | None:
        """See :class:`..ports.TextHeard`."""
        if self._texts.heard(row, text):
            return True
        if self._looking:
            self._speak(row, text)
        return None

    def observe(self, event: Event) -> None:
        """A row that has its end is followed no more."""
        if isinstance(event, RowFinished):
            self._texts.answers.pop(event.result.id, None)

    def take(self, message: Look) -> None:
        """Whether anybody looks; what came before that is told at once."""
        self._looking = message.on
        self._texts.watch(message.on)
        if message.on:
            for answer in self._texts.answers.values():
                self._speak_all(answer)

    def begin(self, flow: Flow) -> None:
        """Look at how things are from now on, in the loop that runs."""
        self._flow = flow
        self._wait()

    def _wait(self) -> None:
        every = WATCHED_EVERY if self._looking else EVERY
        self._timer = asyncio.get_running_loop().call_later(every, self._tick)

    def end(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        self._wait()
        self._texts.more()
        flying = 0 if self._flow is None else self._flow.pulse().in_flight
        if flying != self._flying:
            self._flying = flying
            self._send(Flying(flying))

    def _speak_all(self, answer: Answer) -> None:
        self._speak(answer.row, None)
        _, text = answer.since(0)
        if text:
            self._speak(answer.row, text)

    def _speak(self, row: Named, text: str | None) -> None:
        self._send(Spoken(_bytes(row.id), row.line, None if text is None else _bytes(text)))

    def __repr__(self) -> str:
        return f"<Speaker, {'heard' if self._looking else 'not heard'}: {self._texts!r}>"


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
