"""A value as the text of a cell. Pure."""

from __future__ import annotations

import json
from typing import Any


def text(value: Any) -> str | None:
    """Texts as they are, every other value as its JSON; None stays None."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def sound(value: str) -> str:
    """Without lone surrogates, which no file of text may hold: they are written as escapes."""
    return value.encode("utf-8", "backslashreplace").decode()
