"""The parts of a report that count: rows, tokens, models, causes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from llmbatch.jobs.model import GOOD
from llmbatch.jobs.reporting.figures import Report

from ..causes import in_words
from ..figures import money, rate
from ..summary import took
from .markup import data, legend, rect, said, svg, table
from .text import rows as rows_of

KINDS: Mapping[str, str] = {
    "ok": "good", "truncated": "cutoff", "refused": "four", "filtered": "three", "partial": "wait",
    "invalid": "limit", "invalid_output": "first", "error": "bad",
}  # fmt: skip
"""The colour of each status."""

MOST = 100
"""Models and causes that are listed."""


def tiles(report: Report) -> str:
    """The numbers that are looked for first."""
    items = "".join(
        f'<div class="tile"><dt>{name}</dt>'
        f"<dd{_long(value)}>{value}<small>{more}</small></dd></div>"
        for name, value, more in _tiles(report)
    )
    return f'<dl class="tiles">{items}</dl>'


def _long(value: str) -> str:
    """What would not fit its tile is written smaller."""
    return ' class="long"' if len(value) > 8 else ""


def _tiles(report: Report) -> Iterator[tuple[str, str, str]]:
    figures = report.figures
    left = f"{figures.not_run:,} not run" if figures.not_run else ""
    yield "rows", f"{report.lines:,}", left
    share = f"{figures.failed / report.lines:.2%}" if report.lines else ""
    yield "failed", f"{figures.failed:,}", share
    unknown = sum(model.without_cost for model in report.models)
    if figures.cost_usd is not None:
        yield "cost", money(figures.cost_usd), f"unknown for {rows_of(unknown)}" if unknown else ""
    elif unknown:
        yield "cost", "unknown", f"no price for {rows_of(unknown)}"
    usage = figures.usage
    if usage.input_tokens or usage.output_tokens:
        yield "tokens out", f"{usage.output_tokens:,}", f"{usage.input_tokens:,} in"
    if figures.wall_s is not None and figures.rows_per_s is not None:
        how = "" if figures.timed_by == "manifest" else "from first to last request"
        yield "time", took(figures.wall_s), how
        tokens = figures.output_tokens_per_s
        also = f"{rate(tokens)} tokens/s" if tokens else ""
        yield "speed", f"{rate(figures.rows_per_s)}/s", also
    if figures.ttft_s.p50 is not None:
        yield "first token", took(figures.ttft_s.p50), f"p95 {took(figures.ttft_s.p95 or 0)}"
    if figures.latency_s.p50 is not None:
        yield "latency", took(figures.latency_s.p50), f"p95 {took(figures.latency_s.p95 or 0)}"


def ends(report: Report) -> str:
    """How rows ended, as one bar."""
    rows = sorted(report.figures.rows.items(), key=lambda item: -item[1])
    return _bar(
        "How rows ended", [(KINDS.get(status, "wait"), status, number) for status, number in rows]
    )


def tokens(report: Report) -> str:
    """What went in and came out."""
    usage = report.figures.usage
    if not (usage.input_tokens or usage.output_tokens):
        return ""
    parts = [
        ("queue", "input, cached", usage.cached_tokens),
        ("one", "input", max(0, usage.input_tokens - usage.cached_tokens)),
        ("four", "output, reasoning", usage.reasoning_tokens),
        ("two", "output", max(0, usage.output_tokens - usage.reasoning_tokens)),
    ]
    return _bar("Tokens", [part for part in parts if part[2]])


def _bar(title: str, parts: Sequence[tuple[str, str, int]]) -> str:
    total = sum(number for _, _, number in parts)
    if not total:
        return ""
    drawn, begin = [], 0.0
    for kind, name, number in parts:
        share = number / total
        drawn.append(rect(kind, begin, 0, max(0.0, share - 0.001), 18, f"{name}: {number:,}"))
        begin += share
    words = ", ".join(f"{name} {number:,}" for _, name, number in parts)
    shown = [
        (kind, f"{said(name)} <b>{number:,}</b> <i>{number / total:.1%}</i>")
        for kind, name, number in parts
    ]
    return f"<figure>{svg(title, words, 18, drawn)}{legend(shown)}</figure>"


def models(report: Report) -> str:
    """What each model was asked and cost."""
    if not report.models:
        return ""
    most = max((each.cost_usd or 0.0 for each in report.models), default=0.0)
    heads = ("model", "#rows", "#failed", "#tokens in", "#cached", "#tokens out", "#cost", "share")
    total = sum(each.cost_usd or 0.0 for each in report.models)
    rows = []
    for each in report.models[:MOST]:
        cost = each.cost_usd
        unknown = f" <small>+ {each.without_cost:,} unknown</small>" if each.without_cost else ""
        shown = "unknown" if cost is None else f"{money(cost)}{unknown}"
        share = f"{(cost or 0.0) / total:.1%}" if total else ""
        bar = [rect("one", 0, 3, 0.7 * (cost or 0.0) / most, 12)] if most else []
        picture = svg(f"Share of the cost: {share}", "", 18, bar) if share else ""
        usage = each.usage
        numbers = (each.rows, each.failed, usage.input_tokens, usage.cached_tokens)
        cells = (f"{number:,}" for number in (*numbers, usage.output_tokens))
        rows.append((said(each.label), *cells, shown, f'<span class="bar">{picture}{share}</span>'))
    return table(heads, rows) + _more(len(report.models) - MOST, "models")


def causes(report: Report) -> str:
    """Why rows failed, and why attempts were made again."""
    if not report.causes:
        return ""
    most = max(each.failed + each.retried for each in report.causes)
    heads = ("cause", "#rows failed", "#tried again", "", "HTTP", "first of them")
    rows = []
    for each in report.causes[:MOST]:
        words = in_words(each.cause)
        name = said(each.cause) if words == each.cause else f"{said(each.cause)}<br>"
        meaning = "" if words == each.cause else f'<span class="about">{said(words)}</span>'
        bars = [
            rect("bad", 0, 3, each.failed / most, 12, f"{each.failed:,} rows failed"),
            rect(
                "again",
                each.failed / most,
                3,
                each.retried / most,
                12,
                f"{each.retried:,} tried again",
            ),
        ]
        http = ", ".join(f"{said(status)} ({number:,})" for status, number in each.http.items())
        first = (
            ""
            if each.first_line is None
            else f"{said(each.first_id or '')}, line {each.first_line:,}"
        )
        picture = svg(f"{each.failed:,} failed, {each.retried:,} again", "", 18, bars)
        numbers = (f"{each.failed:,}", f"{each.retried:,}")
        rows.append((name + meaning, *numbers, f'<span class="bar">{picture}</span>', http, first))
    colours = legend((("bad", "rows that failed"), ("again", "attempts that were made again")))
    return table(heads, rows) + colours + _more(len(report.causes) - MOST, "causes")


def _more(number: int, what: str) -> str:
    return f'<p class="about">and {number:,} more {what}</p>' if number > 0 else ""


def facts(report: Report) -> str:
    """Where it is all from."""
    history, figures = report.history, report.figures
    rows = [("file", said(report.file)), ("bytes read", f"{report.bytes:,}")]
    rows.append(("format", ", ".join(report.formats) or "no lines"))
    rows.append(("rows with an answer", f"{sum(figures.answered.values()):,}"))
    rows.append(
        ("without a good end", ", ".join(s for s in figures.rows if s not in GOOD) or "none")
    )
    rows.append(("attempts", f"{figures.attempts:,}"))
    if figures.fallbacks:
        rows.append(("answered by a fallback", f"{figures.fallbacks:,}"))
    if figures.reused:
        told = ", ".join(f"{number:,} {said(how)}" for how, number in figures.reused.items())
        rows.append(("reused answers", told))
    if figures.folds:
        rows.append(("folds of an analysis", f"{figures.folds:,}"))
    if figures.undated:
        rows.append(("rows without a time", f"{figures.undated:,}"))
    if history is not None:
        rows += [("job", f"{said(history.job)}, {said(history.state)}, {history.runs:,} runs")]
        rows += [("began", said(history.started_at)), ("ended", said(history.ended_at or ""))]
        if history.spent_usd is not None:
            rows.append(("spent by all runs", money(history.spent_usd)))
        rows.append(("tokens of all runs", f"{history.spent_tokens:,}"))
    return data("About the file", table(("", ""), rows, small=True))
