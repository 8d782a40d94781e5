"""The end of a job in words: a block of figures, and a last line that says how it ended."""

from __future__ import annotations

from collections.abc import Mapping

from llmbatch.jobs.summary import Percentiles, Summary

from .progress import duration


def block(summary: Summary) -> list[str]:
    """The figures, one line a subject; those that say nothing are left out."""
    lines = [f"rows       {counts(summary.rows) or 'none ran'}{_earlier(summary)}"]
    if summary.not_run:
        lines.append(f"not run    {summary.not_run} (run the same command again to go on)")
    usage = summary.usage
    if usage.input_tokens or usage.output_tokens:
        lines.append(
            f"tokens     {usage.input_tokens:,} in ({usage.cached_tokens:,} cached),"
            f" {usage.output_tokens:,} out"
        )
    if summary.cost_usd is not None:
        lines.append(f"cost       ${summary.cost_usd:.6f}, as the provider reports it")
    lines.append(
        f"speed      {summary.rows_per_s:,.1f} rows/s,"
        f" {summary.output_tokens_per_s:,.0f} output tokens/s"
    )
    if summary.latency_s.p50 is not None:
        first, whole = percentiles(summary.ttft_s), percentiles(summary.latency_s)
        lines.append(f"latency    first token {first}; whole answer {whole}")
    if summary.retries:
        lines.append(f"retries    {counts(summary.retries)}")
    if summary.failures:
        lines.append(f"failures   {counts(summary.failures)}")
    lines.append(f"time       {_time(summary)}")
    old = summary.output_lines
    if old.dropped:
        lines.append(f"output     {old.dropped:,} older lines were superseded")
    if old.strangers:
        lines.append(f"output     keeps {old.strangers:,} results of rows that the input has not")
    if old.unreadable:
        lines.append(f"output     keeps {old.unreadable:,} lines that are no results")
    return lines


def last_line(summary: Summary, code: int) -> str:
    """How it ended, in one line; the last thing on standard error."""
    ran = counts(summary.rows) or "nothing left to do"
    end = f"stopped early ({summary.stopped.message}): " if summary.stopped else ""
    where = "standard output" if summary.output == "-" else summary.output
    skipped = sum(summary.skipped.values())
    earlier = f" ({skipped} done before)" if skipped else ""
    left = f", {summary.not_run} not run" if summary.not_run else ""
    return (
        f"llmbatch: {end}{ran}{earlier}{left} in {duration(summary.wall_s)}"
        f" -> {where} (exit {code})"
    )


def counts(numbers: Mapping[str, int]) -> str:
    """``18 ok, 2 error``, the largest first."""
    ordered = sorted(numbers.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number:,} {name}" for name, number in ordered)


def percentiles(value: Percentiles) -> str:
    if value.p50 is None or value.p95 is None:
        return "unknown"
    return f"p50 {value.p50:.3g} s, p95 {value.p95:.3g} s"


def _earlier(summary: Summary) -> str:
    return f"; done before: {counts(summary.skipped)}" if summary.skipped else ""


def _time(summary: Summary) -> str:
    time = summary.time
    parts = {
        "for the provider": time.provider,
        "for the limits": time.limit,
        "backing off": time.backoff,
        "for the source": time.source,
    }
    whole = sum(parts.values())
    if not whole:
        return "nothing was waited for"
    shares = [
        f"{value / whole:.0%} {name}" for name, value in parts.items() if value / whole > 0.005
    ]
    return "waiting: " + ", ".join(shares)
