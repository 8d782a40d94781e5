"""A value as the text of a cell. Pure."""

from __future__ import annotations

import json
from typing import Any

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def text(value: Any) -> str | None:
    """Texts as they are, every other value as its JSON; None stays None."""
    kind = type(value)
    if kind is str or value is None:
        return value  # type: ignore[no-any-return]  # it is one of the two
    return repr(value) if kind is int or kind is float else _encode(value)


def sound(value: str) -> str:
    """Without lone surrogates, which no file of text may hold: they are written as escapes."""
    return value.encode("utf-8", "backslashreplace").decode()
