"""What one browser is still to be told. However slow it reads, this stays small.

Of messages that tell how something stands the latest is kept, of a text what came last: what was
left out is told as a gap. A browser for which even that becomes too much is let go; it comes back
by itself and begins anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any

from .replies import as_line

KEPT = 32_768
"""Characters of an answer of a job that are kept for a slow browser."""

MOST = 1_000
"""Messages that may wait."""

LARGEST = 8 << 20
"""Characters of all that waits."""

STALLED_S = 30.0
"""Seconds that a browser may take to read one message."""

Head = Mapping[str, Any]


class TooSlow(Exception):
    """The browser does not read what it is sent."""


class Text:
    """Pieces of one text that wait to be told together.

    ``head`` is what stands in each of its messages. ``void`` says that whatever was told before is
    void; ``gap`` characters are left out before those that are kept, which are the last ``most``.
    """

    __slots__ = ("_most", "_pieces", "gap", "head", "size", "void")

    def __init__(self, most: int) -> None:
        self.head: Head = {}
        self.void = False
        self.gap = 0
        self.size = 0
        self._most = most
        self._pieces: list[str] = []

    def __repr__(self) -> str:
        return f"<Text {dict(self.head)}, {self.size} characters>"

    def add(self, text: str | None, gap: int = 0) -> None:
        """None: a new attempt begins, and what came so far is void."""
        if text is None:
            self.void, self.gap, self.size = True, 0, 0
            self._pieces.clear()
            return
        if gap:
            self.gap += self.size + gap
            self.size = 0
            self._pieces.clear()
        self._pieces.append(text)
        self.size += len(text)
        if self.size > 2 * self._most or len(self._pieces) > 1000:
            self._cut()

    def kept(self) -> str:
        """What there is of it."""
        self._cut()
        return self._pieces[0]

    def messages(self) -> list[str]:
        """As few as there can be."""
        text = self.kept()
        told = [as_line({**self.head, "text": None})] if self.void else []
        if text:
            gap = {"gap": self.gap} if self.gap else {}
            told.append(as_line({**self.head, "text": text, **gap}))
        return told

    def _cut(self) -> None:
        text = "".join(self._pieces)
        kept = text[-self._most :]
        self.gap += len(text) - len(kept)
        self._pieces[:] = [kept]
        self.size = len(kept)


class _Latest:
    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


class Outbox:
    """Messages in the order in which they are told."""

    __slots__ = ("_kept", "_more", "_overrun", "_size", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[tuple[Hashable, str | _Latest | Text]] = deque()
        self._kept: dict[Hashable, _Latest | Text] = {}
        self._size = 0
        self._more = asyncio.Event()
        self._overrun = False

    def __repr__(self) -> str:
        return f"<Outbox, {len(self._waiting)} messages>"

    def say(self, line: str) -> None:
        """A message of its own."""
        self._put(None, line, len(line))

    def show(self, what: Hashable, line: str) -> None:
        """How something stands: takes the place of what was not told of it yet."""
        waiting = self._kept.get(what)
        if isinstance(waiting, _Latest):
            self._size += len(line) - len(waiting.text)
            waiting.text = line
        else:
            self._kept[what] = latest = _Latest(line)
            self._put(what, latest, len(line))

    def chunk(
        self, of: Hashable, head: Head, text: str | None, gap: int = 0, most: int = KEPT
    ) -> None:
        """A piece of a text, told with all that comes before its turn."""
        waiting = self._kept.get(of)
        if not isinstance(waiting, Text):
            self._kept[of] = waiting = Text(most)
            self._put(of, waiting, 0)
        self._size -= waiting.size
        waiting.head = head
        waiting.add(text, gap)
        self._size += waiting.size

    def end(self, of: Hashable, line: str) -> None:
        """The last message of a text: what comes of that name later is another one."""
        self._kept.pop(of, None)
        self.say(line)

    async def pump(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Tell all of it, until cancelled. Raises TooSlow."""
        while True:
            await self._more.wait()
            for line in self._next():
                try:
                    async with asyncio.timeout(STALLED_S):
                        await send(line)
                except TimeoutError:
                    raise TooSlow from None

    def _put(self, name: Hashable, item: str | _Latest | Text, size: int) -> None:
        self._size += size
        self._waiting.append((name, item))
        self._more.set()
        if len(self._waiting) > MOST or self._size > LARGEST:
            self._overrun = True
            self._waiting.clear()
            self._kept.clear()
            self._size = 0

    def _next(self) -> list[str]:
        if self._overrun:
            raise TooSlow
        name, item = self._waiting.popleft()
        if not self._waiting:
            self._more.clear()
        if isinstance(item, str):
            self._size -= len(item)
            return [item]
        if self._kept.get(name) is item:
            del self._kept[name]
        if isinstance(item, _Latest):
            self._size -= len(item.text)
            return [item.text]
        self._size -= item.size
        return item.messages()
