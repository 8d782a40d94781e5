"""What a document is called."""

from __future__ import annotations

import re

from msgspec import Struct

_LONGEST = 300
_STEERING = re.compile("[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")


class Asked(Struct, frozen=True):
    """What a reader is told: ``title`` is for documents that bring none of their own."""

    path: str
    title: str
    encoding: str | None = None


def cleaned(title: str) -> str:
    """A title on one line, without what can't be encoded or steers a terminal; '' where it is none.

    ``untitled`` and ``(anonymous)`` are what programs write who were told none.
    """
    words = " ".join(_STEERING.sub(" ", title.encode("utf-8", "replace").decode()).split())
    if words.lower() in ("untitled", "(anonymous)"):
        return ""
    return words if len(words) <= _LONGEST else words[: _LONGEST - 3] + "..."
