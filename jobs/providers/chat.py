"""OpenAI's chat completions: the request's body, the stream's chunks, the whole answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from ..model import Delta, Request
from .failures import Failures
from .reading import EventReader, Piece
from .wire import DONE, STATUSES, loads, payload, usage_of

PATH = "/chat/completions"

BROKEN_OFF: Mapping[str, int | None] = {
    "error": None,  # OpenRouter's, Mistral's
    "insufficient_system_resource": 503,  # DeepSeek's
    "abort": None,  # vLLM's and SGLang's, where the engine gave a request up
    **dict.fromkeys(("aborted", "cancelled", "canceled"), None),
    "timeout": 504,
}
"""Finish reasons of answers that are none, and the HTTP status that says the same."""


class Message(Struct, gc=False):
    """A delta, or the message of a whole answer: the parts of it that are kept."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    function_call: dict[str, Any] | None = None
    audio: dict[str, Any] | None = None
    images: list[Any] | None = None


class Choice(Struct, gc=False):
    delta: Message | None = None
    message: Message | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: dict[str, Any] | None = None


class Chunk(Struct, gc=False):
    choices: list[Choice] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_decode = msgspec.json.Decoder(Chunk).decode
_NOTHING = Message()
_SILENCE = Delta()


def body(request: Request, stream: bool, asks_usage: bool = True) -> dict[str, Any]:
    """The body as JSON values."""
    return streamed(payload(request, messages=request.messages), stream, asks_usage)


def streamed(values: dict[str, Any], stream: bool, asks_usage: bool = True) -> dict[str, Any]:
    """Ask for a stream with its usage, where it has to be asked for, or for a whole answer.

    ``stream_options: null`` in an ``extra_body`` leaves them out, for servers that don't know them.
    """
    values["stream"] = stream
    options = values.pop("stream_options", {})
    if stream and options is not None and (asks_usage or options):
        values["stream_options"] = {"include_usage": True, **options} if asks_usage else options
    return values


class ChatReader(EventReader):
    """One answer. ``finished``: its finish came; ``done``: nothing follows."""

    __slots__ = ("_failures", "_finish", "_refused", "_usage", "done", "finished")

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self._finish = ""
        self._refused = False
        self._usage: dict[str, Any] | None = None
        self.finished = False
        self.done = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}(finish={self._finish!r}, done={self.done})"

    def read(self, events: Sequence[bytes], said: list[Piece]) -> None:
        """The chunks of one read."""
        for data in events:
            if data == DONE:
                self.done = True
                return  # what follows the end is nobody's business
            try:
                chunk = _decode(data)
            except (msgspec.DecodeError, UnicodeDecodeError):
                chunk = None
            if chunk is None:
                chunk = self._lax(data)
            if chunk.error is not None:
                raise self._failures.reported(chunk.error)
            if chunk.usage is not None:
                self._usage = chunk.usage
            if not chunk.choices:
                continue
            choice = chunk.choices[0]
            part = choice.delta
            # Nearly every chunk is a piece of text and nothing else.
            if (
                part is not None
                and part.content
                and choice.finish_reason is None
                and choice.logprobs is None
                and part.tool_calls is None
                and part.reasoning_content is None
                and part.reasoning is None
                and part.refusal is None
            ):
                said.append(part.content)
            elif (piece := self._rare(choice)) is not None:
                said.append(piece)

    def _rare(self, choice: Choice) -> Piece | None:
        if choice.finish_reason:
            self._finish_with(choice.finish_reason)
        part = choice.delta or choice.message or _NOTHING
        text = (part.content or choice.text or "") + _shown(part)
        if part.refusal:
            self._refused = True
            text += part.refusal
        thought = part.reasoning_content or part.reasoning or ""
        calls = part.tool_calls or _legacy(part.function_call)
        if calls or choice.logprobs:
            return Delta(text, thought, calls, _items(choice.logprobs))
        return Delta(text, thought) if thought else text or None

    def _finish_with(self, reason: str) -> None:
        if reason in BROKEN_OFF:
            text = f'the answer ended with finish_reason "{reason}"'
            raise self._failures.reported({"message": text, "code": BROKEN_OFF[reason]})
        self._finish = reason
        self.finished = True

    def end(self) -> Delta:
        """The finish, with the usage where it came. Raises when there was no finish."""
        if not self.finished:
            raise self._failures.unfinished()
        return self._ended(_SILENCE)

    def _ended(self, said: Delta) -> Delta:
        """The finish, and what was said last."""
        status = "refused" if self._refused else STATUSES.get(self._finish, "ok")
        usage, cost = usage_of(self._usage)
        return Delta(
            said.text,
            said.reasoning,
            said.tool_calls,
            said.logprobs,
            finish_reason=self._finish,
            status=status,
            usage=usage,
            cost_usd=cost,
        )

    def whole(self, data: bytes) -> Delta:
        """The answer as one JSON body."""
        said = self.add(data.strip()) or _SILENCE
        if not self.finished:
            raise self._failures.malformed("the answer has no finish_reason")
        return self._ended(said)

    def _lax(self, data: bytes) -> Chunk:
        """Read what the strict decoder refuses: surrogate halves, odd types, content in parts."""
        value = loads(data)
        if not isinstance(value, dict):
            self.done = self.done or data.strip() == DONE
            if self.done:
                return Chunk()
            raise self._failures.malformed("a chunk of the answer is not a JSON object")
        choices = value.get("choices")
        first = choices[:1] if isinstance(choices, list) else []
        usage = value.get("usage")
        return Chunk(
            choices=[_choice(choice) for choice in first if isinstance(choice, dict)],
            usage=usage if isinstance(usage, dict) else None,
            error=value.get("error"),
        )


def _shown(part: Message) -> str:
    """What an answer holds beside its text: images in Markdown, and the transcript of speech."""
    text = _text(part.audio.get("transcript")) if part.audio else None
    shown = "" if text is None else text
    for image in part.images or ():
        link = image.get("image_url") if isinstance(image, dict) else None
        url = link.get("url") if isinstance(link, dict) else link
        shown += f"![image]({url})" if isinstance(url, str) else ""
    return shown


def _legacy(call: dict[str, Any] | None) -> Sequence[dict[str, Any]]:
    """A ``function_call``, the word of before there were tools, as the tool call that it is."""
    return [{"index": 0, "type": "function", "function": call}] if call else ()


def _items(logprobs: dict[str, Any] | None) -> list[Any]:
    """The items of ``logprobs.content``; the legacy object of completions is one item."""
    if not logprobs:
        return []
    items = logprobs.get("content", logprobs)
    return items if isinstance(items, list) else [items] if items else []


def _choice(value: dict[str, Any]) -> Choice:
    text, finish, logprobs = (value.get(key) for key in ("text", "finish_reason", "logprobs"))
    return Choice(
        delta=_message(value.get("delta")),
        message=_message(value.get("message")),
        text=_text(text),
        finish_reason=finish if isinstance(finish, str) else None,
        logprobs=logprobs if isinstance(logprobs, dict) else None,
    )


def _message(value: Any) -> Message | None:
    if not isinstance(value, dict):
        return None
    content = value.get("content")
    calls, images = value.get("tool_calls"), value.get("images")
    function, audio = value.get("function_call"), value.get("audio")
    reasoning = _text(value.get("reasoning_content")) or _text(value.get("reasoning"))
    if not reasoning and isinstance(content, list):
        thoughts = [part.get("thinking") for part in content if isinstance(part, dict)]
        reasoning = "".join(text for text in map(_text, thoughts) if text)
    return Message(
        content=_text(content),
        reasoning=reasoning,
        refusal=_text(value.get("refusal")),
        tool_calls=[c for c in calls if isinstance(c, dict)] if isinstance(calls, list) else None,
        function_call=function if isinstance(function, dict) else None,
        audio=audio if isinstance(audio, dict) else None,
        images=images if isinstance(images, list) else None,
    )


def _text(value: Any) -> str | None:
    """A text, or the joined texts of a list of parts."""
    if isinstance(value, list):
        parts = (part.get("text") for part in value if isinstance(part, dict))
        return "".join(text for text in parts if isinstance(text, str))
    return value if isinstance(value, str) else None
