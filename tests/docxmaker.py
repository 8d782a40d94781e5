"""Makes DOCX files of a few lines of XML."""

from __future__ import annotations

import zipfile
from pathlib import Path

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_OPEN = (
    f'xmlns:w="{W}" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
)
RELS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Target="word/document.xml" Type="http://schemas.openxmlformats.org/'
    'officeDocument/2006/relationships/officeDocument"/></Relationships>'
)
CORE = (
    '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
    'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:creator>x</dc:creator>'
    "<dc:title>{}</dc:title></cp:coreProperties>"
)


def document(body: str) -> str:
    return f'<?xml version="1.0"?><w:document {_OPEN}><w:body>{body}</w:body></w:document>'


def part(root: str, body: str) -> str:
    return f"<w:{root} {_OPEN}>{body}</w:{root}>"


def paragraph(text: str, properties: str = "") -> str:
    properties = f"<w:pPr>{properties}</w:pPr>" if properties else ""
    return f"<w:p>{properties}<w:r><w:t xml:space='preserve'>{text}</w:t></w:r></w:p>"


def make(path: str | Path, body: str, **parts: str) -> str:
    """``styles``, ``footnotes``, ... are parts of the folder word; ``title`` is the title."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("_rels/.rels", RELS)
        package.writestr("docProps/core.xml", CORE.format(parts.pop("title", "")))
        package.writestr("word/document.xml", document(body))
        for name, text in parts.items():
            package.writestr(f"word/{name}.xml", text)
    return str(path)
