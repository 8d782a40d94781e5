"""The options of a job: those that `run` and `analyze` share, and the ones of `run` alone."""

from __future__ import annotations

import click

from .costoptions import CANARY, COSTS, DEDUPE, HALT_ON
from .options import FILE, Pair, option, with_options
from .paceoptions import LIMITS, PROCESSES
from .telemetryoptions import TELLING

INPUT, MODEL, OUTPUT = "Input", "Model", "Output"
CONFIGURATION = "Configuration"

ROWS = (
    option(
        INPUT,
        "--template",
        metavar="TEXT|@FILE",
        help="Prompt for rows of any shape; {{field}} is replaced by the row's field.",
    ),
    option(
        INPUT,
        "--system",
        metavar="TEXT|@FILE",
        help="System message for rows that have none of their own.",
    ),
    option(INPUT, "--limit", metavar="N", help="Take the first N rows only (default: all)."),
)
"""How lines become rows."""

ENDPOINT = option(
    MODEL,
    "--endpoint",
    type=click.Choice(["chat", "completions", "embeddings", "responses"]),
    help="What is asked of the server (default: chat).",
)

WHO = (
    option(
        MODEL,
        "-m",
        "--model",
        metavar="PROVIDER/NAME",
        help="Who answers: openai/NAME, anthropic/NAME, gemini/NAME and more (docs/providers.md), "
        "a provider of the YAML, local/NAME or local/FILE.gguf; with --base-url the server's own "
        "name (default: local/smollm2).",
    ),
    option(
        MODEL,
        "--fallback",
        "fallbacks",
        multiple=True,
        metavar="PROVIDER/NAME",
        help="Who is asked when the model can't answer a row, or nobody is there; may be repeated.",
    ),
    option(
        MODEL,
        "--base-url",
        metavar="URL",
        help="The server, such as http://localhost:8000/v1; OpenAI's wire format, or that of the "
        "model's provider.",
    ),
)
"""Who is asked."""

ANSWERS = (
    option(
        MODEL, "--max-tokens", metavar="N", help="Longest answer in tokens (default: the model's)."
    ),
    option(
        MODEL,
        "--temperature",
        metavar="X",
        help="How freely the model picks words, 0 to 2 (default: the model's).",
    ),
    option(
        MODEL,
        "--param",
        type=Pair(),
        multiple=True,
        help="Any other request parameter, such as top_p=0.9; may be repeated.",
    ),
    option(
        MODEL,
        "--drop-params/--no-drop-params",
        help="Leave out request parameters that a provider does not know, and count them "
        "(default: they are an error).",
    ),
    option(
        MODEL,
        "--stream/--no-stream",
        help="Receive answers token by token, or in one piece (default: --stream).",
    ),
)
"""What is asked for."""

SCHEMA = option(
    MODEL,
    "--schema",
    metavar="FILE|FIELDS",
    help="Answers are data that fits this JSON Schema, or these fields, such as "
    "'name:str, score:int'; an answer that does not fit is asked for once again.",
)

ENDS = (
    option(OUTPUT, "--fresh", is_flag=True, help="Start over instead of resuming."),
    option(OUTPUT, "--force", is_flag=True, help="With --fresh: overwrite an output that exists."),
    option(
        OUTPUT,
        "--max-failed",
        metavar="N|N%",
        help="How many rows, or what share, may fail with exit code 0 still (default: 0).",
    ),
    option(OUTPUT, "--summary", type=FILE, help="Write the summary to this file as JSON, too."),
    option(OUTPUT, "--junit", type=FILE, help="Write failed rows to this file as JUnit XML."),
    option(
        OUTPUT,
        "--github/--no-github",
        help="Speak to GitHub Actions: annotations for failed rows, and the step's summary.",
    ),
    option(
        OUTPUT,
        "--live/--no-live",
        help="Let your own `llmbatch serve` look at the job while it runs (default: yes).",
    ),
    option(
        OUTPUT,
        "--log-format",
        type=click.Choice(["text", "json"]),
        help="Log lines as text or as JSON (default: text).",
    ),
    option(OUTPUT, "-q", "--quiet", is_flag=True, help="No progress, only errors and the summary."),
)
"""How a job resumes, ends and speaks."""

FILES = (
    option(
        CONFIGURATION,
        "--config",
        type=FILE,
        help="YAML file of settings (default: llmbatch.yaml in this folder, if there is one).",
    ),
    option(
        CONFIGURATION,
        "--profile",
        metavar="NAME",
        help="Profile of the YAML to lay over its settings.",
    ),
)
"""Where settings come from."""

job_options = with_options(
    click.argument(
        "inputs",
        nargs=-1,
        type=FILE,
        metavar="[INPUTS]...",
        help="Files or globs of prompts (.jsonl, .txt, .csv, .tsv, .parquet; .gz and .zst); "
        "- is standard input.",
    ),
    option(
        INPUT,
        "--input-format",
        type=click.Choice(["jsonl", "text", "csv", "tsv", "parquet"]),
        help="Shape of all inputs (default: by their names; - is jsonl).",
    ),
    *ROWS,
    option(
        INPUT,
        "--strict/--no-strict",
        help="Refuse the whole job when a row is not valid, before anything is sent "
        "(default: such a row becomes a result of its own).",
    ),
    *WHO,
    ENDPOINT,
    *ANSWERS,
    SCHEMA,
    *COSTS,
    DEDUPE,
    CANARY,
    HALT_ON,
    *LIMITS,
    PROCESSES,
    option(
        OUTPUT,
        "-o",
        "--output",
        type=FILE,
        help="Where results go; - is standard output (default: INPUT.results.jsonl beside it).",
    ),
    option(
        OUTPUT,
        "--format",
        type=click.Choice(["jsonl", "openai-batch", "csv", "tsv", "parquet"]),
        help="Shape of the output (default: by its name, else jsonl).",
    ),
    option(
        OUTPUT,
        "--select",
        multiple=True,
        metavar="[NAME=]PATH",
        help="A column of a table, taken out of the answers: name=$.person.name; may be repeated.",
    ),
    option(
        OUTPUT,
        "--order",
        type=click.Choice(["finish", "input"]),
        help="Write rows as they finish, or in the input's order (default: finish).",
    ),
    *ENDS,
    *TELLING,
    *FILES,
)
"""Every option of `llmbatch run`."""
