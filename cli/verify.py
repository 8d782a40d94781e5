"""``llmbatch verify``: is every row answered once, and is the answer to what was asked?"""

from __future__ import annotations

from typing import Any

import click

from .exits import Exit
from .joboptions import ANSWERS, ENDPOINT, FILES, ROWS, SCHEMA, WHO
from .options import FILE, JobCommand, option, settings_from, with_options
from .terminal import put


@click.command(cls=JobCommand)
@with_options(
    click.argument("path", type=FILE, metavar="RESULTS"),
    option(
        "Input",
        "--input",
        "inputs",
        multiple=True,
        type=FILE,
        help="What the rows came from, files or globs; may be repeated (default: what the "
        "manifest names).",
    ),
    option("Output", "--require-ok", is_flag=True, help="Rows that failed are a problem, too."),
    option("Output", "--json", "as_json", is_flag=True, help="Print JSON."),
    *ROWS,
    *WHO,
    ENDPOINT,
    *ANSWERS,
    SCHEMA,
    *FILES,
)
@click.pass_context
def verify(ctx: click.Context, /, *, path: str, as_json: bool, require_ok: bool, **_: Any) -> int:
    """Check RESULTS, the output of `llmbatch run`, against its input and its manifest.

    Every row has to be there once, in a whole line, with the answer to what the row asks. Settings
    are taken from the manifest; where there is none, from the options. Nothing is sent.

    Exit codes: 0 all is well, 1 it is not, 2 usage, 3 something can't be read.
    """
    from llmbatch.jobs.verification.verification import verify as check

    from .verifyfigures import as_text, to_json

    found = check(path, settings_from(ctx).config)
    put(to_json(found) if as_json else as_text(found, require_ok=require_ok))
    return Exit.OK if found.well and not (require_ok and found.failed) else Exit.ROWS_FAILED
