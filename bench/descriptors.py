"""Open files: ten thousand connections are as many of them, at both ends."""

from __future__ import annotations

import resource


def raise_limit() -> None:
    """As many as this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
