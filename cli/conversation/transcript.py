"""What was said: kept, sent along with each question, saved and loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbatch.jobs.errors import SinkError, SourceError
from llmbatch.jobs.talk.messages import problem
from llmbatch.jobs.wholefile import write_whole

MOST = 64 * 1024 * 1024
"""Bytes of a conversation that can be loaded."""

SYSTEM = frozenset({"system", "developer"})


class Transcript:
    """Messages in their order, each question with its answer; ``system`` goes before all.

    ``open`` is a question without an answer: the one that is asked, that failed, or whose answer
    was stopped before it began.
    """

    def __init__(self, system: str | None = None) -> None:
        self.system = system
        self.messages: list[dict[str, Any]] = []
        self.open: str | None = None

    def asked(self) -> list[dict[str, Any]]:
        """What is sent: everything before, and the open question."""
        before = [] if self.system is None else [{"role": "system", "content": self.system}]
        last = [] if self.open is None else [{"role": "user", "content": self.open}]
        return [*before, *self.messages, *last]

    def answered(self, text: str, *, stopped: bool = False) -> None:
        """Keep the open question with its answer, as far as that came."""
        if self.open is None or not text:
            return
        mark = {"stopped": True} if stopped else {}
        self.messages.append({"role": "user", "content": self.open})
        self.messages.append({"role": "assistant", "content": text, **mark})
        self.open = None

    def reopen(self) -> bool:
        """Take back the last answer; whether there is a question to ask again."""
        if self.open is None and any(each["role"] == "user" for each in self.messages):
            while self.messages[-1]["role"] != "user":
                self.messages.pop()
            self.open = self.messages.pop()["content"]
        return self.open is not None

    def forget(self, questions: int | None = None) -> int:
        """Drop so many of the oldest questions and their answers, half of them where None."""
        places = [n for n, each in enumerate(self.messages) if each["role"] == "user"]
        count = min(len(places), (len(places) + 1) // 2 if questions is None else questions)
        kept = places[count] if count < len(places) else len(self.messages)
        del self.messages[:kept]
        return count

    def save(self, path: Path, model: str) -> int:
        """Write it as JSON, whole or not at all; how many messages. Raises SinkError."""
        messages = self.asked()
        text = json.dumps({"model": model, "messages": messages}, ensure_ascii=False, indent=1)
        try:
            write_whole(path, [text.encode("utf-8", "backslashreplace"), b"\n"], mode=0o600)
        except (OSError, ValueError) as error:
            raise SinkError(f"can't write {path}: {_said(error)}") from None
        return len(messages)

    def load(self, path: Path) -> int:
        """Take the place of what was said with a file, whole or not at all; how many messages.

        Raises SourceError.
        """
        messages = _read(path)
        count, first = len(messages), messages[0]["role"] in SYSTEM
        self.system = messages[0]["content"] if first else None
        self.messages = messages[1:] if first else messages
        last = self.messages[-1] if self.messages else None
        self.open = self.messages.pop()["content"] if last and last["role"] == "user" else None
        return count

    def __repr__(self) -> str:
        return f"<Transcript of {len(self.messages)} messages>"


def _read(path: Path) -> list[dict[str, Any]]:
    where = str(path)
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise SourceError("is no file: nothing is read from a pipe or a device", path=where)
        with path.open("rb") as file:
            data = file.read(MOST + 1)
    except (OSError, ValueError) as error:
        raise SourceError(f"can't be read: {_said(error)}", path=where) from None
    if len(data) > MOST:
        raise SourceError(f"is larger than {MOST:,} bytes", path=where)
    try:
        value = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise SourceError(f"is not UTF-8 (byte {error.start})", path=where) from None
    except (ValueError, RecursionError) as error:
        raise SourceError(f"is not JSON: {error}", path=where) from None
    messages = value.get("messages") if isinstance(value, Mapping) else value
    if isinstance(value, Mapping) and "messages" not in value:
        raise SourceError('has no "messages"', path=where)
    if (wrong := problem(messages)) is not None:
        raise SourceError(wrong, path=where)
    return [_kept(message) for message in messages or ()]


def _kept(message: Mapping[str, Any]) -> dict[str, Any]:
    kept = {"role": message["role"], "content": message["content"]}
    return {**kept, "stopped": True} if message.get("stopped") is True else kept


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or "not a path"
