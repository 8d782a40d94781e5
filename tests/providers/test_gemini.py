"""Gemini's wire format: what is sent, and every shape in which an answer may come."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from faultreplies import Act, Call, Recipe, Reply, Step, answer, crlf, cut, inserted, resplit
from geminiwire import bare, events, failure, quota_failure, retry_info, whole
from hypothesis import given, settings
from hypothesis import strategies as st

import faultwire
from faultserver import FaultServer
from faultwire import echo, event
from llmbatch.jobs import errors
from llmbatch.jobs.answer import Answer
from llmbatch.jobs.dialects import APIS, KNOWN
from llmbatch.jobs.keys import Key
from llmbatch.jobs.model import Delta, Quota, Request, Usage
from llmbatch.jobs.providers.failures import Failures
from llmbatch.jobs.providers.gemini import GeminiWire
from llmbatch.jobs.providers.geminiparser import LONGEST_ERROR, GeminiParser
from llmbatch.jobs.providers.geminireader import FINISHES, GeminiReader
from llmbatch.jobs.providers.http import Http
from llmbatch.jobs.providers.native import Native

DIALECT = KNOWN["gemini"]
WIRE = GeminiWire(Failures("gemini"), DIALECT)
SECRET = "AIzaSy-do-not-print-this"

Open = Callable[..., Native]


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


def reader() -> GeminiReader:
    return GeminiReader(Failures("gemini"))


def chunk(*parts: Any, finish: str | None = None, **rest: Any) -> dict[str, Any]:
    listed = [{"text": part} if isinstance(part, str) else part for part in parts]
    candidate: dict[str, Any] = {"content": {"parts": listed, "role": "model"}, "index": 0}
    candidate |= {} if finish is None else {"finishReason": finish}
    return {"candidates": [candidate], **rest}


def read(*values: Any) -> Answer:
    """The whole answer that these chunks make."""
    taken, made = reader(), Answer(0.0)
    for value in values:
        delta = taken.add(value if isinstance(value, bytes) else json.dumps(value).encode())
        if delta is not None:
            made.add(delta, 0.0)
    made.add(taken.end(), 0.0)
    return made


def sse(*values: Any) -> bytes:
    return b"".join(event(value) for value in values)


def sent(*steps: Step, content_type: str = "text/event-stream") -> Recipe:
    return lambda call: Reply(steps, headers={"Content-Type": content_type})


def failed(status: int, value: Any, **headers: str) -> Recipe:
    raw = json.dumps(value).encode()
    return lambda call: Reply([raw], status, {"Content-Type": "application/json", **headers})


@pytest.fixture
async def server() -> AsyncIterator[FaultServer]:
    async with FaultServer() as running:
        yield running


@pytest.fixture
async def open_one(server: FaultServer) -> AsyncIterator[Open]:
    opened: list[Native] = []

    def connect(**options: Any) -> Native:
        options = {"key": Key(SECRET), "header": DIALECT.header, **options}
        http = Http(server.root, name="gemini", **options)
        opened.append(Native(http, GeminiWire(http.failures, DIALECT), name="gemini"))
        return opened[-1]

    yield connect
    for provider in opened:
        await provider.aclose()


async def collect(provider: Native, request: Request | None = None, **how: Any) -> list[Delta]:
    return [delta async for delta in provider.stream(request or ask(), **how)]


async def joined(provider: Native, request: Request | None = None, **how: Any) -> Answer:
    made = Answer(0.0)
    for delta in await collect(provider, request, **how):
        made.add(delta, 0.0)
    return made


# What is sent


@pytest.mark.parametrize("plain", [False, True], ids=["streamed", "plain"])
async def test_a_request_is_sent_and_its_answer_read(
    server: FaultServer, open_one: Open, plain: bool
) -> None:
    made = await joined(open_one(), ask("say hi now", temperature=0.5), whole=plain)
    assert (made.output, made.status, made.finish_reason) == (echo("say hi now"), "ok", "STOP")
    assert made.usage == Usage(3, 5)
    call = server.calls[0]
    method = "generateContent" if plain else "streamGenerateContent?alt=sse"
    assert call.target == f"/v1beta/models/gemini-2.5-flash:{method}"
    assert call.body == {
        "contents": [{"role": "user", "parts": [{"text": "say hi now"}]}],
        "generationConfig": {"temperature": 0.5},
    }


async def test_the_key_goes_into_its_header_and_nowhere_else(
    server: FaultServer, open_one: Open
) -> None:
    await collect(open_one())
    call = server.calls[0]
    assert call.headers["x-goog-api-key"] == SECRET
    assert "Authorization" not in call.headers
    assert SECRET not in call.target + json.dumps(call.body)


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-3-pro", "models/gemini-3-pro"),
        ("models/gemini-3-pro", "models/gemini-3-pro"),
        ("tunedModels/my-own", "tunedModels/my-own"),
        ("../../v1/files", "models/..%2F..%2Fv1%2Ffiles"),
        ("models/../x", "models/..%2Fx"),
        ("x?key=1&alt=json#y", "models/x%3Fkey=1&alt=json%23y"),
        ("ein Modell/ü", "models/ein%20Modell%2F%C3%BC"),
        ("..", "models/.."),
        ("a%2Fb", "models/a%252Fb"),
    ],
)
async def test_a_models_name_stays_one_step_of_the_path(
    server: FaultServer, open_one: Open, model: str, path: str
) -> None:
    await collect(open_one(), ask(model=model))
    assert server.calls[0].target == f"/v1beta/{path}:streamGenerateContent?alt=sse"


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


def test_the_signature_of_a_thought_comes_back_to_where_it_was() -> None:
    call = {"functionCall": {"name": "add", "args": {"a": 1}, "id": "c1"}, "thoughtSignature": "AB"}
    made = read(chunk(call, finish="STOP"))
    message = {"role": "assistant", "content": None, "tool_calls": made.tool_calls}
    sent = body([{"role": "user", "content": "Add"}, message])
    assert sent["contents"][1]["parts"] == [call]


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


# What comes back


def test_text_is_kept_and_empty_pieces_are_not_passed_on() -> None:
    taken = reader()
    assert taken.add(json.dumps(chunk("Hi")).encode()) == Delta("Hi")
    for nothing in (chunk(""), chunk(), {"candidates": []}, {}, {"candidates": [{}]}):
        assert taken.add(json.dumps(nothing).encode()) is None
    assert not taken.finished


def test_thoughts_are_kept_apart() -> None:
    thought = {"text": "Hm", "thought": True}
    made = read(
        chunk(thought), chunk({"text": ".", "thought": True}, "4"), chunk("2", finish="STOP")
    )
    assert (made.reasoning, made.output) == ("Hm.", "42")


def test_tool_calls_come_in_openais_words_and_are_counted() -> None:
    made = read(
        chunk("Well. ", {"functionCall": {"name": "a", "args": {"x": [1, "ü"]}, "id": "c1"}}),
        chunk({"functionCall": {"name": "b"}}, {"functionCall": {"name": "a", "args": None}}),
        chunk("", finish="STOP"),
    )
    assert made.tool_calls == [
        {
            "id": "c1",
            "type": "function",
            "function": {"name": "a", "arguments": made.tool_calls[0]["function"]["arguments"]},
        },
        {"type": "function", "function": {"name": "b", "arguments": "{}"}},
        {"type": "function", "function": {"name": "a", "arguments": "{}"}},
    ]
    assert json.loads(made.tool_calls[0]["function"]["arguments"]) == {"x": [1, "ü"]}
    assert (made.output, made.status) == ("Well. ", "ok")


def test_arguments_keep_their_numbers_and_fit_on_one_line() -> None:
    data = (
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{\n'
        b'  "n": 123456789012345678901234567890,\n  "x": 1e400\n}}}]},"finishReason":"STOP"}]}'
    )
    arguments = read(data).tool_calls[0]["function"]["arguments"]
    assert arguments == '{"n":123456789012345678901234567890,"x":1e400}'


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (
            {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
            "![image/png](data:image/png;base64,AA==)",
        ),
        (
            {"inlineData": {"mimeType": "audio/wav", "data": "BB"}},
            "[audio/wav](data:audio/wav;base64,BB)",
        ),
        (
            {"fileData": {"mimeType": "image/png", "fileUri": "https://e.com/a"}},
            "![image/png](https://e.com/a)",
        ),
        (
            {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
            "\n```python\nprint(1)\n```\n",
        ),
        (
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
            "\n```ok\n1\n```\n",
        ),
    ],
)
def test_what_is_no_text_is_shown_in_the_text(part: Any, shown: str) -> None:
    made = read(chunk("See: "), chunk(part), chunk("", finish="STOP"))
    assert made.output == f"See: {shown}"


def test_logprobs_come_in_openais_shape() -> None:
    token = {"token": "Hi", "tokenId": 7, "logProbability": -0.25}
    other = {"token": "Ho", "tokenId": 8, "logProbability": -1.5}
    value = chunk("Hi", finish="STOP")
    value["candidates"][0]["logprobsResult"] = {
        "chosenCandidates": [token, other],
        "topCandidates": [{"candidates": [token, other]}],
    }
    first = {"token": "Hi", "logprob": -0.25, "bytes": None}
    second = {"token": "Ho", "logprob": -1.5, "bytes": None}
    assert read(value).logprobs == [
        {**first, "top_logprobs": [first, second]},
        {**second, "top_logprobs": []},
    ]


@pytest.mark.parametrize(("word", "status"), sorted(FINISHES.items()))
def test_the_finish_reason_says_how_it_ended_and_is_kept(word: str, status: str) -> None:
    made = read(chunk("x"), chunk(finish=word))
    assert (made.status, made.finish_reason, made.output) == (status, word, "x")


@pytest.mark.parametrize(
    "word",
    [
        *("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"),
        *("IMAGE_SAFETY", "MODEL_ARMOR"),
    ],
)
def test_an_answer_that_was_held_back_is_filtered(word: str) -> None:
    assert read({"candidates": [{"finishReason": word, "index": 0}]}).status == "filtered"


@pytest.mark.parametrize(
    "word",
    [
        *("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE", "OTHER"),
        *("FINISH_REASON_UNSPECIFIED", "NO_IMAGE", "SOMETHING_NEW"),
    ],
)
def test_a_model_that_broke_off_is_no_success_and_may_be_asked_again(word: str) -> None:
    value = chunk("x", finish=word)
    value["candidates"][0]["finishMessage"] = "call was: print("
    taken = reader()
    assert taken.add(json.dumps(value).encode()) == Delta("x")
    assert not taken.finished
    with pytest.raises(errors.MalformedResponse, match=f"{word}: call was: print") as caught:
        taken.end()
    assert caught.value.should_retry is None
    with pytest.raises(errors.MalformedResponse, match=word):
        reader().whole(json.dumps(value).encode())


def test_a_finish_that_no_other_try_can_better_is_permanent() -> None:
    with pytest.raises(errors.BadRequest, match="MISSING_THOUGHT_SIGNATURE"):
        read(chunk(finish="MISSING_THOUGHT_SIGNATURE"))
    with pytest.raises(errors.AuthFailed, match="PUP_LIMITED_DISABLED"):
        read(chunk(finish="PUP_LIMITED_DISABLED"))


def test_a_blocked_prompt_is_filtered_and_complete() -> None:
    value = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "safetyRatings": []},
        "usageMetadata": {"promptTokenCount": 9},
    }
    made = read(value)
    assert (made.status, made.finish_reason, made.output) == ("filtered", "PROHIBITED_CONTENT", "")
    assert made.usage == Usage(9, 0)
    assert reader().whole(json.dumps(value).encode()).status == "filtered"


def test_usage_counts_thoughts_as_output_and_tools_as_input() -> None:
    counts = {
        "promptTokenCount": 10,
        "candidatesTokenCount": 5,
        "thoughtsTokenCount": 7,
        "cachedContentTokenCount": 4,
        "toolUsePromptTokenCount": 3,
        "totalTokenCount": 25,
    }
    assert read(chunk("x", finish="STOP", usageMetadata=counts)).usage == Usage(13, 12, 4, 7)


def test_the_last_usage_wins_also_after_the_finish() -> None:
    made = read(
        chunk("x", usageMetadata={"promptTokenCount": 1}),
        chunk("y", finish="STOP", usageMetadata={"promptTokenCount": 2}),
        {"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 4}},
    )
    assert made.usage == Usage(3, 4)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({}, None),
        (None, None),
        ([1], None),
        ({"promptTokenCount": "9"}, Usage(0, 0)),
        ({"promptTokenCount": -3, "candidatesTokenCount": 2}, Usage(0, 2)),
        ({"promptTokenCount": 10**40, "candidatesTokenCount": 2.5}, Usage(0, 0)),
        ({"promptTokenCount": 1, "x": "\ud83d"}, Usage(1, 0)),
    ],
)
def test_odd_usage_is_read_as_far_as_it_goes(counts: Any, expected: Usage | None) -> None:
    made = read(chunk("x", finish="STOP", usageMetadata=counts))
    assert (made.status, made.usage) == ("ok", expected)


@pytest.mark.parametrize("values", [[], [chunk("x")], [chunk("x", finish="")], [{}]])
def test_without_a_finish_there_is_no_success(values: list[Any]) -> None:
    for ending in ([], [b"[DONE]"], [b" [DONE] "]):
        with pytest.raises(errors.StreamBroken, match="before its finish"):
            read(*values, *ending)


@pytest.mark.parametrize("data", [b"{", b"null", b"[]", b"[1]", b'"x"', b"\xff", b'[{"a": 1}, 2]'])
def test_a_chunk_that_is_not_json_is_malformed_and_not_repeated(data: bytes) -> None:
    for take in (reader().add, reader().whole):
        with pytest.raises(errors.MalformedResponse, match="not a JSON object") as caught:
            take(data)
        assert caught.value.__context__ is None


def test_chunks_of_odd_types_are_read_loosely() -> None:
    made = read(
        {"candidates": {"a": 1}, "promptFeedback": []},
        {"candidates": [chunk("a")["candidates"][0] | {"finishReason": 3}, "x"]},
        chunk("b", 7, {"text": 5}, {"text": "c", "functionCall": "f"}, usageMetadata=3),
        {"candidates": [{"content": [], "finishMessage": 4, "finishReason": "STOP"}]},
    )
    assert (made.output, made.status) == ("abc", "ok")


def test_surrogate_halves_in_two_chunks_are_one_character() -> None:
    halves = json.dumps("😀").strip('"')
    parts = [
        json.dumps(chunk("@")).replace("@", half).encode() for half in (halves[:6], halves[6:])
    ]
    assert read(*parts, chunk(finish="STOP")).output == "😀"


def test_a_list_of_chunks_is_a_whole_answer_too() -> None:
    call = {"functionCall": {"name": "f", "args": {}}}
    values = [
        chunk({"text": "Hm", "thought": True}),
        chunk("Hi ", call),
        chunk("you", call, finish="STOP", usageMetadata={"promptTokenCount": 1}),
    ]
    made = reader().whole(b"\n" + json.dumps(values, indent=1).encode() + b"\n")
    assert (made.text, made.reasoning, made.status, made.usage) == ("Hi you", "Hm", "ok", Usage(1))
    assert [call["index"] for call in made.tool_calls] == [0, 1]
    with pytest.raises(errors.MalformedResponse, match="finishReason"):
        reader().whole(json.dumps(values[:2]).encode())
    with pytest.raises(errors.MalformedResponse, match="finishReason"):
        reader().whole(json.dumps(values[0]).encode())


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=5), max_size=6), st.sampled_from(["STOP", "MAX_TOKENS"]))
def test_the_text_is_the_sum_of_its_pieces(pieces: list[str], finish: str) -> None:
    assert read(*map(chunk, pieces), chunk(finish=finish)).output == "".join(pieces)


KEYS = [
    *("candidates", "content", "parts", "text", "thought", "functionCall", "args", "name"),
    *("inlineData", "executableCode", "finishReason", "finishMessage", "logprobsResult"),
    *("chosenCandidates", "topCandidates", "promptFeedback", "blockReason", "usageMetadata"),
    *("promptTokenCount", "thoughtsTokenCount", "error", "details", "code", "message", "status"),
    *("violations", "quotaId", "quotaValue", "retryDelay", "reason"),
]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.text(max_size=3) | st.just("STOP"),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(ANY_JSON)
def test_no_answer_whatsoever_raises_anything_but_our_errors(value: Any) -> None:
    shapes = (
        value,
        {"candidates": [value]},
        {"candidates": [{"content": {"parts": [value]}, "logprobsResult": value}]},
        {"error": value},
        {"error": {"code": 429, "details": [value]}},
    )
    for shape in shapes:
        data = json.dumps(shape).encode()
        taken = reader()
        with contextlib.suppress(errors.ProviderError):
            taken.add(data)
            taken.end()
        with contextlib.suppress(errors.ProviderError):
            reader().whole(data)
        Failures("gemini").response(429, {}, data)


@settings(max_examples=150, deadline=None)
@given(ANY_JSON, st.sampled_from(["user", "assistant", "system", "tool"]))
def test_no_row_whatsoever_is_more_than_unsendable(value: Any, role: str) -> None:
    message = {"role": role, "content": value, "tool_calls": value, "tool_call_id": value}
    named = dict.fromkeys(DIALECT.takes["chat"], value)
    for messages, params in (([message], {}), ([{"role": "user", "content": "x"}], named)):
        # Beside its own, what Native takes for a request that can't be written.
        with contextlib.suppress(errors.BadRequest, TypeError, ValueError):
            body(messages, **params)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40))
def test_no_bytes_whatsoever_raise_anything_but_our_errors(data: bytes) -> None:
    for taken in (data, b"[" * 100_000 + data, b'{"candidates":' * 20_000 + data):
        with contextlib.suppress(errors.ProviderError):
            reader().add(taken)
        with contextlib.suppress(errors.ProviderError):
            reader().whole(taken)


# Bare JSON between the events

OVERLOADED = failure(503, "UNAVAILABLE", "The model is overloaded. {Try} again [later].")


def parsed(data: bytes, size: int) -> list[bytes]:
    parser = GeminiParser()
    return [
        found.data
        for at in range(0, len(data), size)
        for found in parser.feed(data[at : at + size])
    ]


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_bare_json_is_an_event_however_it_is_split(ends: bytes) -> None:
    good = json.dumps(chunk("a\n{b}")).encode()
    for value in (OVERLOADED, [OVERLOADED], {"error": {"message": "ü😀"}}):
        odd = json.dumps(value, indent=2, ensure_ascii=False).encode()
        data = (b"data: %s\n\n%s\n\ndata: %s\n\n" % (good, odd, good)).replace(b"\n", ends)
        for size in (1, 2, 3, 7, 50, len(data)):
            first, bare_one, last = parsed(data, size)
            assert (first, last) == (good, good)
            assert json.loads(bare_one) == value


def test_bare_json_that_never_ends_is_let_go() -> None:
    endless = b'{"a": "' + b"x" * (LONGEST_ERROR + 1)
    assert parsed(b"data: {}\n\n" + endless, 1000)[1:] == [endless]
    assert parsed(b'data: {}\n\n{"error": {', 1) == [b"{}"]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 9))
def test_the_parser_takes_any_bytes(data: bytes, size: int) -> None:
    parsed(b"data: {}\n\n{" + data, size)
    parsed(data, size)


IN_STREAM = [
    (OVERLOADED, errors.Overloaded, "overloaded"),
    (failure(429, "RESOURCE_EXHAUSTED", "slow down", retry_info("7s")), errors.RateLimited, "slow"),
    (failure(400, "INVALID_ARGUMENT", "bad role"), errors.BadRequest, "bad role"),
    (failure(500, "INTERNAL", "oops"), errors.Overloaded, "oops"),
    (failure(504, "DEADLINE_EXCEEDED", "late"), errors.Overloaded, "late"),
    (failure(401, "UNAUTHENTICATED", "who"), errors.AuthFailed, "who"),
    (failure(403, "PERMISSION_DENIED", "API key was leaked"), errors.AuthFailed, "leaked"),
    (failure(404, "NOT_FOUND", "no such model"), errors.NotFound, "no such model"),
    ({"error": {"status": "UNAVAILABLE", "message": "gone"}}, errors.Overloaded, "gone"),
    ({"error": {"status": "RESOURCE_EXHAUSTED"}}, errors.RateLimited, "no reason given"),
    ({"error": {"message": "strange"}}, errors.ErrorInStream, "strange"),
]


@pytest.mark.parametrize("shape", ["bare", "event", "alone", "listed"])
@pytest.mark.parametrize(("value", "kind", "told"), IN_STREAM)
async def test_an_error_within_a_stream_is_told_as_what_it_is(
    server: FaultServer, open_one: Open, value: Any, kind: Any, told: str, shape: str
) -> None:
    before = sse(chunk("Hello"), chunk(" you"))
    data = {
        "bare": before + bare(value),
        "event": before + sse(value),
        "alone": bare(value),
        "listed": before + bare([value]),
    }[shape]
    server.replies = sent(data)
    with pytest.raises(kind, match=told) as caught:
        await collect(open_one())
    assert type(caught.value) is kind
    if kind is errors.RateLimited and "details" in value["error"]:
        assert caught.value.retry_after == 7.0


async def test_what_came_before_an_error_is_handed_out(server: FaultServer, open_one: Open) -> None:
    server.replies = sent(sse(chunk("Hello")), bare(OVERLOADED))
    stream = open_one().stream(ask())
    assert await anext(stream) == Delta("Hello")
    with pytest.raises(errors.Overloaded):
        await anext(stream)


# Over real sockets

TOOL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}


@pytest.mark.parametrize("plain", [False, True], ids=["streamed", "plain"])
async def test_everything_an_answer_may_hold_arrives(
    server: FaultServer, open_one: Open, plain: bool
) -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 8,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    server.replies = answer(
        "Grüße, 世界 😀", reasoning="Hm.", tool_calls=[TOOL], usage=usage, finish="length"
    )
    made = await joined(open_one(), whole=plain)
    assert (made.output, made.reasoning) == ("Grüße, 世界 😀", "Hm.")
    assert made.tool_calls == [TOOL]
    assert (made.status, made.finish_reason) == ("truncated", "MAX_TOKENS")
    assert made.usage == Usage(9, 8, 4, 3)


@pytest.mark.parametrize(
    "recipe",
    [crlf(), resplit(1), resplit(7), answer(edit=lambda parts: [*parts, b": bye\n\n"])],
    ids=["crlf", "bytes", "sevens", "comment"],
)
async def test_the_stream_may_come_in_any_pieces(
    server: FaultServer, open_one: Open, recipe: Recipe
) -> None:
    server.replies = recipe
    made = await joined(open_one(), ask("Grüße 😀"))
    assert (made.output, made.status) == (echo("Grüße 😀"), "ok")


async def test_a_server_without_sse_sends_a_list(server: FaultServer, open_one: Open) -> None:
    values = [chunk("Hel"), chunk("lo", finish="STOP")]
    server.replies = sent(json.dumps(values).encode(), content_type="application/json")
    made = await joined(open_one())
    assert (made.output, made.status) == ("Hello", "ok")


async def test_a_stream_is_read_to_its_end_for_the_usage(
    server: FaultServer, open_one: Open
) -> None:
    late = {"usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 6}}
    server.replies = sent(sse(chunk("x", finish="STOP")), 0.01, sse(late))
    assert (await joined(open_one())).usage == Usage(5, 6)


async def test_a_stream_cut_after_its_finish_is_whole(server: FaultServer, open_one: Open) -> None:
    server.replies = sent(sse(chunk("x", finish="STOP")), Act.CUT)
    assert (await joined(open_one())).status == "ok"


@pytest.mark.parametrize("act", [Act.CUT, Act.RESET])
async def test_a_stream_cut_before_its_finish_is_broken(
    server: FaultServer, open_one: Open, act: Act
) -> None:
    server.replies = cut(after=2, act=act)
    with pytest.raises(errors.StreamBroken):
        await collect(open_one())


async def test_unknown_kinds_of_events_and_parts_are_passed_over(
    server: FaultServer, open_one: Open
) -> None:
    odd = chunk({"somethingNew": {"a": 1}}, "!")
    server.replies = inserted({"sessionUpdate": {"x": 1}}, then_end=False)
    assert (await joined(open_one())).output == echo("one two three")
    server.replies = sent(b"event: ping\ndata: {}\n\n", sse(odd, chunk(finish="STOP")))
    assert (await joined(open_one())).output == "!"


SHORT = sse(chunk("Hé"), chunk("y", finish="STOP")) + sse(
    {"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 2}}
)
FINISHED_AT = len(SHORT) - len(SHORT.rpartition(b"data: ")[2]) - len(b"data: ")


@pytest.mark.parametrize("form", ["sse", "list"])
async def test_a_truncated_answer_is_accepted_at_no_byte_before_its_finish(
    server: FaultServer, open_one: Open, form: str
) -> None:
    listed = json.dumps([chunk("Hé"), chunk("y", finish="STOP")]).encode()
    data, enough = (SHORT, FINISHED_AT) if form == "sse" else (listed, len(listed))
    provider = open_one()
    for end in range(1, len(data) + 1):
        server.replies = sent(data[:end])
        if end >= enough:
            made = await joined(provider)
            assert (made.output, made.status) == ("Héy", "ok")
            continue
        with pytest.raises(errors.TransientError) as caught:
            await collect(provider)
        assert isinstance(caught.value, errors.StreamBroken | errors.MalformedResponse)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(SHORT)), st.integers(1, 40))
def test_a_truncated_stream_is_accepted_by_no_split(end: int, size: int) -> None:
    taken = reader()
    for data in parsed(SHORT[:end], size):
        taken.add(data)
    if end >= FINISHED_AT:
        assert taken.end().status == "ok"
    else:
        with pytest.raises(errors.StreamBroken):
            taken.end()


async def test_the_key_is_in_no_error(server: FaultServer, open_one: Open) -> None:
    def repeat(call: Call) -> Recipe:
        key = call.headers["x-goog-api-key"]
        return failed(400, failure(400, "INVALID_ARGUMENT", f"API key {key} not valid"))

    server.replies = repeat
    provider = open_one()
    with pytest.raises(errors.BadRequest) as caught:
        await collect(provider)
    assert SECRET not in str(caught.value) + repr(provider)


async def test_a_429_says_when_to_come_back_and_what_the_limit_is(
    server: FaultServer, open_one: Open
) -> None:
    limits = quota_failure(
        **{
            "GenerateRequestsPerMinutePerProjectPerModel-FreeTier": "10",
            "GenerateContentInputTokensPerModelPerMinute-FreeTier": "250000",
        }
    )
    value = failure(429, "RESOURCE_EXHAUSTED", "You exceeded", limits, retry_info("22s"))
    server.replies = failed(429, value)
    heard: list[Quota] = []
    with pytest.raises(errors.RateLimited) as caught:
        await collect(open_one(), hear=heard.append)
    assert caught.value.retry_after == 22.0
    assert heard == [Quota(rpm=10.0, tpm=250000.0)]


async def test_limits_in_headers_come_before_those_in_a_body(
    server: FaultServer, open_one: Open
) -> None:
    value = failure(429, "RESOURCE_EXHAUSTED", "no", quota_failure(RequestsPerMinute="10"))
    server.replies = failed(429, value)
    heard: list[Quota] = []
    with pytest.raises(errors.RateLimited):
        await collect(open_one(quota=lambda headers: Quota(rpm=7)), hear=heard.append)
    assert heard == [Quota(rpm=7)]


def test_the_shapes_of_the_fault_server_say_the_same_streamed_and_whole() -> None:
    item = {"token": "a", "logprob": -0.5, "top_logprobs": [], "bytes": None}
    said = faultwire.Answer(
        ("a", "b"), reasoning="r", tool_calls=[TOOL], logprobs=[item], usage=None
    )
    streamed = read(*(part[len(b"data: ") : -2] for part in events(said)))
    in_one = reader().whole(json.dumps(whole(said)).encode())
    assert (streamed.output, streamed.reasoning) == (in_one.text, in_one.reasoning) == ("ab", "r")
    assert streamed.logprobs == in_one.logprobs == [item]
    assert streamed.tool_calls == [TOOL]
    refusal = faultwire.Answer((), refusal="No.")
    assert read(*(part[6:-2] for part in events(refusal))).status == "filtered"


def pieces_of(answers: Sequence[Delta]) -> list[str]:
    return [delta.text for delta in answers if delta.text]


async def test_each_event_is_passed_on_by_itself(server: FaultServer, open_one: Open) -> None:
    server.replies = answer("a b c")
    assert pieces_of(await collect(open_one())) == ["a", " b", " c"]
