"""The chat: what browsers ask the models of the configuration, and the answers as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec
from msgspec import Struct

from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.embedded.weights import require
from llmbatch.jobs.errors import ConfigError, LlmbatchError
from llmbatch.jobs.keys import redact
from llmbatch.jobs.model import Result
from llmbatch.jobs.providers.registry import locate
from llmbatch.jobs.talk.talk import Talk, open_talk

from .outbox import Outbox
from .replies import as_line

AT_ONCE = 8
"""Answers that one browser may wait for."""

LONGEST = 4 << 20
"""Characters of an answer that wait for a slow browser; one that is more behind is let go."""


class Asked(Struct, tag="chat"):
    """A question: all that was said so far, and who is to answer."""

    chat: str
    messages: Any
    model: str | None = None
    system: str | None = None


class Models:
    """The models that can be asked, over one talk for all browsers."""

    def __init__(self, talk: Talk, why: str | None) -> None:
        self.talk = talk
        self.why = why
        self.names: Sequence[str] = [] if why else talk.models

    def __repr__(self) -> str:
        return f"Models({self.names!r})"

    @classmethod
    async def opened(
        cls, config: JobConfig, environ: Mapping[str, str], stack: AsyncExitStack
    ) -> Models:
        """Until the stack ends. Raises ConfigError for a mistake of the configuration.

        Nobody is told of a key that is missing before it is needed; but without the weights of
        the embedded model, and with no other, there is nobody to ask.
        """
        located = locate(config, environ)
        talk = await stack.enter_async_context(open_talk(config, environ))
        embedded = located[0].route.embedded
        if embedded is None or len(talk.models) > 1:
            return cls(talk, None)
        try:
            await asyncio.to_thread(require, embedded, environ)
        except ConfigError as error:
            return cls(talk, str(error))
        return cls(talk, None)

    def described(self) -> dict[str, Any]:
        """As a browser is told of them."""
        told: dict[str, Any] = {"models": self.names, "default": next(iter(self.names), None)}
        return told if self.why is None else {**told, "why": self.why}


class Chats:
    """The answers that one browser waits for, each by its name."""

    def __init__(self, models: Models, outbox: Outbox) -> None:
        self._models = models
        self._outbox = outbox
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def __repr__(self) -> str:
        return f"<Chats, {len(self._tasks)} answers>"

    def ask(self, asked: Asked) -> None:
        """Begin an answer, or say why there is none."""
        if asked.chat in self._tasks:  # whose end that of this question would seem to be
            why = "the answer before it is not complete: stop it first"
            self._outbox.say(as_line({"type": "error", "message": why}))
            return
        if (problem := self._problem(asked)) is not None:
            self._fail(asked.chat, problem)
            return
        task = asyncio.create_task(self._answer(asked))
        self._tasks[asked.chat] = task
        task.add_done_callback(lambda task: self._ended(asked.chat, task))

    def stop(self, chat: str) -> None:
        """End an answer; what came of it stays with the browser."""
        if (task := self._tasks.get(chat)) is not None:
            task.cancel()

    async def aclose(self) -> None:
        """Nobody waits for them any more."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _problem(self, asked: Asked) -> str | None:
        if len(self._tasks) >= AT_ONCE:
            return f"{AT_ONCE} answers are under way: wait for one of them, or stop it"
        if self._models.why is not None:
            return self._models.why
        if asked.model is not None and asked.model not in self._models.names:
            return f"{asked.model[:100]} is none of the models that can be asked here"
        return None

    async def _answer(self, asked: Asked) -> None:
        chat, heard = asked.chat, False

        def hear(text: str | None) -> None:
            nonlocal heard
            heard = heard or bool(text)
            head = {"type": "chunk", "chat": chat}
            self._outbox.chunk(("chat", chat), head, text, most=LONGEST)

        messages = asked.messages
        if asked.system and isinstance(messages, list):
            messages = [{"role": "system", "content": asked.system}, *messages]
        try:
            result = await self._models.talk.ask(messages, hear, model=asked.model)
        except LlmbatchError as error:
            self._fail(chat, str(error))
        except Exception as error:  # noqa: BLE001 -- one answer's, and no other's
            self._fail(chat, f"this is a bug in llmbatch: {type(error).__name__}")
        else:
            self._end(chat, _told(result, heard=heard), stopped=False)

    def _ended(self, chat: str, task: asyncio.Task[None]) -> None:
        """One that is stopped before its first step would never come to say so."""
        self._tasks.pop(chat, None)
        if task.cancelled():
            self._end(chat, None, stopped=True)

    def _end(self, chat: str, result: dict[str, Any] | None, *, stopped: bool) -> None:
        line = as_line({"type": "done", "chat": chat, "result": result, "stopped": stopped})
        self._outbox.end(("chat", chat), redact(line))

    def _fail(self, chat: str, why: str) -> None:
        line = as_line({"type": "error", "chat": chat, "message": redact(why)})
        self._outbox.end(("chat", chat), line)


def _told(result: Result, *, heard: bool) -> dict[str, Any]:
    """The result; its text only where it did not arrive in pieces."""
    told: dict[str, Any] = msgspec.to_builtins(result, str_keys=True)
    if heard:
        del told["output"]
    return told
