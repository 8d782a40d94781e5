"""What a line of Markdown is, told from its first characters, as early as they say it."""

from __future__ import annotations

import re
from typing import Literal

Kind = Literal["blank", "heading", "rule", "fence", "quote", "item", "table", "divider", "text"]
"""``divider`` is the rule below a table's heading; ``rule`` also underlines a heading."""

LOOK = 64
"""Characters at the start of a line that are looked at."""

_MARKER = r"(?:[-*+]|\(?(?:\d{1,9}|[A-Za-z]|[ivxIVX]{1,5})[.)])"
_ITEM = re.compile(_MARKER + r"(?=\s|$)")
_ITEM_SOON = re.compile(r"[-*+]|\(?(?:\d{0,9}|[A-Za-z]|[ivxIVX]{0,5})[.)]?")
_BULLETS = "•‣◦▪●"
_MARKED = re.compile(r"\s*(?:" + _MARKER + r"(?=\s|$)|[•‣◦▪●])")
_QUOTED = re.compile(r"\s*(?:" + _MARKER + r"\s+)?(?:>[ \t]?)+")


def kind(start: str, complete: bool) -> Kind | None:
    """The kind of the line that starts so; None while more of it has to be seen.

    What it says once, it says for every continuation of the line.
    """
    ended = complete and len(start) < LOOK
    complete = complete or len(start) >= LOOK
    body = start[:LOOK].lstrip()
    if not body:
        return "blank" if ended else "text" if complete else None
    match body[0]:
        case ">":
            return "quote"
        case "#":
            return _heading(body, complete)
        case "|":
            return _row(body, complete)
        case "`" | "~":
            return _fence(body, complete)
        case mark if mark in _BULLETS:
            return "item"
        case mark if mark in "-*_=" and not body.strip(mark + " \t\r"):
            if not complete:
                return None
            if body.count(mark) >= (2 if mark == "=" else 3):
                return "rule"
        case "-" if body.startswith("--- "):  # "--- Part 1 of 3 ---", echoed from a prompt
            if not complete:
                return None
            return "heading" if body.rstrip().endswith(" ---") else "text"
    return _item(body, complete)


def _heading(body: str, complete: bool) -> Kind | None:
    after = body.lstrip("#")
    if len(body) - len(after) > 6:
        return "text"
    if not after:
        return "heading" if complete else None
    return "heading" if after[0].isspace() else "text"


def _row(body: str, complete: bool) -> Kind | None:
    if body.strip("|-: \t\r"):
        return "table"
    if not complete:
        return None
    return "divider" if "-" in body else "table"


def _fence(body: str, complete: bool) -> Kind | None:
    after = body.lstrip(body[0])
    if len(body) - len(after) < 3:
        return "text" if after or complete else None
    if body[0] == "~":
        return "fence"
    if "`" in after:
        return "text"
    return "fence" if complete else None


def _item(body: str, complete: bool) -> Kind | None:
    if not complete and _ITEM_SOON.fullmatch(body):
        return None
    marker = _ITEM.match(body)
    if marker is None:
        return "text"
    after = body[marker.end() :].lstrip()
    if not after and not complete:
        return None
    return "quote" if after.startswith(">") else "item"


def fence(start: str) -> tuple[str, str]:
    """The marks of a code fence, and the first word behind them in lower case."""
    body = start[:LOOK].lstrip()
    after = body.lstrip(body[0])
    return body[: len(body) - len(after)], next(iter(after.lower().split()), "")


def closes(start: str, complete: bool, marks: str) -> bool | None:
    """Whether the line ends the code block that ``marks`` began; None while it may."""
    if len(start) >= LOOK:
        return False
    body = start.strip()
    marks = marks.strip()
    if body.strip(marks[0]):
        return False
    return len(body) >= len(marks) if complete else None


def unquoted(line: str) -> tuple[str, str]:
    """A line of a block quote: its marks, and its words."""
    marks = _QUOTED.match(line)
    end = 0 if marks is None else marks.end()
    return line[:end], line[end:]


def unmarked(item: str) -> str:
    """A list item without its marker."""
    marker = _MARKED.match(item)
    return item if marker is None else item[marker.end() :]
