"""Why a row can't be sent, and the words that describe a wrong value."""

from __future__ import annotations

import json
import math

_LONGEST = 60


class Invalid(ValueError):
    """The row can't be sent; ``str()`` is the reason, fit for the output's ``error.message``."""


def kind_of(value: object) -> str:
    """What ``value`` is in JSON's words, without showing it: prompts stay out of messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "a string" if value else "an empty string"
    if isinstance(value, int | float):
        return "a number"
    return "an object" if isinstance(value, dict) else "a list"


def excerpt(value: object) -> str:
    """A parameter's or id's value, cut to about 60 characters; lists and objects by kind only."""
    if isinstance(value, dict | list):
        return kind_of(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if not isinstance(value, str):
        return shorten(json.dumps(value))
    text = value if _encodable(value) else value.encode("utf-8", "backslashreplace").decode()
    return json.dumps(shorten(text), ensure_ascii=False)


def shorten(text: str) -> str:
    """``text``, cut to about 60 characters."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def unsendable(value: object, place: str) -> str | None:
    """The reason why ``value`` has no place in a request (NaN, a lone surrogate), or None."""
    if isinstance(value, str):
        if _encodable(value):
            return None
        return f"{place} holds a lone surrogate (half of a character), which can't be sent"
    if isinstance(value, float) and not math.isfinite(value):
        return f"{place} is {excerpt(value)}, which can't be sent as JSON"
    if isinstance(value, dict):
        for key, item in value.items():
            reason = unsendable(key, f"a key of {place}") or unsendable(item, f"{place}.{key}")
            if reason:
                return reason
    elif isinstance(value, list):
        for n, item in enumerate(value):
            if reason := unsendable(item, f"{place}[{n}]"):
                return reason
    return None
