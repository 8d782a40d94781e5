"""What goes out to Anthropic for a request in OpenAI's words, without a socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.dialects import APIS, KNOWN
from llmbatch.jobs.errors import BadRequest
from llmbatch.jobs.fitting import Fit
from llmbatch.jobs.model import Request
from llmbatch.jobs.providers.anthropic import AnthropicWire
from llmbatch.jobs.providers.anthropicbody import MAX_TOKENS, NoWords, body
from llmbatch.jobs.providers.failures import Failures

Message = Mapping[str, Any]

HELLO: Message = {"role": "user", "content": "Hello"}
FUNCTION = {
    "name": "add",
    "description": "Adds.",
    "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
}
TOOLS = [{"type": "function", "function": FUNCTION}]
CALL = {"id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


def request(*messages: Message, extra: Mapping[str, Any] | None = None, **params: Any) -> Request:
    return Request(
        id="r",
        line=1,
        path="in.jsonl",
        endpoint="chat",
        model="claude-x",
        fingerprint="f",
        messages=list(messages) or [HELLO],
        params=params,
        extra=extra or {},
    )


def sent(*messages: Message, **params: Any) -> dict[str, Any]:
    return body(request(*messages, **params), True)


def parts(*content: Any) -> Message:
    return {"role": "user", "content": list(content)}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def test_a_prompt_is_sent_with_all_that_the_api_demands() -> None:
    assert sent() == {
        "model": "claude-x",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": MAX_TOKENS,
        "stream": True,
    }
    assert body(request(), False)["stream"] is False


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "max_output_tokens"])
def test_each_word_for_the_longest_answer_is_max_tokens(name: str) -> None:
    made = sent(**{name: 7})
    assert made["max_tokens"] == 7
    assert name == "max_tokens" or name not in made


def test_a_limit_of_nothing_is_a_limit_and_null_is_none() -> None:
    assert sent(max_tokens=0)["max_tokens"] == 0  # fills the prompt cache
    assert sent(max_tokens=None)["max_tokens"] == MAX_TOKENS


def test_thinking_leaves_room_for_the_answer_where_no_limit_is_named() -> None:
    thinking = {"type": "enabled", "budget_tokens": 8000}
    made = sent(thinking=thinking)
    assert (made["thinking"], made["max_tokens"]) == (thinking, 8000 + MAX_TOKENS)
    assert sent(thinking=thinking, max_tokens=9000)["max_tokens"] == 9000


@pytest.mark.parametrize("role", ["system", "developer"])
def test_the_systems_words_stand_at_the_top_wherever_they_were(role: str) -> None:
    made = sent(HELLO, {"role": role, "content": "Be brief."})
    assert made["system"] == "Be brief."
    assert made["messages"] == [HELLO]


def test_several_system_messages_and_parts_become_blocks_in_their_order() -> None:
    cached = {"type": "text", "text": "two", "cache_control": {"type": "ephemeral"}}
    made = sent(
        {"role": "system", "content": "one"},
        HELLO,
        {"role": "developer", "content": [cached, {"type": "text", "text": " "}]},
    )
    assert made["system"] == [{"type": "text", "text": "one"}, cached]
    alone = sent({"role": "system", "content": [cached]}, HELLO)
    assert alone["system"] == [cached]


def test_an_empty_system_message_is_none() -> None:
    assert "system" not in sent({"role": "system", "content": ""}, HELLO)


def test_turns_of_one_role_may_follow_each_other() -> None:
    said = {"role": "assistant", "content": "Hi"}
    assert sent(HELLO, HELLO, said, said)["messages"] == [HELLO, HELLO, said, said]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        ({"type": "text", "text": "Look"}, {"type": "text", "text": "Look"}),
        (
            image("https://a.example/b.png"),
            {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
        ),
        (
            {"type": "image_url", "image_url": "https://a.example/b.png"},
            {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
        ),
        (
            image("data:image/png;base64,iVBO,Rw0="),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "iVBO,Rw0="},
            },
        ),
        (
            image("data:image/JPG;name=a.jpg;base64,/9j/"),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/"},
            },
        ),
        (
            image("data:application/pdf;base64,JVBE"),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            },
        ),
        (
            {
                "type": "file",
                "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
            },
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"},
            },
        ),
    ],
)
def test_parts_become_blocks(part: Any, block: Any) -> None:
    assert sent(parts(part))["messages"] == [{"role": "user", "content": [block]}]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
        {"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"}},
        {"type": "search_result", "source": "s", "title": "t", "content": []},
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
    ],
)
def test_anthropics_own_blocks_go_out_as_they_stand(block: Any) -> None:
    message = {"role": "assistant", "content": [block]}
    assert sent(HELLO, message)["messages"][1] == message


def test_a_blank_text_is_no_block() -> None:
    made = sent(
        parts({"type": "text", "text": ""}, {"type": "text", "text": "\n"}, image("http://a"))
    )
    assert [block["type"] for block in made["messages"][0]["content"]] == ["image"]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"role": "user", "content": ""}, r"messages\[1\] is empty"),
        ({"role": "user", "content": [{"type": "text", "text": " "}]}, r"messages\[1\] is empty"),
        ({"role": "assistant", "content": None}, r"messages\[1\] is empty"),
        ({"role": "function", "content": "x", "name": "f"}, "no role function"),
        ({"role": "user", "content": {"a": 1}}, "must be a string or a list of parts"),
        (parts({"type": "input_audio"}), r"\[1\].content\[0\]: .* no word .* type input_audio"),
        (parts({"type": ["x"]}), "no word for a part"),
        (parts({}), "no word for a part of type None"),
        (parts("bare"), r"content\[0\] must be an object"),
        (parts({"type": "text"}), "with a string as its text"),
        (parts(image("ftp://a.example/b.png")), r"\[0\] must hold an https URL"),
        (parts(image("data:image/svg+xml,<svg/>")), "data URL in base64"),
        (parts({"type": "image_url"}), "must hold an https URL"),
        (parts({"type": "file", "file": {"file_id": "file-1"}}), "must hold an https URL"),
        (parts(image("data:text/plain;base64,aGk=")), "takes images and PDFs, no text/plain"),
        (parts(image("data:;base64,aGk=")), "data of no type"),
        ({"role": "system", "content": [image("https://a")]}, "only text from the system"),
        ({"role": "tool", "content": "3"}, r"messages\[1\].tool_call_id must name"),
    ],
)
def test_what_anthropic_has_no_words_for_is_named_with_its_place(
    message: Message, reason: str
) -> None:
    with pytest.raises(NoWords, match=reason):
        sent(HELLO, message)


def test_a_conversation_needs_a_user() -> None:
    with pytest.raises(NoWords, match="a message of a user"):
        sent({"role": "system", "content": "Be brief."})


def test_a_reason_never_quotes_the_prompt() -> None:
    with pytest.raises(NoWords) as caught:
        sent({"role": "user", "content": [{"type": "input_audio", "text": "my secret"}]})
    assert "secret" not in str(caught.value)


def test_tool_calls_become_blocks_after_the_text() -> None:
    none = {"id": "t2", "type": "function", "function": {"name": "now", "arguments": ""}}
    made = sent(HELLO, {"role": "assistant", "content": "Let me see", "tool_calls": [CALL, none]})
    assert made["messages"][1]["content"] == [
        {"type": "text", "text": "Let me see"},
        {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "now", "input": {}},
    ]
    alone = sent(HELLO, {"role": "assistant", "content": None, "tool_calls": [CALL]})
    assert [block["type"] for block in alone["messages"][1]["content"]] == ["tool_use"]


@pytest.mark.parametrize("arguments", ['{"a": 1', "[1]", "1", [1]])
def test_arguments_that_are_no_json_object_are_refused(arguments: Any) -> None:
    call = {"id": "t1", "function": {"name": "add", "arguments": arguments}}
    with pytest.raises(NoWords, match=r"messages\[1\].tool_calls\[0\].function.arguments"):
        sent(HELLO, {"role": "assistant", "content": None, "tool_calls": [call]})


def test_tool_results_in_a_row_are_one_turn_of_the_user() -> None:
    def result(name: str, content: Any) -> Message:
        return {"role": "tool", "tool_call_id": name, "content": content}

    said = {"role": "assistant", "content": "ok"}
    seen = [{"type": "text", "text": "x"}, image("https://a")]
    made = sent(HELLO, result("t1", "3"), result("t2", ""), said, result("t3", seen), HELLO)
    first, second = made["messages"][1], made["messages"][3]
    assert first == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "3"},
            {"type": "tool_result", "tool_use_id": "t2"},
        ],
    }
    (block,) = second["content"]
    assert block["tool_use_id"] == "t3"
    assert [part["type"] for part in block["content"]] == ["text", "image"]
    assert [message["role"] for message in made["messages"]] == [
        "user",
        "user",
        "assistant",
        "user",
        "user",
    ]


def test_tools_are_told_in_its_shape() -> None:
    strict = {"type": "function", "function": {"name": "now", "strict": True}}
    own = {"type": "web_search_20250305", "name": "web_search", "max_uses": 2}
    plain = {"name": "x", "input_schema": {"type": "object"}}
    assert sent(tools=[*TOOLS, strict, own, plain])["tools"] == [
        {"name": "add", "description": "Adds.", "input_schema": FUNCTION["parameters"]},
        {"name": "now", "strict": True, "input_schema": {"type": "object"}},
        own,
        plain,
    ]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "add"}}, {"type": "tool", "name": "add"}),
        ({"type": "tool", "name": "add"}, {"type": "tool", "name": "add"}),
        ({"type": "any"}, {"type": "any"}),
    ],
)
def test_the_choice_of_a_tool(choice: Any, expected: Any) -> None:
    assert sent(tools=TOOLS, tool_choice=choice)["tool_choice"] == expected
    alone = sent(tools=TOOLS, tool_choice=choice, parallel_tool_calls=False)["tool_choice"]
    one = {} if choice == "none" else {"disable_parallel_tool_use": True}
    assert alone == {**expected, **one}


@pytest.mark.parametrize(
    "choice", ["sometimes", {"type": "allowed_tools"}, {"type": "function"}, 1]
)
def test_a_choice_without_a_word_is_refused(choice: Any) -> None:
    with pytest.raises(NoWords, match="no such tool_choice"):
        sent(tools=TOOLS, tool_choice=choice)


def test_one_tool_at_a_time_is_said_only_where_there_are_tools() -> None:
    made = sent(tools=TOOLS, parallel_tool_calls=False)
    assert made["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert "tool_choice" not in sent(tools=TOOLS, parallel_tool_calls=True)
    assert "tool_choice" not in sent(parallel_tool_calls=False)


def test_stop_sequences() -> None:
    assert sent(stop="END")["stop_sequences"] == ["END"]
    assert sent(stop=["a", "b"])["stop_sequences"] == ["a", "b"]
    assert sent(stop="a", stop_sequences=["own"])["stop_sequences"] == ["own"]
    assert "stop" not in sent(stop="END")


def test_the_end_user_is_an_id_in_the_metadata() -> None:
    assert sent(user="u")["metadata"] == {"user_id": "u"}
    assert sent(safety_identifier="s")["metadata"] == {"user_id": "s"}
    assert sent(user="u", metadata={"user_id": "own"})["metadata"] == {"user_id": "own"}


def test_a_schema_for_the_answer_goes_into_the_output_config() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}}
    made = sent(response_format=wanted, reasoning_effort="low")
    assert made["output_config"] == {
        "effort": "low",
        "format": {"type": "json_schema", "schema": schema},
    }
    own = sent(reasoning_effort="low", output_config={"effort": "max"})
    assert own["output_config"] == {"effort": "max"}
    assert "output_config" not in sent(response_format={"type": "text"})


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"type": "json_object"}, "type json_object: give a json_schema, or .* in the prompt"),
        ({"type": "grammar"}, "no response_format of type grammar"),
        ({}, "no response_format of type None"),
        ({"type": "json_schema"}, "json_schema.schema must be an object"),
        ({"type": "json_schema", "json_schema": {"schema": True}}, "must be an object"),
    ],
)
def test_a_format_that_anthropic_does_not_have_is_refused(wanted: Any, reason: str) -> None:
    with pytest.raises(NoWords, match=reason):
        sent(response_format=wanted)


def test_null_is_as_good_as_missing() -> None:
    assert sent(temperature=None, stop=None, response_format=None, tools=None, user=None) == sent()


def test_its_own_parameters_go_out_as_they_stand() -> None:
    own = {
        "temperature": 1.5,
        "top_p": 0.9,
        "top_k": 40,
        "service_tier": "standard_only",
        "cache_control": {"type": "ephemeral"},
        "mcp_servers": [{"type": "url", "url": "https://a", "name": "a"}],
    }
    made = sent(**own)
    assert {name: made[name] for name in own} == own


def test_extra_parts_of_the_body_are_laid_over_it_last() -> None:
    made = body(request(extra={"max_tokens": 3, "new": [1]}, max_tokens=9), True)
    assert (made["max_tokens"], made["new"]) == (3, [1])


def test_the_request_itself_is_left_as_it_was() -> None:
    asked = request(
        HELLO,
        stop="x",
        user="u",
        tools=TOOLS,
        tool_choice={"type": "any"},
        parallel_tool_calls=False,
    )
    before = msgspec.json.encode(asked)
    assert body(asked, True)["tool_choice"]["disable_parallel_tool_use"] is True
    assert msgspec.json.encode(asked) == before


@pytest.mark.parametrize("dialect", [KNOWN["anthropic"], APIS["anthropic"]])
def test_all_that_is_taken_ends_as_a_parameter_of_the_api(dialect: Any) -> None:
    taken = dialect.takes["chat"]
    foreign = {
        "max_completion_tokens",
        "max_output_tokens",
        "stop",
        "parallel_tool_calls",
        "response_format",
        "reasoning_effort",
        "user",
        "safety_identifier",
        "n",
        "stream_options",
    }
    assert foreign < taken
    values: dict[str, Any] = dict.fromkeys(taken, 1)
    values |= {"tools": TOOLS, "tool_choice": "auto", "response_format": {"type": "text"}}
    made = sent(**values)
    assert set(made) == (taken - foreign) | {"model", "messages"}
    assert Fit("anthropic", dialect).problem("chat", values) is None


@pytest.mark.parametrize("name", ["logprobs", "seed", "frequency_penalty", "logit_bias"])
def test_what_anthropic_does_not_know_is_refused_before_it_is_sent(name: str) -> None:
    problem = Fit("anthropic", KNOWN["anthropic"]).problem("chat", {name: 1, "temperature": 1})
    assert problem is not None
    assert name in problem


def test_the_wire_says_where_it_goes_and_what_is_wrong() -> None:
    wire = AnthropicWire(Failures("mine", ["sk-secret-1"]), KNOWN["anthropic"])
    prepared = wire.prepare(request(), True)
    assert (prepared.path, prepared.values) == ("/v1/messages", sent())
    with pytest.raises(BadRequest, match=r"can't be sent: messages\[0\]: .* no role \*\*\*") as it:
        wire.prepare(request({"role": "sk-secret-1", "content": "x"}), True)
    assert it.value.provider == "mine"
    assert "secret" not in repr(wire)


WORDS = ["text", "image_url", "file", "thinking", "data:image/png;base64,"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", " ", "x", "{}", "text"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "text", "image_url", "url", "file", "file_data", "function", "name", "id"]
            ),
            inner | st.sampled_from(WORDS),
            max_size=4,
        )
    ),
    max_leaves=8,
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "system", "other"])},
    optional={"content": JSON, "tool_calls": JSON, "tool_call_id": JSON},
)


@settings(max_examples=150, deadline=None)
@given(messages=st.lists(MESSAGE, max_size=4), choice=JSON, wanted=JSON)
def test_any_messages_are_sent_or_refused_with_a_reason(
    messages: list[Message], choice: Any, wanted: Any
) -> None:
    try:
        made = sent(*messages, tool_choice=choice, response_format=wanted, tools=TOOLS)
    except NoWords:
        return
    blocks = [
        block
        for message in made["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
    ]
    assert all(message["content"] for message in made["messages"])
    assert all(block["text"].strip() for block in blocks if block["type"] == "text")
    json.dumps(made)


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
@pytest.mark.parametrize("key", ["name", "function_call", "prefix"])
def test_what_a_message_holds_besides_is_not_dropped_in_silence(role: str, key: str) -> None:
    message = {"role": role, "content": "Hi", key: {"name": "f"}}
    with pytest.raises(NoWords, match=rf"messages\[1\].* {key}"):
        sent(HELLO, message)
    assert sent(HELLO, {**message, key: None}) == sent(HELLO, {"role": role, "content": "Hi"})


def test_what_an_earlier_answer_brought_besides_is_no_part_of_the_talk() -> None:
    earlier = {"role": "assistant", "content": "Hi"}
    beside = {"reasoning_content": "hm", "annotations": [{}], "audio": {"id": "a"}}
    assert sent(HELLO, {**earlier, **beside}) == sent(HELLO, earlier)


def test_an_earlier_refusal_is_said_again() -> None:
    refusal = {"role": "assistant", "content": None, "refusal": "I will not."}
    assert sent(HELLO, refusal)["messages"][1]["content"] == [
        {"type": "text", "text": "I will not."}
    ]


def test_the_name_in_a_tools_message_says_nothing_new() -> None:
    tool = {"role": "tool", "tool_call_id": "t1", "content": "3"}
    calls = {"role": "assistant", "tool_calls": [CALL]}
    assert sent(HELLO, calls, {**tool, "name": "add"}) == sent(HELLO, calls, tool)


@pytest.mark.parametrize("kind", ["image_url", "file"])
def test_a_part_keeps_what_is_anthropics_own(kind: str) -> None:
    url = "data:image/png;base64,AA=="
    inner = {"url": url} if kind == "image_url" else {"file_data": url}
    part = {"type": kind, kind: inner, "cache_control": {"type": "ephemeral"}}
    (block,) = sent(parts(part))["messages"][0]["content"]
    assert block["cache_control"] == {"type": "ephemeral"}
    assert block.keys() == {"type", "source", "cache_control"}
