"""Messages as lines of JSON, whatever text stands in them."""

from __future__ import annotations

import json
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


def line(message: Any) -> bytes:
    """One line; a lone surrogate, as a model may send one, stands as its escape."""
    try:
        return _encode(message) + b"\n"
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(message)
        return json.dumps(plain, separators=(",", ":"), default=str).encode() + b"\n"
