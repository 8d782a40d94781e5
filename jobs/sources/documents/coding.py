"""Bytes to text and back to their number, exactly, whatever the bytes are.

A byte that is no text in an encoding is decoded to the lone surrogate U+DC00 + its value, as PEP
383 has it for bytes from 0x80; below, too, so that a half character of UTF-16 is kept as well.
Nothing else becomes a surrogate: one of them always is one byte.
"""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Callable

from msgspec import Struct

_ESCAPE = "llmbatch.escape"
_LOST = re.compile("[\ud800-\udfff]")
_SAME = {
    "utf-8-sig": "utf-8",
    "euc_kr": "cp949",  # a superset, and without Hangul of eight bytes
}
_WIDE = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
_MULTIBYTE = frozenset(
    "big5 cp932 cp949 cp950 euc_jp gb18030 gb2312 gbk johab shift_jis".split()  # noqa: SIM905
)
_UNTOLD = frozenset({"utf-16", "utf-32"})  # which byte order it is, the data say
_CONVERTIBLE = ("iso2022", "hz", "utf-7", "big5hkscs", "euc_jis", "shift_jis")
"""Encodings with states, or with two characters in one sequence: no piece of text has a width."""
_TILDE = b"\x8f\xa2\xb7"  # of EUC-JP, decoded to the character that has one byte of its own


class NoCoding(ValueError):
    """The name of no encoding that documents are read in; ``str()`` says what to do."""


class Piece(Struct, frozen=True):
    """Text, in how many bytes it was stored, and whether any of them were lost."""

    text: str
    width: int
    damaged: bool


class Coding:
    """An encoding by its :func:`canonical` name; not ``utf-16``, which leaves its order open."""

    __slots__ = ("name", "width")

    name: str
    width: Callable[[str], int]
    """How many bytes a piece of decoded text was stored in."""

    def __init__(self, name: str) -> None:
        self.name = name
        unit = _WIDE.get(name, 0)
        self.width = (
            _utf8_width if name == "utf-8" else _wide(name, unit) if unit else self._narrow()
        )

    def __repr__(self) -> str:
        return f"Coding({self.name})"

    def decoder(self) -> Decoder:
        return Decoder(self)

    def reads(self, sample: bytes, *, whole: bool) -> str | None:
        """The sample's text where every byte of it is good; it may end inside a character."""
        try:
            return codecs.getincrementaldecoder(self.name)().decode(sample, whole)
        except UnicodeDecodeError:
            return None

    def _narrow(self) -> Callable[[str], int]:
        return len if self.name not in _MULTIBYTE else _multibyte(self.name)


class Decoder:
    """Bytes in, text out, piece by piece; strict as long as the bytes are good, which is quick."""

    __slots__ = ("_loose", "_strict", "_width")

    def __init__(self, coding: Coding) -> None:
        make = codecs.getincrementaldecoder(coding.name)
        self._width = coding.width
        self._strict: codecs.IncrementalDecoder | None = make()
        self._loose: codecs.IncrementalDecoder | _EucJp = make(
            "surrogateescape" if coding.name == "utf-8" else _ESCAPE
        )
        if coding.name == "euc_jp":
            self._strict, self._loose = None, _EucJp()

    def __repr__(self) -> str:
        return f"Decoder({self._loose!r})"

    def decode(self, data: bytes, final: bool) -> Piece:
        strict, loose = self._strict, self._loose
        if strict is None or isinstance(loose, _EucJp):
            text = loose.decode(data, final)
            return Piece(text, self._width(text), has_lost(text))
        before = strict.getstate()
        try:
            text = strict.decode(data, final)
        except UnicodeDecodeError:
            loose.setstate(before)
            text = loose.decode(data, final)
            strict.setstate(loose.getstate())
            return Piece(text, self._width(text), True)
        return Piece(text, len(data) + len(before[0]) - len(strict.getstate()[0]), False)


def canonical(name: str) -> str:
    """Python's own name of an encoding that documents are read in; raises :class:`NoCoding`."""
    try:
        known = codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        raise NoCoding("no such encoding") from None
    known = _SAME.get(known, known)
    if known in _WIDE or known in _MULTIBYTE or known in _UNTOLD or known in ("utf-8", "ascii"):
        return known
    if known == "iso8859-1" or _has_table(known):
        return known
    if not known.startswith(_CONVERTIBLE):
        raise NoCoding("no encoding of documents")
    raise NoCoding(
        f"documents are not read in it: convert them first, iconv -f {name.strip()} -t UTF-8"
    )


def lost(text: str) -> list[int]:
    """Where bytes that could not be decoded stand in it."""
    return [found.start() for found in _LOST.finditer(text)]


def has_lost(text: str) -> bool:
    """Whether there are any."""
    return not text.isascii() and _LOST.search(text) is not None


def _has_table(name: str) -> bool:
    """Whether it is one of the encodings with a table of 256 characters."""
    codec = codecs.lookup(name)
    if not getattr(codec, "_is_text_encoding", True) or codec.incrementaldecoder is None:
        return False
    module = sys.modules[codec.incrementaldecoder.__module__]
    return hasattr(module, "decoding_table") or hasattr(module, "decoding_map")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if isinstance(error, UnicodeDecodeError):
        bad = error.object[error.start : error.end]
        return "".join(chr(0xDC00 + byte) for byte in bad), error.end
    raise error


codecs.register_error(_ESCAPE, _escape)


def _utf8_width(text: str) -> int:
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return len(text.encode("utf-8", "surrogatepass")) - 2 * len(_LOST.findall(text))


def _wide(name: str, unit: int) -> Callable[[str], int]:
    def width(text: str) -> int:
        if text.isascii():
            return unit * len(text)
        try:
            return len(text.encode(name))
        except UnicodeEncodeError:
            size = len(text.encode(name, "surrogatepass"))
            return size - (unit - 1) * len(_LOST.findall(text))

    return width


def _multibyte(name: str) -> Callable[[str], int]:
    def width(text: str) -> int:
        if text.isascii():
            return len(text)
        try:
            return len(text.encode(name))
        except UnicodeEncodeError:
            good = _LOST.sub("", text)
            return len(good.encode(name)) + len(text) - len(good)

    return width


class _EucJp:
    """EUC-JP, where the tilde of three bytes is taken for lost: one of a single byte has its name.

    Its first byte begins no other place of a character, so it is found without decoding.
    """

    __slots__ = ("_decoder", "_held")

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("euc_jp")(_ESCAPE)
        self._held = b""

    def decode(self, data: bytes, final: bool = False) -> str:
        data = self._held + data
        keep = 0 if final else next((n for n in (2, 1) if data.endswith(_TILDE[:n])), 0)
        self._held = data[len(data) - keep :]
        *before, last = data[: len(data) - keep].split(_TILDE)
        tilde = "".join(chr(0xDC00 + byte) for byte in _TILDE)
        text = "".join(self._decoder.decode(piece, True) + tilde for piece in before)
        return text + self._decoder.decode(last, final)
