"""The conversation: questions are read, asked and answered until somebody leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from msgspec import structs

from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.errors import LlmbatchError, SinkError
from llmbatch.jobs.model import GOOD, Result
from llmbatch.jobs.talk.talk import Talk, open_talk

from ..exits import Exit
from .actions import Actions
from .commands import parsed
from .figures import metrics_line, reason
from .notes import Notes
from .reading import Lines, Prompt, Reader, history_file
from .stage import Shown, Stage
from .totals import Totals
from .transcript import Transcript

T = TypeVar("T")

_TOO_LONG = (
    "the conversation no longer fits the model: /drop forgets the older half of it, /clear all of "
    "it; then /retry asks again"
)


class Chat:
    """One conversation, and whoever holds it."""

    def __init__(self, config: JobConfig, *, history: bool, plain: bool) -> None:
        self.stage = Stage(plain=plain)
        self.transcript = Transcript(config.system)
        self.totals = Totals()
        self.config = structs.replace(config, system=None, schema=None)
        self._history = history
        self._shown: Shown | None = None
        self._stop: Callable[[], bool] | None = None
        self._early = False  # whether Ctrl-C came when there was nothing to stop
        self._terminated = False
        self._failed = False

    def run(self) -> int:
        """Until somebody leaves; the exit code."""
        try:
            asyncio.run(self._main())
        except asyncio.CancelledError:
            if not self._terminated:
                raise
            return Exit.TERMINATED
        return Exit.ROWS_FAILED if self._failed and not self.stage.edits else Exit.OK

    async def _main(self) -> None:
        main = asyncio.current_task()
        assert main is not None  # noqa: S101 - this is a coroutine of one

        def terminate() -> None:
            self._terminated = True
            main.cancel()

        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, terminate)
        async with open_talk(self.config, observers=[Notes(self._status)]) as talk:
            await talk.check()
            reader = self._reader(talk)
            loading = asyncio.create_task(_load(talk))
            try:
                self.stage.say(f"{talk.models[0]}; /help shows the commands, Ctrl-D leaves")
                with self.stage.keys_held():
                    await self._talk(talk, reader)
            finally:
                loading.cancel()
                await asyncio.gather(loading, return_exceptions=True)

    def _reader(self, talk: Talk) -> Reader:
        if not self.stage.edits:
            return Lines(sys.stdin, self.stage.invite)
        path = None
        if self._history:
            try:
                path = history_file(os.environ)
            except (OSError, RuntimeError) as error:
                why = getattr(error, "strerror", None) or "there is no home"
                self.stage.say(f"questions are not kept for the next time: {why}")
        return Prompt(sys.stdin, sys.stdout, path, lambda: talk.models)

    async def _talk(self, talk: Talk, reader: Reader) -> None:
        actions = Actions(talk, self.stage, self.transcript, self.totals)
        while (line := await self._read(reader)) is not None:
            command = parsed(line)
            if command is not None:
                try:
                    self._listen()
                    asks = await self._until_interrupted(actions.do(*command))
                except SinkError as error:
                    self.stage.fail(str(error))
                    continue
                except KeyboardInterrupt:
                    self.stage.say("(stopped)")
                    continue
                if asks is None:
                    return
                if not asks:
                    continue
            elif line.strip():
                self.transcript.open = line.strip("\n") if line[:1] != " " else line[1:]
            else:
                continue
            await self._answer(talk, actions.model)

    async def _read(self, reader: Reader) -> str | None:
        """The next line; None where somebody leaves."""
        pressed = False
        while True:
            try:
                if self._early:
                    self._early = False
                    raise KeyboardInterrupt
                if isinstance(reader, Prompt):
                    return await reader.read()
                self._listen()
                return await self._until_interrupted(reader.read())
            except EOFError:
                return None
            except KeyboardInterrupt:
                if pressed:
                    return None
                pressed = True
                self.stage.say("(Ctrl-C once more leaves, and so does Ctrl-D)")

    async def _answer(self, talk: Talk, model: str) -> None:
        """Ask the open question; whatever comes of it, the conversation goes on."""
        self._listen()
        shown = self._shown = self.stage.answer()
        heard: list[str] = []

        def hear(text: str | None) -> None:
            if text is None:
                heard.clear()
            else:
                heard.append(text)
            shown.hear(text)

        try:
            asking = talk.ask(self.transcript.asked(), hear, model=model)
            result = await self._until_interrupted(asking)
        except KeyboardInterrupt:
            shown.end(None, good=False)
            self._stopped("".join(heard))
        except SinkError:
            raise
        except LlmbatchError as error:
            shown.end(None, good=False)
            self._failed = True
            self.stage.fail(str(error))
        else:
            text = result.output if isinstance(result.output, str) else ""
            shown.end(text, good=result.status in GOOD)
            self._ended(result, text)
        finally:
            self._shown = None

    def _stopped(self, text: str) -> None:
        self.totals.stopped += 1
        self.transcript.answered(text, stopped=True)
        kept = "what came is kept" if text else "nothing came: /retry asks again"
        self.stage.say(f"(stopped; {kept})")

    def _ended(self, result: Result, text: str) -> None:
        self.totals.add(result)
        good = result.status in GOOD
        if good or text:
            self.transcript.answered(text, stopped=not good)
        if not good:
            self._failed = True
            self.stage.fail(reason(result))
        elif result.status == "truncated":
            self.stage.say(reason(result))
        elif not text:
            self.stage.say("(the answer is empty)")
        if result.error is not None and result.error.type == "context_too_long":
            self.stage.say(_TOO_LONG)
        if result.usage is not None:
            self.stage.say(metrics_line(result, who=result.fallbacks > 0))
        self.stage.say("")

    def _status(self, text: str) -> None:
        if self._shown is not None:
            self._shown.status(text)

    def _listen(self) -> None:
        """Ctrl-C is ours; a prompt has it for itself, and leaves it to nobody."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._interrupted)

    def _interrupted(self) -> None:
        self._early = self._stop is None or not self._stop()

    async def _until_interrupted(self, doing: Coroutine[Any, Any, T]) -> T:
        """Raises KeyboardInterrupt for Ctrl-C, which ends it at once."""
        task = asyncio.create_task(doing)
        self._stop = task.cancel
        try:
            return await task
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if own is not None and own.cancelling():
                raise
            raise KeyboardInterrupt from None
        finally:
            self._stop = None


async def _load(talk: Talk) -> None:
    """A model of this machine is loaded while the first question is typed."""
    with suppress(LlmbatchError):
        await talk.prepare()
