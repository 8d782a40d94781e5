"""Foreign text in the report shows as it is."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.fold.plain import count, one_line, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("contract_v2 (final).pdf", "contract_v2 (final).pdf"),
        ("a\n# b\r\n\n- c", "a \\# b - c"),
        ("[1] x", "\\[1\\] x"),
        ("*b* `c` <script> ~~d~~", "\\*b\\* \\`c\\` \\<script> \\~\\~d\\~\\~"),
        ("__init__.py", "\\_\\_init\\_\\_.py"),
        ("AT&T &amp; &#35;", "AT&T \\&amp; \\&#35;"),
        ("back\\slash", "back\\\\slash"),
        ("C# and #1", "C# and \\#1"),
        ("\x1b[31mred\x07\x9b", "\\[31mred"),
        ("\u202etxt.exe\u200b\ufeff", "txt.exe"),
        ("half \ud800", "half \ufffd"),
        ("  ", ""),
        ("日本語 é", "日本語 é"),
    ],
)
def test_nothing_in_it_is_acted_upon(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text(st.characters() | st.sampled_from("\ud800\udfff\n\x1b\x85\u2028 ")))
def test_it_is_one_line_that_any_file_takes(text: str) -> None:
    line = one_line(text)
    assert line.encode().decode() == line
    assert line.splitlines() in ([], [line])
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in line)
    assert one_line(line) == line


def test_things_are_counted_in_words() -> None:
    assert [count(n, "chunk", "chunks") for n in (0, 1, 1234)] == [
        "0 chunks",
        "1 chunk",
        "1,234 chunks",
    ]
