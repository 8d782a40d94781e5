"""Results to write: a plain one with what a test cares about, and any at all."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st
from msgspec import UNSET

from llmbatch.jobs.model import Failure, Metrics, Rejected, Request, Result, Status, Usage

STATUSES: tuple[Status, ...] = get_args(Status)

FAILURES: dict[str, Failure] = {
    "error": Failure("overloaded", 503, "the server is overloaded", retryable=True),
    "partial": Failure("stream_broken", 200, "the stream was cut", retryable=True),
    "invalid": Failure("invalid_row", None, "not JSON", retryable=False),
}


def sample(row_id: str = "q1", status: Status = "ok", **fields: Any) -> Result:
    """A result that ended in ``status``, with an error where such a row has one."""
    values: dict[str, Any] = {
        "id": row_id,
        "line": 1,
        "fingerprint": "f1",
        "status": status,
        "output": None if status in ("error", "invalid") else "an answer",
        "finish_reason": "stop" if status == "ok" else None,
        "provider": "openai",
        "model": "gpt-4o-mini",
        "fallbacks": 0,
        "usage": Usage(12, 80, 2, 3),
        "cost_usd": None,
        "metrics": Metrics(
            "2026-11-22T10:31:07.123Z", 0.8, 0.6, 0.41, 0.011, 0.09, 1.32, 88.1, 1, []
        ),
        "error": FAILURES.get(status),
        "metadata": {},
    }
    return Result(**(values | fields))


def request(row_id: str = "q1", fingerprint: str = "f1") -> Request:
    """The row that :func:`sample` answers."""
    return Request(
        id=row_id, line=1, path="rows.jsonl", endpoint="chat", model="m", fingerprint=fingerprint
    )


def rejected(row_id: str = "q1") -> Rejected:
    return Rejected(id=row_id, line=1, path="rows.jsonl", reason="not JSON")


_count = st.integers(0, 10**6)
_text = st.text(st.characters(exclude_categories=[]), max_size=12)  # lone surrogates included
_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def results(draw: st.DrawFn) -> Result:
    """Any result that a job could end a row with."""
    status = draw(st.sampled_from(STATUSES))
    failure = FAILURES.get(status)
    if failure is not None:
        http_status = draw(st.none() | st.sampled_from([200, 302, 400, 403, 429, 500, 529]))
        failure = Failure(failure.type, http_status, draw(_text), failure.retryable)
    return sample(
        draw(_text),
        status,
        fingerprint=draw(st.text("0123456789abcdef", max_size=32)),
        output=draw(_text | st.none() | st.lists(st.floats(allow_nan=False), max_size=3)),
        finish_reason=draw(st.none() | _text),
        usage=draw(st.none() | st.builds(Usage, *[_count] * 4, *[st.just(UNSET) | _count] * 2)),
        error=failure,
        metadata=draw(st.dictionaries(_text, _json, max_size=3)),
        tool_calls=draw(
            st.just(UNSET)
            | st.just(
                [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]
            )
        ),
        logprobs=draw(st.just(UNSET) | st.just([{"token": "a", "logprob": -0.1}])),
        reasoning=draw(st.just(UNSET) | _text),
        endpoint=draw(
            st.just(UNSET) | st.sampled_from(["chat", "completions", "embeddings", "responses"])
        ),
    )
