"""``[NAME=]$.a.b[0]["c d"]``: where in an answer a column's value stands. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from ...errors import ConfigError

Step = str | int

_SPEC = re.compile(r"(?:(?P<name>[^=$][^=]*)=)?(?P<path>\$.*)", re.DOTALL)
_STEP = re.compile(
    r"""\.(?P<key>[^\W\d][\w-]*) | \[(?P<index>\d{1,9})\]
    | \["(?P<double>[^"\\]*)"\] | \['(?P<single>[^'\\]*)'\]""",
    re.VERBOSE,
)


class Selection(Struct, frozen=True):
    """A column of a table, and the steps that lead to its value; none is the whole answer."""

    name: str
    steps: tuple[Step, ...]


def select(spec: str) -> Selection:
    """Raises ConfigError, which names the place where it is no path."""
    found = _SPEC.fullmatch(spec.strip())
    if found is None:
        raise _wrong(spec, "write it as in name=$.person.name, or $.tags[0]")
    path = found["path"]
    steps: list[Step] = []
    at = 1
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            at += len(spec.strip()) - len(path) + 1
            raise _wrong(spec, f'character {at}: after the $ come steps such as .key, ["key"], [0]')
        steps.append(int(step["index"]) if step["index"] else _key(step))
        at = step.end()
    return Selection((found["name"] or "").strip() or name_of(steps), tuple(steps))


def name_of(steps: Iterable[Step]) -> str:
    """``a.b[0]``; ``output`` for the whole of it."""
    said = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return said.removeprefix(".") or "output"


def value_at(value: Any, steps: Iterable[Step]) -> Any:
    """None where one of the steps leads nowhere."""
    for step in steps:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _key(step: re.Match[str]) -> str:
    return next(step[name] for name in ("key", "double", "single") if step[name] is not None)


def _wrong(spec: str, message: str) -> ConfigError:
    return ConfigError(f'--select "{spec if len(spec) <= 60 else spec[:59] + "…"}": {message}')
