"""What a job came to as Markdown: the summary of a step in GitHub Actions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmbatch.jobs.model import GOOD
from llmbatch.jobs.summary import Summary

from .causes import in_words
from .costsummary import cost_lines
from .figures import duration
from .summary import counts, percentiles, took
from .terminal import escaped

_MEANING = re.compile(r"([\\`*_{}\[\]()<>#+!|~:@&-])")
"""What may mean something to Markdown, to GitHub's own kinds of links, or as HTML."""

ENDS = {
    0: "all is well",
    1: "rows failed",
    3: "the input failed",
    4: "stopped early",
    5: "the budget is reached",
    6: "the output failed",
    130: "interrupted",
    143: "terminated",
}
"""What an exit code says of a job that had begun."""


def markdown(summary: Summary, code: int) -> str:
    """A heading, a table of figures, and one of failures by their cause."""
    end = ENDS.get(code, "it failed")
    lines = [f"### llmbatch: {end} (exit {code})", "", "| | |", "|---|---|"]
    lines += [f"| {subject} | {text} |" for subject, text in _figures(summary)]
    failed = _failures(summary)
    if failed:
        lines += ["", "| why rows failed | rows | |", "|---|--:|---|"]
        lines += [f"| {text(cause)} | {number:,} | {words} |" for cause, number, words in failed]
    return "\n".join(lines) + "\n\n"


def text(value: str) -> str:
    """Foreign text as one line of Markdown that shows it and does nothing else."""
    return _MEANING.sub(r"\\\1", escaped(value))


def _figures(summary: Summary) -> Iterator[tuple[str, str]]:
    yield "model", text(summary.model)
    yield "rows", counts(summary.rows) or "none ran"
    if summary.skipped:
        yield "done before", counts(summary.skipped)
    if summary.not_run:
        yield "not run", f"{summary.not_run:,}"
    if summary.stopped is not None and summary.stopped.cause in ("halt", "budget"):
        yield "stopped", text(summary.stopped.message)
    usage = summary.usage
    if usage.input_tokens or usage.output_tokens:
        yield "tokens", f"{usage.input_tokens:,} in, {usage.output_tokens:,} out"
    for line in cost_lines(summary):
        subject, _, told = line.partition(" ")
        yield subject, text(told.strip())
    if summary.latency_s.p50 is not None:
        yield "latency", percentiles(summary.latency_s)
    if summary.retries:
        yield "retries", counts(summary.retries)
    yield "time", took(summary.wall_s) if summary.wall_s < 60 else duration(summary.wall_s)
    yield "output", text(summary.output if summary.output != "-" else "standard output")


def _failures(summary: Summary) -> list[tuple[str, int, str]]:
    """By the type of the error, and by status for rows that failed without one."""
    found = dict(summary.failures)
    for status in ("refused", "filtered"):
        if without := summary.rows.get(status, 0) - found.get(status, 0):
            found[status] = found.get(status, 0) + max(0, without)
    others = sum(n for status, n in summary.rows.items() if status not in GOOD)
    if not others:
        return []
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return [(cause, number, in_words(cause)) for cause, number in ordered]
