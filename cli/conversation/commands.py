"""The commands of a chat: their names, what they take, and what is near a name that is none."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Command(NamedTuple):
    """``takes`` is its argument for the help; ``does`` says what for."""

    takes: str
    does: str


COMMANDS: Mapping[str, Command] = {
    "/model": Command("[NAME]", "ask another model from here on; alone: show them"),
    "/system": Command("[TEXT]", "set the system message; alone: show it; - takes it out"),
    "/retry": Command("", "ask the last question again"),
    "/tokens": Command("", "tokens and cost, for each answer and so far"),
    "/save": Command("FILE", "save the conversation as JSON (/save! overwrites)"),
    "/load": Command("FILE", "go on with one that was saved"),
    "/drop": Command("[N]", "forget the N oldest questions and answers; alone: half of them"),
    "/clear": Command("", "forget all of them"),
    "/help": Command("", "show this"),
    "/quit": Command("", "leave; so do Ctrl-D, and Ctrl-C twice"),
}
_ALIASES = {"/exit": "/quit", "/q": "/quit", "/?": "/help", "/models": "/model"}
_HIDDEN = ("/save!",)


def parsed(line: str) -> tuple[str, str] | None:
    """The command's name and its argument; None for what is to be sent.

    A line that begins with white space is never a command.
    """
    if not line.startswith("/"):
        return None
    name, _, argument = line.partition(" ")
    name = name.strip()
    return _ALIASES.get(name, name), argument.strip()


def known(name: str) -> bool:
    """Whether there is such a command."""
    return name in COMMANDS or name in _HIDDEN


def unknown(name: str) -> str:
    """What to say of a name that is none."""
    near = difflib.get_close_matches(name, [*COMMANDS, *_ALIASES], 1)
    hint = f"; did you mean {near[0]}?" if near else "; /help shows what there is."
    return f"there is no command {name}{hint} A space in front sends the line as a question."


def help_lines() -> Sequence[str]:
    """All of them, and the keys."""
    width = max(len(f"{name} {each.takes}") for name, each in COMMANDS.items())
    lines = [f"{f'{name} {each.takes}':{width}}  {each.does}" for name, each in COMMANDS.items()]
    keys = "Enter sends, Alt-Enter or Ctrl-J begins a new line, Ctrl-C stops an answer."
    return [*lines, keys]
