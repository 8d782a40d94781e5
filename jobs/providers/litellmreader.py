"""LiteLLM's answers as deltas, and the proof that an answer ended by itself.

LiteLLM ends a stream that was cut with a ``finish_reason`` of its own making ("stop"). Only the
reason that its stream object noted as received from the provider is believed here.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, nullcontext
from inspect import isawaitable
from typing import Any

from ..model import Delta, Usage
from .failures import Failures
from .litellmfinish import gemini_finish, native_finish, status_of
from .wire import loads, usage_of

_DONE = "[DONE]"
_HEADER_PREFIX = "llm_provider-"

UNPROVEN = (
    "bedrock/agentcore/",
    "cohere/",
    "cohere_chat/",
    "langgraph/",
    "nlp_cloud/",
    "petals/",
    "sagemaker/",
)
"""Models whose streams LiteLLM ends with "stop" whatever the server did, or whose own end it does
not pass on (read in LiteLLM 1.110); they are asked for whole answers."""


class Source:
    """What LiteLLM reads its chunks from, watched on the way.

    ``finish`` is what Gemini says of its end, since LiteLLM puts "stop" into each of its chunks;
    ``refusals`` is text that LiteLLM loses.
    """

    __slots__ = ("_items", "_lines", "_source", "finish", "refusals")

    def __init__(self) -> None:
        self._source: Any = None
        self._lines: AsyncGenerator[Any, None] | None = None
        self._items: AsyncIterator[Any] | None = None
        self.finish = ""
        self.refusals: list[str] = []

    def over(self, source: Any) -> Any:
        """Itself in the place of ``source``; what can't be watched is left as it is."""
        if not hasattr(source, "__aiter__"):
            return source
        self._source = source
        lines: Any = getattr(source, "streaming_response", None)
        if hasattr(lines, "__aiter__"):
            source.streaming_response = self._lines = self._watched(lines)
        return self

    def __repr__(self) -> str:
        return f"Source({type(self._source).__name__})"

    def __aiter__(self) -> Source:
        return self

    async def __anext__(self) -> Any:
        if self._items is None:
            self._items = aiter(self._source)
        item = await anext(self._items)
        choices = getattr(item, "choices", None)
        if choices:
            refusal = getattr(choices[0].delta, "refusal", None)
            if refusal:
                self.refusals.append(refusal)
        return item

    async def aclose(self) -> None:
        """Close the connection, whichever of them holds it."""
        for each in (self._items, self._source, self._lines):
            close = getattr(each, "aclose", None) or getattr(each, "close", None)
            done = close() if close is not None else None
            if isawaitable(done):
                await done

    async def _watched(self, lines: Any) -> AsyncGenerator[Any, None]:
        """The lines of a stream of events.

        ``[DONE]`` is kept from LiteLLM where chunks say themselves how the answer ended: it reads
        "stop" from it, also where a server that lost its model says nothing else.
        """
        chunks = others = 0
        async with aclosing(lines) if hasattr(lines, "aclose") else nullcontext():
            async for line in lines:
                text = line.strip() if isinstance(line, str) else ""
                data = text.removeprefix("data:").strip()
                if data == _DONE:
                    if others and not chunks:
                        yield line
                    return
                if text.startswith("data:"):
                    chunks += '"choices"' in text
                    others += 1
                if '"finishReason"' in text:
                    self.finish = gemini_finish(data) or self.finish
                yield line


class Reading:
    """One streamed answer; ``began`` says that the server has begun to answer."""

    __slots__ = ("_failures", "_finish", "_source", "_stream", "_usage", "began", "flowing")

    def __init__(self, stream: Any, failures: Failures) -> None:
        self._stream = stream
        self._failures = failures
        self._finish = ""
        self._source = Source()
        self._usage: Any = None
        self.flowing = False
        self.began = getattr(stream, "completion_stream", None) is not None
        if self.began:
            stream.completion_stream = self._source.over(stream.completion_stream)
        elif getattr(stream, "make_call", None) is not None:
            stream.make_call = self._later(stream.make_call)

    def __repr__(self) -> str:
        return f"Reading(finish={self._finish!r}, finished={self.finished})"

    @property
    def finished(self) -> bool:
        """Whether the provider's own finish came; a stream that can't tell has none."""
        return bool(self._own())

    @property
    def usage(self) -> Any:
        """LiteLLM's usage object, where the provider counted; its own guess is none."""
        chunks = getattr(self._stream, "chunks", None) or ()
        return self._usage if any(getattr(c, "usage", None) for c in chunks) else None

    def add(self, chunk: Any) -> Delta | None:
        """One chunk; None where it brings nothing to keep."""
        self.flowing = True
        usage = getattr(chunk, "usage", None)
        if usage is not None:
            self._usage = usage
        if not chunk.choices:
            return None
        choice = chunk.choices[0]
        if choice.finish_reason:
            self._finish = choice.finish_reason
        return _delta(choice.delta, choice)

    def end(self, cost_usd: float | None) -> Delta:
        """The finish. Raises when the provider sent none."""
        own = self._own()
        if not own:
            raise self._failures.unfinished()
        refusals = self._source.refusals
        status = status_of(own, self._finish, self._failures)
        return Delta(
            "".join(refusals),
            finish_reason=own,
            status="refused" if refusals else status,
            usage=_usage(self.usage),
            cost_usd=cost_usd,
        )

    def _own(self) -> str:
        return str(getattr(self._stream, "received_finish_reason", None) or self._source.finish)

    def _later(self, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """For streams that LiteLLM asks for with the first chunk (Bedrock's)."""

        async def watched(*args: Any, **named: Any) -> Any:
            source = await call(*args, **named)
            self.began = True
            return self._source.over(source)

        return watched


class Original:
    """The answer as the server sent it: LiteLLM fills in a finish where there is none."""

    __slots__ = ("_text",)

    def __init__(self) -> None:
        self._text: Any = None

    def __repr__(self) -> str:
        return f"Original(kept={self._text is not None})"

    def __call__(self, details: Any) -> None:
        """LiteLLM's ``logger_fn``: called before the request, and again with the answer."""
        if isinstance(details, dict):
            self._text = details.get("original_response")

    def lacks_finish(self) -> bool:
        """Whether it is in OpenAI's shape or Gemini's, and its finish is missing."""
        value = self._text
        if isinstance(value, str):
            value = loads(value.encode("utf-8", "replace"))
        elif hasattr(value, "model_dump"):
            value = value.model_dump()
        if not isinstance(value, dict):
            return False
        for answers, finish in (("choices", "finish_reason"), ("candidates", "finishReason")):
            listed = value.get(answers)
            if isinstance(listed, list) and listed and isinstance(listed[0], dict):
                return not listed[0].get(finish)
        return False


def whole(response: Any, original: Original, cost_usd: float | None, failures: Failures) -> Delta:
    """The answer in one piece."""
    if not response.choices:
        raise failures.malformed("the answer has no choices")
    choice = response.choices[0]
    if not choice.finish_reason or original.lacks_finish():
        raise failures.malformed("the answer has no finish_reason")
    said = _delta(choice.message, choice) or Delta()
    own = native_finish(choice)
    status = status_of(own, choice.finish_reason, failures)
    refused = bool(getattr(choice.message, "refusal", None))
    return Delta(
        said.text,
        said.reasoning,
        said.tool_calls,
        said.logprobs,
        finish_reason=own,
        status="refused" if refused else status,
        usage=_usage(getattr(response, "usage", None)),
        cost_usd=cost_usd,
    )


def headers_of(answer: Any) -> Mapping[str, str]:
    """The head of the server's answer, its names in lower case."""
    hidden = getattr(answer, "_hidden_params", None)
    found = (hidden.get("additional_headers") if isinstance(hidden, dict) else None) or {}
    return {
        str(name).lower().removeprefix(_HEADER_PREFIX): str(value) for name, value in found.items()
    }


def _delta(part: Any, choice: Any) -> Delta | None:
    text = getattr(part, "content", None) or ""
    text += getattr(part, "refusal", None) or ""
    thought = getattr(part, "reasoning_content", None) or ""
    calls = [call.model_dump(exclude_none=True) for call in getattr(part, "tool_calls", None) or ()]
    logprobs = _logprobs(getattr(choice, "logprobs", None))
    if text or thought or calls or logprobs:
        return Delta(text, thought, calls, logprobs)
    return None


def _logprobs(value: Any) -> list[Any]:
    plain = value.model_dump(exclude_none=True) if hasattr(value, "model_dump") else value
    items = plain.get("content") if isinstance(plain, dict) else None
    return items if isinstance(items, list) else []


def _usage(value: Any) -> Usage | None:
    usage = usage_of(value.model_dump())[0] if hasattr(value, "model_dump") else None
    # Nothing asked and nothing answered is what LiteLLM puts where no usage came.
    return usage if usage and (usage.input_tokens or usage.output_tokens) else None
