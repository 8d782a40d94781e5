"""HTML to tags and text, piece by piece: linear and flat in memory whatever it is fed with."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from functools import lru_cache
from typing import ClassVar

from msgspec import Struct

_MARKUP = re.compile(r"<(?=[a-zA-Z/!?])")
_NAME = re.compile(r"/?([a-zA-Z][^\s/>]{0,63})")
_TAG = re.compile(
    r"""([^<]*+)<(/?)([a-zA-Z][a-zA-Z0-9]{0,63})(?:[\s/]"""
    r"""(?:[^>=]|=\s*(?:"[^"]*"|'[^']*'|(?=[^\s"'])))*+)?>"""
)
"""Text and a whole tag behind it; a quote opens a value only behind an "="."""
_STOP = re.compile(r"[>\"']")
_COMMENT = re.compile(r"--!?>")
_ENTITY = re.compile(
    r"&(?:#[0-9]{1,12}(?![0-9])|#[xX][0-9a-fA-F]{1,10}(?![0-9a-fA-F])|[a-zA-Z][a-zA-Z0-9]{1,31});?"
)
_LONGEST = 80  # characters of "<" and a name, or of an entity, that are waited for
_FORGIVEN = 200  # characters that markup without an end may take away

_RAW = {
    name: re.compile(rf"</(?={name}[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes")
}
"""Elements without tags inside, and where they end."""


class Tag(Struct, frozen=True):
    """A tag in small letters; ``closing`` where it has the slash. Its attributes are left out."""

    name: str
    closing: bool = False


class Raw(Struct, frozen=True):
    """A piece of the text in an element that has no tags inside."""

    name: str
    text: str


Event = Tag | Raw | str
"""A string is text, its entities resolved."""


class Unclosed(ValueError):
    """Markup that never ends, and takes text with it; ``line`` counts from 1."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(f"the {what} that begins here never ends: was the file cut short?")
        self.line = line


class Markup:
    """Feeds on text, as the HTML standard has it, as far as the text's sake asks for."""

    __slots__ = (
        *("_began", "_events", "_lines", "_opened", "_quote", "_raw", "_rest", "_state", "_tag"),
        *("_taken", "_valued"),
    )

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._rest = ""
        self._lines = 1
        self._state = "text"
        self._tag = Tag("")
        self._valued = False  # an "=" stands before: a quote opens a value
        self._quote = ""
        self._raw = ""
        self._opened = -1  # where in this feed the open markup begins
        self._began = 1  # its line
        self._taken = 0  # how many characters it has by now

    def __repr__(self) -> str:
        return f"Markup({self._state}, line {self._lines:,})"

    def feed(self, text: str, *, final: bool = False) -> list[Event]:
        """Raises :class:`Unclosed` at the end."""
        data = self._rest + text
        self._rest = ""
        self._opened = -1
        at = 0
        while at < len(data):
            at = self._STEPS[self._state](self, data, at, final)
        if self._state != "text":
            if self._opened >= 0:
                self._began = self._lines + data.count("\n", 0, self._opened)
                self._taken = 0
            self._taken += len(data) - max(self._opened, 0)
            if final and self._taken > _FORGIVEN:
                raise Unclosed(self._what(), self._began)
        self._lines += data.count("\n", 0, len(data) - len(self._rest))
        events, self._events = self._events, []
        return events

    def _text(self, data: str, at: int, final: bool) -> int:
        add = self._events.append
        while True:
            while whole := _TAG.match(data, at):
                text, slash, name = whole.groups()
                if text:
                    add(resolved(text))
                tag = _tag(name, slash)
                at = whole.end()
                if tag.name in _RAW:
                    self._opened = whole.start(2) - 1
                    self._end_tag(tag)
                    return at
                add(tag)
            found = _MARKUP.search(data, at)
            if found is None:
                break
            end = found.start()
            if end > at:
                add(resolved(data[at:end]))
            whole = _TAG.match(data, end)
            if whole is None:
                return self._open(data, end, final)
            at = end
        end = len(data) if final else _whole(data, at)
        if end > at:
            add(resolved(data[at:end]))
        return self._wait(data, end)

    def _open(self, data: str, at: int, final: bool) -> int:
        if len(data) - at < len("<!--") and not final:
            return self._wait(data, at)
        name = _NAME.match(data, at + 1)
        short = len(data) - at < _LONGEST and not final
        if name is not None and name.end() == len(data) and short:
            return self._wait(data, at)
        self._opened = at
        if name is None:
            self._state = "comment" if data.startswith("<!--", at) else "declaration"
            return at + 2  # the dashes are its end as well, where it is <!-->
        self._state = "tag"
        self._tag = _tag(name[1], "/" if data[at + 1] == "/" else "")
        self._valued = False
        return name.end()

    def _in_tag(self, data: str, at: int, _final: bool) -> int:
        found = _STOP.search(data, at)
        before = data[at : found.start() if found else len(data)].rstrip()
        self._valued = before.endswith("=") if before else self._valued
        if found is None:
            return len(data)
        if found[0] == ">":
            self._end_tag(self._tag)
        elif self._valued:
            self._quote = found[0]
            self._state = "value"
        self._valued = False
        return found.end()

    def _end_tag(self, tag: Tag) -> None:
        self._events.append(tag)
        self._state = "text"
        if tag.name in _RAW and not tag.closing:
            self._raw = tag.name
            self._state = "raw"

    def _in_value(self, data: str, at: int, _final: bool) -> int:
        end = data.find(self._quote, at)
        if end < 0:
            return len(data)
        self._state = "tag"
        return end + 1

    def _in_raw(self, data: str, at: int, final: bool) -> int:
        found = _RAW[self._raw].search(data, at)
        if found:
            end = found.start()
            self._state = "text"
        else:
            end = len(data) if final else _whole(data, at)
            tag = -1 if final else data.rfind("<", max(at, len(data) - 12))
            end = end if tag < 0 else min(end, tag)
        if end > at and self._raw not in ("script", "style"):
            self._events.append(Raw(self._raw, resolved(data[at:end])))
        return end if found else self._wait(data, end)

    def _in_comment(self, data: str, at: int, final: bool) -> int:
        found = _COMMENT.search(data, at)
        if found is None:
            return self._wait(data, len(data) if final else max(at, len(data) - 3))
        self._state = "text"
        return found.end()

    def _in_declaration(self, data: str, at: int, _final: bool) -> int:
        end = data.find(">", at)
        if end < 0:
            return len(data)
        self._state = "text"
        return end + 1

    def _wait(self, data: str, at: int) -> int:
        self._rest = data[at:]
        return len(data)

    def _what(self) -> str:
        if self._state in ("tag", "value"):
            return f"tag <{'/' * self._tag.closing}{self._tag.name[:20]}>"
        return f"<{self._raw}>" if self._state == "raw" else self._state

    _STEPS: ClassVar[dict[str, Callable[[Markup, str, int, bool], int]]] = {
        "text": _text,
        "tag": _in_tag,
        "value": _in_value,
        "raw": _in_raw,
        "comment": _in_comment,
        "declaration": _in_declaration,
    }


@lru_cache(maxsize=1_000)
def _tag(name: str, slash: str) -> Tag:
    return Tag(name.lower(), bool(slash))


def resolved(text: str) -> str:
    """The text with its entities resolved; a number of a thousand digits is none."""
    return _ENTITY.sub(lambda found: html.unescape(found[0]), text) if "&" in text else text


def _whole(data: str, at: int) -> int:
    """Up to where the text is whole: behind it an entity or a tag may have begun."""
    end = len(data) - data.endswith("<")
    start = data.rfind("&", max(at, end - _LONGEST // 2), end)
    return end if start < 0 or ";" in data[start:end] else start
