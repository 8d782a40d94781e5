"""What headers say of limits: every provider's words, and nothing made up from odd ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from faultreplies import answer, error
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from faultserver import FaultServer
from llmbatch.jobs.dialects import ANY_SERVER, APIS, KNOWN, Dialect
from llmbatch.jobs.errors import RateLimited
from llmbatch.jobs.model import Quota, Request
from llmbatch.jobs.providers.opening import open_provider
from llmbatch.jobs.providers.quota import anthropic_quota, no_quota, openai_quota, quota_reader
from llmbatch.jobs.providers.registry import Route


def headers(**said: str) -> Mapping[str, str]:
    """``limit_requests="5"`` becomes ``X-RateLimit-Limit-Requests: 5``."""
    return CIMultiDict({f"X-RateLimit-{k.replace('_', '-').title()}": v for k, v in said.items()})


def test_openais_six_headers() -> None:
    said = headers(
        limit_requests="500",
        limit_tokens="30000",
        remaining_requests="499",
        remaining_tokens="29950",
        reset_requests="120ms",
        reset_tokens="59.5s",
    )
    assert openai_quota(said) == Quota(500, 30_000, 499, 29_950, 0.12, 59.5)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012),
        ("1s", 1.0),
        ("1.5s", 1.5),
        ("1m0s", 60.0),
        ("1m26.4s", 86.4),
        ("0s", 0.0),
        ("59s999ms", 59.999),
        ("7.66", 7.66),
        ("20", 20.0),
        ("soon", None),
        ("", None),
        ("-3s", None),
        ("1770000000000", None),
        ("NaN", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    quota = openai_quota(headers(limit_requests="500", reset_requests=text))
    assert quota is not None
    if seconds is None:
        assert quota == Quota(rpm=500)
    else:
        assert quota.requests_reset == pytest.approx(seconds)


@pytest.mark.parametrize("reset", ["7m12s", "1h2m", "6m0s", "1d", "86400", "91s"])
def test_a_limit_with_a_reset_far_away_is_not_a_minutes(reset: str) -> None:
    said = headers(limit_requests="200", reset_requests=reset, limit_tokens="6000")
    assert openai_quota(said) == Quota(tpm=6000)
    assert openai_quota(headers(limit_requests="200", reset_requests=reset)) is None


def test_the_minutes_of_mistral_and_of_cerebras() -> None:
    mistral = headers(
        limit_req_minute="60",
        remaining_req_minute="59",
        limit_tokens_minute="50000",
        remaining_tokens_minute="47196",
        limit_tokens_month="4000000",
    )
    assert openai_quota(mistral) == Quota(60, 50_000, 59, 47_196)
    cerebras = headers(
        limit_requests_day="14400",
        reset_requests_day="33011.4",
        limit_tokens_minute="60000",
        remaining_tokens_minute="58000",
        reset_tokens_minute="11.4",
    )
    assert openai_quota(cerebras) == Quota(tpm=60_000, tokens_left=58_000, tokens_reset=11.4)


@pytest.mark.parametrize("nothing", ["0", "-1", "", "many", "1e9", "5.5", "9" * 30])
def test_a_limit_that_says_nothing_is_none(nothing: str) -> None:
    said = headers(limit_requests=nothing, remaining_requests="0", limit_tokens="9000")
    assert openai_quota(said) == Quota(tpm=9000)
    assert openai_quota(headers(limit_requests=nothing, remaining_requests="0")) is None


def test_what_is_left_may_be_unknown() -> None:
    assert openai_quota(headers(limit_requests="9", remaining_requests="-1")) == Quota(rpm=9)
    assert openai_quota(headers(limit_requests="9", remaining_requests="0")) == Quota(
        rpm=9, requests_left=0
    )


def test_headers_without_a_word_of_limits_say_nothing() -> None:
    plain = CIMultiDict({"Content-Type": "text/event-stream", "Date": "now"})
    for read in (openai_quota, anthropic_quota, no_quota):
        assert read(plain) is None


NOON = "Sun, 22 Nov 2026 12:00:00 GMT"


def anthropic(**said: str) -> Mapping[str, str]:
    return CIMultiDict(
        {"date": NOON, **{f"anthropic-ratelimit-{k.replace('_', '-')}": v for k, v in said.items()}}
    )


def test_anthropics_headers_and_their_times() -> None:
    said = anthropic(
        requests_limit="50",
        requests_remaining="49",
        requests_reset="2026-11-22T12:00:01Z",
        tokens_limit="48000",
        tokens_remaining="47000",
        tokens_reset="2026-11-22T12:00:02.5Z",
        input_tokens_limit="40000",
        input_tokens_remaining="40000",
        input_tokens_reset="2026-11-22T12:00:00Z",
        output_tokens_limit="8000",
        output_tokens_remaining="400",
        output_tokens_reset="2026-11-22T14:00:57+02:00",
    )
    # the output is the scarcest: a twentieth of it is left
    assert anthropic_quota(said) == Quota(50, 48_000, 49, 2400, 1.0, 57.0)


def test_without_a_limit_of_both_the_smaller_one_of_input_and_output_holds() -> None:
    said = anthropic(
        input_tokens_limit="40000",
        input_tokens_remaining="4000",
        output_tokens_limit="8000",
        output_tokens_remaining="8000",
    )
    assert anthropic_quota(said) == Quota(tpm=8000, tokens_left=800)


def test_without_a_date_of_the_server_our_own_clock_counts() -> None:
    said = dict(anthropic(requests_limit="5", requests_reset="2026-11-22T12:00:30Z"))
    del said["date"]
    assert anthropic_quota(said, wall=lambda: 1_795_348_820.0) == Quota(rpm=5, requests_reset=10.0)


@pytest.mark.parametrize("reset", ["yesterday", "2026-11-22T12:00:30", "", "99999-01-01T00:00:00Z"])
def test_a_time_that_is_none_is_left_out(reset: str) -> None:
    assert anthropic_quota(anthropic(requests_limit="5", requests_reset=reset)) == Quota(rpm=5)


def test_each_provider_is_read_in_its_own_words() -> None:
    groq = headers(limit_requests="14400", remaining_requests="1", limit_tokens="18000")
    assert quota_reader(KNOWN["groq"])(groq) == Quota(tpm=18_000)
    assert quota_reader(KNOWN["groq"])(headers(limit_requests="14400")) is None
    assert quota_reader(ANY_SERVER) is openai_quota
    assert quota_reader(KNOWN["openai-responses"]) is openai_quota
    assert quota_reader(KNOWN["anthropic"]) is quota_reader(APIS["anthropic"]) is anthropic_quota
    assert quota_reader(KNOWN["gemini"]) is no_quota
    assert quota_reader(Dialect(daily=True)) is not openai_quota


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "x-ratelimit-{}-requests",
                "x-ratelimit-{}-tokens",
                "x-ratelimit-{}-tokens-minute",
                "x-ratelimit-{}-req-minute",
            ]
        ).flatmap(lambda name: st.sampled_from(["limit", "remaining", "reset"]).map(name.format)),
        st.text(max_size=12) | st.integers().map(str) | st.floats().map(str),
    )
)
def test_odd_headers_never_raise_and_give_only_sound_numbers(said: dict[str, str]) -> None:
    quota = openai_quota(CIMultiDict(said))
    if quota is not None:
        assert quota.rpm is not None or quota.tpm is not None
        for value in (quota.rpm, quota.tpm):
            assert value is None or value > 0
        for value in (quota.requests_reset, quota.tokens_reset):
            assert value is None or 0 <= value <= 90


async def test_a_provider_hands_on_what_good_and_bad_answers_say(
    ask: Callable[..., Request],
) -> None:
    limits = {"x-ratelimit-limit-requests": "300", "x-ratelimit-remaining-requests": "7"}
    heard: list[Quota] = []
    async with FaultServer() as server:
        route = Route(name="p", model="m", base_url=server.url, target="p")
        provider = open_provider(route, timeout=30, stall_timeout=30)
        server.replies = [answer("Hi", headers=limits), error(429, headers=limits), answer("Hi")]
        _ = [delta async for delta in provider.stream(ask(), hear=heard.append)]
        with pytest.raises(RateLimited):
            _ = [delta async for delta in provider.stream(ask(), hear=heard.append)]
        _ = [delta async for delta in provider.stream(ask(), hear=heard.append)]
        await provider.aclose()
    assert heard == [Quota(rpm=300, requests_left=7)] * 2
