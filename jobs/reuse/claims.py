"""Rows that ask the same, where several processes ask: only the first one is asked."""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from ..model import Result
from .copies import shareable
from .twins import Answers

T = TypeVar("T")


class Claims(Generic[T]):
    """Says of each row whether it is asked. What :class:`.twins.Twins` does where it asks itself.

    ``T`` is whatever stands for a row with the one who asks here.
    """

    __slots__ = ("_answers", "_leading")

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._leading: dict[str, deque[T]] = {}

    def claim(self, row: T, fingerprint: str) -> Result | bool:
        """True where the row is asked, False where it waits for one that is; or its answer."""
        waiting = self._leading.get(fingerprint)
        if waiting is not None:
            waiting.append(row)
            return False
        answer = self._answers.recall(fingerprint)
        if answer is not None:
            return answer
        self._leading[fingerprint] = deque()
        return True

    def ended(self, fingerprint: str, result: Result) -> tuple[deque[T], T | None]:
        """How a row that was asked ended: who shares that, or who is asked next instead.

        The result's own fingerprint is another one where what the row names has changed since it
        was claimed: that is no answer for others. To be called before the result is written.
        """
        waiting = self._leading[fingerprint]
        same = result.fingerprint == fingerprint
        if same and (result.status == "ok" or shareable(result)):
            del self._leading[fingerprint]
            self._answers.keep(result)
            return waiting, None
        if waiting:
            return deque(), waiting.popleft()
        del self._leading[fingerprint]
        return waiting, None

    def __repr__(self) -> str:
        return f"<Claims, {len(self._leading)} being asked>"
