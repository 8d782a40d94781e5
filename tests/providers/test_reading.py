"""Events that come in one read make the same answer as events that come one by one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.answer import Answer
from llmbatch.jobs.errors import ErrorInStream, MalformedResponse, ProviderError
from llmbatch.jobs.model import Delta
from llmbatch.jobs.providers.anthropic import MessagesReader
from llmbatch.jobs.providers.chat import ChatReader
from llmbatch.jobs.providers.failures import Failures
from llmbatch.jobs.providers.geminireader import GeminiReader
from llmbatch.jobs.providers.reading import EventReader, Piece, gathered
from llmbatch.jobs.providers.responses import ResponsesReader

READERS: dict[str, type[Any]] = {
    "openai": ChatReader,
    "anthropic": MessagesReader,
    "gemini": GeminiReader,
    "responses": ResponsesReader,
}


def openai(delta: dict[str, Any], **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, **choice}], "usage": None}


def anthropic(kind: str, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": kind, **delta}}


def gemini(*parts: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}, **rest}]}


TOKEN = {"token": "a", "logprob": -0.5}
CALL = {"index": 0, "id": "c", "function": {"name": "f", "arguments": '{"a":'}}
ITEM = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}

EVENTS: dict[str, list[bytes]] = {
    name: [event if isinstance(event, bytes) else json.dumps(event).encode() for event in events]
    for name, events in {
        "openai": [
            *(openai({"content": text}) for text in ("Hi", "", " you", "\ud83d", "\ude00")),
            openai({"role": "assistant", "content": ""}),
            openai({"reasoning_content": "hm"}),
            openai({"content": "a", "reasoning": "so"}),
            openai({"content": "a"}, logprobs={"content": [TOKEN]}),
            openai({"tool_calls": [CALL]}),
            openai({"refusal": "no"}),
            openai({"content": [{"text": "in parts"}]}),
            openai({"content": " end"}, finish_reason="stop"),
            {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
            b"[DONE]",
        ],
        "anthropic": [
            *(
                anthropic("text_delta", text=text)
                for text in ("Hi", "", " you", "\ud83d", "\ude00")
            ),
            anthropic("thinking_delta", thinking="hm"),
            {"type": "ping"},
            {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use"}},
            {"type": "content_block_stop", "index": 1},
            {"type": "message_start", "message": {"usage": {"input_tokens": 3}}},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": 4},
            },
            {"type": "message_stop"},
        ],
        "gemini": [
            *(gemini({"text": text}) for text in ("Hi", "", " you", "\ud83d", "\ude00")),
            gemini({"text": "hm", "thought": True}),
            gemini({"text": "a"}, {"text": "b"}),
            gemini({"functionCall": {"name": "f", "args": {"a": 1}}}),
            [gemini({"text": "one"}), gemini({"text": "two"})],
            gemini({"text": "a"}, logprobsResult={"chosenCandidates": [TOKEN]}),
            {
                **gemini({"text": "."}, finishReason="STOP"),
                "usageMetadata": {"promptTokenCount": 1},
            },
            b"[DONE]",
        ],
        "responses": [
            *(
                {"type": "response.output_text.delta", "delta": text}
                for text in ("Hi", "", " you", "\ud83d", "\ude00")
            ),
            {"type": "response.output_text.delta", "delta": "a", "logprobs": [TOKEN]},
            {"type": "response.reasoning_text.delta", "delta": "hm"},
            {"type": "response.refusal.delta", "delta": "no"},
            {"type": "response.output_item.done", "item": ITEM},
            {"type": "response.created", "response": {"status": "in_progress"}},
            {"type": "response.completed", "response": {"status": "completed", "output": []}},
            b"[DONE]",
        ],
    }.items()
}
ENDS = {"openai": 12, "anthropic": 10, "gemini": 10, "responses": 10}
"""Where each list of events has its finish."""

HOSTILE = (
    b"",
    b"{",
    b'{"a": 1',
    b'"b": 2}',
    b"{},{}",
    b'{"x": [1',
    b"2]}",
    b"null",
    b"[DONE]",
    b'{"error": {"message": "oh no"}}',
    b'{"type": "error", "error": {"message": "oh no"}}',
    b'{"choices": 5, "candidates": 5, "type": 5}',
    b"\xff\xfe",
)


def answer_of(name: str, reads: Sequence[Sequence[bytes]]) -> tuple[Answer, ProviderError | None]:
    """All that is known of it, whatever it ended with; every read comes a second after another."""
    reader: EventReader = READERS[name](Failures(name))
    answer = Answer(0.0)
    try:
        for now, events in enumerate(reads):
            if reader.done:  # type: ignore[attr-defined]
                break
            said: list[Piece] = []
            try:
                reader.read(events, said)
            finally:
                if (delta := gathered(said)) is not None:
                    answer.add(delta, float(now))
        answer.add(reader.end(), float(len(reads)))  # type: ignore[attr-defined]
    except ProviderError as error:
        return answer, error
    return answer, None


def shown(answer: Answer) -> tuple[Any, ...]:
    told = answer.output, answer.reasoning, answer.tool_calls, answer.logprobs
    return (*told, answer.status, answer.finish_reason, answer.usage, answer.gaps)


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_it_does_not_matter_how_many_events_a_read_brings(name: str, data: st.DataObject) -> None:
    pool = st.sampled_from([*EVENTS[name], *EVENTS[name][:3], *HOSTILE])
    middle = data.draw(st.lists(pool, max_size=12))
    events = [*middle, *(EVENTS[name][ENDS[name] :] if data.draw(st.booleans()) else ())]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), max_size=4)))
    reads = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    alone, error = answer_of(name, [[event] for event in events])
    together, same = answer_of(name, reads)
    assert shown(together) == shown(alone)
    assert (type(same), str(same)) == (type(error), str(error))


@pytest.mark.parametrize("name", READERS)
def test_what_came_before_a_failure_in_the_same_read_is_kept(name: str) -> None:
    texts = EVENTS[name][:3]
    for failure, kind in ((b"[]", MalformedResponse), (HOSTILE[10], ErrorInStream)):
        answer, error = answer_of(name, [[*texts, failure, *texts]])
        assert answer.output == "Hi you"
        assert type(error) is kind


@pytest.mark.parametrize("name", READERS)
def test_what_follows_the_end_in_the_same_read_is_no_part_of_the_answer(name: str) -> None:
    whole = EVENTS[name]
    for behind in (whole[:1], [HOSTILE[9]], [HOSTILE[10]], [b"[]"], whole):
        answer, error = answer_of(name, [[*whole, *behind]])
        assert (shown(answer), error) == (shown(answer_of(name, [whole])[0]), None)


def test_two_events_that_are_json_only_together_are_malformed() -> None:
    for first, second in ((b'{"choices": [{},', b"{}]}"), (b'{"error": null', b'"choices": []}')):
        answer, error = answer_of("openai", [[EVENTS["openai"][0], b"{}", first, second]])
        assert isinstance(error, MalformedResponse)
        assert answer.output == "Hi"


def test_chunks_of_one_read_have_no_time_between_them() -> None:
    at_once, one_by_one = Answer(0.0), Answer(0.0)
    for now, texts in ((1.0, "ab"), (3.0, "c"), (4.0, "defg")):
        at_once.add(gathered(list(texts)) or Delta(), now)
        for text in texts:
            one_by_one.add(Delta(text), now)
    assert at_once.output == one_by_one.output
    for made in (at_once, one_by_one):
        assert (made.first, made.gaps, made.mean_gap, made.longest_gap) == (1.0, 6, 0.5, 2.0)


def test_pieces_are_put_together_in_their_order() -> None:
    said = ["a", Delta("b", reasoning="x", tool_calls=[CALL]), "c", Delta(reasoning="y"), "d"]
    together = gathered(said)
    assert together == Delta("abcd", "xy", [CALL], [], chunks=4)
    assert gathered([]) is None
    assert gathered(["a"]) == Delta("a")
