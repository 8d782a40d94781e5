"""Gemini's answers: every event of a stream is a whole GenerateContentResponse.

There is no ``[DONE]``: an answer is complete when a finish reason came, or a block reason. Their
words are those of Google's REST reference (generativelanguage, v1beta).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..errors import ProviderError
from ..model import Delta, Status
from .failures import Failures
from .geminichunk import (
    NOTHING,
    ODD,
    Candidate,
    Chunk,
    FunctionCall,
    Part,
    arguments_of,
    chunks_of,
    decode,
    logprobs_of,
    shown,
    usage_of,
)
from .reading import EventReader, Piece, gathered
from .wire import DONE

FINISHES: Mapping[str, Status] = {
    "STOP": "ok",
    "MAX_TOKENS": "truncated",
    "CONTINUATION": "truncated",
    **dict.fromkeys(
        (
            *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"),
            *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
            *("MODEL_ARMOR", "ESCALATION"),
        ),
        "filtered",
    ),
}
"""Any other word says that the model broke off: no answer, but another try may bring one."""

_HOPELESS: Mapping[str, int] = {"MISSING_THOUGHT_SIGNATURE": 400, "PUP_LIMITED_DISABLED": 401}
"""Finish reasons about the request or the account, and the HTTP status they amount to."""


class GeminiReader(EventReader):
    """One answer. ``finished``: a good finish came; usage may still follow."""

    __slots__ = (
        "_calls",
        "_failures",
        "_finish",
        "_message",
        "_status",
        "_usage",
        "done",
        "finished",
    )

    def __init__(self, failures: Failures) -> None:
        self._failures = failures
        self._finish = ""
        self._message = ""
        self._status: Status | None = None
        self._usage = NOTHING
        self._calls = 0
        self.finished = False
        self.done = False

    def __repr__(self) -> str:
        return f"GeminiReader(finish={self._finish!r})"

    def read(self, events: Sequence[bytes], said: list[Piece]) -> None:
        """The responses of one read."""
        try:
            chunks = list(map(decode, events))
        except ODD:
            chunks = None
        if chunks is not None:
            self._take(chunks, said)
        else:
            self._read_oddly(events, said)

    def _read_oddly(self, events: Sequence[bytes], said: list[Piece]) -> None:
        """One after the other, where one of them is no response as they should be."""
        for data in events:
            if data.strip() == DONE:  # what proxies add
                self.done = True
                return  # what follows the end is nobody's business
            piece = self._together(data)
            if piece is not None:
                said.append(piece)

    def end(self) -> Delta:
        """The finish, with the usage where it came. Raises when there was no good finish."""
        if self._status is None:
            raise self._failed() if self._finish else self._failures.unfinished()
        return Delta(finish_reason=self._finish, status=self._status, usage=usage_of(self._usage))

    def whole(self, data: bytes) -> Delta:
        """The answer as one JSON body, or as the list of chunks that a stream without SSE is."""
        said = self._together(data.strip()) or Delta()
        if not self._finish:
            raise self._failures.malformed("the answer has no finishReason")
        end = self.end()
        return msgspec.structs.replace(
            said, finish_reason=end.finish_reason, status=end.status, usage=end.usage
        )

    def _together(self, data: bytes) -> Delta | None:
        """One or several responses that came as one."""
        pieces: list[Piece] = []
        self._take(self._chunks(data), pieces)
        said = gathered(pieces)
        return None if said is None else msgspec.structs.replace(said, chunks=1)

    def _take(self, chunks: Sequence[Chunk], said: list[Piece]) -> None:
        for chunk in chunks:
            if chunk.error is not None:
                raise self._failures.reported(chunk.error)
            if chunk.usage_metadata is not NOTHING:
                self._usage = chunk.usage_metadata
            if not chunk.candidates:
                if chunk.prompt_feedback is not None and chunk.prompt_feedback.block_reason:
                    self._finish_with(chunk.prompt_feedback.block_reason, "filtered")
                continue
            candidate = chunk.candidates[0]
            parts = (candidate.content.parts if candidate.content is not None else None) or ()
            # Nearly every chunk is one piece of text and nothing else.
            if len(parts) == 1 and candidate.finish_reason is None:
                part = parts[0]
                if part.text and not part.thought and candidate.logprobs_result is None:
                    said.append(part.text)
                    continue
            if (piece := self._rare(candidate, parts)) is not None:
                said.append(piece)

    def _rare(self, candidate: Candidate, parts: Sequence[Part]) -> Piece | None:
        text = thought = ""
        calls = []
        for part in parts:
            if part.function_call is not None:
                calls.append(self._call(part.function_call, part.thought_signature))
                continue
            piece = part.text or shown(part)
            if part.thought:
                thought += piece
            else:
                text += piece
        if candidate.finish_reason:
            self._message = candidate.finish_message or ""
            self._finish_with(candidate.finish_reason, FINISHES.get(candidate.finish_reason))
        logprobs = logprobs_of(candidate.logprobs_result)
        if thought or calls or logprobs:
            return Delta(text, thought, calls or (), logprobs or ())
        return text or None

    def _finish_with(self, word: str, status: Status | None) -> None:
        self._finish, self._status = word, status
        self.finished = status is not None

    def _call(self, call: FunctionCall, signature: str | None) -> dict[str, Any]:
        """A tool call, whole, in the words of chat completions."""
        function = {"name": call.name or "", "arguments": arguments_of(call.args)}
        made: dict[str, Any] = {"index": self._calls, "type": "function", "function": function}
        if call.id:
            made["id"] = call.id
        if signature:  # the next turn has to bring it back; the key is that of Google's own /openai
            made["extra_content"] = {"google": {"thought_signature": signature}}
        self._calls += 1
        return made

    def _failed(self) -> ProviderError:
        told = f"the answer ended with finishReason {self._finish}: {self._message}".rstrip(": ")
        if self._finish in _HOPELESS:
            return self._failures.reported({"code": _HOPELESS[self._finish], "message": told})
        return self._failures.malformed(told)

    def _chunks(self, data: bytes) -> list[Chunk]:
        chunks = chunks_of(data)
        if not chunks:
            raise self._failures.malformed("a chunk of the answer is not a JSON object")
        return chunks
