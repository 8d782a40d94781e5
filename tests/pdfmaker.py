"""Makes small PDF files, object by object."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

# Maps the letter A to a character beyond U+FFFF, and B to none.
_CMAP = (
    b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <FF> "
    b"endcodespacerange 1 beginbfchar <41> <D83DDE00> endbfchar endcmap end"
)


def pdf(pages: Sequence[Sequence[bytes]], info: bytes = b"", *, emoji: bool = False) -> bytes:
    """A page is its lines, in WinAnsi, with the escapes of PDF; one without lines has no text."""
    kids = b" ".join(b"%d 0 R" % (5 + 2 * index) for index in range(len(pages)))
    unicode = b"/ToUnicode 4 0 R" if emoji else b""
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, len(pages)),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding%s>>" % unicode,
        _stream(_CMAP),
    ]
    for index, lines in enumerate(pages):
        shown = b" ".join(b"(%s) Tj T*" % line for line in lines)
        objects += [
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>"
            b"/Contents %d 0 R>>" % (6 + 2 * index),
            _stream(b"BT /F1 12 Tf 72 720 Td 14 TL %s ET" % shown if lines else b""),
        ]
    return _file([*objects, b"<<%s>>" % info])


def make(path: str | Path, *pages: Sequence[bytes], info: bytes = b"") -> str:
    Path(path).write_bytes(pdf(pages, info))
    return str(path)


def _stream(data: bytes) -> bytes:
    return b"<</Length %d>>stream\n%s\nendstream" % (len(data), data)


def _file(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    out = b"%PDF-1.4\n"
    places = []
    for number, item in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, item)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    return out + (
        b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root 1 0 R/Info %d 0 R%s>>\n"
        b"startxref\n%d\n%%%%EOF\n" % (size, table, size, size - 1, trailer, len(out))
    )


def locked(page: Sequence[bytes]) -> bytes:
    """A file that asks for a password: its key fits to none."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>", b"<<>>"]
    secret = b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O(%s)/U(%s)>>/ID[<00><00>]" % (
        b"o" * 32,
        b"u" * 32,
    )
    return _file(objects, secret)
