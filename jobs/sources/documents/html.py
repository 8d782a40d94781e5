"""HTML documents: what a reader sees of them, as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from ...errors import SourceError
from ...model import DocumentFacts
from .document import Block, Kind, Reading
from .encoding import declared
from .flow import Flow
from .markup import Event, Markup, Tag, Unclosed, resolved
from .stream import Stream
from .tally import Tally
from .text import EMPTY, Decoded
from .titles import Asked, cleaned

_META = re.compile(rb"<meta\b[^>]{0,500}?\bcharset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_TITLE = re.compile(r"<title\b[^>]{0,500}>([^<]{0,2000})</title", re.IGNORECASE)
_LABELS = {  # what browsers take the names for: https://encoding.spec.whatwg.org
    **dict.fromkeys(("ascii", "us-ascii", "iso-8859-1", "iso8859-1", "latin1"), "cp1252"),
    **dict.fromkeys(("iso-8859-9", "latin5"), "cp1254"),
    **dict.fromkeys(("iso-8859-11", "tis-620"), "cp874"),
    **dict.fromkeys(("gb2312", "gbk", "x-gbk", "gb_2312-80"), "gb18030"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "windows-31j"), "cp932"),
    **dict.fromkeys(("big5", "big5-hkscs", "x-x-big5"), "cp950"),
    "macintosh": "mac-roman",
}
_PARAGRAPHS = (
    *("address", "article", "aside", "blockquote", "center", "details", "dialog", "dl"),
    *("fieldset", "figure", "footer", "form", "header", "hr", "main", "nav", "p", "section"),
)
_LINES = (
    *("body", "caption", "dd", "div", "dt", "figcaption", "legend", "optgroup", "option"),
    *("select", "summary", "text"),
)
_NESTED = 1_000  # lists whose numbers are kept


def label(sample: bytes) -> str | None:
    """The encoding that the document says it is in, as browsers understand the name."""
    found = _META.search(sample[: 1 << 14])
    name = found[1].decode("ascii") if found else declared(sample)
    return None if name is None else _LABELS.get(name.lower(), name)


@contextmanager
def read_html(stream: Stream, asked: Asked) -> Iterator[Reading]:
    yield HtmlReading(Decoded(stream, asked.encoding, label=label), asked)


class HtmlReading:
    """See :class:`.document.Reading`; offsets are those of the text in UTF-8."""

    __slots__ = ("_asked", "_decoded", "_tally", "_writer", "kind", "title", "width")

    first_byte = 0

    def __init__(self, decoded: Decoded, asked: Asked) -> None:
        found = _TITLE.search(decoded.beginning())
        self.title = cleaned(resolved(found[1]) if found else "") or asked.title
        self.kind: Kind = "markdown"
        self._tally = Tally()
        self.width = self._tally.width
        self._asked = asked
        self._decoded = decoded
        self._writer = Writer()

    def __repr__(self) -> str:
        return f"HtmlReading({self._asked.path}, {self._tally!r})"

    def blocks(self) -> Iterator[Block]:
        markup = Markup()
        for text in self._decoded.text():
            if piece := self._writer.write(markup.feed(text)):
                yield self._tally.block(piece)
        try:
            last = self._writer.write(markup.feed("", final=True), final=True)
        except Unclosed as error:
            raise SourceError(str(error), path=self._asked.path, line=error.line) from None
        if last:
            yield self._tally.block(last)
        if not self._tally.characters:
            raise SourceError(EMPTY, path=self._asked.path)

    def facts(self) -> DocumentFacts:
        return DocumentFacts(
            path=self._asked.path,
            title=self.title,
            format="html",
            bytes=self._tally.bytes,
            characters=self._tally.characters,
            encoding=self._decoded.found.coding.name,
            encoding_from=self._decoded.found.how,
            undecodable=self._decoded.lost,
            first_undecodable=self._decoded.first_lost,
        )


class Writer:
    """Tags and text to Markdown."""

    __slots__ = ("_flow", "_lists")

    def __init__(self) -> None:
        self._flow = Flow()
        self._lists: list[int] = []  # the number of the next item; 0 where items have none

    def __repr__(self) -> str:
        return f"Writer({self._flow!r})"

    def write(self, events: list[Event], *, final: bool = False) -> str:
        """The text so far, where it is enough for a block."""
        flow = self._flow
        for event in events:
            if isinstance(event, str):
                flow.text(event)
            elif isinstance(event, Tag):
                if act := _ACTS.get(event.name):
                    act(self, event.name, event.closing)
            elif event.name in ("textarea", "xmp"):
                flow.text(event.text)
        if final:
            flow.end_pre()
            flow.end_row()
        return flow.take(final=final)

    def _line(self, _name: str, _closing: bool) -> None:
        self._flow.line()

    def _paragraph(self, _name: str, _closing: bool) -> None:
        self._flow.paragraph()

    def _break(self, _name: str, _closing: bool) -> None:
        self._flow.newline()

    def _heading(self, name: str, closing: bool) -> None:
        if closing:
            self._flow.end_heading()
        else:
            self._flow.begin_heading(int(name[1]))

    def _pre(self, _name: str, closing: bool) -> None:
        if closing:
            self._flow.end_pre()
        else:
            self._flow.begin_pre()

    def _list(self, name: str, closing: bool) -> None:
        nested = len(self._lists) > closing
        if closing:
            self._lists[-1:] = []
        elif len(self._lists) < _NESTED:
            self._lists.append(int(name == "ol"))
        if nested:
            self._flow.line()
        else:
            self._flow.paragraph()

    def _item(self, _name: str, closing: bool) -> None:
        if closing:
            self._flow.end_item()
            return
        number = self._lists[-1] if self._lists else 0
        if number:
            self._lists[-1] += 1
        self._flow.item(max(0, len(self._lists) - 1), f"{number}." if number else "-")

    def _table(self, _name: str, _closing: bool) -> None:
        self._flow.end_row()
        self._flow.paragraph()

    def _row(self, _name: str, closing: bool) -> None:
        if closing:
            self._flow.end_row()
        else:
            self._flow.row()

    def _cell(self, _name: str, closing: bool) -> None:
        if not closing:
            self._flow.cell()


_ACTS: Mapping[str, Callable[[Writer, str, bool], None]] = {
    **dict.fromkeys(_PARAGRAPHS, Writer._paragraph),
    **dict.fromkeys(_LINES, Writer._line),
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), Writer._heading),
    **dict.fromkeys(("ul", "ol"), Writer._list),
    **dict.fromkeys(("td", "th"), Writer._cell),
    "br": Writer._break,
    "li": Writer._item,
    "pre": Writer._pre,
    "table": Writer._table,
    "tr": Writer._row,
}
"""What a tag does; the others do nothing."""
