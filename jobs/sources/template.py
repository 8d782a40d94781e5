"""``{{field}}`` in a template, replaced by a row's fields."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError
from .invalid import Invalid, excerpt, shorten

_FIELD = re.compile(r"\{\{([^{}]*)\}\}")
_MISSING = object()


class Template:
    """A prompt with ``{{field}}`` or, for nested values, ``{{a.b}}`` and ``{{list.0}}`` in it.

    Strings stand as they are, other values as JSON. ``fields`` are the top-level names it uses.
    Raises ConfigError where it names no field.
    """

    __slots__ = ("_literals", "_names", "fields")

    def __init__(self, text: str) -> None:
        parts = _FIELD.split(text)
        self._literals = parts[::2]
        self._names = [name.strip() for name in parts[1::2]]
        if not self._names or "" in self._names:
            raise ConfigError(
                f"the template {excerpt(text)} names no field: write {{{{text}}}} where the row's "
                f"field `text` goes"
                if not self._names
                else f"the template {excerpt(text)} has an empty {{{{}}}}: name a field in it"
            )
        self.fields = frozenset(self._names) | {name.split(".")[0] for name in self._names}

    def __repr__(self) -> str:
        return f"Template(fields={sorted(self.fields)})"

    def render(self, row: Mapping[str, Any]) -> str:
        """Raises :class:`Invalid` naming the field that ``row`` lacks, and those it has."""
        pieces = [self._literals[0]]
        for name, literal in zip(self._names, self._literals[1:], strict=True):
            value = row.get(name, _MISSING)
            if value is _MISSING:
                value = _nested(row, name)
            pieces.append(value if type(value) is str else _as_json(value))
            pieces.append(literal)
        return "".join(pieces)


def _nested(row: Mapping[str, Any], name: str) -> Any:
    value: Any = row
    for step in name.split("."):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            there = ", ".join(shorten(key) for key in list(row)[:20])
            raise Invalid(f"no field {name} for the template; the row has: {there or 'no fields'}")
    return value


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
