"""Several files on one page: what differs first, then each of them whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmbatch.jobs.reporting.comparison import Comparison, Difference
from llmbatch.jobs.reporting.figures import Report
from llmbatch.jobs.reporting.matching import Match

from .compared import change, letter, shown
from .distributions import overlaid
from .markup import legend, said, section, table

ARROWS = {"better": "better", "worse": "worse", None: "same"}


def compared(reports: Sequence[Report], found: Comparison) -> Iterator[str]:
    """The page's body."""
    from .page import when, whole

    names = [letter(place) for place in range(len(reports))]
    listed = "".join(
        f"<li><b>{name}</b> {said(report.file)}</li>"
        for name, report in zip(names, reports, strict=True)
    )
    yield f'<header><h1>Comparison</h1><ul class="files">{listed}</ul></header>'
    yield section("Figures", _figures(names, found.differences), about=f"Changes from {names[0]}.")
    if drawn := "".join(_distributions(names, reports)):
        colours = legend((f"file{place}", name) for place, name in enumerate(names))
        yield section(
            "How long it took", colours, drawn, about="Each file by the share of its own rows.",
            kind="three",
        )  # fmt: skip
    for name, match in zip(names[1:], found.matches, strict=True):
        yield section(f"Rows of {names[0]} and {name}", _matched(match, names[0], name))
    for name, report in zip(names, reports, strict=True):
        yield (
            f'<details class="file"><summary><b>{name}</b> {said(report.file)}</summary>'
            f"{when(report)}{''.join(whole(report))}</details>"
        )


def _figures(names: Sequence[str], differences: Sequence[Difference]) -> str:
    heads = ["", f"#{names[0]}"]
    for name in names[1:]:
        heads += [f"#{name}", "change"]
    return table(heads, (_cells(each) for each in differences))


def _cells(each: Difference) -> list[str]:
    first, *others = each.values
    cells = [each.figure, shown(first, each.unit)]
    for value, how in zip(others, each.changes, strict=True):
        cells.append(shown(value, each.unit))
        kind = ARROWS[how.direction] if how is not None else "same"
        cells.append(f'<span class="change {kind}">{change(how)}</span>')
    return cells


def _distributions(names: Sequence[str], reports: Sequence[Report]) -> Iterator[str]:
    titles = {"ttft_s": "Time to first token", "itl_s": "Between tokens", "latency_s": "Latency"}
    for measured, title in titles.items():
        yield overlaid(
            title,
            [
                (name, report.histograms[measured], getattr(report.figures, measured))
                for name, report in zip(names, reports, strict=True)
            ],
        )


def _matched(match: Match, first: str, other: str) -> str:
    rows = [
        ("in both", f"{match.both:,}"),
        (f"only in {first}", f"{match.only_first:,}"),
        (f"only in {other}", f"{match.only_other:,}"),
        (f"ended well only in {other}", f"{match.mended:,}"),
        (f"ended well only in {first}", f"{match.broken:,}"),
        *((said(how), f"{number:,}") for how, number in match.changed.items()),
    ]
    return table(("", "#rows"), rows, small=True)
