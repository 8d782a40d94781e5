"""Every form of Retry-After, and everything that is none."""

from __future__ import annotations

import math
from email.utils import formatdate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from llmbatch.jobs.providers.retryafter import retry_after, should_retry

NOW = 1_800_000_000.0


def wait(**headers: str) -> float | None:
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return retry_after(CIMultiDict(named), NOW)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0.0), ("20", 20.0), ("1.5", 1.5), (" 3 ", 3.0), (".5", 0.5), ("7.", 7.0)],
)
def test_seconds_may_be_a_fraction(value: str, seconds: float) -> None:
    assert wait(retry_after=value) == seconds


def test_milliseconds_come_first() -> None:
    assert wait(retry_after_ms="250", retry_after="9") == 0.25
    assert wait(x_ms_retry_after_ms="1500") == 1.5


def test_junk_in_milliseconds_gives_way_to_seconds() -> None:
    assert wait(retry_after_ms="soon", retry_after="9") == 9.0


def test_a_date_is_counted_from_now() -> None:
    assert wait(retry_after=formatdate(NOW + 30, usegmt=True)) == 30.0


def test_a_date_in_the_past_is_no_wait() -> None:
    assert wait(retry_after=formatdate(NOW - 30, usegmt=True)) == 0.0


def test_a_date_is_counted_from_the_servers_own_clock_where_it_tells_it() -> None:
    skewed = NOW - 7200
    date = formatdate(skewed, usegmt=True)
    assert wait(retry_after=formatdate(skewed + 12, usegmt=True), date=date) == 12.0


@pytest.mark.parametrize("blank", [" ", "\t", "\x1f", "\x85", "\u3000"])
def test_blanks_around_a_number_are_none_of_it(blank: str) -> None:
    assert wait(retry_after=f"{blank}5{blank}") == 5.0


@pytest.mark.parametrize(
    "value",
    [
        *("", "-5", "soon", "nan", "inf", "1e9999", "9" * 400, "1_000", "٣", "5 s", "+5", "0x10"),
        *("Fri, 99 Foo 2026 00:00:00 GMT", "Thu, 01 Jan 99999 00:00:00 GMT", ","),
    ],
)
def test_junk_is_ignored(value: str) -> None:
    assert wait(retry_after=value) is None
    assert wait(retry_after_ms=value) is None


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
def test_whatever_is_sent_gives_a_sane_wait_or_none(ms: str, seconds: str, date: str) -> None:
    result = wait(retry_after_ms=ms, retry_after=seconds, date=date)
    assert result is None or (result >= 0 and math.isfinite(result))


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 1e6), st.integers(-(10**6), 10**6))
def test_what_is_meant_is_what_is_read(seconds: float, offset: int) -> None:
    assert wait(retry_after=f"{seconds:f}") == pytest.approx(seconds, abs=1e-6)
    assert wait(retry_after_ms=f"{seconds:f}") == pytest.approx(seconds / 1000, abs=1e-6)
    assert wait(retry_after=formatdate(NOW + offset, usegmt=True)) == max(0, offset)


@pytest.mark.parametrize(
    ("value", "word"), [("true", True), ("False", False), ("maybe", None), ("", None)]
)
def test_the_servers_word_on_retrying_is_read(value: str, word: bool | None) -> None:
    assert should_retry(CIMultiDict({"X-Should-Retry": value})) is word
    assert should_retry(CIMultiDict()) is None
