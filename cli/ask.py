"""``llmbatch ask``: one question, its answer on standard output while it comes."""

from __future__ import annotations

from typing import Any

import click

from .joboptions import OUTPUT, SCHEMA
from .options import JobCommand, option, settings_from, with_options
from .talkoptions import TALK


@click.command(cls=JobCommand)
@with_options(
    click.argument("question", nargs=-1, metavar="[QUESTION]..."),
    *TALK,
    SCHEMA,
    option(OUTPUT, "--json", "as_json", is_flag=True, help="Print the result as a line of JSON."),
    option(OUTPUT, "-q", "--quiet", is_flag=True, help="No figures below the answer."),
)
@click.pass_context
def ask(ctx: click.Context, /, *, question: tuple[str, ...], as_json: bool, **_: Any) -> int:
    """Ask one QUESTION, and show the answer while it comes.

    What stands on standard input goes along as context; without a QUESTION, or with -, it is the
    question. Without a model, the embedded one answers.
    """
    config = settings_from(ctx).config
    from .conversation.asking import Asking
    from .conversation.question import messages

    asking = Asking(config, as_json=as_json)
    asked = messages(question, asking.waiting)
    return asking.run(asked)
