"""The deltas of one attempt, put together; and when each of them came."""

from __future__ import annotations

from typing import Any

from .model import Delta, Status, Usage
from .toolcalls import ToolCalls


class Answer:
    """What one attempt, ``sent`` at that time, has brought so far. Times are in seconds."""

    __slots__ = (
        "_began",
        "_last",
        "_reasoning",
        "_texts",
        "_tools",
        "cost_usd",
        "finish_reason",
        "first",
        "gaps",
        "logprobs",
        "longest_gap",
        "sent",
        "status",
        "usage",
        "value",
    )

    def __init__(self, sent: float) -> None:
        self.sent = sent
        self._texts: list[str] = []
        self._reasoning: list[str] = []
        self._tools: ToolCalls | None = None
        self._began = sent
        self._last: float | None = None
        self.first: float | None = None
        self.gaps = 0
        self.longest_gap = 0.0
        self.logprobs: list[Any] = []
        self.value: Any = None
        self.finish_reason: str | None = None
        self.status: Status | None = None
        self.usage: Usage | None = None
        self.cost_usd: float | None = None

    def add(self, delta: Delta, now: float) -> None:
        """Take in one delta that arrived at ``now``."""
        text = delta.text
        if text:
            self._texts.append(text)
            if self._last is None:
                self._began = now
                if self.first is None:
                    self.first = now
                self.gaps = delta.chunks - 1
            else:
                self.gaps += delta.chunks
                gap = now - self._last
                if gap > self.longest_gap:
                    self.longest_gap = gap
            self._last = now
        if delta.reasoning or delta.tool_calls or delta.logprobs:
            self._add_rare(delta, now)
        if delta.status is not None:
            self.status = delta.status
            self.finish_reason = delta.finish_reason
        if delta.usage is not None:
            self.usage = delta.usage
        if delta.cost_usd is not None:
            self.cost_usd = delta.cost_usd
        if delta.value is not None:
            self.value = delta.value

    def _add_rare(self, delta: Delta, now: float) -> None:
        if self.first is None:
            self.first = now
        if delta.reasoning:
            self._reasoning.append(delta.reasoning)
        self.logprobs.extend(delta.logprobs)
        if delta.tool_calls:
            tools = self._tools = self._tools or ToolCalls()
            for part in delta.tool_calls:
                tools.add(part)

    @property
    def counted(self) -> bool:
        """Whether it is known what was used: some servers send a count that is all zeros."""
        return self.usage is not None and self.usage.input_tokens > 0

    @property
    def output(self) -> Any:
        """The text, or the value where the answer is none; "" where nothing came."""
        return self.value if self.value is not None else whole("".join(self._texts))

    @property
    def reasoning(self) -> str:
        return whole("".join(self._reasoning)) if self._reasoning else ""

    @property
    def tool_calls(self) -> list[dict[str, Any]]:
        if self._tools is None:
            return []
        calls = self._tools.listed()
        for call in calls:
            for body in (call.get("function"), call.get("custom")):
                for key in ("arguments", "input"):
                    if isinstance(body, dict) and isinstance(body.get(key), str):
                        body[key] = whole(body[key])
        return calls

    @property
    def mean_gap(self) -> float | None:
        """Mean time between two chunks with text, in seconds; None with fewer than two."""
        if not self.gaps or self._last is None:
            return None
        return (self._last - self._began) / self.gaps

    @property
    def size(self) -> int:
        """How much arrived, in characters: to tell which of two broken attempts brought more."""
        tools = 0 if self._tools is None else self._tools.size
        return sum(map(len, self._texts)) + sum(map(len, self._reasoning)) + tools

    def __repr__(self) -> str:
        return f"<Answer {self.size} characters, {self.status or 'unfinished'}>"


def whole(text: str) -> str:
    """Join surrogate halves that a server sent in two chunks into the character they mean.

    A half without its other half stays as it is: the record writes it as a JSON escape.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return text
