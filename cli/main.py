"""The command `llmbatch`, and the one place where an error becomes an exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import NamedTuple, TextIO

import click

from llmbatch.jobs.errors import LlmbatchError

from .exits import Exit, code_for, innermost
from .logjson import asked_for
from .terminal import VOICE, fill_closed_streams, printable_lines, say_error, say_hint


class Entry(NamedTuple):
    """Where a command lives (``module:name``), and its line in the help."""

    target: str
    summary: str


COMMANDS = {
    "run": Entry("llmbatch.cli.run:run", "Run every prompt of the input; write one result a row."),
    "analyze": Entry(
        "llmbatch.cli.analyze:analyze",
        "Analyse one large document: chunk by chunk, folded into a report.",
    ),
    "ask": Entry("llmbatch.cli.ask:ask", "Ask one question; standard input is its context."),
    "chat": Entry("llmbatch.cli.chat:chat", "Talk with a model in the terminal."),
    "plan": Entry(
        "llmbatch.cli.plan:plan", "Show what a run would do and cost, before anything is sent."
    ),
    "verify": Entry(
        "llmbatch.cli.verify:verify", "Check an output against its input and its manifest."
    ),
    "report": Entry(
        "llmbatch.cli.report:report", "Show what a results file came to, or compare several."
    ),
    "serve": Entry(
        "llmbatch.cli.serve:serve", "Watch jobs, browse results and chat, in the browser."
    ),
    "models": Entry(
        "llmbatch.cli.models:models", "List and fetch models that run on this machine."
    ),
    "cache": Entry("llmbatch.cli.cache:cache", "Show or empty the cache of answers."),
    "config": Entry("llmbatch.cli.config:config", "Show the settings in force and their origins."),
}


_KEYS = (
    "A key is never a flag, which a process list would show: set the provider's variable, such as "
    "OPENAI_API_KEY."
)


class LazyGroup(click.Group):
    """Imports a command only when it is called, so that the help is there at once."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry.target.partition(":")
        command = getattr(import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 -- a mistake of the table above
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    # Stand-ins: click takes the names from here when it suggests one.
    commands={name: click.Command(name) for name in COMMANDS},
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 all well, 1 rows failed, 2 usage or configuration, 3 input unreadable, "
    "4 stopped early, 5 budget reached, 6 output unwritable, 130 and 143 interrupted.",
)
@click.version_option(
    None, "-V", "--version", package_name="llmbatch", message="llmbatch %(version)s"
)
def llmbatch() -> None:
    """Run many LLM prompts, or one large document: fast, inside limits, with nothing lost."""


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; every error has been reported."""
    fill_closed_streams()
    args = sys.argv[1:] if args is None else args
    VOICE.json = asked_for(args, os.environ)
    VOICE.github = "--github" in args and not VOICE.json
    VOICE.guarded = VOICE.github or os.environ.get("GITHUB_ACTIONS") == "true"
    # Millions of short-lived values and no cycles among them: look for cycles rarely.
    gc.set_threshold(50_000, 20, 50)
    try:
        code = _invoke(args)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 -- the one place that turns errors into codes
        code = _report(innermost(error))
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            _hush(stream)
    return code


def _invoke(args: Sequence[str]) -> int:
    """What a command returns is the exit code; None is 0."""
    asked = os.environ.get("_LLMBATCH_COMPLETE")
    if asked:
        from click.shell_completion import shell_complete

        return shell_complete(llmbatch, {}, "llmbatch", "_LLMBATCH_COMPLETE", asked)
    try:
        with llmbatch.make_context("llmbatch", list(args)) as ctx:
            result = llmbatch.invoke(ctx)
    except click.exceptions.Exit as done:
        return done.exit_code
    return result if isinstance(result, int) else Exit.OK


def _report(error: BaseException) -> int:
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else Exit.INTERNAL
    with suppress(OSError):  # nobody can read it
        _explain(error)
    return code_for(error)


def _explain(error: BaseException) -> None:
    if isinstance(error, BrokenPipeError):
        return
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
    elif isinstance(error, click.ClickException):
        say_error(_redacted(_usage(error)))
        ctx = getattr(error, "ctx", None)
        say_hint(f"Try '{ctx.command_path if ctx else 'llmbatch'} --help' for help.")
    elif isinstance(error, LlmbatchError):
        say_error(_redacted(str(error)))
    elif isinstance(error, (KeyboardInterrupt, click.Abort)):
        say_error("interrupted")
    else:
        _explain_bug(error)


def _usage(error: click.ClickException) -> str:
    """Click's own words, but of several near options the nearest alone."""
    if isinstance(error, click.NoSuchOption) and "key" in error.option_name:
        return f"No such option {error.option_name}. {_KEYS}"
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        return f"No such option {error.option_name}. Did you mean {error.possibilities[0]}?"
    return error.format_message()


def _explain_bug(error: BaseException) -> None:
    """The type and the place alone: the error's own text may hold a prompt."""
    import traceback  # here, as is all that the help does without

    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rpartition(os.sep)[2]}:{frames[-1].lineno}" if frames else ""
    what = f"this is a bug in llmbatch: {type(error).__name__}{place}"
    if os.environ.get("LLMBATCH_DEBUG"):
        text = _redacted("".join(traceback.format_exception(error))).rstrip("\n")
        if not VOICE.json:
            say_hint("Traceback of the error below:")
            sys.stderr.write("  " + printable_lines(text) + "\n")
        say_error(what, traceback=text)
    else:
        say_error(what)
        say_hint("Set LLMBATCH_DEBUG=1 for the traceback. What was written to the output is safe.")


def _redacted(text: str) -> str:
    from llmbatch.jobs.keys import redact

    return redact(text)


def _hush(stream: TextIO) -> None:
    """Keep the interpreter from failing, when it flushes at the end, where nothing can be written.

    It would end with a code of its own, 120.
    """
    try:
        stream.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


if __name__ == "__main__":
    sys.exit(main())
