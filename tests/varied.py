"""Long texts that repeat nothing, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator

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


def sentences(seed: int) -> Iterator[str]:
    """Without end."""
    rng = random.Random(seed)
    while True:
        words = rng.choices(_WORDS, k=rng.randint(5, 22))
        yield " ".join(words).capitalize() + rng.choice("....?!")


def paragraphs(seed: int, size: int) -> Iterator[str]:
    """On one line each, together at least so many characters."""
    rng = random.Random(seed)
    source = sentences(seed)
    while size > 0:
        text = " ".join(next(source) for _ in range(rng.randint(2, 7)))
        size -= len(text)
        yield text


def prose(seed: int, size: int) -> str:
    return "\n\n".join(paragraphs(seed, size))


def one_line(seed: int, size: int) -> str:
    return " ".join(paragraphs(seed, size))


def markdown(seed: int, size: int) -> str:
    parts = []
    for number, text in enumerate(paragraphs(seed, size)):
        if number % 6 == 0:
            parts.append(f"{'#' * (1 + number // 6 % 3)} Section {number}: {text[:30]}")
        parts.append(text)
    return "\n\n".join(parts)


def log(seed: int, size: int) -> str:
    rng = random.Random(seed)
    lines = []
    for i in range(size // 75):
        lines.append(
            f"2026-11-{i // 9000 % 30 + 1:02} 10:{i // 60 % 60:02}:{i % 60:02} INFO worker-"
            f"{rng.randint(1, 8)} request {rng.getrandbits(32):08x} took {rng.randint(1, 900)} ms\n"
        )
    return "".join(lines)


def chinese(seed: int, size: int) -> str:
    """Sentences without any white space."""
    rng = random.Random(seed)
    parts = []
    while size > 0:
        length = rng.randint(5, 40)
        parts.append("".join(chr(rng.randint(0x4E00, 0x8FFF)) for _ in range(length)) + "。")
        size -= length + 1
    return "".join(parts)


def base64(seed: int, size: int) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return "".join(random.Random(seed).choices(letters, k=size))


def code(seed: int, size: int) -> str:
    rng = random.Random(seed)
    source = sentences(seed)
    parts = []
    while size > 0:
        name = "_".join(rng.choices(_WORDS, k=3))
        body = "".join(
            f"        {rng.choice(_WORDS)} = {rng.choice(_WORDS)}({rng.randint(0, 999)})\n"
            for _ in range(rng.randint(2, 12))
        )
        piece = f"    def {name}(self):\n        # {next(source)}\n{body}\n"
        if rng.random() < 0.1:
            piece = f"class {name.title().replace('_', '')}:\n{piece}"
        parts.append(piece)
        size -= len(piece)
    return "".join(parts)
