"""The answers of an analysis that are there already, read back without touching their file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import ConfigError, SinkError
from ..manifest.account import Account
from ..model import Request, Result
from ..records import decode
from ..sinks.opening import agrees, is_stream
from ..sinks.recall import AnswerIndex


class EarlierAnswers:
    """Finds the result of a request by what was asked."""

    __slots__ = ("_fd", "_index")

    def __init__(self, index: AnswerIndex, fd: int) -> None:
        self._index = index
        self._fd = fd

    @classmethod
    @contextmanager
    def at(cls, path: str, *, fresh: bool) -> Iterator[EarlierAnswers]:
        """Of a results file that may not be there. Raises ConfigError and SinkError as a run."""
        if is_stream(path):
            raise ConfigError(
                f"--results {path}: must be a file, which resume reads: name another one"
            )
        if fresh or not Path(path).exists():
            yield cls(AnswerIndex(), -1)
            return
        try:
            fd = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise SinkError(f"{path}: can't be read: {error.strerror}") from error
        try:
            index = AnswerIndex.of(fd)
            if not agrees(index, Path(path), "jsonl") and index.tail:
                index.end_tail()
            yield cls(index, fd)
        finally:
            os.close(fd)

    def find(self, row: Request) -> Result | None:
        """How the same request ended, where that is final."""
        line = self._index.line(row.id, row.fingerprint)
        if line is None:
            return None
        starts = self._index.starts
        end = starts[line + 1] if line + 1 < len(starts) else self._index.size
        try:
            return decode(os.pread(self._fd, end - starts[line], starts[line]))
        except (OSError, ValueError, RecursionError):  # somebody changes it just now
            return None

    @property
    def account(self) -> Account:
        """What its lines come to."""
        return self._index.account

    def __repr__(self) -> str:
        return f"<EarlierAnswers, {len(self._index)} done>"
