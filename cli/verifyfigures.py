"""What was found of an output, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from llmbatch.jobs.verification.findings import Finding, Found
from llmbatch.jobs.verification.verification import Verification

from .terminal import as_json, printable

KINDS = {
    "torn_line": "a torn line",
    "unreadable_line": "lines that are no results",
    "missing_row": "rows without a result",
    "unknown_id": "results that no row of the input asked for",
    "id_twice": "ids that occur twice",
    "fingerprint": "answers to another request than the row makes",
    "manifest": "the manifest does not agree",
}


def to_json(found: Verification) -> str:
    """Everything; documented in docs/plan-and-verify.md."""
    return as_json({"well": found.well, **msgspec.to_builtins(found)})


def as_text(found: Verification, *, require_ok: bool) -> str:
    """One line a problem, with its file and line, and the verdict."""
    lines = list(_lines(found, require_ok))
    return "".join(f"{printable(line)}\n" for line in lines)


def _lines(found: Verification, require_ok: bool) -> Iterator[str]:
    for kind, problems in found.problems.items():
        yield from _problems(KINDS[kind], problems)
    for note in found.notes:
        yield f"note: {note}"
    statuses = ", ".join(f"{number:,} {status}" for status, number in found.rows.items())
    lines, rows = _counted(found.lines, "line"), _counted(found.rows_in, "row")
    yield f"{found.lines_of}: {lines} for {rows}: {statuses or 'no result'}"
    if found.failed:
        verdict = "a problem with --require-ok" if require_ok else "which is a result, too"
        yield f"{_counted(found.failed, 'row')} failed: {verdict}"
    if not found.well:
        total = sum(problems.count for problems in found.problems.values())
        yield f"not well: {_counted(total, 'problem')}"
    elif not (require_ok and found.failed):
        yield f"all is well, by the settings of {found.compared_with}"


def _problems(what: str, problems: Found) -> Iterator[str]:
    yield f"{what}: {problems.count:,}"
    yield from (f"  {_where(one)}{one.message}" for one in problems.first)
    more = problems.count - len(problems.first)
    if more:
        yield f"  and {more:,} more"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _where(one: Finding) -> str:
    line = "" if one.line is None else f":{one.line}"
    name = "" if one.id is None else f"{one.id}: "
    return f"{one.file}{line}: {name}"
