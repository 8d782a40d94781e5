"""A validator's error in a line: where it is, and what is wrong there. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

LONGEST = 240
"""Characters of one message, and of the path before it."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def describe(error: Any) -> str:
    """``$.items[3].name: 5 is not of type "string"``.

    Where none of several shapes fits, the shape that the value comes closest to says why.
    """
    said = _line(error)
    closest = _closest(error)
    return said if closest is None else f"{said} (closest: {_line(closest)})"


def _line(error: Any) -> str:
    return f"{shortened(path(error.instance_path))}: {shortened(error.message)}"


def path(steps: Sequence[str | int]) -> str:
    """A JSON path: ``$.items[3]["a name"]``."""
    said = "$"
    for step in steps:
        if isinstance(step, int):
            said += f"[{step}]"
        elif _NAME.fullmatch(step):
            said += f".{step}"
        else:
            said += f"[{json.dumps(step, ensure_ascii=False)}]"
    return said


def shortened(text: str, longest: int = LONGEST) -> str:
    """One line without its middle where it is long: its end says what was expected."""
    if len(text) > longest:
        head = longest // 3
        text = f"{text[:head]}…{text[head + 1 - longest :]}"
    return " ".join(text.split())


def _closest(error: Any) -> Any:
    """The first error of the branch (of ``anyOf``, ``oneOf``) that got furthest into the value."""
    branches = getattr(error, "kind", None) and getattr(error.kind, "context", None)
    firsts = [branch[0] for branch in branches or () if branch]
    deepest = max((len(first.instance_path) for first in firsts), default=0)
    if deepest <= len(error.instance_path):
        kinds = [first for first in firsts if first.kind.name != "type"]
        return kinds[0] if len(kinds) == 1 else None
    return next(first for first in firsts if len(first.instance_path) == deepest)
