"""Gemini's requests: OpenAI's words put into Google's, without a socket."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs import errors
from llmbatch.jobs.dialects import APIS, KNOWN
from llmbatch.jobs.model import Request
from llmbatch.jobs.providers.failures import Failures
from llmbatch.jobs.providers.gemini import GeminiWire

DIALECT = KNOWN["gemini"]
WIRE = GeminiWire(Failures("gemini"), DIALECT)


def ask(messages: Any = "one two three", model: str = "gemini-2.5-flash", **rest: Any) -> Request:
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    extra = rest.pop("extra", {})
    return Request(
        id="r",
        line=1,
        path="in.jsonl",
        endpoint="chat",
        model=model,
        fingerprint="f",
        messages=messages,
        params=rest,
        extra=extra,
    )


def body(*args: Any, **rest: Any) -> dict[str, Any]:
    return WIRE.prepare(ask(*args, **rest), stream=True).values


def refused(*args: Any, **rest: Any) -> str:
    with pytest.raises(errors.BadRequest) as caught:
        body(*args, **rest)
    return str(caught.value)


def config(**params: Any) -> Any:
    return body(**params).get("generationConfig")


def test_the_system_speaks_apart_from_the_conversation() -> None:
    made = body(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "In French."}]},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Salut"},
            {"role": "user", "content": ["a", {"type": "text", "text": "b"}]},
        ]
    )
    assert made == {
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "In French."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "Hi"}]},
            {"role": "model", "parts": [{"text": "Salut"}]},
            {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
        ],
    }


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO+/=="}},
            {"inlineData": {"mimeType": "image/png", "data": "iVBO+/=="}},
        ),
        (
            {"type": "image_url", "image_url": "data:image/webp;x=1;base64,AA"},
            {"inlineData": {"mimeType": "image/webp", "data": "AA"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://e.com/a.png?x=1"}},
            {"fileData": {"fileUri": "https://e.com/a.png?x=1", "mimeType": "image/png"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "https://e.com/files/abc"}},
            {"fileData": {"fileUri": "https://e.com/files/abc"}},
        ),
        (
            {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
            {"inlineData": {"mimeType": "audio/wav", "data": "AA"}},
        ),
        (
            {"type": "file", "file": {"file_data": "data:application/pdf;base64,JV"}},
            {"inlineData": {"mimeType": "application/pdf", "data": "JV"}},
        ),
    ],
)
def test_media_go_along_in_geminis_words(part: Any, expected: Any) -> None:
    made = body([{"role": "user", "content": [{"type": "text", "text": "What?"}, part]}])
    assert made["contents"][0]["parts"] == [{"text": "What?"}, expected]


@pytest.mark.parametrize(
    ("messages", "why"),
    [
        ([{"role": "user", "content": [{"type": "video_url"}]}], "'video_url'"),
        ([{"role": "user", "content": [7]}], "type None"),
        ([{"role": "user", "content": [{"type": ["text"]}]}], "content part"),
        ([{"role": "user", "content": [{"type": "text"}]}], "holds no text"),
        ([{"role": "user", "content": None}], "no content"),
        ([{"role": "user", "content": []}], "no content"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "image_url must be"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "a.png"}]}], "data URL"),
        (
            [{"role": "user", "content": [{"type": "image_url", "image_url": "data:,secret"}]}],
            "must name its type",
        ),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "input_audio"),
        ([{"role": "user", "content": [{"type": "file", "file": {"file_id": "x"}}]}], "file_data"),
        ([{"role": "system", "content": [{"type": "image_url"}]}], "in a system message"),
        ([{"role": "system", "content": "only this"}], "beside the system's"),
        ([], "beside the system's"),
        ([{"role": "critic", "content": "x"}], "role 'critic'"),
        ([{"role": "assistant", "content": None}], "no content"),
        ([{"role": "assistant", "function_call": {"name": "f"}}], "tool_calls"),
        ([{"role": "assistant", "tool_calls": [{"function": {}}]}], "names no function"),
        ([{"role": "tool", "tool_call_id": "c1", "content": "3"}], "answers no tool call"),
        ([{"role": "tool", "content": "3"}], "answers no tool call"),
    ],
)
def test_what_gemini_has_no_words_for_is_refused_by_name(messages: Any, why: str) -> None:
    text = refused(messages)
    assert why in text
    assert "secret" not in text


def called(*calls: tuple[str, str, Any], **rest: Any) -> dict[str, Any]:
    listed = [
        {"id": number, "type": "function", "function": {"name": name, "arguments": args}}
        for number, name, args in calls
    ]
    return {"role": "assistant", "content": None, "tool_calls": listed, **rest}


def test_tool_calls_and_their_results_find_each_other() -> None:
    made = body(
        [
            {"role": "user", "content": "Add"},
            called(("c1", "add", '{"a": 1}'), ("c2", "now", "")),
            {"role": "tool", "tool_call_id": "c2", "content": "noon"},
            {
                "role": "tool",
                "tool_call_id": "c1",
                "content": [{"type": "text", "text": '{"x":3}'}],
            },
            {"role": "user", "content": "Thanks"},
        ]
    )
    assert made["contents"][1:] == [
        {
            "role": "model",
            "parts": [
                {"functionCall": {"id": "c1", "name": "add", "args": {"a": 1}}},
                {"functionCall": {"id": "c2", "name": "now", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "c2", "name": "now", "response": {"output": "noon"}}},
                {"functionResponse": {"id": "c1", "name": "add", "response": {"x": 3}}},
            ],
        },
        {"role": "user", "parts": [{"text": "Thanks"}]},
    ]


@pytest.mark.parametrize("args", ['{"a": ', "[1]", "1", [1], "[" * 100_000])
def test_arguments_that_are_no_object_are_refused(args: Any) -> None:
    text = refused([{"role": "user", "content": "Add"}, called(("c1", "add", args))])
    assert "arguments of the tool call to add" in text


def test_a_refusal_of_an_earlier_turn_is_text() -> None:
    made = body([{"role": "assistant", "content": None, "refusal": "No."}])
    assert made["contents"] == [{"role": "model", "parts": [{"text": "No."}]}]


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}


def test_functions_become_one_tool_and_geminis_own_stay() -> None:
    function = {"name": "add", "description": "Adds", "parameters": SCHEMA, "strict": True}
    tools = [
        {"type": "function", "function": function},
        {"googleSearch": {}},
        {"type": "function", "function": {"name": "now"}},
    ]
    assert body(tools=tools)["tools"] == [
        {
            "functionDeclarations": [
                {"name": "add", "description": "Adds", "parametersJsonSchema": SCHEMA},
                {"name": "now"},
            ]
        },
        {"googleSearch": {}},
    ]
    assert "'web_search'" in refused(tools=[{"type": "web_search"}])
    assert "no name" in refused(tools=[{"type": "function"}])
    assert "tool of type" in refused(tools=["x"])


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (
            {"type": "function", "function": {"name": "add"}},
            {"mode": "ANY", "allowedFunctionNames": ["add"]},
        ),
    ],
)
def test_a_tool_choice_is_said_in_geminis_words(choice: Any, expected: Any) -> None:
    assert body(tool_choice=choice)["toolConfig"] == {"functionCallingConfig": expected}


@pytest.mark.parametrize("choice", ["sometimes", {"type": "allowed_tools"}, 1])
def test_a_tool_choice_that_it_lacks_is_refused(choice: Any) -> None:
    assert "tool_choice" in refused(tool_choice=choice)


def test_sampling_parameters_are_renamed() -> None:
    assert config(
        temperature=0,
        top_p=0.9,
        top_k=40,
        max_tokens=7,
        stop="END",
        seed=1,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        logprobs=True,
        top_logprobs=3,
        user=None,
    ) == {
        "temperature": 0,
        "topP": 0.9,
        "topK": 40,
        "maxOutputTokens": 7,
        "stopSequences": ["END"],
        "seed": 1,
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
        "responseLogprobs": True,
        "logprobs": 3,
    }
    assert config(max_completion_tokens=8) == config(max_output_tokens=8) == {"maxOutputTokens": 8}
    assert config(stop=["a", "b"]) == {"stopSequences": ["a", "b"]}
    assert config(logprobs=False, temperature=None) is None


def test_a_response_format_is_said_in_geminis_words() -> None:
    as_json = {"responseMimeType": "application/json"}
    said = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": SCHEMA}}
    assert config(response_format={"type": "text"}) is None
    assert config(response_format={"type": "json_object"}) == as_json
    assert config(response_format=said) == {**as_json, "responseJsonSchema": SCHEMA}
    for wrong in ({"type": "json_schema"}, {"type": "grammar"}, "json"):
        assert "response_format" in refused(response_format=wrong)


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-flash", "minimal", {"thinkingBudget": 1024}),
        ("gemini-2.5-pro", "low", {"thinkingBudget": 1024}),
        ("models/gemini-2.5-pro", "medium", {"thinkingBudget": 8192}),
        ("gemini-2.5-pro", "high", {"thinkingBudget": 24576}),
        ("gemini-3-flash", "minimal", {"thinkingLevel": "MINIMAL"}),
        ("gemini-3.1-pro", "minimal", {"thinkingLevel": "LOW"}),
        ("gemini-3.1-pro", "low", {"thinkingLevel": "LOW"}),
        ("gemini-3-flash", "medium", {"thinkingLevel": "MEDIUM"}),
        ("gemini-flash-latest", "high", {"thinkingLevel": "HIGH"}),
    ],
)
def test_reasoning_effort_is_a_budget_or_a_level(model: str, effort: str, expected: Any) -> None:
    made = body(model=model, reasoning_effort=effort)
    assert made["generationConfig"] == {"thinkingConfig": expected}


def test_an_unknown_effort_is_refused() -> None:
    assert "reasoning_effort must be one of none, minimal" in refused(reasoning_effort="huge")


def test_native_words_pass_and_lie_over_the_others() -> None:
    made = body(
        temperature=0.1,
        max_tokens=5,
        reasoning_effort="low",
        safetySettings=[{"category": "C", "threshold": "BLOCK_NONE"}],
        cachedContent="cachedContents/x",
        generationConfig={"temperature": 0.7, "thinkingConfig": {"includeThoughts": False}},
        thinkingConfig={"includeThoughts": True},
        toolConfig={"retrievalConfig": {"languageCode": "en"}},
        tool_choice="auto",
        service_tier="flex",
    )
    assert made["safetySettings"] == [{"category": "C", "threshold": "BLOCK_NONE"}]
    assert made["cachedContent"] == "cachedContents/x"
    assert made["serviceTier"] == "flex"
    assert made["toolConfig"] == {
        "functionCallingConfig": {"mode": "AUTO"},
        "retrievalConfig": {"languageCode": "en"},
    }
    assert made["generationConfig"] == {
        "temperature": 0.7,
        "maxOutputTokens": 5,
        "thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": True},
    }


def test_extra_parts_of_the_body_come_last_and_leave_the_other_settings() -> None:
    extra = {"labels": {"a": "b"}, "generationConfig": {"temperature": 2}, "cachedContent": "y"}
    made = body(temperature=1, max_tokens=3, cached_content="x", extra=extra)
    assert (made["labels"], made["cachedContent"]) == ({"a": "b"}, "y")
    assert made["generationConfig"] == {"temperature": 2, "maxOutputTokens": 3}
    assert extra["generationConfig"] == {"temperature": 2}


def test_several_candidates_are_refused() -> None:
    assert "candidateCount must be 1" in refused(generationConfig={"candidateCount": 2})
    assert "generationConfig must be an object" in refused(generationConfig=[1])


SAMPLES: dict[str, Any] = {
    **{name: {"a": 1} for name in DIALECT.takes["chat"] if name.lower().endswith("config")},
    **{name: "x" for name in DIALECT.takes["chat"] if name.lower().startswith("cached")},
    **{name: [{"a": 1}] for name in DIALECT.takes["chat"] if name.startswith("safety")},
    "response_format": {"type": "json_object"},
    "reasoning_effort": "low",
    "service_tier": "flex",
    "tool_choice": "auto",
    "tools": [{"googleSearch": {}}],
    "stop": "x",
    "logprobs": True,
}


@pytest.mark.parametrize("name", sorted(DIALECT.takes["chat"] - {"n", "stream", "stream_options"}))
def test_every_parameter_that_is_taken_is_sent(name: str) -> None:
    assert body(**{name: SAMPLES.get(name, 1)}) != body()


def test_a_server_of_ones_own_takes_the_same() -> None:
    assert APIS["gemini"].takes == DIALECT.takes
    assert APIS["gemini"].header == DIALECT.header == "x-goog-api-key"


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("type", "text", "image_url", "url", "input_audio", "file", "function"),
                    *("name", "arguments", "id", "json_schema", "schema", "thinkingConfig"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(ANY_JSON, st.sampled_from(["user", "assistant", "system", "tool"]))
def test_no_row_whatsoever_is_more_than_unsendable(value: Any, role: str) -> None:
    message = {"role": role, "content": value, "tool_calls": value, "tool_call_id": value}
    named = dict.fromkeys(DIALECT.takes["chat"], value)
    for messages, params in (([message], {}), ([{"role": "user", "content": "x"}], named)):
        # Beside its own, what Native takes for a request that can't be written.
        with contextlib.suppress(errors.BadRequest, TypeError, ValueError):
            body(messages, **params)


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
@pytest.mark.parametrize("key", ["name", "function_call", "prefix"])
def test_what_a_message_holds_besides_is_not_dropped_in_silence(role: str, key: str) -> None:
    hi = {"role": "user", "content": "Hi"}
    message = {"role": role, "content": "Ho", key: {"name": "f"}}
    assert f"no words for a message's {key}" in refused([hi, message])
    assert body([hi, {**message, key: None}]) == body([hi, {"role": role, "content": "Ho"}])


def test_extra_body_may_spell_the_generation_config_either_way() -> None:
    found = body(temperature=1, top_p=0.5, extra={"generation_config": {"temperature": 2}})
    assert found["generationConfig"] == {"temperature": 2, "topP": 0.5}
    assert "generation_config" not in found


@pytest.mark.parametrize("count", ["candidateCount", "candidate_count"])
@pytest.mark.parametrize("name", ["generationConfig", "generation_config"])
def test_one_row_is_one_answer_however_it_is_spelled(name: str, count: str) -> None:
    assert "one row is one answer" in refused(extra={name: {count: 2}})
    assert "one row is one answer" in refused(**{name: {count: 2}})
    assert body(extra={name: {count: 1}})
