"""A plan as a person wants to read it, and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping

from llmbatch.jobs.planning.plan import Changed, Chunks, Plan, Rows

from .figures import duration, money
from .terminal import as_json, printable

WIDTH = 80
NAME = 14
NUMBER = 14

Row = tuple[str, str, str]
"""What it is, how much, and what there is to say about it."""

WHY = {
    "model": "the model",
    "server": "the server",
    "system": "the system prompt",
    "template": "the template",
    "endpoint": "the endpoint",
    "parameters": "the parameters",
    "schema": "the schema",
    "row": "the row itself",
    "unknown": "not known: the output has no manifest to compare with",
    "version": "another version of llmbatch",
}


def to_json(plan: Plan) -> str:
    """The whole plan; documented in docs/plan-and-verify.md."""
    return as_json(plan)


def as_text(plan: Plan) -> str:
    """An aligned table of at most 80 columns."""
    lines = [f"{printable(_files(plan))} -> {printable(plan.output)}, {printable(plan.model)}", ""]
    for name, number, about in _rows(plan):
        begin = f"{name:{NAME}}{number:>{NUMBER}}  "
        lines += textwrap.wrap(
            printable(about),
            WIDTH,
            initial_indent=begin,
            subsequent_indent=" " * len(begin),
            break_on_hyphens=False,
        ) or [begin.rstrip()]
    return "\n".join(lines) + "\n"


def _files(plan: Plan) -> str:
    shown = ", ".join("standard input" if path == "-" else path for path in plan.inputs[:3])
    more = len(plan.inputs) - 3
    return f"{shown} and {more:,} more" if more > 0 else shown


def _rows(plan: Plan) -> Iterator[Row]:
    if plan.running is not None:
        yield "running", "", f"process {plan.running} is at this output now"
    if plan.rows is not None:
        yield from _of_rows(plan.rows)
    if plan.chunks is not None:
        yield from _of_chunks(plan.chunks)
    yield from _of_tokens(plan)
    yield from _of_cost(plan)
    yield from _of_time(plan)
    for note in plan.notes:
        yield "note", "", note


def _of_rows(rows: Rows) -> Iterator[Row]:
    yield "rows", f"{rows.total:,}", ""
    if rows.new:
        yield "  new", f"{rows.new:,}", ""
    for changed in rows.changed:
        yield "  changed", f"{changed.rows:,}", _why(changed)
    if rows.again:
        yield "  run again", f"{sum(rows.again.values()):,}", _counts(rows.again)
    if rows.done:
        yield "  done", f"{sum(rows.done.values()):,}", _counts(rows.done)
    if rows.invalid:
        more = rows.invalid - len(rows.first_invalid)
        listed = "; ".join(rows.first_invalid) + (f"; and {more:,} more" if more else "")
        yield "  invalid", f"{rows.invalid:,}", listed
    if rows.duplicates:
        yield "duplicates", f"{rows.duplicates:,}", "ask what another row asks: not sent"
    yield _requests(rows.requests)
    if rows.kept:
        yield "kept", f"{rows.kept:,}", "results whose rows are not in the input any more"


def _requests(number: int) -> Row:
    return "requests", f"{number:,}", "would be sent" if number else "nothing to send"


def _why(changed: Changed) -> str:
    words = [WHY[name] for name in changed.why]
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {status}" for status, number in counts.items())


def _of_chunks(chunks: Chunks) -> Iterator[Row]:
    about = f"of {chunks.documents:,} documents" if chunks.documents > 1 else ""
    yield "chunks", f"{chunks.total:,}", about
    if chunks.done:
        yield "  done", f"{chunks.done:,}", ""
    if chunks.blank:
        yield "  blank", f"{chunks.blank:,}", "hold white space alone: not sent"
    if chunks.folds:
        levels = f"on {chunks.fold_levels} levels" if chunks.fold_levels > 1 else ""
        done = f"{chunks.folds_done:,} of them done" if chunks.folds_done else ""
        yield "folds", f"{chunks.folds:,}", ", ".join(["about", *filter(None, (levels, done))])
    yield _requests(chunks.requests)
    if chunks.skipped:
        yield "skipped", f"{len(chunks.skipped):,}", f"files; the first is {_first(chunks.skipped)}"


def _first(skipped: Mapping[str, str]) -> str:
    path, reason = next(iter(skipped.items()))
    return f"{path} ({reason})"


def _of_tokens(plan: Plan) -> Iterator[Row]:
    tokens = plan.tokens
    if not (tokens.input or tokens.output):
        return
    about = "" if tokens.input_exact else "about; "
    yield "tokens in", f"{tokens.input:,}", f"{about}{tokens.input_basis}"
    yield "tokens out", f"{tokens.output:,}", f"expected, by {tokens.output_basis}"
    if tokens.output_worst is None:
        yield "  at worst", "?", "how long an answer can get is not known: set --max-tokens"
    else:
        yield "  at worst", f"{tokens.output_worst:,}", "every answer as long as it may be"


def _of_cost(plan: Plan) -> Iterator[Row]:
    cost, budget = plan.cost, plan.budget
    if plan.tokens.input or plan.tokens.output:
        sources = "; ".join(f"{name}: {source}" for name, source in cost.prices.items())
        if cost.expected_usd is None:
            yield "cost", "?", "; ".join(cost.unpriced)
        else:
            yield "cost", money(cost.expected_usd), f"expected ({sources})"
            worst = cost.worst_usd
            why = "" if worst is not None else "not known, as the longest answer is not"
            yield "  at worst", "?" if worst is None else money(worst), why
    if budget is None:
        return
    caps = []
    if budget.max_cost is not None:
        caps.append(f"{money(budget.spent_usd or 0.0)} of {money(budget.max_cost)}")
    if budget.max_tokens_total is not None:
        caps.append(f"{budget.spent_tokens:,} of {budget.max_tokens_total:,} tokens")
    spent = f"{' and '.join(caps)} spent"
    if budget.left_undone:
        yield "budget", f"{budget.left_undone:,}", f"requests would be left undone; {spent}"
    else:
        yield "budget", "enough", spent


def _of_time(plan: Plan) -> Iterator[Row]:
    time = plan.time
    if time.expected_s is None:
        return
    limits = {
        "the limit of requests a minute": time.rpm_s,
        "the limit of tokens a minute": time.tpm_s,
        f"what answers took so far, {time.concurrency} at once": time.latency_s,
    }
    why = next(name for name, seconds in limits.items() if seconds == time.expected_s)
    yield "time", duration(time.expected_s), f"by {why}"
