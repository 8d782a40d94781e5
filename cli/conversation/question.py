"""What is asked: the words of the command line, with standard input beside them."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import click

from llmbatch.jobs.errors import SourceError

from ..outflow import is_terminal

MOST = 64 * 1024 * 1024
"""Bytes of standard input: more than any model reads."""

PATIENCE = 1.0
"""Seconds after which a person is told that standard input is waited for."""


def messages(words: Sequence[str], waiting: Callable[[], None]) -> list[dict[str, Any]]:
    """The words as a question, and standard input as its context; alone it is the question.

    A terminal is read only where the one word is ``-``. ``waiting`` is called where nothing comes
    for a while. Raises UsageError without a question, SourceError for what can't be read.
    """
    question = " ".join(words)
    if question == "-":
        question, context = _read(waiting), ""
    else:
        context = "" if is_terminal(sys.stdin) else _read(waiting)
    if not question.strip():
        question, context = context, ""
    if not question.strip():
        raise click.UsageError(
            'no question: llmbatch ask "...", or put it on standard input',
            click.get_current_context(),
        )
    return [{"role": "user", "content": beside(context, question)}]


def beside(context: str, question: str) -> str:
    """Both in one message, the question last; the context can't reach out of its marks."""
    if not context.strip():
        return question
    mark, n = "context", 1
    while f"<{mark}>" in context or f"</{mark}>" in context:
        n += 1
        mark = f"context-{n}"
    return f"<{mark}>\n{context.rstrip()}\n</{mark}>\n\n{question}"


def _read(waiting: Callable[[], None]) -> str:
    if sys.stdin is None:  # closed
        return ""
    stream = sys.stdin.buffer
    try:
        _await(stream, waiting)
        data = stream.read(MOST + 1)
    except OSError as error:
        raise SourceError(f"can't be read: {error.strerror}", path="-") from None
    if len(data) > MOST:
        raise SourceError(
            f"more than {MOST:,} bytes are no context of one question: `llmbatch analyze` reads "
            "documents of any size",
            path="-",
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"not UTF-8 (byte {error.start}): iconv helps, and `llmbatch analyze` reads "
            "other encodings",
            path="-",
        ) from None


def _await(stream: BinaryIO, waiting: Callable[[], None]) -> None:
    if not select.select([stream], [], [], PATIENCE)[0]:
        waiting()
