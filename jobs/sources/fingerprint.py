"""What makes two requests the same: everything that shapes the answer, in 128 bits."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(order="sorted").encode
_copy = blake2b(digest_size=16).copy  # a third faster than to make one each time


def fingerprint(
    target: str, endpoint: str, model: str, messages: Any, content: Any, params: Any
) -> str:
    """32 hex digits over the request as it will be sent; the order of keys does not matter.

    ``target`` names the route (provider and base URL). Raises ValueError for a lone surrogate.
    """
    digest = _copy()
    digest.update(_encode([target, endpoint, model, messages, content, params]))
    return digest.hexdigest()


def of_rejected(line: bytes, reason: str) -> str:
    """The same for a row that can't be sent: a line that is mended, or newly broken, differs."""
    return blake2b(line, digest_size=16, key=reason.encode("utf-8", "replace")[:64]).hexdigest()
