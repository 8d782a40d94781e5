"""Who listens to answers while they come."""

from __future__ import annotations

from collections.abc import Sequence

from .model import Request
from .ports import TextHeard


def told(ears: Sequence[TextHeard], row: Request, text: str | None) -> Sequence[TextHeard]:
    """Tell them a piece of text; those that want to hear more of this attempt."""
    if len(ears) == 1:
        return () if ears[0](row, text) else ears
    return [ear for ear in ears if not ear(row, text)]
