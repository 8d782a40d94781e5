"""Boundaries of grapheme clusters, looked at from any place of a text."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmbatch.jobs.sources.chunks.clusters import (
    LONGEST,
    boundary_after,
    boundary_before,
    cluster_end,
    is_boundary,
)

PIECES = [
    *("a", " ", "\r", "\n", "\r\n", "\x00", "\xa9", "\xad", "ä", "日", "。"),
    *("\u0301", "\u200d", "\ufe0f", "\u0903", "\u0e33", "\u0600", "\u200b", "\ufffd"),
    *("🇩", "🇪", "🇫", "👩", "❤", "🏽", "\U000e0067", "\U000e007f", "🏴"),
    *("\u1100", "\u1161", "\u11a8", "가", "각"),
    *("\u0915", "\u094d", "\u093c", "\u0937", "\u0d15", "\u0d4d", "\u09cd", "\u0995"),
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.characters(), max_size=30).map("".join)


def boundaries(text: str) -> set[int]:
    return {0, *(m.end() for m in regex.finditer(r"\X", text))}


@settings(max_examples=1000, deadline=None)
@given(TEXTS)
@example("\x1f\u094d\u0301\u0915")
def test_every_place_is_judged_as_in_a_pass_over_the_whole_text(text: str) -> None:
    expected = boundaries(text)
    assert {at for at in range(len(text) + 1) if is_boundary(text, at)} == expected
    for at in range(len(text) + 1):
        assert boundary_after(text, at) == min(b for b in expected if b >= at)
        assert boundary_before(text, at, 0) == max(b for b in expected if b <= at)


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_any_boundary_before_a_place_is_enough_to_judge_it(text: str) -> None:
    expected = sorted(boundaries(text))
    for base in expected:
        found = [at for at in range(base, len(text) + 1) if is_boundary(text, at, base)]
        assert found == [at for at in expected if at >= base]


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_a_cluster_ends_at_the_next_boundary(text: str) -> None:
    expected = sorted(boundaries(text))
    for start, end in pairwise(expected):
        assert cluster_end(text, start) == end


@pytest.mark.parametrize("mark", ["\u0301", "\u200d", "\u0903", "\u1100"])
def test_inside_of_a_cluster_without_end_there_is_no_boundary_to_wait_for(mark: str) -> None:
    text = "a" + mark * (4 * LONGEST) + "b"
    middle = 2 * LONGEST
    assert cluster_end(text, 1) is None
    assert boundary_after(text, middle) == boundary_before(text, middle, 0) == middle
    near = len(text) - 10
    assert boundary_after(text, near) == len(text) - 1


def test_latin_text_is_cut_without_the_library() -> None:
    code = (
        "import sys\n"
        "from llmbatch.jobs.sources.chunks.clusters import boundary_before, is_boundary\n"
        "assert is_boundary('año nuevo, naïve', 2)\n"
        "assert boundary_before('a\\r\\n', 2, 0) == 1\n"
        "assert 'regex' not in sys.modules\n"
        "assert not is_boundary('n\\u0303', 1)\n"
        "assert 'regex' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
