"""The end of a job in words: a block of figures, and a last line that says how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from llmbatch.jobs.histogram import Percentiles
from llmbatch.jobs.looplag import LoopLag
from llmbatch.jobs.model import Tidied
from llmbatch.jobs.summary import Summary
from llmbatch.jobs.traffic import RouteFigures
from llmbatch.jobs.wholefile import is_special

from .analysissummary import analysis_lines
from .budgetsummary import budget_lines
from .costsummary import cost_lines
from .figures import duration, rate

SHORT = 10.0
"""Seconds; what holds the loop up for once in a shorter job is nothing to read about."""

MOST = 5
"""Models that are named with the number of their answers."""


def block(summary: Summary) -> list[str]:
    """The figures, one line a subject; those that say nothing are left out."""
    lines = [] if summary.analysis is None else analysis_lines(summary.analysis)
    lines.append(f"rows       {counts(summary.rows) or 'none ran'}{_earlier(summary)}")
    if summary.not_run:
        gone = summary.output == "-" or is_special(Path(summary.output))
        again = "" if gone else " (run the same command again to go on)"
        lines.append(f"not run    {summary.not_run:,}{again}")
    elif summary.analysis is not None and summary.stopped is not None:
        lines.append("not run    the rest (run the same command again to go on)")
    usage = summary.usage
    if usage.input_tokens or usage.output_tokens:
        cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
        lines.append(f"tokens     {usage.input_tokens:,} in{cached}, {usage.output_tokens:,} out")
    lines += [*cost_lines(summary), *budget_lines(summary)]
    if len(summary.answered) > 1 or summary.fallbacks:
        lines.append(f"answers    {_answers(summary)}")
    if summary.reused:
        lines.append(f"reused     {_reused(summary.reused)}")
    if summary.cache_lost is not None:
        lines.append(f"cache      given up: {summary.cache_lost}")
    if summary.rows:
        lines.append(f"speed      {_speed(summary)}")
    if summary.latency_s.p50 is not None:
        first = f"first token {percentiles(summary.ttft_s)}; " if summary.ttft_s.p50 else ""
        lines.append(f"latency    {first}answer {percentiles(summary.latency_s)}")
    if summary.retries:
        lines.append(f"retries    {counts(summary.retries)}")
    if summary.failures:
        lines.append(f"failures   {counts(summary.failures)} (each row's error says why)")
    if summary.first_invalid is not None:
        lines.append(f"invalid    {summary.first_invalid}")
    if summary.dropped:
        lines.append(f"dropped    {counts(summary.dropped)} (parameters, by rows)")
    several = len(summary.routes) > 1 or summary.fallbacks > 0
    for label, route in summary.routes.items():
        said = f"{label}: " if several or label != summary.model else ""
        lines += [f"{subject:<10} {said}{text}" for subject, text in _route(route)]
    if summary.rows and (shares := _waiting(summary)):
        lines.append(f"waiting    {shares}")
    if summary.bound.by is not None:
        lines.append(f"bound by   the {summary.bound.by}: {summary.bound.why}")
    if summary.loop_lag is not None and summary.loop_lag.bad and summary.wall_s >= SHORT:
        lines.append(f"lag        {_lag(summary.loop_lag)}")
    return lines + [f"output     {what}" for what in _older(summary.output_lines)]


def last_line(summary: Summary, code: int) -> str:
    """How it ended, in one line; the last thing on standard error."""
    ran = counts(summary.rows) or ("none ran" if summary.stopped else "nothing left to do")
    end = f"stopped early ({summary.stopped.message}): " if summary.stopped else ""
    output = (summary.analysis and summary.analysis.report) or summary.output
    where = "standard output" if output == "-" else output
    where = f" -> {where}" if where else ""  # none where the job ended before it was opened
    skipped = sum(summary.skipped.values())
    earlier = f" ({skipped:,} done before)" if skipped else ""
    left = f", {summary.not_run:,} not run" if summary.not_run else ""
    return f"llmbatch: {end}{ran}{earlier}{left} in {took(summary.wall_s)}{where} (exit {code})"


def took(seconds: float) -> str:
    """A length of time that has passed: ``30 ms``, ``1.32 s``, ``41.5 s``, ``4m05s``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 59.95 else duration(seconds)


def counts(numbers: Mapping[str, int]) -> str:
    """``18 ok, 2 error``, the largest first."""
    ordered = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number:,} {name}" for name, number in ordered)


def percentiles(value: Percentiles) -> str:
    return f"p50 {took(value.p50 or 0)}, p95 {took(value.p95 or 0)}"


def _reused(rows: Mapping[str, int]) -> str:
    """``120 rows asked the same as another, 40 were in the cache``."""
    said = []
    if same := rows.get("same", 0):
        said.append(f"{_count(same, 'row', 'rows')} asked the same as another")
    if cached := rows.get("cached", 0):
        said.append(f"{cached:,} {'was' if cached == 1 else 'were'} in the cache")
    return ", ".join(said)


def _earlier(summary: Summary) -> str:
    return f"; done before: {counts(summary.skipped)}" if summary.skipped else ""


def _speed(summary: Summary) -> str:
    rows = f"{rate(summary.rows_per_s)} rows/s"
    if not summary.output_tokens_per_s:
        return rows
    return f"{rows}, {rate(summary.output_tokens_per_s)} output tokens/s"


def _waiting(summary: Summary) -> str:
    time = summary.time
    parts = {
        "for the provider": time.provider,
        "for the limits": time.limit,
        "backing off": time.backoff,
        "for the source": time.source,
    }
    whole = sum(parts.values())
    shares = ((value / whole, name) for name, value in parts.items() if value)
    return ", ".join(f"{share:.0%} {name}" for share, name in shares if share > 0.005)


def _lag(lag: LoopLag) -> str:
    return (
        f"this process came late to what was due: p99 {took(lag.p99_s)}, at most {took(lag.max_s)};"
        " times of tokens are off by as much. One processor core can't read more:"
        " --processes takes more cores, a lower --concurrency keeps the times right"
    )


def _answers(summary: Summary) -> str:
    most = dict(Counter(summary.answered).most_common(MOST))
    others = sum(summary.answered.values()) - sum(most.values())
    said = counts(most) + (f", {others:,} others" if others else "")
    return said + (f" ({summary.fallbacks:,} by a fallback)" if summary.fallbacks else "")


def _route(route: RouteFigures) -> list[tuple[str, str]]:
    """What happened to a route: subjects, and what there is to say about each."""
    said = []
    if route.concurrency is not None:
        said.append(("in flight", f"{route.concurrency} at the end, {route.highest} at most"))
    learned = [
        f"{rate(limit)} {what}"
        for limit, what in ((route.rpm, "requests"), (route.tpm, "tokens"))
        if limit is not None
    ]
    if learned:
        said.append(("learned", f"{' and '.join(learned)} a minute"))
    if route.pauses:
        times = _count(route.pauses, "pause", "pauses")
        said.append(("pauses", f"{times} that the server asked for, {took(route.paused_s)}"))
    if route.outages:
        times = _count(route.outages, "time", "times")
        said.append(("outages", f"{times} no answer, {took(route.outage_s)}"))
    if route.stopped is not None:
        said.append(("stopped", route.stopped))
    return said


def _older(lines: Tidied) -> list[str]:
    """What became of the lines that the output had before."""
    said = []
    if lines.dropped:
        said.append(f"{_count(lines.dropped, 'older line was', 'older lines were')} superseded")
    if lines.strangers:
        kept = _count(lines.strangers, "result of a row", "results of rows")
        said.append(f"keeps {kept} that this run did not read")
    if lines.unreadable:
        kept = _count(lines.unreadable, "line that is no result", "lines that are no results")
        said.append(f"keeps {kept}")
    return said


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
