"""What a status and a body mean, without a socket."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from llmbatch.jobs import errors
from llmbatch.jobs.providers.failures import LONGEST_MESSAGE, Failures

FAILURES = Failures("acme", ["sk-secret-1234"])


def fail(status: int, body: Any = b"", **headers: str) -> errors.ProviderError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return FAILURES.response(status, CIMultiDict(named), raw)


def openai(message: str = "why", code: str | None = None, kind: str = "") -> dict[str, Any]:
    return {"error": {"message": message, "code": code, "type": kind}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, openai(), errors.BadRequest),
        (422, openai(), errors.BadRequest),
        (413, openai(), errors.BadRequest),
        (405, openai(), errors.BadRequest),
        (401, openai(), errors.AuthFailed),
        (403, openai("Incorrect API key provided"), errors.AuthFailed),
        (403, openai("nope", code="invalid_api_key"), errors.AuthFailed),
        (403, openai("no such thing", kind="authentication_error"), errors.AuthFailed),
        (403, openai("Your key has expired"), errors.AuthFailed),
        (403, openai("Flagged by moderation: tell me the key of the song"), errors.Refused),
        (403, openai("Project does not have access to model gpt-9"), errors.Refused),
        (402, openai("Insufficient credits"), errors.QuotaExhausted),
        (404, openai("The model does not exist", code="model_not_found"), errors.NotFound),
        (408, b"", errors.Overloaded),
        (409, b"", errors.Overloaded),
        (429, openai(code="rate_limit_exceeded"), errors.RateLimited),
        (429, b"", errors.RateLimited),
        (429, openai(code="insufficient_quota"), errors.QuotaExhausted),
        (429, openai(kind="insufficient_quota"), errors.QuotaExhausted),
        (429, openai("Request too large for gpt-9: Limit 10, Requested 20"), errors.TooLarge),
        (400, openai(code="billing_hard_limit_reached"), errors.QuotaExhausted),
        (500, b"", errors.Overloaded),
        (501, openai("This server does not support embeddings."), errors.BadRequest),
        (501, openai("Streaming is not implemented."), errors.NoStreaming),
        (502, b"<html>", errors.Overloaded),
        (503, openai(), errors.Overloaded),
        (529, b"", errors.Overloaded),
        (400, openai(code="context_length_exceeded"), errors.ContextTooLong),
        (400, openai(kind="exceed_context_size_error"), errors.ContextTooLong),
        (400, openai("This model's maximum context length is 8 tokens"), errors.ContextTooLong),
        (400, openai("prompt is too long: 9 > 8"), errors.ContextTooLong),
    ],
)
def test_a_status_becomes_the_error_it_means(
    status: int, body: Any, kind: type[errors.ProviderError]
) -> None:
    error = fail(status, body)
    assert type(error) is kind
    assert (error.http_status, error.provider) == (status, "acme")


@pytest.mark.parametrize(
    "body",
    [
        openai("the reason"),
        {"error": "the reason"},
        {"object": "error", "message": "the reason", "code": 400},
        {"detail": "the reason"},
        {"detail": [{"loc": ["body"], "msg": "the reason"}]},
        [{"error": {"message": "the reason", "code": 400}}],
        b"the reason",
        "the reason",
    ],
)
def test_the_servers_own_words_are_repeated(body: Any) -> None:
    assert str(fail(400, body)) == "HTTP 400: the reason"


def test_the_upstreams_words_are_added() -> None:
    body = {"error": {"message": "Provider returned error", "metadata": {"raw": "too hot"}}}
    assert str(fail(400, body)) == "HTTP 400: Provider returned error: too hot"


def test_a_status_without_words_is_named() -> None:
    assert str(fail(503)) == "HTTP 503: Service Unavailable"
    assert str(fail(599)) == "HTTP 599: no reason given"
    assert "is the base URL right" in str(fail(404))


@pytest.mark.parametrize("status", [401, 403, 404, 418])
def test_a_web_page_asks_about_the_base_url(status: int) -> None:
    page = b"  <!DOCTYPE html><html><body>Please sign in</body></html>"
    expected = f"HTTP {status}: this is a web page, is the base URL right (it ends in /v1)?"
    assert str(fail(status, page, Content_Type="text/html")) == expected


def test_a_gateways_error_page_is_only_named() -> None:
    page = b"<html><body>secret internals</body></html>"
    assert str(fail(502, page)) == "HTTP 502: Bad Gateway (a web page)"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_names_the_new_place_and_is_permanent(status: int) -> None:
    error = fail(status, b"", Location="https://new.example/v1/chat/completions")
    assert type(error) is errors.PermanentError
    assert "https://new.example/v1/chat/completions" in str(error)
    assert "--base-url" in str(error)


def test_the_wait_and_the_servers_word_are_carried() -> None:
    limited = fail(429, b"", Retry_After="7", X_Should_Retry="true")
    overloaded = fail(503, b"", Retry_After_Ms="250", X_Should_Retry="false")
    assert isinstance(limited, errors.RateLimited)
    assert isinstance(overloaded, errors.Overloaded)
    assert (limited.retry_after, limited.should_retry) == (7.0, True)
    assert (overloaded.retry_after, overloaded.should_retry) == (0.25, False)


def test_a_message_is_one_printable_line_of_sane_length() -> None:
    text = str(fail(400, openai("a\r\nb\x1b[31m\x00c\u202ed " + "x" * 5000)))
    assert text.startswith("HTTP 400: a b [31m c d xxx")
    assert text.isprintable()
    assert len(text) <= LONGEST_MESSAGE + len("HTTP 400: ")


def test_the_key_is_taken_out_wherever_it_occurs() -> None:
    for body in (openai("key sk-secret-1234 and sk-secret-1234"), b"sk-secret-1234"):
        assert "secret" not in str(fail(400, body))
    long = openai("x" * (LONGEST_MESSAGE - 5) + "sk-secret-1234")
    assert "sk-" not in str(fail(400, long))
    assert "secret" not in str(fail(302, b"", Location="https://e.com/?k=sk-secret-1234"))
    assert "secret" not in repr(FAILURES)


def test_a_placeholder_key_does_not_tear_holes_into_words() -> None:
    assert Failures("acme", ["x", ""]).clean("the next text") == "the next text"


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"message": "m", "code": "rate_limit_exceeded"}, errors.RateLimited, 429),
        ({"message": "m", "code": 429}, errors.RateLimited, 429),
        ({"message": "m", "code": 502}, errors.Overloaded, 502),
        ({"message": "m", "type": "overloaded_error"}, errors.Overloaded, 529),
        ({"message": "m", "code": "insufficient_quota"}, errors.QuotaExhausted, 429),
        ({"message": "m", "code": "context_length_exceeded"}, errors.ContextTooLong, 400),
        ({"message": "m", "code": "invalid_api_key"}, errors.AuthFailed, 401),
        ({"message": "m", "code": 400}, errors.BadRequest, 400),
        ({"message": "m", "type": "server_error"}, errors.ErrorInStream, 200),
        ("m", errors.ErrorInStream, 200),
        ({"message": "m", "code": 7}, errors.ErrorInStream, 200),
        ([], errors.ErrorInStream, 200),
    ],
)
def test_an_error_inside_a_stream_means_what_its_code_means(
    error: Any, kind: type[errors.ProviderError], status: int
) -> None:
    reported = FAILURES.reported(error)
    assert (type(reported), reported.http_status) == (kind, status)
    assert "stream" in str(reported)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["error", "message", "code", "type", "detail", "metadata", "raw", "msg"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(st.integers(300, 599), JSON)
def test_no_body_whatsoever_breaks_the_mapping(status: int, body: Any) -> None:
    assert isinstance(fail(status, json.dumps(body).encode()), errors.ProviderError)
    assert isinstance(FAILURES.reported(body), errors.ProviderError)


@settings(max_examples=200, deadline=None)
@given(st.integers(300, 599), st.binary(max_size=60))
def test_no_bytes_whatsoever_break_the_mapping(status: int, body: bytes) -> None:
    assert isinstance(fail(status, body), errors.ProviderError)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "Incorrect API key provided: sk***YA. You can obtain a key.", errors.AuthFailed),
        (
            429,
            "Your team 1f has either used all available credits or reached its monthly spending "
            "limit. To continue making API requests, please purchase more credits.",
            errors.QuotaExhausted,
        ),
        (
            403,
            "Your team 1f has either used all available credits or reached its monthly spending "
            "limit.",
            errors.QuotaExhausted,
        ),
        (
            403,
            "Your newly created team doesn't have any credits or licenses yet.",
            errors.QuotaExhausted,
        ),
    ],
)
def test_xai_says_in_a_sentence_what_is_wrong_with_key_and_account(
    status: int, message: str, kind: type[errors.ProviderError]
) -> None:
    body = {"code": "Client specified an invalid argument", "error": message}
    assert type(fail(status, body)) is kind


@pytest.mark.parametrize("limit", ["total", "monthly"])
def test_a_key_of_openrouter_that_has_spent_its_limit_is_out_of_quota(limit: str) -> None:
    message = f"Key limit exceeded ({limit} limit). Manage it using https://openrouter.ai/keys"
    body = {"error": {"message": message, "code": 403}}
    found = fail(403, body)
    assert type(found) is errors.QuotaExhausted


@pytest.mark.parametrize(
    ("status", "kind"), [(400, errors.BadRequest), (403, errors.Refused), (429, errors.RateLimited)]
)
def test_a_refusal_that_only_quotes_such_a_sentence_stops_no_job(
    status: int, kind: type[errors.ProviderError]
) -> None:
    for text in ("Incorrect API key provided", "Key limit exceeded", "used all available credits"):
        body = {"error": {"message": f'The prompt "{text}" was not understood'}}
        if status == 403 and "API key" in text:
            continue  # at a 403 the word alone is about the key
        assert type(fail(status, body)) is kind
