"""The options of `llmbatch analyze`: those of a job that make sense there, and its own."""

from __future__ import annotations

import click

from .costoptions import COSTS, HALT_ON
from .joboptions import ANSWERS, ENDS, FILES, INPUT, OUTPUT, SCHEMA, WHO
from .options import FILE, option, with_options
from .paceoptions import LIMITS
from .telemetryoptions import TELLING

CHUNKS, FOLD = "Chunks", "Report"

analysis_options = with_options(
    click.argument(
        "documents",
        nargs=-1,
        type=FILE,
        metavar="[DOCUMENTS]...",
        help="Files, folders or globs: text, Markdown, HTML, DOCX, PDF, source code, logs, also "
        ".gz and .zst; - is standard input.",
    ),
    option(
        INPUT,
        "--task",
        metavar="TEXT|@FILE",
        help="What to find out (default: the main points, with names, figures and dates).",
    ),
    option(
        INPUT,
        "--system",
        metavar="TEXT|@FILE",
        help="System message of every request (default: one for chunks, one for folds).",
    ),
    option(
        INPUT,
        "--map-prompt",
        type=FILE,
        help="Text file: the prompt for each chunk, with {{text}} where the chunk goes (default: "
        "built in).",
    ),
    option(
        INPUT,
        "--encoding",
        metavar="NAME",
        help="Encoding of the text files, such as cp1252 (default: found out, and said where it "
        "is guessed).",
    ),
    option(
        CHUNKS,
        "--chunk-tokens",
        metavar="N",
        help="Most tokens of a chunk, its overlap included (default: fitted to the model).",
    ),
    option(
        CHUNKS,
        "--overlap",
        metavar="N",
        help="Tokens before a chunk that are sent with it again (default: fitted to the chunk).",
    ),
    option(
        CHUNKS,
        "--context",
        type=click.Choice(["none", "previous"]),
        help="What of its neighbours a chunk is shown with: nothing, or the text before it "
        "(default: none).",
    ),
    option(
        CHUNKS,
        "--model-context",
        metavar="N",
        help="How many tokens the model can read and write together (default: what is known of "
        "the model).",
    ),
    option(
        FOLD,
        "--fold",
        type=click.Choice(["summary", "concat", "none"]),
        help="Make one report of the chunks' answers, put them one after the other, or stop "
        "before that (default: summary).",
    ),
    option(
        FOLD,
        "--fold-prompt",
        type=FILE,
        help="Text file: the prompt for a fold, with {{parts}} where the partial reports go "
        "(default: built in).",
    ),
    option(
        FOLD,
        "--quotes/--no-quotes",
        help="Have the model quote the documents, and check every quote (default: --no-quotes).",
    ),
    SCHEMA,
    *WHO,
    *ANSWERS,
    *COSTS,
    HALT_ON,
    *LIMITS,
    option(
        OUTPUT,
        "-o",
        "--output",
        "report",
        type=FILE,
        help="Where the report goes, whole or not at all; - is standard output (default: -).",
    ),
    option(
        OUTPUT,
        "--report-format",
        type=click.Choice(["markdown", "jsonl", "csv"]),
        help="Shape of the report (default: markdown; with --schema jsonl, or csv where the "
        "output's name says so).",
    ),
    option(
        OUTPUT,
        "--results",
        type=FILE,
        help="Where the results of chunks and folds go, from which the same command goes on "
        "(default: DOCUMENT.analysis.jsonl beside it).",
    ),
    *ENDS,
    *TELLING,
    *FILES,
)
"""Every option of `llmbatch analyze`."""
