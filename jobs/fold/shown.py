"""A model's Markdown as it stands in a report: it formats, and does nothing else.

A model may obey the document instead of us, and who wrote that may want to hide what we say of it,
or to say something in our name. So there is no HTML (an unclosed comment hides all that follows),
no image (a viewer fetches it, and its address can carry the text away), no definition of a link
(``[1]: address`` is not shown, and turns every citation into a link to there), no character that
drives a terminal or turns the direction of text, and no heading with the name of one of ours.
"""

from __future__ import annotations

import io
import re
import unicodedata

from .lines import unmarked
from .plain import CONTROL, HALVES, HIDDEN

MODELS = " (as the model wrote it)"
"""What stands behind a heading that has the name of one of our own sections."""

LONGEST_CODE = 1000
"""Characters of a code span; a longer one is text."""

_OURS = ("sources", "coverage")
_LIVE = re.compile(
    r"\\.|`+"
    r"|<(?=[A-Za-z/!?])"
    r"|!(?=\[)"
    r"|(?<=\]):|(?<=\])\](?=\()"  # a definition; [[1]](address), a citation that is a link
    r"|&(?=#?\w{1,40};)"
)
_SOON = re.compile(r"(?:\\|<|!|\]{1,2}|&#?\w{0,40})\Z")
_FENCE = re.compile(r"([ \t]*)(`{3,}(?=[^`]*\Z)|~{3,})")
_ADDRESS = re.compile(r"\]\([^()]*\)")
_KEPT = "\t\n"
# Letters of other alphabets that look like those of our names (Unicode, confusables.txt).
_ALIKE = str.maketrans("ѕоսгсеνаɡ" + "ευοսѵԍɑ", "sourcevag" + "euouvga")


class Shown:
    """Text in, in any pieces; harmless text out, as early as it is known.

    Code stays as it is where it is code beyond doubt: in spans that are closed on their line, and
    between fences that stand at the beginning of their line.
    """

    def __init__(self) -> None:
        self._newlines = io.IncrementalNewlineDecoder(None, translate=True)
        self._held: list[str] = []  # of the line, not handed out yet
        self._begun = False  # what the line is is known
        self._letters = ""  # the first ones of the line
        self._first = ""
        self._fence = ""  # what closes the code that the text is in
        self._sure = True  # no fence was seen of which only a list says whether it is one
        self._open = False  # a backtick of this paragraph is not closed on its line

    def feed(self, text: str) -> str:
        """The next piece of it."""
        return self._take(self._newlines.decode(text))

    def end(self) -> str:
        """There is no more; code that is still open is closed."""
        out = self._take(self._newlines.decode("", final=True)) + self._line()
        return f"{out}\n{self._fence}" if self._fence else out

    def _take(self, text: str) -> str:
        out: list[str] = []
        *lines, last = _harmless(text).split("\n")
        for line in lines:
            self._held.append(line)
            out += (self._line(), "\n")
        if last:
            self._held.append(last)
            self._begun = self._begun or self._begins(last)
            if self._begun:
                text = "".join(self._held)
                done, rest = (text, "") if self._fence else self._escaped(text, complete=False)
                out.append(done)
                self._held = [rest]
        return "".join(out)

    def _begins(self, text: str) -> bool:
        """Whether the line is neither a fence nor one of our names, however it goes on."""
        self._first = self._first or text.lstrip()[:1]
        if self._fence:
            return bool(text.strip(" \t" + self._fence[0]))
        self._letters = (self._letters + _letters(text))[: len("coverage") + 1]
        linked = not self._first.isalpha() and self._letters.startswith(_OURS)  # [Sources](to)
        may = linked or any(name.startswith(self._letters) for name in _OURS)
        return self._first not in "`~" and not may

    def _line(self) -> str:
        """The rest of the line, which is complete."""
        line = "".join(self._held)
        whole = not self._begun
        self._held.clear()
        self._begun, self._letters, self._first = False, "", ""
        if self._fence:
            if whole and self._closes(line):
                self._fence = ""
            return line
        if whole and (fence := _FENCE.match(line)):
            if self._sure and not fence[1]:
                self._fence = fence[2]
                return line
            self._sure = False
        if not line.strip() and whole:
            self._open = False
        named = whole and unmarked(line) == line and _letters(_ADDRESS.sub("]", line)) in _OURS
        return self._escaped(line, complete=True)[0] + (MODELS if named else "")

    def _closes(self, line: str) -> bool:
        bare = line.rstrip(" \t")
        marks = bare.lstrip(" ")
        return (
            len(bare) - len(marks) < 4
            and len(marks) >= len(self._fence)
            and not marks.strip(self._fence[0])
        )

    def _escaped(self, text: str, *, complete: bool) -> tuple[str, str]:
        """With a backslash before what would act; and the end that needs more to be understood."""
        out: list[str] = []
        at = 0
        while live := _LIVE.search(text, at):
            out.append(text[at : live.start()])
            mark, at = live.group(), live.end()
            if mark[0] == "`":
                code = self._code(text, live, complete)
                if code is None:
                    return "".join(out), text[live.start() :]
                out.append(text[live.start() : code])
                at = code
            else:
                out.append(mark if mark[0] == "\\" else f"\\{mark}")
        soon = None if complete else _SOON.search(text, max(at, len(text) - 43))
        end = len(text) if soon is None else soon.start()
        out.append(text[at:end])
        return "".join(out), text[end:]

    def _code(self, text: str, run: re.Match[str], complete: bool) -> int | None:
        """Where the code that begins here ends, or the backticks that begin none; None: not yet."""
        size, limit = len(run.group()), run.start() + LONGEST_CODE
        if self._open or size > 8:
            self._open = True
            return run.end()
        closing = re.compile(f"(?<!`)`{{{size}}}(?!`)").search(text, run.end(), limit)
        if not complete and len(text) < limit and (closing is None or closing.end() == len(text)):
            return None
        if closing is None or "|" in text[run.end() : closing.start()]:  # a table's cell ends it
            self._open = True
            return run.end()
        return closing.end()

    def __repr__(self) -> str:
        return f"<Shown {'in code' if self._fence else 'in text'}>"


def shown(text: str) -> str:
    """A whole text."""
    showing = Shown()
    return showing.feed(text) + showing.end()


def _harmless(text: str) -> str:
    text = CONTROL.sub(lambda found: found[0] if found[0] in _KEPT else " ", text)
    return HALVES.sub("\ufffd", HIDDEN.sub("", text))


def _letters(text: str) -> str:
    """What is read of it: its letters, without case and accents, also look-alikes."""
    folded = unicodedata.normalize("NFKD", text.casefold()).translate(_ALIKE)
    return "".join(filter(str.isalpha, folded))
