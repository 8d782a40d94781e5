"""A report on the terminal: one line a figure, at most 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from llmbatch.jobs.histogram import Percentiles
from llmbatch.jobs.reporting.comparison import Reports
from llmbatch.jobs.reporting.figures import Report

from ..causes import in_words
from ..figures import money, rate
from ..summary import counts, took
from ..terminal import printable

WIDTH = 80
NAME = 12
MODELS = 10
CAUSES = 10


def as_text(found: Reports) -> str:
    """Of one file everything, of several the comparison."""
    if found.comparison is not None:
        from .compared import compared

        return "".join(f"{line}\n" for line in compared(found.reports, found.comparison))
    return "".join(f"{line}\n" for line in _lines(found.reports[0]))


def row(name: str, text: str) -> Iterator[str]:
    """A line of the table, and more where it is long."""
    yield from textwrap.wrap(
        printable(text),
        WIDTH,
        initial_indent=f"{name:<{NAME}}",
        subsequent_indent=" " * NAME,
        break_on_hyphens=False,
    ) or [name]


def notes(report: Report) -> Iterator[str]:
    """What there is to know before the figures are read."""
    yield from report.notes
    bad = report.unreadable
    if bad.count:
        one = bad.first[0]
        many = f"{bad.count:,} lines are no results" if bad.count > 1 else "1 line is no result"
        yield f"{many}; line {one.line}: {one.reason}"
    if report.figures.undated and "jsonl" in report.formats:
        yield f"no times are known of {rows(report.figures.undated)}: never sent, or not said"


def rows(number: int) -> str:
    """``1 row``, ``1,200 rows``."""
    return "1 row" if number == 1 else f"{number:,} rows"


def percentiles(value: Percentiles) -> str:
    """``p50 410 ms, p95 1.08 s, p99 1.64 s``."""
    named = (("p50", value.p50), ("p95", value.p95), ("p99", value.p99))
    return ", ".join(f"{name} {took(number)}" for name, number in named if number is not None)


def _lines(report: Report) -> Iterator[str]:
    figures = report.figures
    yield from row("file", report.file)
    for note in notes(report):
        yield from row("note", note)
    yield from row("rows", counts(figures.rows) or "none")
    if figures.not_run:
        yield from row("not run", f"{figures.not_run:,}")
    if figures.folds:
        yield from row("folds", f"{figures.folds:,} of the rows")
    usage = figures.usage
    if usage.input_tokens or usage.output_tokens:
        cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
        thought = f" ({usage.reasoning_tokens:,} reasoning)" if usage.reasoning_tokens else ""
        text = f"{usage.input_tokens:,} in{cached}, {usage.output_tokens:,} out{thought}"
        yield from row("tokens", text)
    yield from _cost(report)
    yield from _speed(report)
    for name, value in _times(report).items():
        if value.p50 is not None:
            yield from row(name, percentiles(value))
    if figures.attempts:
        again = f"; again after {counts(figures.retries)}" if figures.retries else ""
        yield from row("attempts", f"{figures.attempts:,}{again}")
    if figures.fallbacks:
        yield from row("fallbacks", f"{figures.fallbacks:,} rows")
    if figures.reused:
        yield from row("reused", counts(figures.reused))
    yield from _bound(report)
    yield from _models(report)
    yield from _causes(report)
    yield from _slowest(report)


def _times(report: Report) -> Mapping[str, Percentiles]:
    figures = report.figures
    return {"first token": figures.ttft_s, "between": figures.itl_s, "latency": figures.latency_s}


def _cost(report: Report) -> Iterator[str]:
    cost = report.figures.cost_usd
    if cost is not None:
        spent = None if report.history is None else report.history.spent_usd
        gone = spent is not None and spent > cost + 1e-9
        also = f"; {money(spent or 0)} with the attempts whose lines are gone" if gone else ""
        yield from row("cost", money(cost) + also)
    if unknown := sum(model.without_cost for model in report.models):
        yield from row("cost", f"unknown for {rows(unknown)}")


def _speed(report: Report) -> Iterator[str]:
    figures = report.figures
    if figures.wall_s is None or figures.rows_per_s is None:
        return
    tokens = figures.output_tokens_per_s
    also = f", {rate(tokens)} output tokens/s" if tokens else ""
    yield from row("speed", f"{rate(figures.rows_per_s)} rows/s{also} in {took(figures.wall_s)}")


def _bound(report: Report) -> Iterator[str]:
    time = report.row_time
    if not time.total_s:
        return
    parts = {
        "first token": time.first_token_s,
        "answer": time.answer_s,
        "limits": time.limiter_s,
        "failed attempts": time.failed_s,
        "back-off": time.waiting_s,
    }
    shares = [f"{part / time.total_s:.0%} {name}" for name, part in parts.items() if part > 0]
    yield from row("time went", ", ".join(shares))
    why = (report.last_run or {}).get("bound")
    if isinstance(why, Mapping) and why.get("by") and isinstance(why.get("why"), str):
        yield from row("bound by", f"the {why['by']}: {why['why']}")


def _models(report: Report) -> Iterator[str]:
    if not report.models:
        return
    yield ""
    yield f"{'rows':>10} {'failed':>8} {'tokens in':>13} {'out':>13} {'cost':>12}  model"
    for each in report.models[:MODELS]:
        cost = "?" if each.cost_usd is None else money(each.cost_usd)
        usage = each.usage
        yield (
            f"{each.rows:>10,} {each.failed:>8,} {usage.input_tokens:>13,} "
            f"{usage.output_tokens:>13,} {cost:>12}  {printable(each.label)}"
        )
    yield from _more(len(report.models) - MODELS, "models")


def _causes(report: Report) -> Iterator[str]:
    if not report.causes:
        return
    yield ""
    yield f"{'failed':>10} {'again':>8}  cause"
    for each in report.causes[:CAUSES]:
        words = in_words(each.cause)
        said = printable(each.cause if words == each.cause else f"{each.cause}: {words}")
        http = ", ".join(f"HTTP {status} {number:,}x" for status, number in each.http.items())
        first = "" if each.first_line is None else f"; first on line {each.first_line:,}"
        yield from textwrap.wrap(
            f"{said}{f' ({printable(http)})' if http else ''}{first}",
            WIDTH,
            initial_indent=f"{each.failed:>10,} {each.retried:>8,}  ",
            subsequent_indent=" " * 21,
            break_on_hyphens=False,
        )
    yield from _more(len(report.causes) - CAUSES, "causes")


def _slowest(report: Report) -> Iterator[str]:
    if not report.slowest:
        return
    yield ""
    yield f"{'latency':>10} {'queue':>8} {'first':>8} {'attempts':>9} {'line':>9}  slowest rows"
    for each in report.slowest:
        first = "" if each.ttft_s is None else took(each.ttft_s)
        end = each.status if each.error is None else each.error
        yield (
            f"{took(each.latency_s):>10} {took(each.queue_s):>8} {first:>8} {each.attempts:>9} "
            f"{each.line:>9,}  {printable(each.id)} ({printable(end)})"
        )


def _more(number: int, what: str) -> Iterator[str]:
    if number > 0:
        yield f"           and {number:,} more {what}"
