"""What is written to a terminal: foreign text made harmless, colour where it is wanted."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from typing import Any, TextIO

import click

from llmbatch.jobs.errors import SinkError

from .logjson import record

# C0, DEL and C1 drive the terminal; bidirectional controls (UAX 9) reorder what is read;
# U+2028 and U+2029 break lines; lone surrogates can't be encoded.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)

_COMMAND = re.compile(r"^\s*::|##(?=\[)")
"""What GitHub Actions takes for the beginning of a command; the first one only at a line's."""


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(
        code, f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    )


def escaped(text: str) -> str:
    """One line, for a file: control characters stand as escapes such as ``\\x1b``."""
    return _UNSAFE.sub(_escape, text)


def printable(text: str) -> str:
    """The same for a terminal or a log: one line that only shows, and is no command."""
    shown = escaped(text)
    return _COMMAND.sub(lambda match: " ".join(match[0]), shown) if VOICE.guarded else shown


def printable_text(text: str) -> str:
    """As :func:`printable`, but line breaks and tabs stay. Pieces may be cut anywhere."""
    return _UNSAFE.sub(lambda match: match[0] if match[0] in "\n\t" else _escape(match), text)


def printable_lines(text: str) -> str:
    """As :func:`printable`, but line breaks stay; later lines are indented.

    The indent keeps foreign text from posing as a line of this program.
    """
    return "\n  ".join(printable(line) for line in text.split("\n"))


def fill_closed_streams() -> None:
    """Keep the numbers of standard streams that were closed by whoever started the process.

    Else the next file or socket takes them, messages land among results, and libuv aborts. As
    gnulib's stdopen does it, input and output are opened the wrong way round: to use them is an
    error, not a silent loss. Messages go nowhere.
    """
    for fd, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest number that is free, which is fd
            os.set_inheritable(fd, True)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 -- as long as the process lives


def wants_colour(stream: TextIO) -> bool:
    """Colour is for terminals, unless ``NO_COLOR`` is set or ``TERM`` is ``dumb``."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


class Voice:
    """How this process speaks on standard error: text, or with ``json`` JSON objects.

    ``guarded`` is for where the log is read by GitHub Actions, to which a line may be a command:
    none of what is shown is one then. With ``github`` each error is an annotation, too.
    """

    json = False
    guarded = False
    github = False


VOICE = Voice()


def say_error(message: str, **fields: Any) -> None:
    """``llmbatch: error: MESSAGE`` on standard error; ``fields`` are for JSON alone."""
    if VOICE.json:
        _say(record("error", "error", message, **fields))
        return
    word = click.style("error:", fg="red", bold=True) if wants_colour(sys.stderr) else "error:"
    _say(f"llmbatch: {word} {printable_lines(message)}")
    if VOICE.github:
        from .github import command

        _say(command("error", message, title="llmbatch"))


def say_hint(message: str) -> None:
    """A line of help below an error, on standard error."""
    _say(record("info", "hint", message) if VOICE.json else printable(message))


def _say(text: str) -> None:
    with suppress(OSError):  # that nobody can read it changes nothing about how a job ends
        print(text, file=sys.stderr)  # noqa: T201 -- a command line speaks


def as_json(value: Any) -> str:
    """Indented JSON with its line feed. A file's name that is no UTF-8 stands as escapes."""
    import json  # here, as the help does without

    import msgspec

    try:
        text = msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), indent=2) + "\n"
    return msgspec.json.format(text, indent=2).decode() + "\n"


def put(text: str) -> None:
    """Write to standard output; raises :class:`SinkError` when it can't be written."""
    if sys.stdout is None:
        raise SinkError("standard output is closed: there is nowhere to write to")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SinkError(f"can't write to standard output: {error.strerror}") from None
