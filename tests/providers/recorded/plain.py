"""Chat completions as most of OpenAI's relatives send them; what several of them share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmbatch.jobs.model import Usage

from .openai import Chat
from .shapes import Finish, sse


class Plain(Chat):
    """Chunks without OpenAI's tiers and padding."""

    def head(self) -> dict[str, Any]:
        told = {"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 1764000000}
        return {**told, "model": "some-model"}

    def choice(self, delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
        return {"index": 0, "delta": delta, "finish_reason": finish}

    def chunk(self, delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**self.head(), "choices": [self.choice(delta, finish)]}

    def opening(self) -> Sequence[Mapping[str, Any]]:
        return [self.chunk({"role": "assistant", "content": ""})]

    def usage(self, usage: Usage) -> dict[str, Any]:
        return {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
        }

    def closing(self, word: str, usage: Usage) -> Sequence[bytes | Finish]:
        counted = {**self.head(), "choices": [], "usage": self.usage(usage)}
        return [Finish(sse(self.chunk({}, word))), sse(counted)]


class UsageWithFinish(Plain):
    """The usage comes in the chunk that has the finish."""

    def closing(self, word: str, usage: Usage) -> Sequence[bytes | Finish]:
        last = {**self.chunk({"content": ""}, word), "usage": self.usage(usage)}
        return [Finish(sse(last))]


class CountsLittle(Plain):
    """Neither cached nor reasoning tokens are reported."""

    def counted(self, usage: Usage) -> Usage:
        return Usage(usage.input_tokens, usage.output_tokens)
