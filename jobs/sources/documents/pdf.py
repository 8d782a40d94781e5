"""PDF documents, page by page, through PDFium (the extra ``pdf``)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, NoReturn

from ...errors import ConfigError, SourceError
from ...model import DocumentFacts
from .document import Block, Kind, Reading
from .stream import Stream
from .tally import Tally
from .text import BLOCK, EMPTY
from .titles import Asked, cleaned

NO_EXTRA = "PDF documents need PDFium (the extra `pdf`): pip install pypdfium2"

_PASSWORD = 4  # FPDF_ERR_PASSWORD
_HYPHEN = re.compile("(?<=[^\\W\\d_])[\x02\ufffe](?=[^\\W\\d_])")
"""PDFium's sign for a hyphen at the end of a line, whose end it leaves out."""
_OTHER_HYPHEN = re.compile("[\x02\ufffe]")
_NO_TEXT = re.compile("[\0-\x08\x0b\x0e-\x1f\x7f\uffff\ud800-\udfff]")
_BLANK = re.compile("[\\s\ufffd]*")


@contextmanager
def read_pdf(stream: Stream, asked: Asked) -> Iterator[Reading]:
    """Raises ConfigError without the extra, SourceError for what is damaged, locked or no PDF."""
    try:
        import pypdfium2
    except ImportError:
        raise ConfigError(f"{asked.path}: {NO_EXTRA}") from None
    head = stream.peek(1 << 10)
    if b"%PDF-" not in head:
        begins = f"it begins with {head[:16]!r}" if head else "it is empty"
        raise SourceError(f"it is no PDF: {begins}", path=asked.path)
    try:
        pdf = pypdfium2.PdfDocument(stream.seekable())
    except pypdfium2.PdfiumError as error:
        _refuse(error, asked.path)
    with closing(pdf):
        yield PdfReading(pdf, pypdfium2.PdfiumError, stream, asked)


class PdfReading:
    """See :class:`.document.Reading`; offsets are those of the text in UTF-8."""

    __slots__ = (
        "_asked",
        "_empty",
        "_fault",
        "_pdf",
        "_stream",
        "_tally",
        "kind",
        "title",
        "width",
    )

    first_byte = 0

    def __init__(self, pdf: Any, fault: type[Exception], stream: Stream, asked: Asked) -> None:
        self._pdf = pdf
        self._fault = fault
        self._stream = stream
        self._asked = asked
        self._tally = Tally()
        self._empty = 0
        self.kind: Kind = "prose"
        self.width = self._tally.width
        self.title = cleaned(pdf.get_metadata_value("Title")) or asked.title

    def __repr__(self) -> str:
        return f"PdfReading({self._asked.path}, {self._tally!r})"

    def blocks(self) -> Iterator[Block]:
        """Each page begins a block of its own; an empty line stands between two of them."""
        for number in range(1, len(self._pdf) + 1):
            text = clean(self._page(number))
            if _BLANK.fullmatch(text):
                self._empty += 1
                continue
            if self._tally.characters:
                text = "\n\n" + text
            for at in range(0, len(text), BLOCK):
                yield self._tally.block(text[at : at + BLOCK], number)
        self._stream.check()
        if not self._tally.characters:
            raise SourceError(self._scanned(), path=self._asked.path)

    def facts(self) -> DocumentFacts:
        return DocumentFacts(
            path=self._asked.path,
            title=self.title,
            format="pdf",
            bytes=self._tally.bytes,
            characters=self._tally.characters,
            pages=len(self._pdf),
            empty_pages=self._empty,
        )

    def _page(self, number: int) -> str:
        try:
            with (
                closing(self._pdf.get_page(number - 1)) as page,
                closing(page.get_textpage()) as text,
            ):
                return str(text.get_text_range())
        except self._fault as error:
            raise SourceError(
                f"page {number:,} is damaged ({error}): repair the file first, for example with "
                "qpdf in.pdf out.pdf",
                path=self._asked.path,
            ) from error

    def _scanned(self) -> str:
        pages = len(self._pdf)
        if not pages:
            return EMPTY
        which = "its page has no text" if pages == 1 else f"none of its {pages:,} pages has text"
        return f"{which}: it is scanned; run OCR first, for example ocrmypdf in.pdf out.pdf"


def clean(text: str) -> str:
    """A page's text as text: a word that a line's end has parted is whole again.

    A hyphen before a small letter is taken for one of those; what has no character is U+FFFD.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _HYPHEN.sub(lambda found: "" if text[found.end()].islower() else "-", text)
    return _NO_TEXT.sub("\ufffd", _OTHER_HYPHEN.sub("-", text)).strip("\n")


def _refuse(error: Exception, path: str) -> NoReturn:
    code = getattr(error, "err_code", None)
    if not code:  # PDFium had nothing against it
        why = "the PDF has no pages"
    elif code == _PASSWORD:
        why = "it is locked with a password: save it without one, for example with qpdf --decrypt"
    else:
        why = f"the PDF is damaged ({error}): repair it first, for example with qpdf in.pdf out.pdf"
    raise SourceError(why, path=path) from error
