"""Long documents, written quickly: prose that repeats no page, and texts that are meant badly.

To import this takes nothing of llmbatch: the measuring process stays small.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from textwrap import fill

from msgspec import Struct

_TEXT = (
    "the of and a to in he was that it his her with as had is for on at by she which not but from "
    "they all were this have one there him when said would so what no if out up who been into more "
    "time like then some than could other now man over before down very little great about after "
    "long old two must such well may see made did where first know way came upon house never again "
    "day hand those eyes away should under thought himself last without much years still nothing "
    "night ever through ferry harbour evening morning government company contract obligation "
    "deadline customer insurance liability parliament lighthouse keeper storm watched letter"
)
_WORDS = _TEXT.split()

HOSTILE: Mapping[str, str] = {
    "one line of one letter": "a",
    "only spaces": " ",
    "only newlines": "\n",
    "one Chinese character": "日",
    "one letter with marks without end": "\u0301",
    "every letter with thirty marks": "a" + "\u0301\u0323\u0310" * 10,
    "only flags": "🇩🇪",
    "only families of emoji": "👩\u200d👩\u200d👧\u200d👦",
    "only full stops": ". ",
    "only empty headings": "# \n",
}


class Outcome(Struct, frozen=True):
    """What cutting one made; ``cpu`` in seconds from its opening, ``first`` until a chunk came."""

    chunks: int
    tokens: int
    bytes: int
    cpu: float
    first: float


def write_prose(path: Path, size: int) -> int:
    """About ``size`` bytes in lines of 72 characters; how many it became.

    Some thousand paragraphs in ever new order, a chapter every forty.
    """
    rng = random.Random(7)
    paragraphs = [_paragraph(rng) for _ in range(4000)]
    written = chapter = 0
    with path.open("w", encoding="ascii", newline="\n") as file:
        while written < size:
            chapter += 1
            page = rng.choices(paragraphs, k=40)
            text = "\n\n".join([f"CHAPTER {chapter}. Of what came then", *page, ""])
            file.write(text)
            written += len(text)
    return written


def write_again(path: Path, unit: str, size: int) -> int:
    """One thing again and again; how many bytes it became."""
    data = unit.encode()
    path.write_bytes(data * (size // len(data)))
    return size // len(data) * len(data)


def _paragraph(rng: random.Random) -> str:
    sentences = [
        " ".join(rng.choices(_WORDS, k=rng.randint(5, 22))).capitalize() + rng.choice("....?!")
        for _ in range(rng.randint(2, 8))
    ]
    return fill(" ".join(sentences), 72)
