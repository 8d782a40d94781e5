"""The few answers that are followed while they are written, chunk by chunk."""

from __future__ import annotations

from ..ports import Named

WATCHED, UNWATCHED = 6, 2
"""Answers that are followed at a time; two when nobody looks, so that there is something to see at
once when somebody does."""

KEPT = 32_768
"""Characters of an answer that are kept for who comes later, or is slow."""

NAME = 200
"""Characters of a row's id, beyond which it is cut."""


class Answer:
    """One answer while it is written: ``size`` characters so far, of which the last are kept."""

    __slots__ = ("_pieces", "attempt", "name", "row", "size")

    def __init__(self, row: Named) -> None:
        self.row = row
        self.name = shown(row.id, row.line)
        self.attempt = 1
        self.size = 0
        self._pieces: list[str] = []

    def again(self) -> None:
        """A new attempt: what came so far is void."""
        self.attempt += 1
        self.size = 0
        self._pieces.clear()

    def add(self, text: str) -> None:
        self.size += len(text)
        self._pieces.append(text)
        if len(self._pieces) > 1000 or len(text) > KEPT:
            self._join()

    def since(self, at: int) -> tuple[int, str]:
        """How many characters after the first ``at`` are lost, and those that came then."""
        text = self._join()
        first = self.size - len(text)
        return max(0, first - at), text[max(0, at - first) :]

    def _join(self) -> str:
        text = "".join(self._pieces)[-KEPT:]
        self._pieces[:] = [text]
        return text

    def __repr__(self) -> str:
        return f"<Answer to {self.name!r}, attempt {self.attempt}, {self.size} characters>"


class Texts:
    """Which answers are followed. :meth:`heard` is told of every attempt of the job.

    ``room`` is how many more may be: it is given little by little, so that of thousands of short
    answers a second only some are looked at.
    """

    __slots__ = ("_limits", "_most", "answers", "room")

    def __init__(self, watched: int = WATCHED, unwatched: int = UNWATCHED) -> None:
        self._limits = unwatched, watched
        self._most = self.room = unwatched
        self.answers: dict[str, Answer] = {}

    def heard(self, row: Named, text: str | None) -> bool | None:
        """See :class:`..ports.TextHeard`."""
        answer = self.answers.get(row.id)
        if text is None:
            if answer is not None:
                answer.again()
            elif self.room > 0:
                self.room -= 1
                self.answers[row.id] = Answer(row)
            else:
                return True
            return None
        if answer is None:
            return True
        answer.add(text)
        return None

    def watch(self, watched: bool) -> None:
        """Whether anybody looks."""
        self._most = self._limits[watched]
        self.room = max(0, self._most - len(self.answers))

    def more(self) -> None:
        """Time has passed: another one may be followed where fewer are than may be."""
        if self.room + len(self.answers) < self._most:
            self.room += 1

    def __repr__(self) -> str:
        return f"<Texts: {list(self.answers.values())!r}, room for {self.room}>"


def shown(name: str, number: int) -> str:
    """An id that fits on a screen, and is still another one than the others."""
    return name if len(name) <= NAME else f"{name[: NAME - 20]}… (line {number})"
