"""The output schema: the only code that writes or reads a result line."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, cast, get_args

import msgspec
from msgspec import Struct

from .bodies import body
from .model import Result, Status, Usage

Format = Literal["jsonl", "openai-batch"]

BATCH_PREFIX = "batch_req_"
"""What stands before the fingerprint in the ``id`` of an OpenAI Batch line."""

_BATCH = b'{"id":"' + BATCH_PREFIX.encode()
_STATUSES = frozenset(get_args(Status))
_INVALID = frozenset({"invalid_row", "duplicate_id"})
_ANSWERED = frozenset({"ok", "truncated", "refused", "filtered"})
_BROUGHT: Mapping[Status, str] = {"partial": "partial", "invalid_output": "answer"}
# DEL and the C1 controls, and what turns the direction of text or breaks its lines: what JSON
# lets through and a terminal acts upon.
_UNSAFE = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]")

_encoder = msgspec.json.Encoder()


class Stored(Struct, frozen=True, gc=False):
    """What a result line says about its row; what it cost is known of native lines alone."""

    format: ClassVar[Format] = "jsonl"

    id: str
    fingerprint: str
    status: Status
    usage: Usage | None = None
    cost_usd: float | None = None


class StoredBatch(Stored, frozen=True, gc=False):
    """The same, read from an OpenAI Batch line."""

    format: ClassVar[Format] = "openai-batch"


def encode(result: Result) -> bytes:
    """One line of ``--format jsonl`` with its line feed."""
    return _line(result)


def encode_batch(result: Result) -> bytes:
    """One line of ``--format openai-batch`` with its line feed.

    An HTTP failure keeps its status code and has its reason in ``body.error``; any other one has
    ``response: null`` and the reason in ``error``, and so has a broken stream, or an answer that
    does not fit its schema: what arrived stands in ``error.partial`` or ``error.answer``, where no
    reader takes it for the row's answer. ``type`` in either error is the row's status.
    """
    failure = result.error
    status_code = failure.http_status if failure and failure.http_status else 0
    response: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    if result.status in ("ok", "truncated") or (failure is None and result.status in _ANSWERED):
        response = _response(result, 200, body(result))
    elif result.status not in _BROUGHT and status_code >= 400:
        reason = {**_reason(result), "param": None}
        response = _response(result, status_code, {"error": reason})
    else:
        error = _reason(result)
        if (key := _BROUGHT.get(result.status)) is not None:
            error[key] = body(result)
    return _line(
        {
            "id": BATCH_PREFIX + result.fingerprint,
            "custom_id": result.id,
            "response": response,
            "error": error,
        }
    )


ENCODERS: Mapping[Format, Callable[[Result], bytes]] = {
    "jsonl": encode,
    "openai-batch": encode_batch,
}


def read(line: bytes) -> Stored | None:
    """What the line says, or None where it is no result line of either format; never raises.

    A status of ``refused`` is read back as ``filtered`` from a Batch line for ``/v1/completions``,
    whose format has no refusal.
    """
    batch = line.startswith(_BATCH)
    try:
        try:
            return _read_batch(line) if batch else _read_native(line)
        except msgspec.ValidationError:
            return _read_native(line) if batch else _read_batch(line)
    except msgspec.ValidationError:
        return None
    except (ValueError, RecursionError):  # DecodeError and UnicodeDecodeError are ValueErrors
        return _read_patiently(line)


def read_all(lines: Sequence[bytes]) -> list[Stored | None]:
    """The same for many; fastest for lines of ``--format jsonl``."""
    try:
        return list(map(_read_native, lines))
    except (ValueError, RecursionError):
        return [read(line) for line in lines]


def decode(line: bytes) -> Result:
    """The whole of one line of ``--format jsonl``. Raises ValueError where it is none."""
    try:
        return _decode_result(line)
    except msgspec.ValidationError:
        raise
    except (ValueError, RecursionError):  # JSON to Python alone, as in _read_patiently
        return msgspec.convert(json.loads(line), Result)


def terminal_safe(line: bytes) -> bytes:
    """The same JSON, with what a terminal would act upon written as escapes."""
    return _UNSAFE.sub(_escape, line)


def _escape(match: re.Match[bytes]) -> bytes:
    return f"\\u{ord(match[0].decode()):04x}".encode()


def _line(value: Any) -> bytes:
    try:
        return _encoder.encode(value) + b"\n"  # writes NaN and infinities as null
    except (UnicodeEncodeError, RecursionError):  # a lone surrogate; nested a thousand levels deep
        return _line_patiently(value)


def _line_patiently(value: Any) -> bytes:
    """What could be read can be written, though it takes more calls within calls."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(4 * limit)
    try:
        plain = _finite(msgspec.to_builtins(value, str_keys=True))
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    finally:
        sys.setrecursionlimit(limit)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _response(result: Result, status_code: int, content: Mapping[str, Any]) -> dict[str, Any]:
    request_id = f"llmbatch-{result.fingerprint}"
    return {"status_code": status_code, "request_id": request_id, "body": content}


def _reason(result: Result) -> dict[str, Any]:
    failure = result.error
    return {
        "code": failure.type if failure else result.status,
        "message": failure.message if failure else "",
        "type": result.status,
    }


# The shapes below name what is looked at; the decoder skips everything else.


class _Reason(Struct, gc=False):
    code: Any = None
    type: Any = None

    @property
    def status(self) -> Status:
        if isinstance(self.type, str) and self.type in _STATUSES:
            return cast(Status, self.type)
        return "invalid" if isinstance(self.code, str) and self.code in _INVALID else "error"


class _Message(Struct, gc=False):
    refusal: Any = None


class _Choice(Struct, gc=False):
    finish_reason: str | None = None
    message: _Message | None = None


class _Part(Struct, gc=False):
    type: str = ""


class _Item(Struct, gc=False):
    content: list[_Part] | str | None = None


class _Incomplete(Struct, gc=False):
    reason: str | None = None


class _Body(Struct, gc=False):
    error: _Reason | None = None
    choices: list[_Choice] | None = None
    status: str | None = None
    incomplete_details: _Incomplete | None = None
    output: list[_Item] | None = None


class _Response(Struct, gc=False):
    status_code: int
    body: _Body | None = None


class _Batch(Struct, gc=False):
    id: str
    custom_id: str
    response: _Response | None = None
    error: _Reason | None = None


def _status(line: _Batch) -> Status | None:
    response = line.response
    if line.error is not None:
        return line.error.status
    if response is None:
        return None
    content = response.body or _Body()
    if response.status_code >= 400 or content.error is not None:
        return (content.error or _Reason()).status
    if content.choices:
        return _status_of_choice(content.choices[0])
    return _status_of_items(content)


def _status_of_choice(choice: _Choice) -> Status:
    if choice.message is not None and choice.message.refusal is not None:
        return "refused"
    if choice.finish_reason == "length":
        return "truncated"
    return "filtered" if choice.finish_reason == "content_filter" else "ok"


def _status_of_items(content: _Body) -> Status:
    if content.status in ("failed", "cancelled"):
        return "error"
    if content.incomplete_details is not None:
        reason = content.incomplete_details.reason
        return "filtered" if reason == "content_filter" else "truncated"
    for item in content.output or ():
        if isinstance(item.content, list) and any(part.type == "refusal" for part in item.content):
            return "refused"
    return "ok"


_read_native = msgspec.json.Decoder(Stored).decode
_decode_result = msgspec.json.Decoder(Result).decode
_decode_batch = msgspec.json.Decoder(_Batch).decode


def _stored(line: _Batch) -> Stored | None:
    if (status := _status(line)) is None:
        return None
    return StoredBatch(line.custom_id, line.id.removeprefix(BATCH_PREFIX), status)


def _read_batch(line: bytes) -> Stored | None:
    return _stored(_decode_batch(line))


def _read_patiently(line: bytes) -> Stored | None:
    """For lines that are JSON to Python alone: a byte order mark, NaN, a lone surrogate."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    try:
        return msgspec.convert(value, Stored)
    except msgspec.ValidationError:
        pass
    try:
        return _stored(msgspec.convert(value, _Batch))
    except msgspec.ValidationError:
        return None
