"""``--log-format json``: one JSON object a line, for what reads logs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

EVERYWHERE: dict[str, str] = {}
"""Fields that every record of this process has."""


def record(level: str, event: str, message: str, **fields: Any) -> str:
    """A line without its end; ``level`` is ``info``, ``warning`` or ``error``.

    ASCII alone: a log's encoding is nobody's to know, and an escape is never a control character,
    nor what GitHub Actions takes for a command.
    """
    now = time.time()
    ts = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03}Z"
    values = {"ts": ts, "level": level, "event": event, "message": message, **EVERYWHERE}
    values |= fields
    return json.dumps(values, default=str).replace("##[", "##\\u005b")


def asked_for(args: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Whether it is asked for by a flag or a variable: what is known before any setting is read."""
    given = environ.get("LLMBATCH_LOG_FORMAT")
    for place, word in enumerate(args):
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if name == "--log-format":
            given = value if equals else next(iter(args[place + 1 : place + 2]), None)
    return given == "json"
