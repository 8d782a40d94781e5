"""Rows in the words of chat completions, said in those of Responses."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.errors import BadRequest
from llmbatch.jobs.model import Request
from llmbatch.jobs.providers.failures import Failures
from llmbatch.jobs.providers.responseswords import reworded

HI = {"role": "user", "content": "Hi"}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def said(*messages: Any, **params: Any) -> Request:
    request = Request(
        id="r",
        line=1,
        path="in.jsonl",
        endpoint="chat",
        model="m",
        fingerprint="f",
        messages=messages,
        params=params,
    )
    return reworded(request, Failures("acme"))


def params(**given: Any) -> Any:
    return said(HI, **given).params


def test_the_request_keeps_all_but_its_words() -> None:
    found = said(HI, temperature=0.5)
    assert (found.id, found.model, found.endpoint, found.messages) == ("r", "m", "responses", ())
    assert (found.input, found.params) == ([HI], {"temperature": 0.5})


@pytest.mark.parametrize("role", ["system", "developer"])
def test_what_the_system_says_first_becomes_the_instructions(role: str) -> None:
    first = {"role": role, "content": "Be kind."}
    found = said(first, HI, {"role": role, "content": "And brief."})
    assert found.params == {"instructions": "Be kind."}
    assert found.input == [HI, {"role": role, "content": "And brief."}]
    kept = said(first, HI, instructions="Mine.")
    assert (kept.params, kept.input) == ({"instructions": "Mine."}, [first, HI])
    parts = said({"role": role, "content": [{"type": "text", "text": "Be kind."}]}, HI)
    assert parts.input[0] == {
        "role": role,
        "content": [{"type": "input_text", "text": "Be kind."}],
    }


def test_parts_of_a_prompt_are_turned_into_inputs() -> None:
    found = said(
        {
            "role": "user",
            "content": [
                "bare",
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": "https://h/a.png", "detail": "low"}},
                {"type": "image_url", "image_url": "data:image/png;base64,AA=="},
                {"type": "file", "file": {"file_id": "f1"}},
                {"type": "input_text", "text": "as it is"},
            ],
        }
    )
    assert found.input[0]["content"] == [
        {"type": "input_text", "text": "bare"},
        {"type": "input_text", "text": "What is it?"},
        {"type": "input_image", "image_url": "https://h/a.png", "detail": "low"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "auto"},
        {"type": "input_file", "file_id": "f1"},
        {"type": "input_text", "text": "as it is"},
    ]


def test_tool_calls_and_their_answers_are_items_of_their_own() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
    found = said(
        HI,
        {"role": "assistant", "content": "Let me see.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "3"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "4"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Four."}]},
    )
    called = {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a": 1}'}
    assert found.input == [
        HI,
        {"role": "assistant", "content": "Let me see."},
        called,
        {"type": "function_call_output", "call_id": "c1", "output": "3"},
        called,
        {"type": "function_call_output", "call_id": "c1", "output": "4"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Four."}]},
    ]


def test_an_earlier_refusal_is_kept_and_earlier_reasoning_is_not() -> None:
    message = {"role": "assistant", "content": None, "refusal": "No.", "reasoning": "hm"}
    assert said(HI, message).input[1] == {
        "role": "assistant",
        "content": [{"type": "refusal", "refusal": "No."}],
    }


def test_tools_are_flat_and_not_strict_unless_they_say_so() -> None:
    function = {"name": "add", "description": "Adds.", "parameters": SCHEMA}
    web = {"type": "web_search"}
    found = params(
        tools=[
            {"type": "function", "function": function},
            {"type": "function", "function": {"name": "now", "strict": True}},
            web,
        ],
        tool_choice={"type": "function", "function": {"name": "add"}},
    )
    nothing = {"type": "object", "properties": {}}
    assert found["tools"] == [
        {"type": "function", "strict": False, **function},
        {"type": "function", "strict": True, "name": "now", "parameters": nothing},
        web,
    ]
    assert found["tool_choice"] == {"type": "function", "name": "add"}
    assert params(tool_choice="required") == {"tool_choice": "required"}


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
def test_the_longest_answer_has_one_name(name: str) -> None:
    assert params(**{name: 64}) == {"max_output_tokens": 64}


def test_the_other_parameters_find_their_place() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}}
    assert params(response_format=form, verbosity="low") == {
        "text": {
            "verbosity": "low",
            "format": {"type": "json_schema", "name": "s", "schema": SCHEMA, "strict": True},
        }
    }
    assert params(response_format={"type": "json_object"})["text"] == {
        "format": {"type": "json_object"}
    }
    assert params(reasoning_effort="high", reasoning={"summary": "auto"}) == {
        "reasoning": {"effort": "high", "summary": "auto"}
    }
    probabilities = ["message.output_text.logprobs"]
    assert params(logprobs=True) == {"include": probabilities}
    assert params(top_logprobs=3) == {"top_logprobs": 3, "include": probabilities}
    assert params(logprobs=True, include=["x"])["include"] == ["x", *probabilities]
    assert params(logprobs=False) == {}


@pytest.mark.parametrize(
    ("message", "place"),
    [
        ({"role": "user", "content": [{"type": "video_url"}]}, r"content\[0\] \(video_url\)"),
        ({"role": "user", "content": [{"type": "image_url"}]}, r"content\[0\] \(image_url\)"),
        ({"role": "user", "content": [5]}, r"content\[0\] \(no object\)"),
        ({"role": "user", "content": "Hi", "name": "Ada"}, r"messages\[0\]\.name"),
        ({"role": "function", "name": "f", "content": "3"}, r"messages\[0\]\.name"),
        ({"role": "critic", "content": "3"}, r"the role of messages\[0\]"),
        (
            {"role": "assistant", "content": [{"type": "image_url", "image_url": "x"}]},
            r"content\[0\] \(image_url\)",
        ),
        (
            {"role": "assistant", "content": "", "tool_calls": [{"type": "custom"}]},
            r"messages\[0\]\.tool_calls\[0\]",
        ),
    ],
)
def test_what_there_are_no_words_for_is_named(message: Any, place: str) -> None:
    """By its place in the row, whatever was taken out for the instructions."""
    with pytest.raises(BadRequest, match=place + " has no place in OpenAI's Responses"):
        said(message)
    with pytest.raises(BadRequest, match=place.replace("messages\\[0", "messages\\[1")):
        said({"role": "system", "content": "Be kind."}, message)


ODD = st.recursive(
    st.sampled_from([None, True, 0, "", "a", "text", "image_url"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "image_url", "function", "refusal", "url"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["system", "user", "assistant", "tool", "x"])},
            optional={
                "content": st.none() | st.text() | st.lists(ODD, max_size=3),
                "tool_calls": ODD,
                "refusal": st.text(),
            },
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=200, deadline=None)
def test_whatever_a_row_holds_is_said_or_refused(messages: list[Any]) -> None:
    before = msgspec.json.encode(messages)
    try:
        found = said(*messages)
    except BadRequest:
        found = None
    assert found is None or msgspec.json.decode(msgspec.json.encode(found.input)) == found.input
    assert msgspec.json.encode(messages) == before


def test_the_name_in_a_tools_message_says_nothing_new() -> None:
    tool = {"role": "tool", "tool_call_id": "c", "name": "add", "content": "3"}
    assert said(HI, tool).input[1] == {
        "type": "function_call_output",
        "call_id": "c",
        "output": "3",
    }


def test_a_custom_tool_is_flat_too() -> None:
    tool = {"type": "custom", "custom": {"name": "sh", "description": "A shell."}}
    choice = {"type": "custom", "custom": {"name": "sh"}}
    assert params(tools=[tool], tool_choice=choice) == {
        "tools": [{"type": "custom", "name": "sh", "description": "A shell."}],
        "tool_choice": {"type": "custom", "name": "sh"},
    }
    assert params(tools=[{"type": "web_search"}]) == {"tools": [{"type": "web_search"}]}
