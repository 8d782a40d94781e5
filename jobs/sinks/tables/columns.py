"""The columns that a table has beside the input's: what was answered, and how that went. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from ...errors import ConfigError
from ...model import GOOD, Result
from .paths import Selection, Step, name_of, value_at

Kind = Literal["text", "int", "float", "bool"]
"""``text`` holds every other value as its JSON."""

_KINDS: Mapping[str, Kind] = {
    "string": "text", "integer": "int", "number": "float", "boolean": "bool",
}  # fmt: skip
_AN = {
    "array": "a list", "object": "an object", "string": "a text", "integer": "a whole number",
    "number": "a number", "boolean": "true or false", "null": "null",
}  # fmt: skip
MODEL = "llm_model"
"""As ``model`` it would choose the model of a job that has this table as its input."""

_DEEPEST = 8
_PREFIX = "llm_"


class Column(Struct, frozen=True):
    """``of`` takes its value out of a result; None is an empty cell."""

    name: str
    kind: Kind
    of: Callable[[Result], Any]


def answer_columns(schema: Any, selections: Sequence[Selection]) -> tuple[Column, ...]:
    """What was answered: what was selected, else the schema's properties, else the output.

    Properties of objects within have names with dots. Raises ConfigError for a selection that leads
    to nothing that the schema allows.
    """
    if selections:
        return tuple(
            _column(chosen.name, _at(schema, chosen), chosen.steps, schema) for chosen in selections
        )
    root = _plain(schema, schema)
    found = list(_flat(schema, root, ())) if root.get("properties") else []
    return tuple(_column(name_of(steps), part, steps, schema) for steps, part in found) or (
        _column("output", root, (), schema),
    )


def ending_columns() -> tuple[Column, ...]:
    """How it went, of every row."""
    return (
        Column("status", "text", lambda result: result.status),
        Column("finish_reason", "text", lambda result: result.finish_reason),
        Column(MODEL, "text", lambda result: result.model),
        Column("input_tokens", "int", lambda result: result.usage and result.usage.input_tokens),
        Column("output_tokens", "int", lambda result: result.usage and result.usage.output_tokens),
        Column("cost_usd", "float", lambda result: result.cost_usd),
        Column("latency_s", "float", lambda result: result.metrics and result.metrics.latency_s),
        Column("error", "text", _error),
    )


def apart(columns: Iterable[Column], taken: Iterable[str]) -> tuple[Column, ...]:
    """The same under names that no other column has: one that is taken gets ``llm_`` in front."""
    names = set(taken)
    found = []
    for column in columns:
        name = column.name
        while name in names:
            name = _PREFIX + name
        names.add(name)
        found.append(Column(name, column.kind, column.of))
    return tuple(found)


def _error(result: Result) -> str | None:
    """A row that is none may lack all its cells: then its line says which one it is."""
    failure = result.error
    if failure is None:
        return None
    place = f" (line {result.line})" if result.status == "invalid" else ""
    return f"{failure.type}: {failure.message}{place}"


def _column(name: str, part: Mapping[str, Any], steps: tuple[Step, ...], schema: Any) -> Column:
    kind = _KINDS.get(str(part.get("type")), "text")
    if not steps and schema is None:
        return Column(name, kind, lambda result: result.output)
    if not steps:  # what ended otherwise has a text that is no data
        return Column(name, kind, lambda result: result.output if result.status in GOOD else None)
    return Column(name, kind, lambda result: value_at(result.output, steps))


def _flat(
    schema: Any, part: Mapping[str, Any], steps: tuple[Step, ...]
) -> Iterable[tuple[tuple[Step, ...], Mapping[str, Any]]]:
    for name, inner in part["properties"].items():
        plain = _plain(schema, inner)
        if plain.get("properties") and len(steps) < _DEEPEST:
            yield from _flat(schema, plain, (*steps, name))
        else:
            yield (*steps, name), plain


def _plain(schema: Any, part: Any) -> Mapping[str, Any]:
    """What a part of the schema says, without its references, and without null."""
    for _ in range(_DEEPEST):
        if not isinstance(part, dict):
            return {}
        ref = part.get("$ref")
        others = [one for one in part.get("anyOf", ()) if one != {"type": "null"}]
        if isinstance(ref, str) and ref.startswith("#/"):
            steps = [step.replace("~1", "/").replace("~0", "~") for step in ref[2:].split("/")]
            part = value_at(schema, steps)
        elif len(others) == 1:
            part = others[0]
        else:
            break
    if not isinstance(part, dict):
        return {}
    if isinstance(part.get("type"), list):
        kinds = [kind for kind in part["type"] if kind != "null"]
        return {**part, "type": kinds[0] if len(kinds) == 1 else None}
    return part


def _at(schema: Any, chosen: Selection) -> Mapping[str, Any]:
    part = _plain(schema, schema)
    for step in chosen.steps:
        fields = part.get("properties", {})
        there, wanted = part.get("type"), "array" if isinstance(step, int) else "object"
        if there not in (None, wanted):
            raise ConfigError(
                f"--select {chosen.name}: {name_of([step])} leads into {_AN[wanted]}, and the "
                f"schema has {_AN[there]} there"
            )
        if isinstance(step, int):
            part = _plain(schema, part.get("items"))
        elif step in fields:
            part = _plain(schema, fields[step])
        elif fields and part.get("additionalProperties") is False:
            near = difflib.get_close_matches(step, fields, 1)
            hint = f"; did you mean {near[0]}?" if near else f": it has {', '.join(fields)}"
            raise ConfigError(f"--select {chosen.name}: the schema has no {step} there{hint}")
        else:
            return {}
    return part
