"""DOCX documents: what Word shows of them, as Markdown."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn
from zipfile import BadZipFile, LargeZipFile, ZipFile

from ...errors import SourceError
from ...model import DocumentFacts
from .document import Block, Kind, Reading
from .docxbody import Body
from .flow import Flow
from .stream import Stream
from .styles import Styles
from .tally import Tally
from .text import EMPTY
from .titles import Asked, cleaned
from .xmlstream import Handler, XmlDamaged, parse

_FAULTS = (
    *(BadZipFile, LargeZipFile, zlib.error, struct.error, EOFError, KeyError, OSError),
    *(NotImplementedError, OverflowError, RuntimeError, ValueError),  # encrypted, or garbled
)
_OTHERS = (
    ("xl/workbook", "a workbook: save its sheets as CSV"),
    ("ppt/presentation", "a presentation: save it as PDF"),
    ("META-INF/container.xml", "an e-book: convert it to HTML or text first"),
    ("content.xml", "an OpenDocument: save it as DOCX or PDF"),
)
_SMALL = 1 << 25  # bytes of the parts that are read before the text


@contextmanager
def read_docx(stream: Stream, asked: Asked) -> Iterator[Reading]:
    """Raises SourceError for a damaged file, and for what is something else in the same packing."""
    if stream.peek(8).startswith(b"\xd0\xcf\x11\xe0"):
        raise SourceError(
            "it is locked with a password, or an old .doc: save it as DOCX without one",
            path=stream.name,
        )
    try:
        package = ZipFile(stream.seekable())
    except _FAULTS as error:
        _damaged(error, stream.name)
    with package:
        yield DocxReading(package, stream, asked)


class DocxReading:
    """See :class:`.document.Reading`; offsets are those of the text in UTF-8."""

    __slots__ = ("_asked", "_main", "_package", "_stream", "_tally", "kind", "title", "width")

    first_byte = 0

    def __init__(self, package: ZipFile, stream: Stream, asked: Asked) -> None:
        self._package = package
        self._stream = stream
        self._asked = asked
        self._tally = Tally()
        self.kind: Kind = "markdown"
        self.width = self._tally.width
        try:
            self._main = self._find()
            self.title = self._title() or asked.title
        except _FAULTS as error:
            _damaged(error, asked.path)

    def __repr__(self) -> str:
        return f"DocxReading({self._asked.path}, {self._tally!r})"

    def blocks(self) -> Iterator[Block]:
        flow = Flow()
        pieces = self._pieces(flow)
        while True:
            try:
                more = next(pieces, False) is None
            except _FAULTS as error:
                _damaged(error, self._asked.path)
            if text := flow.take(final=not more):
                yield self._tally.block(text)
            if not more:
                break
        self._stream.check()
        if not self._tally.characters:
            raise SourceError(EMPTY, path=self._asked.path)

    def facts(self) -> DocumentFacts:
        return DocumentFacts(
            path=self._asked.path,
            title=self.title,
            format="docx",
            bytes=self._tally.bytes,
            characters=self._tally.characters,
        )

    def _pieces(self, flow: Flow) -> Iterator[None]:
        folder = self._main.rpartition("/")[0]
        styles = Styles()
        self._small(f"{folder}/styles.xml", styles)
        body = Body(flow, styles)
        notes = ((f"{folder}/footnotes.xml", ""), (f"{folder}/endnotes.xml", "e"))
        for part, body.note in ((self._main, ""), *notes):
            if part == self._main or part in self._package.NameToInfo:
                with self._package.open(part) as stream:
                    yield from parse(stream, body)

    def _find(self) -> str:
        """The name of the part that has the text."""
        links = _Links()
        self._small("_rels/.rels", links)
        names = self._package.NameToInfo
        for name in (links.main, "word/document.xml"):
            if name in names and name.startswith("word/"):
                return name
        for beginning, advice in _OTHERS:
            if any(name.startswith(beginning) for name in names):
                raise SourceError(f"it is {advice}", path=self._asked.path)
        raise SourceError(
            "it is a ZIP archive and no DOCX: unpack it first, and name the folder",
            path=self._asked.path,
        )

    def _title(self) -> str:
        core = _Core()
        self._small("docProps/core.xml", core)
        return cleaned("".join(core.title))

    def _small(self, part: str, handler: Handler) -> None:
        info = self._package.NameToInfo.get(part)
        if info is None:
            return
        if info.file_size > _SMALL:
            raise XmlDamaged(f"{part} has {info.file_size >> 20} MB")
        with self._package.open(info) as stream:
            for _ in parse(stream, handler):
                pass


class _Links(Handler):
    """Which part is the document."""

    main = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "rel:Relationship" and attributes.get("Type", "").endswith("/officeDocument"):
            self.main = attributes.get("Target", "").removeprefix("/")


class _Core(Handler):
    """The title in the properties."""

    def __init__(self) -> None:
        self.title: list[str] = []
        self._inside = False

    def start(self, name: str, _attributes: Mapping[str, str]) -> None:
        self._inside = name == "dc:title"

    def end(self, _name: str) -> None:
        self._inside = False

    def text(self, text: str) -> None:
        if self._inside:
            self.title.append(text)


def _damaged(error: Exception, path: str) -> NoReturn:
    why = "it ends too early" if isinstance(error, EOFError) else str(error).strip("'\"")
    raise SourceError(
        f"the DOCX is damaged ({why}): open it in Word or LibreOffice, and save it again", path=path
    ) from error
