"""A model that analyses documents; its answer is a pure function of what it is asked.

    model = Analyst(server)
    model.hold(lambda ask: ask.kind == "report")   # answers it when it is let go
    model.fail(lambda ask: "storm" in ask.text, error(400))
    await model.seen(lambda ask: ask.held)

A chunk gets findings of its text's own words, a fold some of the findings that it was shown, with
their citations, and every answer begins with the digest of all that was sent: a report that was
made in another way is another report.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Literal

from faultreplies import Call, Recipe, answer, held

from faultserver import FaultServer

PATIENCE = 60.0
"""Seconds after which what is waited for will not come."""

DIGEST = re.compile(r"\bZ[0-9a-f]{8}\b")
"""What every answer holds in its first line."""

_TEXT = re.compile(r"<(text[^ >]*)[^\n]*>\n(.*?)\n</\1>", re.DOTALL)
_PARTS = re.compile(r"^--- Part \d+ of \d+ ---$", re.MULTILINE)
_FINDING = re.compile(r"^- .*\[\d+\]$", re.MULTILINE)
_QUOTED = '"> "'
"""What a prompt that asks for quotes has in it."""

Which = Callable[["Ask"], bool]


class Ask:
    """A request, and what it asks for: notes of a chunk, a fold in between, or the report."""

    __slots__ = ("call", "digest", "held", "kind", "prompt", "text")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.prompt = call.prompt
        sent = json.dumps(call.body, sort_keys=True).encode()
        self.digest = "Z" + hashlib.sha256(sent).hexdigest()[:8]
        self.held = False
        self.kind: Literal["map", "merge", "report"] = "map"
        if _PARTS.search(self.prompt):
            self.kind = "report" if "write the report" in self.prompt else "merge"
        shown = _TEXT.search(self.prompt)
        self.text = shown[2] if shown else self.prompt

    def answer(self) -> str:
        """What a model says to it."""
        if self.kind == "map":
            return self._notes()
        findings = list(dict.fromkeys(_FINDING.findall(self.prompt)))
        chosen = findings[:: 1 + len(findings) // 4]
        if self.kind == "merge":
            return "\n".join([f"- Merged as {self.digest} [1]", *chosen])
        return "\n".join([f"## Report {self.digest}", "", *chosen])

    def _notes(self) -> str:
        sentence = self.text.strip().split(". ")[-1].strip().replace("\n", " ")
        lines = [f"- {self.digest} begins with {' '.join(self.text.split()[:4])}", f"- {sentence}"]
        return "\n".join([*lines, f"> {sentence}"] if _QUOTED in self.prompt else lines)

    def __repr__(self) -> str:
        return f"<Ask {self.kind} {self.digest}{', held' if self.held else ''}>"


class Analyst:
    """Gives a server's answers, and remembers what it was asked: ``asks``, in their order.

    ``say`` may be replaced by another pure function of an :class:`Ask`.
    """

    def __init__(self, server: FaultServer) -> None:
        self.server = server
        self.asks: list[Ask] = []
        self.say: Callable[[Ask], str] = Ask.answer
        self._rules: list[tuple[Which, Recipe | None]] = []
        self._gate = asyncio.Event()
        self._news = asyncio.Condition()
        server.replies = self

    async def __call__(self, call: Call) -> Recipe:
        ask = Ask(call)
        self.asks.append(ask)
        rule = next(((recipe,) for which, recipe in self._rules if which(ask)), None)
        ask.held = rule == (None,)
        async with self._news:
            self._news.notify_all()
        if rule is not None and rule[0] is not None:
            return rule[0]
        said = self.say(ask)
        return held(self._gate, text=said) if ask.held else answer(said)

    def hold(self, which: Which) -> None:
        """Say nothing to these until :meth:`release`."""
        self._rules.append((which, None))

    def fail(self, which: Which, recipe: Recipe) -> None:
        """Answer these by a recipe, such as ``error(400)``."""
        self._rules.append((which, recipe))

    def release(self) -> None:
        """Answer what is held, and hold nothing any more."""
        self.mend()
        self._gate.set()
        self._gate = asyncio.Event()

    def mend(self) -> None:
        """Answer whatever is asked from now on."""
        self._rules.clear()

    def forget(self) -> list[Ask]:
        """What was asked since this was asked last."""
        asks, self.asks = self.asks, []
        return asks

    def counts(self) -> Counter[str]:
        """How often each request came, by its digest."""
        return Counter(ask.digest for ask in self.asks)

    async def seen(self, which: Which = lambda ask: True, times: int = 1) -> None:
        """Wait until so many requests have come, since :meth:`forget`."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: sum(map(which, self.asks)) >= times)

    def __repr__(self) -> str:
        return f"<Analyst {len(self.asks)} asked>"
