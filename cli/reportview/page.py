"""The report as one page of HTML that needs nothing else: no script, no font, no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from llmbatch.jobs.reporting.comparison import Reports
from llmbatch.jobs.reporting.figures import Report

from .distributions import distribution
from .markup import plain, said, section
from .sections import causes, ends, facts, models, tiles, tokens
from .text import notes
from .timecharts import charts
from .waterfalls import bounded, slow_rows


def page(found: Reports) -> str:
    """The whole page. Its policy allows its own style sheet and nothing else at all."""
    style = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    names = [Path(report.file).name or report.file for report in found.reports]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{plain(', '.join(names))} - llmbatch report</title>\n"
        f"<style>{style}</style>\n</head>\n<body>\n<main>\n"
        f"{''.join(_body(found))}\n</main>\n"
        f"<footer>llmbatch {plain(version('llmbatch'))}. Prompts, answers and error messages are "
        "left out.</footer>\n</body>\n</html>\n"
    )


def _body(found: Reports) -> Iterator[str]:
    if found.comparison is not None:
        from .comparedpage import compared

        yield from compared(found.reports, found.comparison)
        return
    (report,) = found.reports
    yield f"<header><h1>{said(report.file)}</h1>{when(report)}</header>"
    yield from whole(report)


def when(report: Report) -> str:
    """When it happened, in a line."""
    pieces = report.timeline.pieces
    if not pieces:
        return ""
    again = "".join(f"; again {said(piece.at)}" for piece in pieces[1:4])
    return f'<p class="about">began {said(pieces[0].at)}{again}</p>'


def whole(report: Report) -> Iterator[str]:
    """Everything about one file."""
    said_first = "".join(f"<li>{said(note)}</li>" for note in notes(report))
    if said_first:
        yield f'<ul class="notes">{said_first}</ul>'
    yield tiles(report)
    if not report.lines:
        yield section("Nothing yet", "<p>There is no result in this file.</p>")
        return
    yield '<div class="two">'
    yield section("How rows ended", ends(report))
    if used := tokens(report):
        yield section("Tokens", used)
    yield "</div>"
    if over_time := "".join(charts(report.timeline)):
        about = (
            "Times in which nothing happened are cut out."
            if len(report.timeline.pieces) > 1
            else ""
        )
        yield section("Over time", over_time, about=about, kind="time")
    if measured := "".join(_distributions(report)):
        yield section("How long it took", measured, kind="three")
    if where := bounded(report):
        yield section(
            "What bounded the run",
            where,
            about="Time of all rows added up; they run side by side.",
        )
    if priced := models(report):
        yield section("Cost by model", priced)
    if why := causes(report):
        yield section("Retries and failures", why)
    if slow := slow_rows(report.slowest):
        yield section("The slowest rows", slow, about="Each from reading it to its last byte.")
    yield facts(report)


def _distributions(report: Report) -> Iterator[str]:
    figures, histograms = report.figures, report.histograms
    yield distribution("Time to first token", histograms["ttft_s"], figures.ttft_s, "one")
    yield distribution("Between tokens", histograms["itl_s"], figures.itl_s, "three")
    yield distribution("Latency", histograms["latency_s"], figures.latency_s, "two")
