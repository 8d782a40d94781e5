"""OpenAI's legacy completions: chunks as in chat, but the text stands in ``choices[].text``."""

from __future__ import annotations

from typing import Any

from ..model import Request
from .chat import streamed
from .wire import payload

PATH = "/completions"


def body(request: Request, stream: bool, asks_usage: bool = True) -> dict[str, Any]:
    """The body as JSON values. The answer is read by :class:`.chat.ChatReader`."""
    return streamed(payload(request, prompt=request.input), stream, asks_usage)
