"""How a text is encoded: told by the user, by itself, by its bytes, or guessed and said so."""

from __future__ import annotations

import codecs
import difflib
import re
import unicodedata
from typing import Literal

from msgspec import Struct

from ...errors import ConfigError
from .coding import Coding, NoCoding, canonical, lost
from .guessing import guess

SAMPLE = 1 << 18
"""Bytes of the beginning that are looked at."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\v\f\r\x1b")) + b"\x7f"
_PRINTED = bytes(range(0x20, 0x7F)) + b"\t\r\n"
_DECLARED = (
    re.compile(rb"\A\s*<\?xml[^>]{0,200}?\bencoding\s*=\s*[\"']([\w.:-]+)"),
    re.compile(rb"\A(?:[^\n]*\n)?[^\n]*-\*-[^\n]*?coding[:=][ \t]*([\w.-]+)[^\n]*-\*-"),
    re.compile(rb"\A(?:[^\n]*\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*([\w.-]+)"),
    re.compile(rb"\A(?:[^\n]*\n)?[^\n]*\bvim?:[^\n]*?\bf(?:ile)?enc(?:oding)?=([\w.-]+)"),
)
_ASCII = re.compile("[\0-\x7f]")
_RARE = 1_000  # bytes for each NUL in a text that is damaged
_HOLE = 1 << 14  # NULs that a crash leaves in the midst of a log: some blocks of the disk
_MANY = 16  # characters beyond ASCII that are no chance
_JIS = re.compile(rb"\x1b\$[@B]|\x1b\$\([A-Q]")


class NotText(ValueError):
    """The bytes are no text; ``str()`` says why, and what to do."""


class Found(Struct, frozen=True):
    """An encoding, how it is known, and how many bytes of a mark stand before the text."""

    coding: Coding
    how: Literal["bom", "content", "declared", "guessed", "given"]
    mark: int = 0


def check_encoding(name: str) -> None:
    """Raises ConfigError, with the nearest right name, for what is no encoding of documents."""
    try:
        canonical(name)
    except NoCoding as error:
        from encodings.aliases import aliases  # here, so that nobody else loads it

        known = sorted({*aliases, *aliases.values(), *_WIDE})
        near = [n for n in difflib.get_close_matches(name.lower(), known, 5) if _usable(n)]
        hint = f"; did you mean {canonical(near[0])}?" if near else ""
        raise ConfigError(f'encoding "{name}": {error}{hint}') from None


def declared(sample: bytes) -> str | None:
    """What an XML declaration or a coding cookie (PEP 263, Emacs, vim) in its first lines names."""
    head = sample[:2_000]
    return next((m[1].decode("ascii") for p in _DECLARED if (m := p.search(head))), None)


def detect(
    sample: bytes, *, whole: bool, given: str | None = None, label: str | None = None
) -> Found:
    """The encoding of a text that begins with ``sample``, which is all of it where ``whole``.

    ``given`` is the user's word and ``label`` the document's own. Raises :class:`NotText`.
    """
    if given is not None:
        return _given(sample, canonical(given), whole)
    for mark, name in _BOMS:
        if sample.startswith(mark) and (name != "utf-32-le" or len(sample) % 4 == 0 or not whole):
            return Found(Coding(name), "bom", len(mark))
    if b"\0" in sample:
        wide = _wide(sample, whole)
        if wide is not None:
            return Found(Coding(wide), "content")
        check_nuls(sample, sample.count(0), len(sample))
    return _narrow(sample, label, whole)


def check_nuls(data: bytes, nuls: int, size: int, first: int = 0) -> None:
    """Raises :class:`NotText` where ``nuls`` in ``size`` bytes are more than damage to a text.

    ``data`` has the last one; its first byte is number ``first`` of the document, from 0.
    """
    if nuls > size // _RARE + (_HOLE if first else 0):
        raise NotText(
            f"there is a NUL at byte {first + data.index(0) + 1:,}: it is binary data; if it is "
            "text all the same, take them out first, for example with tr -d '\\000'"
        )


def _given(sample: bytes, name: str, whole: bool) -> Found:
    if name in ("utf-16", "utf-32"):
        marked = next((n for m, n in _BOMS if n.startswith(name) and sample.startswith(m)), None)
        found = marked or _wide(sample, whole)
        name = found if found is not None and found.startswith(name) else f"{name}-le"
    mark = next((m for m, n in _BOMS if n == name and sample.startswith(m)), b"")
    if name not in _WIDE and b"\0" in sample:
        check_nuls(sample, sample.count(0), len(sample))
    return Found(Coding(name), "given", len(mark))


def _narrow(sample: bytes, label: str | None, whole: bool) -> Found:
    utf8 = Coding("utf-8")
    named = _labelled(label)
    if named is not None and named.reads(sample, whole=whole) is not None:
        return Found(named, "declared")
    if utf8.reads(sample, whole=whole) is not None:
        _refuse_jis(sample)
        _refuse_controls(sample, 0.1)
        return Found(utf8, "content")
    _refuse_controls(sample, 0.02)
    if named is not None and _mostly(named, sample, whole):
        return Found(named, "declared")
    if _mostly(utf8, sample, whole):
        return Found(utf8, "content")
    return Found(Coding(guess(sample)), "guessed")


def _mostly(encoding: Coding, sample: bytes, whole: bool) -> bool:
    """Whether a few bytes are damaged in what else is good, or half of much of it is good.

    Text of another encoding hardly ever has two bytes in a row that are good UTF-8; so that is a
    file to which texts in two encodings were written.
    """
    text = encoding.decoder().decode(sample, whole).text
    damaged = len(lost(text))
    good = len(text) - damaged - len(_ASCII.findall(text))
    return good >= (4 * damaged if good < _MANY or encoding.name != "utf-8" else damaged)


def _labelled(label: str | None) -> Coding | None:
    try:
        name = None if label is None else canonical(label)
    except NoCoding:
        return None
    # A label that could be read byte by byte proves that these are not two bytes a character.
    return None if name is None or name.startswith(("utf-16", "utf-32")) else Coding(name)


def _usable(name: str) -> bool:
    try:
        return bool(canonical(name))
    except NoCoding:
        return False


def _wide(sample: bytes, whole: bool) -> str | None:
    """Two or four bytes a character, where the NULs stand as in a text of that kind."""
    for name in _WIDE:
        unit = 4 if name.startswith("utf-32") else 2
        top = unit - 1 if name.endswith("le") else 0
        nulls = [sample[at::unit].count(0) for at in range(unit)]
        if nulls[top] <= 10 * nulls[unit - 1 - top] or _is_ascii(sample, top, unit):
            continue
        text = Coding(name).reads(sample, whole=whole and len(sample) % unit == 0)
        if text is not None and _plausible(text[:4_096]):
            return name
    return None


def _is_ascii(sample: bytes, top: int, unit: int) -> bool:
    """Whether it is text of one byte a character with a NUL here and there."""
    if sample[top::unit].count(0) * 4 * unit > len(sample):
        return False
    for at, most in ((top, 0.9), (unit - 1 - top, 0.7)):
        seen = sample[at::unit].replace(b"\0", b"")
        if len(seen) - len(seen.translate(None, _PRINTED)) <= most * len(seen):
            return False
    return True


def _plausible(text: str) -> bool:
    odd = sum(unicodedata.category(c) in ("Cn", "Co", "Cc") and c not in "\t\n\r\f" for c in text)
    return odd <= len(text) // 100


def _refuse_controls(sample: bytes, share: float) -> None:
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    if controls > share * len(sample) + 1:
        raise NotText(
            f"{controls:,} of its first {len(sample):,} bytes are control characters: it is binary "
            "data; if it is text all the same, say its encoding with --encoding"
        )


def _refuse_jis(sample: bytes) -> None:
    if _JIS.search(sample):
        raise NotText(
            "it is text in ISO-2022: convert it first, for example with "
            "iconv -f ISO-2022-JP -t UTF-8"
        )
