"""What Google's errors mean: reasons, waits, quotas. Without a socket."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from geminiwire import error_info, failure, quota_failure, retry_info
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from llmbatch.jobs import errors
from llmbatch.jobs.model import Quota
from llmbatch.jobs.providers.failures import Failures
from llmbatch.jobs.providers.googleerrors import quota_of_error

DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"
MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
TOKENS = "GenerateContentInputTokensPerModelPerMinute-FreeTier"
LIMITED = "You exceeded your current quota, please check your plan and billing details."


def fail(value: Any, status: int | None = None, **headers: str) -> errors.ProviderError:
    code = status or (value[0] if isinstance(value, list) else value)["error"]["code"]
    named = CIMultiDict({name.replace("_", "-"): text for name, text in headers.items()})
    return Failures("gemini").response(code, named, json.dumps(value).encode())


def limited(*details: Any, message: str = LIMITED) -> dict[str, Any]:
    return failure(429, "RESOURCE_EXHAUSTED", message, *details)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (limited(), errors.RateLimited),
        (limited(quota_failure(**{MINUTE: "10"})), errors.RateLimited),
        (limited(quota_failure(**{MINUTE: None, TOKENS: None})), errors.RateLimited),
        (limited(quota_failure(**{DAY: "250"})), errors.QuotaExhausted),
        (
            limited(quota_failure(**{MINUTE: "10", DAY: None}), retry_info("3s")),
            errors.QuotaExhausted,
        ),
        (limited(quota_failure(**{MINUTE: "0"})), errors.QuotaExhausted),
        (limited(message="Your prepayment credits are depleted."), errors.QuotaExhausted),
        (limited(message="The project exceeded its monthly spending cap."), errors.QuotaExhausted),
        (limited(message="Resource has been exhausted (e.g. check quota)."), errors.RateLimited),
        (
            failure(400, "INVALID_ARGUMENT", "API key not valid.", error_info("API_KEY_INVALID")),
            errors.AuthFailed,
        ),
        (
            failure(403, "PERMISSION_DENIED", "Blocked.", error_info("API_KEY_SERVICE_BLOCKED")),
            errors.AuthFailed,
        ),
        (
            failure(403, "PERMISSION_DENIED", "Not enabled.", error_info("SERVICE_DISABLED")),
            errors.AuthFailed,
        ),
        (
            failure(403, "PERMISSION_DENIED", "No billing.", error_info("BILLING_DISABLED")),
            errors.QuotaExhausted,
        ),
        (
            failure(403, "PERMISSION_DENIED", "Please use API Key or other form of identity."),
            errors.AuthFailed,
        ),
        (
            failure(403, "PERMISSION_DENIED", "You do not have permission to access tunedModels/x"),
            errors.Refused,
        ),
        (failure(401, "UNAUTHENTICATED", "Invalid credentials"), errors.AuthFailed),
        (
            failure(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
            errors.AuthFailed,
        ),
        (
            failure(400, "FAILED_PRECONDITION", "The free tier is not available in your country."),
            errors.AuthFailed,
        ),
        (failure(400, "FAILED_PRECONDITION", "The file is not ACTIVE."), errors.BadRequest),
        (failure(400, "INVALID_ARGUMENT", "location is not supported: x"), errors.BadRequest),
        (
            failure(
                400,
                "INVALID_ARGUMENT",
                "The input token count (1500000) exceeds the maximum number of tokens allowed (9).",
            ),
            errors.ContextTooLong,
        ),
        (
            failure(404, "NOT_FOUND", "models/x is not found for this version"),
            errors.NotFound,
        ),
        (failure(499, "CANCELLED", "The operation was cancelled."), errors.Overloaded),
        (failure(500, "INTERNAL", "An internal error has occurred."), errors.Overloaded),
        (failure(503, "UNAVAILABLE", "The model is overloaded."), errors.Overloaded),
        (failure(504, "DEADLINE_EXCEEDED", "Deadline expired."), errors.Overloaded),
    ],
)
@pytest.mark.parametrize("listed", [False, True], ids=["alone", "listed"])
def test_an_error_becomes_what_it_means(
    value: dict[str, Any], kind: type[errors.ProviderError], listed: bool
) -> None:
    error = fail([value] if listed else value, value["error"]["code"])
    assert type(error) is kind
    assert str(error) == f"HTTP {value['error']['code']}: {value['error']['message']}"


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        ("22s", 22.0),
        ("1.5s", 1.5),
        ("0s", 0.0),
        ("1.68122827s", 1.68122827),
        ("1m", None),
        ("-3s", None),
        ("s", None),
        ("1e9s", None),
        ("22", None),
        ("9999999999999s", None),
        (22, None),
        (None, None),
    ],
)
def test_the_wait_is_read_from_the_details(delay: Any, seconds: float | None) -> None:
    error = fail(limited({"@type": "x"}, {**retry_info("9s"), "retryDelay": delay}))
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after == seconds


def test_a_header_comes_before_the_details() -> None:
    error = fail(limited(retry_info("22s")), Retry_After="0")
    assert isinstance(error, errors.RateLimited)
    assert error.retry_after == 0.0


def test_an_overloaded_server_may_name_a_wait_too() -> None:
    error = fail(failure(503, "UNAVAILABLE", "busy", retry_info("4s")))
    assert isinstance(error, errors.Overloaded)
    assert error.retry_after == 4.0


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({MINUTE: "10"}, Quota(rpm=10.0)),
        ({TOKENS: "250000"}, Quota(tpm=250000.0)),
        ({MINUTE: "15", TOKENS: "9"}, Quota(rpm=15.0, tpm=9.0)),
        ({MINUTE: "15", "OtherRequestsPerMinute": "5"}, Quota(rpm=5.0)),
        ({DAY: "250"}, None),
        ({MINUTE: "0"}, None),
        ({MINUTE: None}, None),
        ({MINUTE: "many"}, None),
        ({MINUTE: "9" * 40}, None),
        ({}, None),
    ],
)
def test_limits_a_minute_are_learned_from_what_was_broken(
    limits: dict[str, str | None], expected: Quota | None
) -> None:
    value = limited(quota_failure(**limits))
    for shape in (value, [value]):
        assert quota_of_error(json.dumps(shape).encode()) == expected


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b"{}", b'{"error": "x"}', b"7", b"[[1]]"])
def test_a_body_without_quotas_teaches_nothing(body: bytes) -> None:
    assert quota_of_error(body) is None


def test_a_number_may_be_a_number() -> None:
    value = limited({"violations": [{"quotaId": MINUTE, "quotaValue": 12}]})
    assert quota_of_error(json.dumps(value).encode()) == Quota(rpm=12.0)


def test_what_is_no_googles_is_left_alone() -> None:
    value = {"error": {"message": "slow down", "type": "tokens", "details": "text", "code": None}}
    assert type(fail(value, 429)) is errors.RateLimited
    value = {"error": {"message": "the spending cap of the song", "type": "x", "code": 429}}
    assert type(fail(value, 429)) is errors.RateLimited


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just(MINUTE),
        lambda inner: (
            st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    [
                        *("details", "violations", "quotaId", "quotaValue", "retryDelay"),
                        *("reason", "status", "message", "error"),
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=10,
    )
)
def test_no_error_whatsoever_is_more_than_one_of_ours(value: Any) -> None:
    for shape in (value, {"error": value}, {"error": {"details": [{"violations": [value]}]}}):
        quota_of_error(json.dumps(shape).encode())
        assert isinstance(fail(shape, 429), errors.ProviderError)
        with contextlib.suppress(errors.ProviderError):
            raise Failures("gemini").reported(shape)
