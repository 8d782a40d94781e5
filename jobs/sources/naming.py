"""How a row is called and what it asks, found out of its line without making the row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ..fitting import Fit
from .content import chat_messages
from .defaults import RowDefaults
from .fingerprint import fingerprint
from .formats import is_shallow
from .images import read_in
from .invalid import Invalid
from .parameters import merged
from .shape import Shape, Shapes

Name = tuple[str, str]
"""The id of a row, empty where it names none, and its fingerprint."""

_NOTHING: Mapping[str, Any] = {}
_decode = msgspec.json.Decoder().decode


class BareRows:
    """Names the rows that most inputs are full of: JSON of a prompt or messages for ``chat``.

    Beside them stands nothing but an id, a system prompt, parameters, and what is handed back.
    The ``defaults`` are those of a job that makes no more of a row, ``base`` are its parameters;
    ``target`` is as in the fingerprint, ``fit`` refuses parameters.
    """

    __slots__ = ("_base", "_before", "_fit", "_model", "_shapes", "_system", "_target")

    def __init__(
        self,
        shapes: Shapes,
        defaults: RowDefaults,
        target: str,
        base: Mapping[str, Any],
        fit: Fit | None,
    ) -> None:
        self._shapes = shapes
        self._base = base
        self._model = defaults.model
        self._fit = fit
        system = defaults.system
        self._system = system
        self._before = [] if system is None else [{"role": "system", "content": system}]
        self._target = target

    def name(self, line: bytes, source: str) -> Name | None:
        """None for any other row, and for one that is invalid; ``source`` is its input's path."""
        try:
            row = _decode(line)
        except (ValueError, RecursionError):
            return None
        if type(row) is not dict:
            return None
        shape = self._shapes.of(row)
        if not shape.flat:
            return self._name(row, shape, source) if is_shallow(line) else None
        row_id, prompt = row.get("id"), row["prompt"]
        if row_id is None:
            row_id = ""
        elif type(row_id) is not str or not row_id or not row_id.isascii():
            return None
        if type(prompt) is not str or not prompt or prompt.isspace():
            return None
        own: dict[str, Any] = {}
        for name, kind in shape.params:
            own[name] = value = row[name]
            if type(value) not in kind.types:
                return None
        return self._named(row_id, [*self._before, {"role": "user", "content": prompt}], own)

    def _name(self, row: dict[str, Any], shape: Shape, source: str) -> Name | None:
        """The same step by step, of a row of any shape."""
        system = row["system"] if shape.system else None
        if not shape.bare or "body" in row or not (system is None or type(system) is str):
            return None
        row_id = row.get("custom_id")
        if row_id is None:
            row_id = row.get("id")
        if row_id is None:
            row_id = ""
        elif type(row_id) is not str or not row_id or not row_id.isascii():
            return None
        own: dict[str, Any] = {}
        if shape.sort(row, own) is not None:
            return None
        try:
            messages = chat_messages(row, system, self._system)
            if "messages" in row:
                read_in(messages, source)
        except Invalid:
            return None
        return self._named(row_id, messages, own)

    def _named(self, row_id: str, messages: Any, own: dict[str, Any]) -> Name | None:
        params = merged(self._base, own, _NOTHING) if self._base else own
        if self._fit is not None and self._fit.problem("chat", params):
            return None
        return row_id, fingerprint(self._target, "chat", self._model, messages, None, params)

    def __repr__(self) -> str:
        return f"BareRows({self._shapes!r})"


def names_bare(defaults: RowDefaults) -> bool:
    """Whether there are such rows: the job itself adds but a system prompt and parameters."""
    words = None if defaults.form is None else defaults.form.words
    return defaults.endpoint == "chat" and defaults.template is None and words is None
