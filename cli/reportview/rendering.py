"""Which form a report takes, and where it is written to."""

from __future__ import annotations

from pathlib import Path

from llmbatch.jobs.errors import ConfigError, SinkError
from llmbatch.jobs.manifest.manifest import SUFFIX as MANIFEST
from llmbatch.jobs.records import read
from llmbatch.jobs.reporting.comparison import Reports
from llmbatch.jobs.wholefile import check_writable, is_special, write_whole

from ..terminal import as_json

LONGEST = 1 << 24
"""Bytes of a line that are looked at."""

RESULTS = {".jsonl", ".csv", ".tsv", ".parquet", ".gz", ".zst"}
"""Suffixes of results, of which no report is."""

BY_SUFFIX = {".html": "html", ".htm": "html", ".json": "json"}


def format_of(output: str, form: str | None) -> str:
    """As asked for, else as the output's name says."""
    return form or BY_SUFFIX.get(Path(output).suffix.lower(), "text")


def check_output(output: str) -> None:
    """Find out before anything is read what would spoil its end. Raises ConfigError.

    Results that are there are not written over: they were paid for.
    """
    if output == "-":
        return
    if problem := check_writable(output, "-o"):
        raise ConfigError(problem)
    if output.endswith(MANIFEST) or _holds_results(Path(output)):
        raise ConfigError(f"-o {output}: holds results of a job; name another file")


def _holds_results(path: Path) -> bool:
    if is_special(path) or not path.is_file():
        return False
    if path.suffix.lower() in RESULTS:
        return True
    try:
        with path.open("rb") as file:
            return read(file.readline(LONGEST).rstrip()) is not None
    except OSError:
        return False


def rendered(found: Reports, form: str) -> str:
    """The whole report; a single file has no comparison."""
    if form == "json":
        return as_json(found if found.comparison is not None else found.reports[0])
    if form == "html":
        from .page import page

        return page(found)
    from .text import as_text

    return as_text(found)


def write(output: str, text: str) -> None:
    """Put it in its place, whole or not at all. Raises SinkError."""
    try:
        write_whole(Path(output), [text.encode("utf-8", "backslashreplace")])
    except OSError as error:
        raise SinkError(f"can't write the report to {output}: {error.strerror}") from None
