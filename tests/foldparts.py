"""Chunks, parts and texts for the fold's tests."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from llmbatch.jobs.fold.part import Cited, Part
from llmbatch.jobs.model import Chunk

SIZE = 1000


def chunk(number: int, document: str = "lease.txt") -> Chunk:
    """The chunk of that number; each has 1,000 characters of one byte."""
    start, end = (number - 1) * SIZE, number * SIZE
    return Chunk(
        document=document,
        number=number,
        start=start,
        end=end,
        byte_start=start,
        byte_end=end,
        tokens=250,
    )


def part(text: str, *numbers: int, quotes: Sequence[Cited] = ()) -> Part:
    """A part whose ``[i]`` cites the i-th of the chunks that are numbered."""
    sources = tuple(map(chunk, numbers))
    return Part(text, min(numbers, default=1), max(numbers, default=1), sources, tuple(quotes))


LINES = st.sampled_from(
    [
        "",
        " ",
        "# Heading",
        "## Rent [1]",
        "- The tenant shall pay the monthly rent [1]",
        "- Deposits are returned within thirty days [2].",
        "  of the end of the lease  ",
        "1. [3] First. Second sentence here follows.",
        "2) Both [1, 2] and [1-3] and [^2] and [Source 3]",
        "- invented [99] and [0]",
        "[7] begins",
        "Terms:",
        "**Title**",
        "> exact words of the lease",
        "> more words [2]",
        "- > nowhere at all (not found in the document)",
        "```",
        "```python",
        "x = a[1]",
        "| Name | Due [1] |",
        "|---|---|",
        "| rent | monthly |",
        "---",
        "===",
        "a [link](http://x) `b[2]` [x] [?]",
        "open [1",
        "open ` tick [2]",
        "Ünïcode – “quotes” …\r",
        "[1][1] [2]",
    ]
)
TEXTS = st.lists(LINES, max_size=14).map("\n".join)
"""Markdown as models write it, and worse."""

CUTS = st.lists(st.integers(1, 25), max_size=60)


def pieces(text: str, sizes: list[int]) -> list[str]:
    """The text split after so many characters each; the rest in one piece."""
    out, at = [], 0
    for size in sizes:
        out.append(text[at : at + size])
        at += size
    return [*out, text[at:]]
