"""Bytes become text and are counted again, exactly, whatever they are."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.sources.documents.coding import Coding, NoCoding, canonical, lost

WIDE = ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
DOUBLE = "big5 cp932 cp949 cp950 euc_jp gb18030 gb2312 gbk johab shift_jis".split()  # noqa: SIM905
SINGLE = ["ascii", "iso8859-1", "cp1252", "cp1251", "koi8-r", "cp437", "cp424", "mac-roman"]
EVERY = ["utf-8", *WIDE, *DOUBLE, *SINGLE]

# Bytes that make every kind of trouble: half characters, surrogates, the odd tildes of EUC-JP.
PARTS = [b"\x8f\xa2\xb7", b"\xd8\x00", b"\x00\xd8", b"\xdc\x00", b"\x00\xdc", b"\x81\x30\x81\x30"]
bytes_of = st.lists(st.one_of(st.binary(max_size=9), st.sampled_from(PARTS))).map(b"".join)


def decoded(name: str, data: bytes, size: int) -> str:
    decoder = Coding(name).decoder()
    pieces = [decoder.decode(data[at : at + size], False) for at in range(0, len(data), size)]
    pieces.append(decoder.decode(b"", True))
    width = Coding(name).width
    assert [piece.width for piece in pieces] == [width(piece.text) for piece in pieces]
    assert [piece.damaged for piece in pieces] == [bool(lost(piece.text)) for piece in pieces]
    return "".join(piece.text for piece in pieces)


@pytest.mark.parametrize("name", EVERY)
@given(data=bytes_of, size=st.integers(1, 40), cuts=st.lists(st.integers(0, 200), max_size=4))
def test_the_widths_of_all_slices_are_the_bytes(
    name: str, data: bytes, size: int, cuts: list[int]
) -> None:
    text = decoded(name, data, size)
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    width = Coding(name).width
    slices = [text[a:b] for a, b in pairwise(places)]
    assert sum(width(piece) for piece in slices) == len(data)
    assert text == decoded(name, data, len(data) or 1)
    assert all("\udc00" <= text[at] <= "\udcff" for at in lost(text))


@pytest.mark.parametrize("name", EVERY)
@given(text=st.text(st.sampled_from("aé漢かｶ한ня\r\n¤€🙂ß ~")))
def test_good_text_is_decoded_as_python_decodes_it(name: str, text: str) -> None:
    data = text.encode(name, "ignore")
    assert decoded(name, data, 3) == data.decode(name)


@pytest.mark.parametrize("name", ["utf-8", "ascii", "cp1252", "cp1253", "koi8-r"])
@given(data=bytes_of)
def test_any_bytes_come_back_as_they_were(name: str, data: bytes) -> None:
    assert decoded(name, data, 7).encode(name, "surrogateescape") == data


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("utf-8", b"a\xffb", "a\udcffb"),
        ("utf-8", b"\xe2\x82", "\udce2\udc82"),
        ("utf-16-le", b"a\0\x3d\xd8b\0", "a\udc3d\udcd8b"),
        ("utf-16-le", b"a\0b", "a\udc62"),
        ("utf-16-be", b"\xd8\x3d\xde\x00\xde\x00", "\U0001f600\udcde\udc00"),
        ("utf-32-le", b"\0\0\x11\0a", "\udc00\udc00\udc11\udc00\udc61"),
        ("gbk", b"\xd6\xd0\x81 ", "中\udc81 "),
        ("euc_jp", b"~\x8f\xa2\xb7~", "~\udc8f\udca2\udcb7~"),
        ("cp1252", b"\x81\x80", "\udc81€"),
    ],
)
def test_what_is_no_text_stands_as_lone_surrogates_a_byte_each(
    name: str, data: bytes, text: str
) -> None:
    assert decoded(name, data, 1) == text


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *(("UTF8", "utf-8"), ("utf-8-sig", "utf-8"), ("latin1", "iso8859-1"), ("EUC-KR", "cp949")),
        *(("windows-1252", "cp1252"), ("utf-16", "utf-16"), (" Shift_JIS ", "shift_jis")),
    ],
)
def test_names_are_taken_as_people_write_them(name: str, known: str) -> None:
    assert canonical(name) == known


@pytest.mark.parametrize("name", ["rot13", "base64", "idna", "unicode_escape", "nope", "a\0b", ""])
def test_what_is_no_encoding_of_text_is_refused(name: str) -> None:
    with pytest.raises(NoCoding, match=r"no such encoding|no encoding of documents"):
        canonical(name)


@pytest.mark.parametrize("name", ["iso-2022-jp", "hz", "utf-7", "big5hkscs", "shift_jis_2004"])
def test_encodings_without_a_width_say_how_to_convert_them(name: str) -> None:
    with pytest.raises(NoCoding, match=f"convert them first, iconv -f {name} -t UTF-8"):
        canonical(name)
