"""What a document is called."""

from __future__ import annotations

from msgspec import Struct

_LONGEST = 300


class Asked(Struct, frozen=True):
    """What a reader is told: ``title`` is for documents that bring none of their own."""

    path: str
    title: str
    encoding: str | None = None


def cleaned(title: str) -> str:
    """A title on one line, without what can't be encoded; '' where nothing is left of it."""
    words = " ".join(title.encode("utf-8", "replace").decode().split())
    return words if len(words) <= _LONGEST else words[: _LONGEST - 3] + "..."
