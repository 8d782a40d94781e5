"""One line of a results file, as far as figures need it.

Times, tokens and costs are checked while they are read, at no cost: a line with a negative latency,
or with one that is no number, is no result, so that sums over a million lines hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NoReturn

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ..metrics import Metrics, Try
from ..model import Failure, Fold, Result, Usage
from ..records import Format
from .batchline import decode_batch

if TYPE_CHECKING:
    Skipped = Any
else:
    Skipped = msgspec.Raw  # passed over without being made: an answer, a thousand log probabilities

Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Count = Annotated[int, Meta(ge=0, le=1 << 53)]
USD = Annotated[float, Meta(ge=0, le=1e12)]
Name = Annotated[str, Meta(max_length=1000)]

LONGEST = 300
"""Characters of why a line is no result."""

_SKIPPED = (
    "output", "metadata", "tool_calls", "logprobs", "reasoning", "chunk", "quotes",
    "finish_reason", "endpoint",
)  # fmt: skip
_NOTHING = msgspec.Raw(b"null")


class Attempt(Try, frozen=True, kw_only=True):
    at_s: Seconds
    took_s: Seconds


class Times(Metrics, frozen=True, kw_only=True):
    queue_s: Seconds
    limiter_s: Seconds
    ttft_s: Seconds | None
    itl_mean_s: Seconds | None
    itl_max_s: Seconds | None
    latency_s: Seconds
    output_tokens_per_s: Seconds | None
    attempts: Count
    tried: Sequence[Attempt] | UnsetType = UNSET


class Tokens(Usage, frozen=True, kw_only=True, gc=False):
    input_tokens: Count = 0
    output_tokens: Count = 0
    cached_tokens: Count = 0
    reasoning_tokens: Count = 0
    cache_write_tokens: Count | UnsetType = UNSET
    cache_write_1h_tokens: Count | UnsetType = UNSET


class Reason(Failure, frozen=True, kw_only=True, gc=False):
    type: Name
    http_status: int | None = None
    message: Skipped = None
    retryable: Skipped = None


class Line(Result, frozen=True, kw_only=True):
    """A result without what it says; whatever a line leaves out is not known of it."""

    format: ClassVar[Format] = "jsonl"

    line: int = 0
    output: Skipped = None
    finish_reason: Skipped = None
    provider: Name | None = None
    model: Name | None = None
    fallbacks: Count = 0
    usage: Tokens | None = None
    cost_usd: USD | None = None
    metrics: Times | None = None
    error: Reason | None = None
    metadata: Skipped = None
    tool_calls: Skipped = None
    logprobs: Skipped = None
    reasoning: Skipped = None
    endpoint: Skipped = None
    chunk: Skipped = None
    fold: Fold | UnsetType = UNSET
    quotes: Skipped = None


class BatchLine(Line, frozen=True, kw_only=True):
    """The same of an OpenAI Batch line."""

    format: ClassVar[Format] = "openai-batch"


class NoResult(ValueError):
    """The line is no result; ``str()`` says why."""


def decode(line: bytes) -> Line:
    """A line of either format. Raises NoResult."""
    try:
        return _decode(line)
    except msgspec.ValidationError as error:
        found = decode_batch(line)
        if found is None:
            raise NoResult(str(error)[:LONGEST]) from None
        return msgspec.convert(found, BatchLine)
    except (ValueError, RecursionError):
        return _patiently(line)


def _patiently(line: bytes) -> Line:
    """For lines that are JSON to Python alone: a byte order mark, a lone surrogate."""
    try:
        value = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        why = "holds NaN" if isinstance(error, _Constant) else "is not JSON"
        raise NoResult(why) from None
    if not isinstance(value, Mapping):
        raise NoResult("is no object")
    kept = {key: _whole(item) for key, item in value.items() if key not in _SKIPPED}
    if isinstance(failure := kept.get("error"), dict):
        kept["error"] = {**failure, "message": _NOTHING, "retryable": _NOTHING}
    try:
        return msgspec.convert(kept, Line)
    except (ValueError, RecursionError) as error:
        raise NoResult(str(error)[:LONGEST]) from None


class _Constant(ValueError):
    pass


def _no_constant(name: str) -> NoReturn:
    raise _Constant(name)


def _whole(value: Any) -> Any:
    """Text that can be written down: lone surrogates stand as escapes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value


_decode = msgspec.json.Decoder(Line).decode
