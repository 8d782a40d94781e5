"""``llmbatch chat``: a conversation in the terminal."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import click

from .joboptions import OUTPUT
from .options import JobCommand, option, settings_from, with_options
from .talkoptions import TALK


@click.command(cls=JobCommand)
@with_options(
    *TALK,
    option(OUTPUT, "--plain", is_flag=True, help="Show answers as the text they are."),
    option(
        OUTPUT,
        "--history/--no-history",
        default=True,
        help="Keep questions for the next time (default: --history).",
    ),
)
@click.pass_context
def chat(ctx: click.Context, /, *, plain: bool, history: bool, **_: Any) -> int:
    """Talk with a model: answers come as they are written, with Markdown drawn.

    Without a model, the embedded one answers. /help shows the commands; Ctrl-C stops an answer,
    Ctrl-D leaves.
    """
    from llmbatch.jobs.errors import ConfigError

    if not all(map(find_spec, ("prompt_toolkit", "rich"))):
        raise ConfigError(
            "a chat needs the extra `chat`: pip install prompt-toolkit rich (`llmbatch ask` "
            "does without)"
        )
    config = settings_from(ctx).config
    from .conversation.chat import Chat

    return Chat(config, history=history, plain=plain).run()
