"""From the text of an answer to the value in it. Pure."""

from __future__ import annotations

import re
from typing import Any

from .strictjson import NotJson, decode, value_at

_FENCE = re.compile(r"^[ \t]*(```+|~~~+)([^\n`]*)$", re.MULTILINE)
_BRACKET = re.compile(r"[\[{]")
_THOUGHTS = ("<think>", "</think>")


class NoValue(ValueError):
    """An answer that is not one JSON value; the message says why, to a user and to the model."""


def parse(text: str) -> Any:
    """The one JSON value that an answer is, or that stands in it beyond doubt.

    An answer may be JSON; or have one block between code fences that is; or have prose without
    brackets around one object or array. A key that occurs twice in an object, NaN and infinities
    are refused, as is nesting of more than :data:`.strictjson.DEPTH` levels: nothing that the model
    said is passed over. Raises :class:`NoValue`; linear in the length of the text.
    """
    text = _without_thoughts(text.strip().removeprefix("\ufeff").strip())
    if not text:
        raise NoValue("the answer is empty")
    if text[0] not in "[{`~" and _BRACKET.search(text) is None:
        return _scalar(text)
    try:
        return decode(text)
    except NotJson as error:
        plain = error
    blocks = _blocks(text)
    if not blocks:
        return _in_prose(text, plain)
    found, wrong = [], plain
    for block in blocks:
        try:
            found.append(decode(block))
        except NotJson as error:
            wrong = error
    if len(found) == 1:
        return found[0]
    if found:
        raise NoValue(f"the answer has {len(found)} blocks of JSON: give one alone")
    raise _no_value(wrong)


def _without_thoughts(text: str) -> str:
    """Servers without a parser for reasoning leave it in front of the answer, in tags."""
    opening, closing = _THOUGHTS
    if not text.startswith(opening):
        return text
    return text.rpartition(closing)[2].lstrip() if closing in text else text


def _scalar(text: str) -> Any:
    try:
        return decode(text)
    except NotJson as error:
        if error.line is None:
            raise _no_value(error) from None
    raise NoValue("the answer has no JSON in it")


def _blocks(text: str) -> list[str]:
    """What stands between code fences; a line within a JSON string can't begin with one."""
    blocks = []
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif fence[1].startswith(opened[1]) and not fence[2].strip():
            if block := text[opened.end() : fence.start()].strip():
                blocks.append(block)
            opened = None
    return blocks


def _in_prose(text: str, plain: NotJson) -> Any:
    """The value that begins at the first bracket, where no bracket follows its end.

    Any other rule would take a list in the middle of a broken answer for the whole of it.
    """
    first = _BRACKET.search(text)
    if first is None:
        raise _no_value(plain)
    try:
        value, end = value_at(text, first.start())
    except NotJson as error:
        raise _no_value(error) from None
    if _BRACKET.search(text, end):
        raise NoValue("more brackets follow the JSON in the answer: give one JSON value alone")
    return value


def _no_value(error: NotJson) -> NoValue:
    where = "" if error.line is None else f" (line {error.line}, column {error.column})"
    return NoValue(f"the answer is not JSON: {error}{where}")
