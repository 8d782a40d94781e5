"""What an OpenAI-compatible server says: bodies and events, as plain bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

DONE = b"data: [DONE]\n\n"
MODEL = "fault-1"

SHAPES: dict[str, Any] = {}
"""Other wire formats: by endpoint, the module whose ``events`` and ``whole`` shape the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says, whatever the shape it is sent in.

    ``pieces`` is the text as it is cut into chunks; ``reasoning`` comes before it, under
    ``reasoning_key``. ``usage`` None sends none. ``logprobs`` are one item a piece.
    """

    pieces: tuple[str, ...]
    finish: str | None = "stop"
    usage: Mapping[str, Any] | None = None
    reasoning: str = ""
    reasoning_key: str = "reasoning_content"
    tool_calls: Sequence[Mapping[str, Any]] = ()
    logprobs: Sequence[Any] = ()
    refusal: str = ""
    model: str = MODEL
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def prompt_of(body: Any) -> str:
    """The text that a request asks about, wherever its endpoint keeps it."""
    if not isinstance(body, dict):
        return ""
    if body.get("messages"):
        content = body["messages"][-1].get("content")
        return content if isinstance(content, str) else json.dumps(content)
    if body.get("contents"):
        return "".join(part.get("text", "") for part in body["contents"][-1]["parts"])
    asked = body.get("prompt", body.get("input", ""))
    return asked if isinstance(asked, str) else json.dumps(asked)


def echo(prompt: str) -> str:
    """The default answer; a test can tell from it which prompt was sent."""
    return f"You said: {prompt[:200]}"


def vector(text: str) -> list[float]:
    """A small embedding, different for different texts."""
    return [len(text) / 7, sum(map(ord, text)) % 1000 / 1e3, -0.0023064255]


def split(text: str, chunks: int | None) -> tuple[str, ...]:
    """``text`` in about ``chunks`` pieces; None cuts before each space."""
    if chunks is None:
        return tuple((" " + word) if i else word for i, word in enumerate(text.split(" ")))
    size = max(1, -(-len(text) // chunks))
    return tuple(text[i : i + size] for i in range(0, len(text), size))


def usage_of(prompt: str, pieces: Sequence[str]) -> dict[str, Any]:
    tokens = len(prompt.split())
    return {
        "prompt_tokens": tokens,
        "completion_tokens": len(pieces),
        "total_tokens": tokens + len(pieces),
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def event(value: Any, name: str = "") -> bytes:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return (b"event: %s\n" % name.encode() if name else b"") + b"data: " + data + b"\n\n"


def events(endpoint: str, answer: Answer) -> list[bytes]:
    """The stream, one item an event."""
    if endpoint in SHAPES:
        shaped: list[bytes] = SHAPES[endpoint].events(answer)
        return shaped
    if endpoint == "responses":
        return _responses_events(answer)
    if endpoint == "completions":
        chunks: list[dict[str, Any]] = [{"text": piece} for piece in (*answer.pieces, "")]
    else:
        chunks = [{"delta": delta} for delta in _chat_deltas(answer)]
    for chunk, item in zip(chunks[1:], answer.logprobs, strict=False):
        chunk["logprobs"] = {"content": [item]}
    sent = [_chunk(endpoint, answer, [{"index": 0, "finish_reason": None} | c]) for c in chunks]
    if answer.finish is None:
        return [event(chunk) for chunk in sent]
    sent[-1]["choices"][0]["finish_reason"] = answer.finish
    if answer.usage is not None:
        sent.append(_chunk(endpoint, answer, []) | {"usage": answer.usage})
    return [*(event(chunk) for chunk in sent), DONE]


def whole(endpoint: str, answer: Answer, body: Any = None) -> dict[str, Any]:
    """The answer as one JSON body."""
    if endpoint in SHAPES:
        shaped: dict[str, Any] = SHAPES[endpoint].whole(answer)
        return shaped
    if endpoint == "embeddings":
        return _embeddings(answer, body)
    if endpoint == "responses":
        return _response(answer, "completed" if answer.finish == "stop" else "incomplete")
    choice: dict[str, Any] = {"index": 0, "finish_reason": answer.finish}
    if answer.logprobs:
        choice["logprobs"] = {"content": list(answer.logprobs)}
    if endpoint == "completions":
        choice["text"] = answer.text
    else:
        message: dict[str, Any] = {"role": "assistant", "content": answer.text}
        choice["message"] = message
        if answer.reasoning:
            message[answer.reasoning_key] = answer.reasoning
        if answer.refusal:
            message["refusal"] = answer.refusal
        if answer.tool_calls:
            message["tool_calls"] = answer.tool_calls
    return _chunk(endpoint, answer, [choice], whole=True) | {"usage": answer.usage}


def _chat_deltas(answer: Answer) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if answer.reasoning:
        deltas.append({answer.reasoning_key: answer.reasoning})
    deltas += [{"content": piece} for piece in answer.pieces if piece]
    if answer.refusal:
        deltas.append({"refusal": answer.refusal})
    for index, call in enumerate(answer.tool_calls):
        function = call["function"]
        opening = {"name": function["name"], "arguments": ""}
        deltas.append({"tool_calls": [{**call, "index": index, "function": opening}]})
        for part in split(function["arguments"], 3):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    return [*deltas, {}]


def _chunk(
    endpoint: str, answer: Answer, choices: list[Any], *, whole: bool = False
) -> dict[str, Any]:
    kind = "text_completion" if endpoint == "completions" else "chat.completion"
    if endpoint == "chat" and not whole:
        kind += ".chunk"
    head = {"id": "cmpl-1", "object": kind, "created": 1, "model": answer.model}
    return {**head, "choices": choices, **answer.extra}


def _embeddings(answer: Answer, body: Any) -> dict[str, Any]:
    asked = body.get("input", "") if isinstance(body, dict) else ""
    texts = asked if isinstance(asked, list) else [asked]
    data = [
        {"object": "embedding", "index": i, "embedding": vector(str(text))}
        for i, text in enumerate(texts)
    ]
    tokens = sum(len(str(text).split()) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": answer.model, "usage": usage}


def _response(answer: Answer, status: str) -> dict[str, Any]:
    usage = answer.usage
    if usage is not None and "prompt_tokens" in usage:
        usage = {
            "input_tokens": usage["prompt_tokens"],
            "output_tokens": usage["completion_tokens"],
            "input_tokens_details": usage.get("prompt_tokens_details", {}),
            "output_tokens_details": usage.get("completion_tokens_details", {}),
        }
    text = {"type": "output_text", "text": answer.text}
    content = [text] if not answer.refusal else [{"type": "refusal", "refusal": answer.refusal}]
    output: list[Any] = [{"type": "message", "role": "assistant", "content": content}]
    for call in answer.tool_calls:
        output.append({"type": "function_call", "call_id": call["id"], **call["function"]})
    incomplete = {"reason": answer.finish} if status == "incomplete" else None
    return {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "model": answer.model,
        "output": output,
        "usage": usage,
        "incomplete_details": incomplete,
    }


def _responses_events(answer: Answer) -> list[bytes]:
    ended = "completed" if answer.finish == "stop" else "incomplete"
    final = _response(answer, ended)
    steps: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}
    ]
    if answer.reasoning:
        steps.append({"type": "response.reasoning_text.delta", "delta": answer.reasoning})
    steps += [{"type": "response.output_text.delta", "delta": p} for p in answer.pieces if p]
    if answer.refusal:
        steps.append({"type": "response.refusal.delta", "delta": answer.refusal})
    for index, item in enumerate(final["output"]):
        steps.append({"type": "response.output_item.done", "output_index": index, "item": item})
    if answer.finish is not None:
        steps.append({"type": f"response.{ended}", "response": final})
    return [event(step, step["type"]) for step in steps]
