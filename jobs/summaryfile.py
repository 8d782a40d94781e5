"""``--summary FILE``: the summary as JSON, whole or not at all."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from .errors import ConfigError, SinkError
from .summary import Summary
from .wholefile import check_writable, drop_ours, is_special, write_whole

_BEGIN = b'{\n  "exit_code":'


def check_summary_path(path: str) -> None:
    """Find out before the job what would spoil its end. Raises :class:`ConfigError`.

    An older summary goes: a job that can't begin leaves none.
    """
    if problem := check_writable(path, "--summary"):
        raise ConfigError(problem)
    drop_ours(path, _BEGIN)


def drop_old_summary(path: str) -> None:
    """Take an earlier run's summary away: it must not be read as this one's."""
    if not is_special(Path(path)):
        with suppress(OSError):
            os.unlink(os.path.realpath(path))  # noqa: PTH108 - a link stays one


def summary_values(summary: Summary, exit_code: int | None) -> dict[str, Any]:
    """The summary as JSON has it; the code is None while the job runs."""
    return {"exit_code": exit_code, **msgspec.to_builtins(summary)}


def write_summary(summary: Summary, path: str, exit_code: int) -> None:
    """Write ``summary`` with the exit code. Raises :class:`SinkError`; the output is safe then."""
    values = summary_values(summary, exit_code)
    try:
        text = msgspec.json.format(msgspec.json.encode(values))
    except UnicodeEncodeError:  # a file's name that is no UTF-8
        lines = json.dumps(values, ensure_ascii=False, indent=2)
        text = lines.encode("utf-8", "backslashreplace")
    try:
        write_whole(Path(path), [text, b"\n"])
    except OSError as error:
        raise SinkError(
            f"can't write the summary to {path}: {error.strerror}; the results are safe"
        ) from error
