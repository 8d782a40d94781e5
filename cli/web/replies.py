"""What the server answers: JSON, also of texts that are no UTF-8, and errors in a sentence."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from aiohttp import web


class Unclear(ValueError):
    """What a browser asked for can't be understood; the text says what is wrong."""


def as_line(value: Any) -> str:
    """JSON on one line. Half a character, as a model may have answered, stands as an escape."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value, str_keys=True))


def replied(value: Any, status: int = 200) -> web.Response:
    """An answer of JSON."""
    return web.Response(text=as_line(value), status=status, content_type="application/json")


def refused(status: int, why: str) -> web.Response:
    """An answer that says why there is none."""
    return replied({"error": why}, status)
