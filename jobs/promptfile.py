"""A prompt of the user's own: a file with ``{{field}}`` where the analysis fills something in."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

from .errors import ConfigError

_FIELD = re.compile(r"\{\{([^{}]*)\}\}")


class PromptFile(Struct, frozen=True):
    """What stands in it, and where that came from."""

    path: str
    text: str


class Template:
    """A prompt file whose fields are all known.

    The first of ``fields`` has to be there, once: it is what the prompt is about. Raises
    ConfigError.
    """

    __slots__ = ("_literals", "_names", "path")

    def __init__(self, file: PromptFile, fields: Sequence[str]) -> None:
        parts = _FIELD.split(file.text)
        self.path = file.path
        self._literals = parts[::2]
        self._names = [name.strip() for name in parts[1::2]]
        for name in self._names:
            if name not in fields:
                raise ConfigError(_unknown(file.path, name, fields))
        times = self.times(fields[0])
        if times != 1:
            what = f"{{{{{fields[0]}}}}}"
            how = "is not in it: write it" if times == 0 else f"is in it {times} times: leave it"
            raise ConfigError(
                f"{file.path}: {what} {how} where the {_MEANING[fields[0]]} goes, once"
            )

    def uses(self, name: str) -> bool:
        return name in self._names

    def times(self, name: str) -> int:
        """How often a field stands in it."""
        return self._names.count(name)

    def render(self, values: Mapping[str, str]) -> str:
        """The prompt; what is filled in is not looked at again."""
        pieces = [self._literals[0]]
        for name, literal in zip(self._names, self._literals[1:], strict=True):
            pieces += (values[name], literal)
        return "".join(pieces)

    def __repr__(self) -> str:
        return f"Template({self.path!r}, fields={sorted(set(self._names))})"


_MEANING = {"text": "text of a chunk", "parts": "list of parts"}


def _unknown(path: str, name: str, fields: Sequence[str]) -> str:
    listed = ", ".join(f"{{{{{field}}}}}" for field in fields)
    if not name:
        return f"{path}: an empty {{{{}}}} is in it; the fields are {listed}"
    shown = name if len(name) <= 40 else name[:39] + "…"
    near = difflib.get_close_matches(name[:40], fields, 1)
    hint = f"; did you mean {{{{{near[0]}}}}}?" if near else "."
    return f"{path}: there is no field {{{{{shown}}}}}{hint} The fields are {listed}"
