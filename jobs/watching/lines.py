"""Messages as lines of JSON, whatever text stands in them."""

from __future__ import annotations

import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def line(message: Any) -> bytes:
    """One line in UTF-8, also of a text that is none, such as the name of a file."""
    try:
        return _encode(message) + b"\n"
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(message)
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
        return whole(text).encode() + b"\n"


def whole(text: str) -> str:
    """The halves of a surrogate pair as one character; a half that is alone is U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def cut_in_two(text: str) -> bool:
    """Whether the text ends with the first half of a surrogate pair."""
    return "\ud800" <= text[-1:] <= "\udbff"
