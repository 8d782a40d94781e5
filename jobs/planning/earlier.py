"""What an output holds already, as far as a plan wants to know; nothing is written or locked."""

from __future__ import annotations

import errno
import os
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ..errors import SinkError
from ..model import GOOD, Status, Usage
from ..records import Format, Stored, read
from ..reuse.copies import ANSWERED
from ..sinks.opening import agrees, is_stream
from ..sinks.outputlines import DONE, WIDTH, OutputLines, key
from ..sinks.problems import unopened
from ..spans import SpanTable

SAMPLES = 20_000
"""Answered rows that estimates are made of, at most."""


class Answered(Struct, frozen=True, gc=False):
    """What an answered row used; ``cut`` says that the answer came to its limit."""

    provider: str
    model: str
    usage: Usage
    cut: bool
    seconds: float


class _Metrics(Struct, gc=False):
    latency_s: float = 0.0
    attempts: int = 0
    same_as: str | UnsetType = UNSET


class _Line(Stored, frozen=True, gc=False):
    provider: str | None = None
    model: str | None = None
    fallbacks: int = 0
    metrics: _Metrics | None = None


_line = msgspec.json.Decoder(_Line).decode


def _read(line: bytes) -> Stored | None:
    try:
        return _line(line)
    except (ValueError, RecursionError):
        return read(line)


class Earlier(OutputLines):
    """Finds, for a row, how it ended before, with what request, and what it used.

    It lives for seconds, and looks everything up twice as fast as what resumes, in some 400 bytes a
    line instead of a few.
    """

    __slots__ = ("_answers", "_done", "_last", "_prints", "_seen", "_states", "answered")

    def __init__(self, asked: SpanTable | None = None) -> None:
        super().__init__(asked)
        self.answered: dict[int, Answered] = {}
        self._last: dict[int, int] = {}  # id -> number of its last line
        self._done: dict[int, int] = {}
        self._answers: set[int] = set()  # of fingerprints
        self._prints = array("Q")
        self._states: list[Status | None] = []
        self._seen = bytearray()

    @classmethod
    def at(cls, path: str, line_format: Format) -> Self:
        """Of an output that may not be there yet.

        Raises SinkError and ConfigError where a run could not go on with it.
        """
        place = Path(path)
        if is_stream(path) or not place.exists():
            if not place.parent.is_dir():
                raise unopened(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)), place)
            return cls()
        try:
            fd = os.open(place, os.O_RDONLY)
        except OSError as error:
            raise SinkError(f"{path}: can't be read: {error.strerror}") from error
        try:
            earlier = cls.of(fd)
        finally:
            os.close(fd)
        if not agrees(earlier, place, line_format) and earlier.tail:
            earlier.end_tail()
        if line_format != "jsonl":  # a run does not hand on what such a line says
            earlier._answers.clear()
        return earlier

    def before(self, row_id: str) -> tuple[int, Status] | None:
        """The fingerprint's hash and the status of the last line with that id; it counts as seen.

        None where there is no such line.
        """
        number = self._last.get(key(row_id))
        if number is None:
            return None
        self._seen[number] = 1
        status = self._states[number]
        return None if status is None else (self._prints[number], status)

    def has_answer(self, mark: int) -> bool:
        """Whether another row that asked the same was answered: ``mark`` is its key."""
        return mark in self._answers

    @property
    def superseded(self) -> bool:
        """Whether an id has several lines, of which an earlier one may be the one that counts."""
        return self.readable > len(self._last)

    @property
    def strangers(self) -> int:
        """The ids of which :meth:`before` was never asked."""
        return len(self._last) - self._seen.count(1)

    def _remember(
        self,
        first: int,
        starts: Sequence[int],  # noqa: ARG002 - nothing is read back
        found: Sequence[Stored | None],
    ) -> None:
        self._seen.extend(bytes(len(found)))
        for number, stored in enumerate(found, first):
            if stored is None:
                self._prints.append(0)
                self._states.append(None)
                continue
            mark = key(stored.fingerprint)
            self._prints.append(mark)
            self._states.append(stored.status)
            self._last[key(stored.id)] = number
            if stored.status in ANSWERED:
                self._answers.add(mark)
            if isinstance(stored, _Line):
                self._sample(stored)
            if (code := DONE.get(stored.status)) is not None:
                self._done[key(stored.id, stored.fingerprint)] = number * WIDTH + code

    def __len__(self) -> int:
        return len(self._done)

    def _find(self, row_id: str, fingerprint: str) -> int | None:
        return self._done.get(key(row_id, fingerprint))

    def _read(self, lines: Sequence[bytes]) -> list[Stored | None]:
        return [_read(line) for line in lines]

    def _sample(self, found: _Line) -> None:
        usage, metrics = found.usage, found.metrics
        if usage is None or metrics is None or found.fallbacks or metrics.attempts != 1:
            return
        if found.status not in GOOD or len(self.answered) >= SAMPLES:
            return
        self.answered[key(found.id, found.fingerprint)] = Answered(
            found.provider or "",
            found.model or "",
            usage,
            found.status == "truncated",
            metrics.latency_s,
        )
