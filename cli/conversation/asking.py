"""One question in this process: signals, the answer, what is said about it, the exit code."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.errors import ConfigError, SinkError
from llmbatch.jobs.model import GOOD, Result
from llmbatch.jobs.records import encode, terminal_safe
from llmbatch.jobs.talk.talk import open_talk

from ..exits import Exit
from ..live import VOID
from ..outflow import is_terminal
from ..terminal import printable, put, say_error, say_hint, wants_colour
from .figures import metrics_line, reason
from .notes import Notes
from .spoken import Spoken

_VOIDED = (
    "the answer broke off midway and was written anew: standard output has first what was void, "
    "then, on a line of its own, the answer (--no-stream writes nothing before an answer is whole)"
)


class _Terminated(SystemExit):
    """SIGTERM came; the loop lets it through."""


def _terminate(*_: object) -> None:
    """Not by the loop, which waits where nobody reads the answer."""
    raise _Terminated(Exit.TERMINATED)


class Asking:
    """A question to the models of a configuration. Raises SinkError where nobody can be told."""

    def __init__(self, config: JobConfig, *, as_json: bool) -> None:
        if sys.stdout is None:
            raise SinkError("standard output is closed: there is nowhere to write to")
        self.config = config
        self.whole = as_json or config.schema is not None
        self.as_json = as_json
        self.person = is_terminal(sys.stderr)
        self.spoken = Spoken(sys.stdout, lambda: self.say(VOID))

    def waiting(self) -> None:
        """Standard input is read, and nothing comes."""
        self.say("(reading standard input; < /dev/null asks without it)")

    def run(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Ask; the exit code."""
        before = signal.signal(signal.SIGTERM, _terminate)
        try:
            result = asyncio.run(self._ask(messages))
        except _Terminated:
            say_error("terminated")
            return Exit.TERMINATED
        finally:
            signal.signal(signal.SIGTERM, before)
            if self.spoken.terminal:
                self.spoken.end_line()
        if result.status == "invalid":
            raise ConfigError(reason(result))
        self._show(result)
        return self._conclude(result)

    async def _ask(self, messages: Sequence[Mapping[str, Any]]) -> Result:
        hear = (lambda _: None) if self.whole else self.spoken.hear
        async with open_talk(self.config, observers=[Notes(self._note)]) as talk:
            return await talk.ask(messages, hear)

    def _show(self, result: Result) -> None:
        if self.as_json:
            line = encode(result)
            put((terminal_safe(line) if self.spoken.terminal else line).decode())
        elif isinstance(result.output, str):
            self.spoken.finish(result.output, good=result.status in GOOD)
        elif result.output is not None:
            from msgspec.json import encode as as_json

            self.spoken.finish(as_json(result.output).decode() + "\n", good=True)

    def _conclude(self, result: Result) -> int:
        if result.status not in GOOD:
            say_error(reason(result))
            if result.error is not None and result.error.type == "context_too_long":
                say_hint("For a text of any size there is `llmbatch analyze`.")
        elif self.spoken.voided and not self.spoken.terminal:
            say_error(_VOIDED)
        elif result.status == "truncated":
            say_hint(reason(result))
        elif not result.output and result.tool_calls:
            say_hint("the answer is a call of a tool: --json shows it")
        if not self.config.quiet:
            self.say(metrics_line(result))
        void = self.spoken.voided and not self.spoken.terminal
        return Exit.OK if result.status in GOOD and not void else Exit.ROWS_FAILED

    def _note(self, text: str) -> None:
        self.say(f"({text})")

    def say(self, text: str) -> None:
        """A line for a person at a terminal, and for nobody else."""
        if not self.person or not text:
            return
        if self.spoken.terminal:
            self.spoken.end_line()
        line = printable(text)
        shown = click.style(line, dim=True) if wants_colour(sys.stderr) else line
        print(shown, file=sys.stderr, flush=True)  # noqa: T201 -- a command line speaks

    def __repr__(self) -> str:
        return f"<Asking {self.spoken!r}>"
