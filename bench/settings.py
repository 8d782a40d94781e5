"""What is varied: how long prompts and answers are, how many at a time, whether with limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from .serving import Server

UNREACHED = ("--rpm", "10000000", "--tpm", "100000000000")
"""Limits that are kept, and never felt."""

_TALK = (
    "The keeper of the lighthouse watched the ferry leave the harbour in the evening, and wrote in "
    "his letter that the storm which the government had spoken of would be there before morning. "
)


class Setting(Struct, frozen=True):
    """``size``: bytes of a prompt (0: one short sentence); ``tokens`` of an answer.

    ``delay``: seconds that an answer takes, about.
    """

    stream: bool = True
    tokens: int = 20
    size: int = 0
    concurrency: int = 64
    delay: float = 0.0
    limits: bool = False
    embeddings: bool = False

    def url(self, server: Server) -> str:
        """The address whose answers are as wanted."""
        if self.embeddings:
            return server.url()
        return server.url(tokens=self.tokens, delay=self.delay)

    def rows(self, folder: Path, count: int) -> Path:
        """An input of so many rows, written once."""
        kind = "inputs" if self.embeddings else "prompts"
        path = folder / f"{kind}-{self.size}-{self.tokens}-{count}.jsonl"
        if not path.exists():
            with path.open("wb") as file:
                for i in range(count):
                    file.write(msgspec.json.encode(self._row(i)) + b"\n")
        return path

    def _row(self, i: int) -> dict[str, Any]:
        prompt = f"Say in one sentence what point {i} of the list is about."
        if self.size:
            talk = _TALK * (self.size // len(_TALK) + 1)
            prompt = f"{prompt} {talk}"[: self.size]
        if self.embeddings:
            return {"id": f"row-{i}", "input": prompt}
        params = {"max_tokens": self.tokens, "temperature": 0}
        return {"id": f"row-{i}", "prompt": prompt, **params}
