"""``llmbatch serve``: a page in the browser that shows jobs, results and a chat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .joboptions import FILES, WHO
from .options import JobCommand, option, settings_from, with_options
from .terminal import put, say_hint

SERVER = "Server"


@click.command(cls=JobCommand)
@with_options(
    click.argument(
        "folder", required=False, default=".", type=click.Path(), help="Whose results are shown."
    ),
    option(
        SERVER,
        "--port",
        type=click.IntRange(0, 65535),
        metavar="N",
        help="Port on this machine; 0 is any (default: the first free one from 8642 on).",
    ),
    option(
        SERVER,
        "--open/--no-open",
        "open_browser",
        default=False,
        help="Open the page in the browser (default: --no-open).",
    ),
    *WHO,
    *FILES,
)
@click.pass_context
def serve(
    ctx: click.Context, /, *, folder: str, port: int | None, open_browser: bool, **_: Any
) -> int:
    """Watch jobs, browse the results in FOLDER and chat, in the browser.

    The address is printed. It is of this machine alone and holds a token: whoever has it sees what
    you see. Ctrl-C ends the server, with exit code 130; jobs go on without it.
    """
    from llmbatch.jobs.pipeline import run_loop  # here, as the help does without

    from .execution import end_now
    from .web.server import Serving
    from .web.server import serve as serve_until_told

    config = settings_from(ctx).config
    serving = Serving(folder=_folder(folder), config=config, port=port, open_browser=open_browser)

    async def main() -> None:
        end_now(await serve_until_told(serving, _announce))  # a thread may be at a long file

    run_loop(main())
    return 0


def _folder(name: str) -> Path:
    """Raises ConfigError."""
    from llmbatch.jobs.errors import ConfigError

    folder = Path(name).expanduser()
    try:
        if not folder.is_dir():
            why = "is not a folder" if folder.exists() else "there is no such folder"
            raise ConfigError(f"{name}: {why}")
        next(folder.iterdir(), None)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        raise ConfigError(f"{name}: can't be read: {why}") from None
    return folder


def _announce(url: str) -> None:
    put(f"{url}\n")
    say_hint("Open this address in a browser of this machine; Ctrl-C ends the server.")
