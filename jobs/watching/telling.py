"""What is said of the answers that are followed, to each watcher what is new to him."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..model import Result
from .lines import cut_in_two, line
from .texts import Answer
from .watcher import Watcher


class Telling:
    """Tells of the answers of one job. Who is busy is skipped, and caught up with later."""

    def __init__(self, job: str) -> None:
        self._job = job

    def tell(self, watcher: Watcher, answers: Iterable[Answer]) -> None:
        """All that it has not heard yet, if it has room for it."""
        if watcher.busy:
            return
        lines, watcher.owed = watcher.owed, []
        for answer in answers:
            lines += self._news(answer, watcher)
        watcher.send(lines)

    def _news(self, answer: Answer, watcher: Watcher, *, final: bool = False) -> list[bytes]:
        seen = watcher.seen.get(answer.name)
        if seen == (answer.attempt, answer.size):
            return []
        attempt, at = seen or (answer.attempt, 0)
        lines = []
        head = {"type": "chunk", "job": self._job, "row": answer.name, "attempt": answer.attempt}
        if seen is None or attempt != answer.attempt:
            at = 0
            lines.append(line({**head, "text": None}))
        gap, text = answer.since(at)
        size = answer.size
        if cut_in_two(text) and not final:  # the other half will come
            text, size = text[:-1], size - 1
        if text:
            lines.append(line({**head, "text": text, **({"gap": gap} if gap else {})}))
        watcher.seen[answer.name] = answer.attempt, size
        return lines

    def ended(self, answer: Answer, result: Result, watchers: Sequence[Watcher]) -> None:
        """One of them has its result; each watcher who heard of it, or has room, is told."""
        done = line(
            {
                "type": "done",
                "job": self._job,
                "row": answer.name,
                "result": {
                    "status": result.status,
                    "model": result.model,
                    "provider": result.provider,
                    "usage": result.usage,
                    "cost_usd": result.cost_usd,
                    "metrics": result.metrics,
                    "error": result.error,
                },
            }
        )
        for watcher in watchers:
            if not watcher.busy:
                lines, watcher.owed = watcher.owed, []
                watcher.send([*lines, *self._news(answer, watcher, final=True), done])
                watcher.seen.pop(answer.name, None)
            elif watcher.seen.pop(answer.name, None) is not None:
                watcher.owed.append(done)

    def __repr__(self) -> str:
        return f"<Telling of {self._job}>"
