"""``llmbatch report``: what a results file came to; of several, how they differ."""

from __future__ import annotations

import gc

import click

from .options import FILE, JobCommand, option, with_options
from .terminal import put

FORMATS = ("text", "json", "html")


@click.command(cls=JobCommand)
@with_options(
    click.argument("paths", nargs=-1, required=True, type=FILE, metavar="RESULTS..."),
    option(
        "Output",
        "-o",
        "--output",
        type=FILE,
        default="-",
        help="Write the report here; a name that ends in .html or .json says what it becomes "
        "(default: standard output).",
    ),
    option("Output", "--format", "form", type=click.Choice(FORMATS), help="text, json or html."),
    option(
        "Output",
        "--slowest",
        type=click.IntRange(0, 1000),
        default=10,
        show_default=True,
        metavar="N",
        help="Show the N slowest rows, attempt by attempt.",
    ),
)
def report(paths: tuple[str, ...], output: str, form: str | None, slowest: int) -> None:
    """Show what RESULTS, the output of `llmbatch run` or `analyze`, came to.

    Rows, tokens and cost by model, throughput and requests in flight over time, the distributions
    of times, retries and failures by cause, the slowest rows. Of several files, how the others
    differ from the first. Prompts, answers and error messages stay out of it. Nothing is sent.
    """
    from llmbatch.jobs.reporting.reading import check_paths, read_reports

    from .reportview.rendering import check_output, format_of, rendered, write

    form = format_of(output, form)
    check_paths(paths)
    check_output(output)
    gc.disable()  # rows come and go by the million, and there are no cycles among them
    pieces = rendered(read_reports(paths, slowest=slowest), form)
    if output == "-":
        put(pieces)
    else:
        write(output, pieces)
