"""The outline of source code, whatever the language: where definitions begin, by indentation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .outline import LOOK, Mark, Outline, shortened
from .places import blank_lines, line_starts, words

_LINE = re.compile(
    r"\n(?P<indent>[ \t]{0,40}+)(?=[\w~])(?P<what>"
    r"(?:(?:export|default|public|private|protected|internal|static|async|abstract|final|sealed"
    r"|partial|pub(?:\([a-z]{1,20}\))?|inline|virtual|override|unsafe|extern|const|local|data|open"
    r")[ \t]++){0,6}+"
    r"(?:class|def|fn|func|function|struct|enum|interface|trait|impl|module|namespace|object|record"
    r"|protocol|sub|proc|fun|type)[ \t<*(][^\n]{0,200}"
    r"|(?:public|private|protected|static)[ \t][^\n;=(]{1,100}\([^\n;]{0,200}(?=\n|\Z)"
    r"|(?<=\n)(?!(?:return|if|for|while|else|elif|assert|await|yield|raise|throw|with|not|del|new"
    r"|case|switch|print|import|from|using)\b)"
    r"[A-Za-z_][\w:<>,*&]{0,60}[ \t*&]+[\w:~*&]{1,60}\([^\n;]{0,200}(?=\n|\Z))"
)
_INDENT = re.compile(r"(?:[ \t\r]*\n){0,50}([ \t]*)(?=\S)")
_ABOVE = ("@", "#", "//", "/*", "*", "--", "[")
"""What lines begin with that belong to the definition under them."""

_MOST = 30
_TAB = 8
_DEEP = 64


class Code(Outline):
    """Definitions with what is written right above them; a path is what encloses a line."""

    __slots__ = ()

    def find(self, text: str, start: int, high: int) -> list[Mark]:
        marks = []
        for line in _LINE.finditer(text, start, min(len(text), high + LOOK)):
            at = _with_comments(text, line.start() + 1, start)
            if at > high:
                break
            level = 1 + len(line["indent"].expandtabs(_TAB))
            title = line["what"].strip().rstrip("{").rstrip().removesuffix(":")
            marks.append(Mark(at, level, shortened(title)))
        return marks

    def take(self, mark: Mark) -> None:
        super().take(mark)
        del self.stack[_DEEP:]

    def path(self, text: str, start: int) -> tuple[str, ...]:
        if start and text[start - 1] == "\n" and not any(m.at == start for m in self.marks):
            found = _INDENT.match(text, start, start + LOOK)
            if found is not None:
                level = 1 + len(found[1].expandtabs(_TAB))
                inside = [title for indent, title in self.stack if indent < level]
                return tuple(inside[:6])
        return super().path(text, start)

    def places(self, text: str, low: int, high: int) -> Iterator[Sequence[int]]:
        yield self.tops(low, high)
        yield _least_indented(text, blank_lines(text, low, high))
        yield line_starts(text, low, high)
        yield words(text, low, high)


def _with_comments(text: str, at: int, start: int) -> int:
    for _ in range(_MOST):
        above = text.rfind("\n", max(start, at - LOOK), at - 1) + 1
        if above <= start or not text[above:at].lstrip().startswith(_ABOVE):
            break
        at = above
    return at


def _least_indented(text: str, places: Sequence[int]) -> Sequence[int]:
    indents = [_indent(text, place) for place in places]
    least = min(indents, default=0)
    return [place for place, indent in zip(places, indents, strict=True) if indent == least]


def _indent(text: str, place: int) -> int:
    line = text[place : place + 80]
    return len(line) - len(line.lstrip(" \t"))
