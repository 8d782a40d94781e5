"""Foreign text on a line of Markdown: it shows as it is, and does nothing."""

from __future__ import annotations

import re

# C0, DEL, C1 and separators; what turns the direction of text (UAX 9), and hides; halves of
# characters, which no file takes.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
HIDDEN = re.compile(
    r"[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
HALVES = re.compile(r"[\ud800-\udfff]")
_SPECIAL = re.compile(
    r"[\\`*\[\]<~]"
    r"|(?<![^\W_])_|_(?![^\W_])"  # one inside a word means nothing
    r"|&(?=#?\w{1,40};)"
    r"|(?<!\S)#"
)


def one_line(text: str) -> str:
    """Without control characters and line breaks; white space is one space."""
    text = HALVES.sub("\ufffd", HIDDEN.sub("", CONTROL.sub(" ", text)))
    return " ".join(text.split())


def plain(text: str) -> str:
    """The same, with a backslash before all that Markdown would act upon inside a line."""
    return _SPECIAL.sub(r"\\\g<0>", one_line(text))


def document(path: str) -> str:
    """A document's name on a line of Markdown."""
    return "standard input" if path == "-" else plain(path)


def count(number: int, one: str, many: str) -> str:
    """``1 chunk``, ``1,234 chunks``."""
    return f"{number:,} {one if number == 1 else many}"
