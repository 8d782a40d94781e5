"""Where time went: of all rows together, and of each of the slowest ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from llmbatch.jobs.reporting.figures import Report, RowTime
from llmbatch.jobs.reporting.slowest import Slow

from ..figures import money
from ..summary import took
from .markup import legend, rect, rule, said, svg, table, text

ROW = 40
LONGEST = 1e12
"""Seconds; a manifest that says more was not written by a run."""

PARTS: Mapping[str, tuple[str, str]] = {
    "limiter_s": ("limit", "held by limits"),
    "waiting_s": ("wait", "back-off and other waiting"),
    "failed_s": ("bad", "attempts that failed"),
    "first_token_s": ("first", "waiting for the first token"),
    "answer_s": ("answer", "the rest of the answer"),
}
"""Of :class:`RowTime`, in the order in which a row goes through them."""

SEGMENTS = (
    ("queue", "read, not sent yet"),
    ("bad", "a failed attempt"),
    ("wait", "between attempts"),
    ("first", "until the first token"),
    ("answer", "the rest of the answer"),
)


def bounded(report: Report) -> str:
    """What bounded the run: a cascade of where the rows' time went, and the run's own verdict."""
    time = report.row_time
    if not time.total_s:
        return ""
    return f"{_verdict(report)}<figure>{_cascade(time)}</figure>{_counted(report)}"


def _verdict(report: Report) -> str:
    bound = (report.last_run or {}).get("bound")
    if not isinstance(bound, Mapping) or not isinstance(bound.get("why"), str):
        return ""
    by = bound.get("by")
    head = f"Bound by the {said(str(by))}" if by else "What bounded it can't be said"
    return f'<p class="verdict"><strong>{head}:</strong> {said(bound["why"])}.</p>'


def _cascade(time: RowTime) -> str:
    body, begin = [], 0.0
    for place, (name, (kind, words)) in enumerate(PARTS.items()):
        seconds: float = getattr(time, name)
        share, y = seconds / time.total_s, ROW * place
        body.append(text(0, y + 13, words, "", "start"))
        body.append(text(1, y + 13, f"{took(seconds)}, {share:.1%}", "soft", "end"))
        body.append(rect("track", 0, y + 19, 1, 12))
        shown = min(1.0 - min(begin, 1.0), max(share, 0.002)) if seconds else 0.0
        body.append(rect(kind, begin, y + 19, shown, 12, f"{words}: {took(seconds)}"))
        begin += share
    desc = ", ".join(
        f"{words} {getattr(time, name) / time.total_s:.1%}" for name, (_, words) in PARTS.items()
    )
    return svg("Where the rows' time went", desc, ROW * len(PARTS), body)


def _counted(report: Report) -> str:
    """The summary's own account of the last run, which also knows of the source."""
    time = (report.last_run or {}).get("time")
    if not isinstance(time, Mapping):
        return ""
    names = {
        "provider": "with the provider", "limit": "held by limits", "backoff": "backing off",
        "source": "room for a row, and none ready",
    }  # fmt: skip
    shown = [
        (words, took(float(time[name])))
        for name, words in names.items()
        if isinstance(time.get(name), int | float) and 0 <= time[name] < LONGEST
    ]
    return table(("as the last run counted it", "#row time"), shown, small=True) if shown else ""


def slow_rows(slowest: Sequence[Slow]) -> str:
    """A line a row, all on one scale."""
    if not slowest:
        return ""
    most = max(each.queue_s + each.latency_s for each in slowest) or 1.0
    rows = [
        (
            f'{said(each.id)}<br><span class="about">line {each.line:,}, {said(each.model)}</span>',
            took(each.latency_s),
            _line(each, most),
            f"{each.attempts:,}",
            said(each.status if each.error is None else each.error),
            "" if each.output_tokens is None else f"{each.output_tokens:,}",
            "" if each.cost_usd is None else money(each.cost_usd),
        )
        for each in slowest
    ]
    scale = f"0 to {took(most)} after it was read"
    heads = ("row", "#latency", scale, "#attempts", "ended", "#tokens out", "#cost")
    return table(heads, rows) + legend(SEGMENTS)


def _line(each: Slow, most: float) -> str:
    words, body = [], []
    for kind, begin, seconds, name in _segments(each):
        words.append(f"{name} {took(seconds)}")
        body.append(rect(kind, begin / most, 6, max(seconds / most, 0.003), 14, words[-1]))
    body.append(rule("tick", each.queue_s / most, 2, 24))
    return svg("Where its time went", ", ".join(words), 26, body)


def _segments(each: Slow) -> Iterator[tuple[str, float, float, str]]:
    """(class, begin, seconds, words), counted from reading the row."""
    sent, reached = each.queue_s, 0.0
    if sent:
        yield "queue", 0.0, sent, "queue"
    if not each.tries:
        yield "answer", sent, each.latency_s, f"{each.attempts} attempts"
        return
    for place, one in enumerate(each.tries, 1):
        if one.at_s > reached + 1e-4:
            yield "wait", sent + reached, one.at_s - reached, "waiting"
        begin, reached = sent + one.at_s, one.at_s + one.took_s
        if one.error is not None:
            yield "bad", begin, one.took_s, f"attempt {place} ({one.error})"
            continue
        first = min(each.ttft_s or 0.0, one.took_s)
        if first:
            yield "first", begin, first, "first token"
        yield "answer", begin + first, one.took_s - first, "answer"
    if each.more_tries:
        yield "bad", sent + reached, each.latency_s - reached, f"{each.more_tries} more attempts"
