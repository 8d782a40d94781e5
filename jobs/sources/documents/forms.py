"""The formats of documents: a line a suffix, and what the first bytes say where there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from msgspec import Struct

from ...errors import SourceError
from ..stored import STDIN, suffixes
from .document import Kind, Reading
from .docx import read_docx
from .html import read_html
from .pdf import read_pdf
from .stream import Stream
from .text import Decoded, TextReading
from .titles import Asked

_HEAD = 4_096


class Form(Struct, frozen=True):
    """A format; ``plain`` is text as it stands, whose offsets are those of the file."""

    name: str
    read: Callable[[Stream, Asked], AbstractContextManager[Reading]]
    plain: bool = False


def _plain(name: str, kind: Kind) -> Form:
    @contextmanager
    def read(stream: Stream, asked: Asked) -> Iterator[Reading]:
        if advice := _advice(stream.peek(_HEAD)):
            raise SourceError(advice, path=stream.name)
        yield TextReading(Decoded(stream, asked.encoding), asked.path, asked.title, kind, name)

    return Form(name, read, plain=True)


TEXT = _plain("text", "prose")
MARKDOWN = _plain("markdown", "markdown")
CODE = _plain("code", "code")
DOCX = Form("docx", read_docx)
PDF = Form("pdf", read_pdf)
HTML = Form("html", read_html)

_SUFFIXES: Mapping[Form, str] = {
    TEXT: ".txt .text .log .csv .tsv .json .jsonl .ndjson .xml .yaml .yml .toml .ini .cfg .conf "
    ".rst .adoc .tex .srt .vtt .eml .svg",
    MARKDOWN: ".md .markdown .mdown .mkd .mdx .qmd .rmd",
    DOCX: ".docx .docm .dotx .dotm",
    PDF: ".pdf",
    HTML: ".html .htm .xhtml .shtml",
    CODE: ".py .pyi .js .mjs .cjs .ts .mts .jsx .tsx .java .kt .kts .scala .groovy .clj .c .h .cc "
    ".cpp .cxx .hpp .hh .hxx .cs .fs .go .rs .rb .php .pl .pm .lua .r .jl .m .mm .swift .dart .ex "
    ".exs .erl .hrl .hs .ml .mli .elm .zig .nim .v .sv .vhd .vhdl .asm .s .f .f90 .for .pas .ada "
    ".adb .ads .cob .cbl .lisp .el .scm .rkt .tcl .sh .bash .zsh .fish .ps1 .bat .cmd .sql .proto "
    ".graphql .tf .hcl .nix .cmake .mk .gradle .sol .vue .svelte .css .scss .less .ipynb",
}

_FORMS: Mapping[str, Form] = {
    suffix: form for form, names in _SUFFIXES.items() for suffix in names.split()
}
"""The format of a suffix."""

_FIRST: tuple[tuple[re.Pattern[bytes], Form], ...] = (
    (re.compile(rb"\A(?:\xef\xbb\xbf)?\s*(?:<!doctype html|<html)\b", re.IGNORECASE), HTML),
    (re.compile(rb"\A%PDF-"), PDF),
    (re.compile(rb"\APK\x03\x04"), DOCX),
)
"""What a document begins with that is named as nothing else."""

_IMAGE = "it is an image: take its text out first, for example with tesseract"
_SOUND = "it is sound or video: write it down first, for example with whisper"
_ARCHIVE = "it is an archive: unpack it first, and name the folder"
_MAGIC: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|II\*\0|MM\0\*", re.S), _IMAGE),
    (re.compile(rb"ID3[\2-\4]|OggS\0|fLaC|RIFF....(WAVE|AVI )|....ftyp", re.S), _SOUND),
    (re.compile(rb"\x1f\x8b"), "it is gzip data: give it a name in .gz, or pipe it through zcat"),
    (
        re.compile(rb"\x28\xb5\x2f\xfd"),
        "it is zstd data: give it a name in .zst, or pipe it through zstdcat",
    ),
    (re.compile(rb"\xfd7zXZ\0|BZh[1-9]1AY|7z\xbc\xaf|Rar!\x1a|.{257}ustar", re.S), _ARCHIVE),
    (
        re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        "it is in an old format of Office, or locked with a password: "
        "save it as DOCX (or a table as CSV) without one",
    ),
    (re.compile(rb"\{\\rtf"), "it is RTF: save it as DOCX or as text"),
    (re.compile(rb"PAR1|SQLite format 3\0"), "it is a table in binary: save it as CSV"),
)


def _advice(head: bytes) -> str | None:
    """What to do with data that is no text, where its first bytes say what it is."""
    return next((advice for magic, advice in _MAGIC if magic.match(head)), None)


class File(Struct):
    """See :class:`.document.Document`."""

    path: str
    size: int | None = None
    encoding: str | None = None

    @contextmanager
    def open(self) -> Iterator[Reading]:
        suffix, compression = suffixes(self.path)
        title = "standard input" if self.path == STDIN else Path(self.path).name
        with Stream(self.path, compression) as stream:
            form = _form(suffix, stream.peek(_HEAD))
            with form.read(stream, Asked(self.path, title, self.encoding)) as reading:
                yield reading


def text_size(path: str, reading: Reading) -> int | None:
    """Bytes of the text, where they are those of the file."""
    if not isinstance(reading, TextReading) or suffixes(path)[1]:
        return None
    return Path(path).stat().st_size - reading.first_byte


def _form(suffix: str, head: bytes) -> Form:
    """By the suffix; where that says nothing, or plain text at most, by the first bytes."""
    named = _FORMS.get(suffix.lower())
    if named is not None and not named.plain:
        return named
    for first, form in _FIRST:
        if first.search(head) and (named is None or form is not HTML):
            return form
    return named or TEXT
