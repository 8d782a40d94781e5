"""Each encoding is found by what proves it, and what proves nothing is called a guess."""

from __future__ import annotations

import os

import pytest

from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.sources.documents.encoding import (
    Found,
    NotText,
    check_encoding,
    declared,
    detect,
)

LANGUAGES = {
    "cp1252": "Le café était fermé; déjà vu à la française. Ça va très bien.",
    "iso8859-15": "Le café coûte 5 € à la française.",
    "mac-roman": "Le café était fermé; déjà vu à la française.",
    "cp850": "Le café était fermé; déjà vu à la française.",
    "cp1250": "Zażółć gęślą jaźń, w Szczebrzeszynie chrząszcz brzmi w trzcinie.",
    "iso8859-2": "Zażółć gęślą jaźń, w Szczebrzeszynie chrząszcz.",
    "cp1254": "Bu sıradan bir Türkçe metindir, şimdi öğreniyoruz.",
    "cp1257": "Šis ir parasts teksts latviešu valodā ar garumzīmēm.",
    "cp1251": "Привет, это обычный русский текст про погоду и природу.",
    "koi8-r": "Привет, это обычный русский текст про погоду и природу.",
    "cp866": "Привет, это обычный русский текст про погоду и природу.",
    "cp1253": "Αυτό είναι ένα απλό κείμενο για δοκιμή.",
    "cp1255": "זהו טקסט רגיל בעברית לבדיקה.",
    "cp1256": "هذا نص عربي عادي للاختبار.",
    "cp874": "นี่คือข้อความภาษาไทยธรรมดา",
    "gb18030": "这是一个普通的中文文本，用来测试编码检测。",
    "big5": "這是一個普通的中文文本，用來測試編碼檢測。",
    "cp932": "これは普通の日本語テキストです。エンコードを検出します。",
    "euc_jp": "これは普通の日本語テキストです。エンコードを検出します。",
    "cp949": "이것은 인코딩 감지를 테스트하기 위한 일반 텍스트입니다.",
}


def told(data: bytes, **known: str) -> tuple[str, str, int]:
    found: Found = detect(data, whole=True, **known)  # type: ignore[arg-type]
    return found.coding.name, found.how, found.mark


@pytest.mark.parametrize("encoding", LANGUAGES)
@pytest.mark.parametrize("times", [1, 30])
def test_a_legacy_text_is_guessed_so_that_it_reads_right(encoding: str, times: int) -> None:
    text = f"English first.\n{LANGUAGES[encoding]}\n" * times
    name, how, _ = told(text.encode(encoding))
    assert how == "guessed"
    assert text.encode(encoding).decode(name) == text


@pytest.mark.parametrize("word", ["café", "“quotes” it’s", "£5", "5 € – ok", "naïve", "Größe"])
def test_a_single_western_word_is_enough(word: str) -> None:
    assert told(f"In English otherwise: {word}\n".encode("cp1252"))[0] == "cp1252"


def test_a_sample_that_ends_inside_a_character_is_guessed_as_well() -> None:
    data = (LANGUAGES["gb18030"] * 9).encode("gb18030")[:-1]
    assert detect(data, whole=False).coding.name == "gb18030"


@pytest.mark.parametrize(
    ("codec", "name", "mark"),
    [("utf-8-sig", "utf-8", 3), ("utf-16", "utf-16-le", 2), ("utf-32", "utf-32-le", 4)],
)
def test_a_byte_order_mark_is_believed(codec: str, name: str, mark: int) -> None:
    assert told("naïve\n".encode(codec)) == (name, "bom", mark)


def test_big_endian_marks_are_marks() -> None:
    assert told("\ufeffnaïve".encode("utf-16-be")) == ("utf-16-be", "bom", 2)
    assert told("\ufeffnaïve".encode("utf-32-be")) == ("utf-32-be", "bom", 4)


def test_utf_8_is_found_by_its_bytes_whatever_its_sample_cuts() -> None:
    data = ("…" * 90_000).encode()
    assert told(data) == ("utf-8", "content", 0)
    assert detect(data[:-1], whole=False).how == "content"
    assert told(b"") == told(b"plain") == ("utf-8", "content", 0)


def test_utf_8_with_a_few_damaged_bytes_stays_utf_8() -> None:
    assert told("Voilà, déjà vu, ça y est, été".encode() + b"\xff") == ("utf-8", "content", 0)


def test_a_file_that_was_written_in_two_encodings_is_utf_8_with_damage() -> None:
    line = "Größe und Würde, für alle\n"
    assert told((line.encode() + line.encode("cp1252")) * 20) == ("utf-8", "content", 0)


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "text", ["Hello, world\n", "Здравствуй, мир 1\n" * 9, "中文文本 123\r\n" * 99]
)
def test_wide_text_without_a_mark_is_found_by_its_nulls(name: str, text: str) -> None:
    assert told(text.encode(name)) == (name, "content", 0)
    assert detect(text.encode(name)[:-1], whole=False).coding.name == name


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("<?xml version='1.0' encoding='iso-8859-2'?>\n", "iso8859-2"),
        ("#!/usr/bin/python\n# -*- coding: latin-1 -*-\n", "iso8859-1"),
        ("# vim: set fileencoding=cp1250 :\n", "cp1250"),
        ("/* vim: set fenc=cp1250 : */\n", "cp1250"),
        ("% -*- mode: tex; coding: iso-8859-15; -*-\n", "iso8859-15"),
    ],
)
def test_a_text_that_names_its_encoding_is_believed(line: str, name: str) -> None:
    data = line.encode() + "déjé".encode(name)
    assert told(data, label=declared(data) or "") == (name, "declared", 0)


@pytest.mark.parametrize("label", ["utf-8", "ascii", "utf-16", "nonsense", "rot13", "iso-2022-jp"])
def test_a_label_that_can_t_be_true_is_not_believed(label: str) -> None:
    assert told("Déjà vu à la française".encode("cp1252"), label=label)[:2] == ("cp1252", "guessed")


def test_prose_about_coding_declares_nothing() -> None:
    assert declared(b"Coding: latin-1 is a way of life.\n") is None


def test_the_user_s_word_is_taken() -> None:
    assert told("\ufeffé".encode(), given="cp1252") == ("cp1252", "given", 0)
    assert told("\ufeffé".encode(), given="utf8") == ("utf-8", "given", 3)
    assert told("é".encode("utf-16"), given="utf-16") == ("utf-16-le", "given", 2)
    assert told("\ufeffé".encode("utf-16-be"), given="utf-16") == ("utf-16-be", "given", 2)
    assert told("plain text".encode("utf-16-be"), given="utf-16") == ("utf-16-be", "given", 0)
    assert told("中文".encode("utf-16-le"), given="utf-16") == ("utf-16-le", "given", 0)


@pytest.mark.parametrize(
    "data",
    [
        b"text and a \0 in it",
        bytes(range(256)) * 40,
        b"\x7fELF\x02\x01\x01" + bytes(90),
        b"\x01\x02\x03\x04\x05\x06" * 40,
    ],
)
def test_binary_data_is_refused(data: bytes) -> None:
    with pytest.raises(NotText, match="it is binary data"):
        detect(data, whole=True)


def test_random_data_is_never_taken_for_wide_text() -> None:
    for _ in range(50):
        with pytest.raises(NotText):
            detect(os.urandom(4_000), whole=True)


def test_iso_2022_is_refused_with_what_to_do() -> None:
    with pytest.raises(NotText, match="iconv -f ISO-2022-JP -t UTF-8"):
        detect("日本語テキスト\n".encode("iso2022_jp"), whole=True)


def test_a_log_in_colours_is_text() -> None:
    assert told(b"\x1b[31mred\x1b(B\x1b[m\n" * 50) == ("utf-8", "content", 0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("utf-9", 'encoding "utf-9": no such encoding; did you mean utf-8?'),
        ("windows-1253x", 'encoding "windows-1253x": no such encoding; did you mean cp1253?'),
        ("rot13", 'encoding "rot13": no encoding of documents'),
        ("", 'encoding "": no such encoding'),
    ],
)
def test_an_unknown_encoding_is_wrong_usage_with_the_nearest_right_one(
    name: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        check_encoding(name)
    assert str(caught.value) == message
