"""The outline of plain text: lines such as "CHAPTER IV", "Article 5" or "1.2 Scope"."""

from __future__ import annotations

import re

from .outline import LOOK, Mark, Outline, shortened

_LEVELS = {
    1: "book volume buch band livre tome libro книга",
    2: "part teil partie parte часть",
    3: "chapter kapitel chapitre capítulo capitolo глава",
    4: "section article abschnitt artikel sección artículo sezione articolo appendix anhang",
}
_LEVEL = {word: level for level, words in _LEVELS.items() for word in words.split()}
_CHINESE = {
    "部": 2,
    "编": 2,
    "編": 2,
    "卷": 1,
    "章": 3,
    "回": 3,
    "节": 4,
    "節": 4,
    "条": 4,
    "條": 4,
}

_WORDS = "|".join(f"{word.capitalize()}|{word.upper()}" for word in _LEVEL)
_FIRST = "".join({word[0].upper() for word in _LEVEL})
"""What such a line begins with, beside § and digits: most lines are told by one character."""

_NUMBER = (
    r"(?:[IVXLCDM]+|[ivxlcdm]+|[A-Z]|\d+[a-z]?(?:\.\d+)*|(?i:(?:the[ \t]+)?(?:one|two|three|four"
    r"|five|six|seven|eight|nine|ten|eleven|twelve|first|second|third|fourth|fifth|sixth|seventh"
    r"|eighth|ninth|tenth|last)))(?!\w)"
)
_LINE = re.compile(
    rf"\n[ \t]{{0,80}}+(?=[{_FIRST}§第\d])(?:"
    rf"(?P<word>{_WORDS})[ \t]+{_NUMBER}"
    r"(?P<rest>[ \t]*(?:[.:)—–-][^\n]{0,120}|[A-ZÀ-ÞА-Я\"“(«][^\n]{0,120})?)(?=\r?\n|\Z)"
    r"|§{1,2}[ \t\u00a0]?\d[^\n]{0,120}(?=\n|\Z)"
    r"|(?P<number>\d{1,3}(?:\.\d{1,3})+)\.?[ \t]+[A-ZÀ-ÞА-Я][^\n]{0,100}(?=\n|\Z)"
    r"|第[0-9０-９一二三四五六七八九十百千零〇两]{1,8}(?P<chinese>[部编編卷章回节節条條])[^\n]{0,60}(?=\n|\Z))"
)


class Prose(Outline):
    """Lines that by their words are headings; those in the midst of a paragraph are none."""

    __slots__ = ()

    def find(self, text: str, start: int, high: int) -> list[Mark]:
        marks = []
        for line in _LINE.finditer(text, start, min(len(text), high + LOOK)):
            at = line.start() + 1
            if at > high:
                break
            title = line[0].strip()
            if not _runs_on(text, line, title):
                marks.append(Mark(at, _level(line), shortened(title)))
        return marks


def _level(line: re.Match[str]) -> int:
    if (word := line["word"]) is not None:
        return _LEVEL[word.lower()]
    if (number := line["number"]) is not None:
        return min(6, 4 + number.count("."))
    return _CHINESE.get(line["chinese"] or "", 4)


def _runs_on(text: str, line: re.Match[str], title: str) -> bool:
    """Whether the line is part of a paragraph."""
    word = line["word"]
    if title.endswith((",", ";")) or (word is None and title.endswith((".", ":"))):
        return True
    above = text[max(0, line.start() - LOOK) : line.start()].rstrip(" \t\r")
    if word is not None and (word.isupper() or not line["rest"].strip(" .:\r")):
        return title.endswith(".") and above[-1:].islower()  # "as it is said in / Section 5."
    return bool(above) and not above.endswith("\n")
