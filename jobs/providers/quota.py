"""What the headers of an answer say of a server's limits. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ..model import Quota


def no_quota(headers: Mapping[str, str]) -> Quota | None:  # noqa: ARG001 - stands for the others
    """For servers that say nothing of their limits in headers."""
    return None
