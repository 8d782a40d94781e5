"""What the commands of a chat do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from llmbatch.jobs.errors import LlmbatchError
from llmbatch.jobs.talk.talk import Talk

from .commands import help_lines, unknown
from .stage import Stage
from .totals import Totals
from .transcript import Transcript

Does = Callable[[str], Awaitable[bool | None]]
"""True where the open question is to be asked now; None where somebody leaves."""


class Actions:
    """Carries commands out; ``model`` is who is asked."""

    def __init__(self, talk: Talk, stage: Stage, transcript: Transcript, totals: Totals) -> None:
        self.model = talk.models[0]
        self._talk = talk
        self._stage = stage
        self._transcript = transcript
        self._totals = totals
        self._own: set[Path] = set()  # files that this conversation was saved to or loaded from
        self._does: Mapping[str, Does] = {
            "/model": self._switch,
            "/system": self._instruct,
            "/retry": self._retry,
            "/tokens": self._count,
            "/save": self._save,
            "/save!": self._overwrite,
            "/load": self._load,
            "/drop": self._drop,
            "/clear": self._clear,
            "/help": self._help,
            "/quit": self._quit,
        }

    async def do(self, name: str, argument: str) -> bool | None:
        """True where the open question is to be asked now; None where somebody leaves."""
        does = self._does.get(name)
        if does is None:
            self._stage.fail(unknown(name))
            return False
        try:
            return await does(argument)
        except LlmbatchError as error:
            self._stage.fail(str(error))
            return False

    async def _switch(self, name: str) -> bool:
        if not name:
            for model in dict.fromkeys([*self._talk.models, self.model]):
                self._stage.say(f"{'*' if model == self.model else ' '} {model}", dim=False)
            return False
        await self._talk.check(name)
        self.model = name
        self._stage.say(f"{name} answers from here on")
        return False

    async def _instruct(self, text: str) -> bool:
        if text:
            self._transcript.system = None if text == "-" else text
        system = self._transcript.system
        self._stage.say("no system message" if system is None else f"system message: {system}")
        return False

    async def _retry(self, _: str) -> bool:
        if self._transcript.reopen():
            return True
        self._stage.fail("there is no question to ask again")
        return False

    async def _count(self, _: str) -> bool:
        for line in self._totals.lines(self._talk.budget):
            self._stage.say(line, dim=False)
        return False

    async def _save(self, name: str) -> bool:
        return self._write(name, over=False)

    async def _overwrite(self, name: str) -> bool:
        return self._write(name, over=True)

    def _write(self, name: str, *, over: bool) -> bool:
        path = _path(name)
        if path is None or not self._transcript.asked():
            self._stage.fail("there is nothing to save" if path else "/save needs a file's name")
        elif path.exists() and not over and path.absolute() not in self._own:
            self._stage.fail(f"{path} exists: /save! {name} overwrites it")
        else:
            count = self._transcript.save(path, self.model)
            self._own.add(path.absolute())
            self._stage.say(f"{_messages(count)} saved to {path}")
        return False

    async def _load(self, name: str) -> bool:
        path = _path(name)
        if path is None:
            self._stage.fail("/load needs a file's name")
            return False
        count = self._transcript.load(path)
        self._own.add(path.absolute())
        self._stage.say(f"{_messages(count)} loaded from {path}")
        if self._transcript.open is not None:
            self._stage.say("the last question has no answer: /retry asks it")
        return False

    async def _drop(self, count: str) -> bool:
        if count and not (count.isascii() and count.isdigit()):
            self._stage.fail("/drop needs a number of questions, or nothing")
            return False
        dropped = self._transcript.forget(int(count[:9]) if count else None)
        self._stage.say(f"{dropped} question{'' if dropped == 1 else 's'} forgotten")
        return False

    async def _clear(self, _: str) -> bool:
        self._transcript.messages.clear()
        self._transcript.open = None
        kept = "" if self._transcript.system is None else "; the system message stays"
        self._stage.say(f"all forgotten{kept}")
        return False

    async def _help(self, _: str) -> bool:
        for line in help_lines():
            self._stage.say(line, dim=False)
        return False

    async def _quit(self, _: str) -> None:
        return None

    def __repr__(self) -> str:
        return f"<Actions on {self._transcript!r}>"


def _path(name: str) -> Path | None:
    if not name:
        return None
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def _messages(count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'}"
