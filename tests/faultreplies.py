"""What a :class:`faultserver.FaultServer` may answer: good answers, and every way to fail.

A recipe is a function from a Call to a Reply, or to another recipe; it may be a coroutine function.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from faultwire import DONE, Answer, echo, event, events, prompt_of, split, usage_of, whole

JSON = "application/json"
EVENTS = "text/event-stream"
HTML = "<!doctype html><html><head><title>Welcome</title></head><body>Hello</body></html>"


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the server saw it; ``at`` is in seconds of :func:`time.monotonic`.

    ``target`` is the path as it was sent: still encoded, with its query.
    """

    at: float
    path: str
    endpoint: str
    headers: Mapping[str, str]
    body: Any
    peer: Any
    target: str = ""

    @property
    def prompt(self) -> str:
        return prompt_of(self.body)

    @property
    def streams(self) -> bool:
        if self.endpoint == "gemini":
            return self.path.endswith(":streamGenerateContent")
        return isinstance(self.body, dict) and self.body.get("stream") is True


class Act(Enum):
    """What a server can do besides sending bytes."""

    CUT = "close the connection here, after what was written"
    RESET = "reset the connection (TCP RST)"
    HANG = "send nothing more, until the client goes or the server ends"


Step = bytes | float | asyncio.Event | Act
"""Bytes are sent at once; a float is a pause in seconds; an Event is waited for."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes over the wire. An act or event before the first bytes comes before the headers."""

    steps: Sequence[Step] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: bool = True


Recipe = Callable[[Call], Any]


def answer(
    text: str | None = None,
    *,
    chunks: int | None = None,
    delay: float = 0.0,
    usage: bool | Mapping[str, Any] = True,
    stream: bool | None = None,
    edit: Callable[[list[bytes]], Sequence[Step]] | None = None,
    headers: Mapping[str, str] | None = None,
    **said: Any,
) -> Recipe:
    """A good answer: streamed where the call asks for it, unless ``stream`` says otherwise.

    ``text`` None echoes the prompt. ``said`` are fields of :class:`faultwire.Answer`: ``finish``,
    ``reasoning``, ``reasoning_key``, ``tool_calls``, ``logprobs``, ``refusal``, ``model``,
    ``extra``. ``edit`` turns the events of a stream into the steps that are sent.
    """

    def recipe(call: Call) -> Reply:
        pieces = split(echo(call.prompt) if text is None else text, chunks)
        counted = usage_of(call.prompt, pieces) if usage is True else usage or None
        reply = Answer(pieces, usage=counted, **said)
        if call.endpoint == "embeddings" or not (call.streams if stream is None else stream):
            body = json.dumps(whole(call.endpoint, reply, call.body)).encode()
            plain: list[Step] = [delay, body] if delay else [body]
            return Reply(plain, headers={"Content-Type": JSON, **(headers or {})}, stream=False)
        parts = events(call.endpoint, reply)
        steps: Sequence[Step] = parts if edit is None else edit(parts)
        if delay:
            steps = [s for step in steps for s in (delay, step)]
        return Reply(steps, headers={"Content-Type": EVENTS, **(headers or {})})

    return recipe


def cut(after: int = 3, act: Act = Act.CUT, **kw: Any) -> Recipe:
    """The connection goes after ``after`` events; ``act`` may be RESET."""
    return answer(edit=lambda parts: [*parts[:after], act], **kw)


def cut_at_once(act: Act = Act.CUT) -> Recipe:
    """The connection goes before any answer."""
    return lambda call: Reply([act])


def truncated(after: int = 3, **kw: Any) -> Recipe:
    """A clean end of the body after ``after`` events, without a finish."""
    return answer(edit=lambda parts: parts[:after], **kw)


def stalled(release: asyncio.Event, after: int = 3, **kw: Any) -> Recipe:
    """``after`` events, then nothing until ``release`` is set."""
    return answer(edit=lambda parts: [*parts[:after], release, *parts[after:]], **kw)


def held(release: asyncio.Event, **kw: Any) -> Recipe:
    """Nothing at all, no headers either, until ``release`` is set; then a good answer."""

    def recipe(call: Call) -> Reply:
        good: Reply = answer(**kw)(call)
        return Reply([release, *good.steps], good.status, good.headers, good.stream)

    return recipe


def never() -> Recipe:
    """The request is read and never answered."""
    return lambda call: Reply([Act.HANG])


def resplit(size: int, delay: float = 0.0, **kw: Any) -> Recipe:
    """The stream in writes of ``size`` bytes, which cut through events and characters."""

    def edit(parts: list[bytes]) -> list[Step]:
        data = b"".join(parts)
        return [s for i in range(0, len(data), size) for s in (delay, data[i : i + size])]

    return answer(edit=edit, **kw)


def crlf(**kw: Any) -> Recipe:
    return answer(edit=lambda parts: [part.replace(b"\n", b"\r\n") for part in parts], **kw)


def commented(comment: bytes = b": PROCESSING\n\n", **kw: Any) -> Recipe:
    """A comment line before each event."""
    return answer(edit=lambda parts: [comment + part for part in parts], **kw)


def inserted(data: Any, after: int = 2, *, then_end: bool = True, **kw: Any) -> Recipe:
    """``data`` (JSON, or bytes) as an event after ``after`` others; the stream ends there."""
    extra = event(data)
    return answer(
        edit=lambda parts: [*parts[:after], extra, *([DONE] if then_end else parts[after:])], **kw
    )


def malformed(after: int = 2, **kw: Any) -> Recipe:
    """A chunk that is not JSON."""
    return inserted(b'{"choices": [{"delta": {"conte', after, **kw)


def error_in_stream(
    message: str = "The server had an error", after: int = 2, code: Any = None, **kw: Any
) -> Recipe:
    """An error object inside a stream that began with HTTP 200."""
    failure = {"message": message, "type": "server_error", "code": code}
    return inserted({"error": failure}, after, **kw)


def error(
    status: int,
    message: str = "It went wrong",
    *,
    code: Any = None,
    kind: str = "error",
    body: str | bytes | None = None,
    content_type: str = JSON,
    headers: Mapping[str, str] | None = None,
) -> Recipe:
    """An HTTP error; ``body`` replaces OpenAI's error object."""
    value = {"error": {"message": message, "type": kind, "param": None, "code": code}}
    sent = json.dumps(value).encode() if body is None else body
    raw = sent.encode() if isinstance(sent, str) else sent
    merged = {"Content-Type": content_type, **(headers or {})}
    return lambda call: Reply([raw], status, merged, stream=False)


def rate_limited(
    retry_after: str | None = None, retry_after_ms: str | None = None, **kw: Any
) -> Recipe:
    """429 that waiting cures, with the headers as given."""
    named = {"Retry-After": retry_after, "Retry-After-Ms": retry_after_ms}
    headers = {name: value for name, value in named.items() if value is not None}
    headers |= kw.pop("headers", {})
    return error(429, "Rate limit reached", code="rate_limit_exceeded", headers=headers, **kw)


def insufficient_quota() -> Recipe:
    text = "You exceeded your current quota, please check your plan and billing details."
    return error(429, text, code="insufficient_quota", kind="insufficient_quota")


def unauthorized() -> Recipe:
    """401, and the message repeats the key that was sent, as some servers do."""

    def recipe(call: Call) -> Recipe:
        key = call.headers.get("Authorization", "").removeprefix("Bearer ")
        return error(401, f"Incorrect API key provided: {key}.", code="invalid_api_key")

    return recipe


def context_too_long() -> Recipe:
    text = "This model's maximum context length is 4096 tokens. Please reduce the length."
    return error(400, text, code="context_length_exceeded", kind="invalid_request_error")


def redirect(to: str, status: int = 307) -> Recipe:
    return error(status, body=b"", headers={"Location": to})


def web_page(status: int = 200, page: str = HTML) -> Recipe:
    return error(status, body=page, content_type="text/html; charset=utf-8")
