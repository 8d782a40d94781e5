"""Every shape of a row, and every way in which one can be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from llmbatch.jobs.dialects import KNOWN
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.fitting import Fit
from llmbatch.jobs.model import Rejected, Request, Row
from llmbatch.jobs.sources.formats import TEXT
from llmbatch.jobs.sources.rows import RowDefaults, RowParser

Parse = Callable[..., Row]
RequestOf = Callable[..., Request]
ReasonOf = Callable[..., str]

HI = [{"role": "user", "content": "Hi"}]


def system(text: str) -> dict[str, str]:
    return {"role": "system", "content": text}


# shapes


def test_a_prompt_becomes_the_users_message(request_of: RequestOf) -> None:
    found = request_of({"id": "q1", "prompt": "Hi", "max_tokens": 5, "topic": "greeting"})
    assert found.id == "q1"
    assert (found.line, found.path, found.model, found.endpoint) == (7, "in.jsonl", "m", "chat")
    assert found.messages == HI
    assert found.params == {"max_tokens": 5}
    assert found.metadata == {"topic": "greeting"}


def test_messages_are_sent_as_they_are(request_of: RequestOf) -> None:
    messages = [
        system("Be brief."),
        {"role": "user", "content": [{"type": "text", "text": "Hi"}], "name": "Ada"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]},
        {"role": "tool", "content": "3", "tool_call_id": "c1"},
    ]
    assert request_of({"messages": messages}).messages == messages


def test_a_bare_string_is_a_prompt(request_of: RequestOf) -> None:
    found = request_of("Hi")
    assert (found.id, found.messages, found.metadata) == ("7", HI, {})


def test_a_line_of_text_is_a_prompt() -> None:
    parser = RowParser(RowDefaults(model="m"))
    found = parser.parse(b'{"prompt": "Hi"}', 3, "in.txt", TEXT)
    assert isinstance(found, Request)
    assert found.messages == [{"role": "user", "content": '{"prompt": "Hi"}'}]
    bad = parser.parse(b'{"id": "a"} \xff', 4, "in.txt", TEXT)
    assert isinstance(bad, Rejected)
    assert (bad.id, bad.reason) == ("4", "not UTF-8: 0xff at byte 13 of the line")


BATCH: list[tuple[str, dict[str, Any], str, Any, Any]] = [
    ("/v1/chat/completions", {"messages": HI}, "chat", HI, None),
    ("/v1/completions", {"prompt": "Hi"}, "completions", (), "Hi"),
    ("/v1/embeddings", {"input": ["Hi", "Ho"]}, "embeddings", (), ["Hi", "Ho"]),
    ("/v1/responses", {"input": HI}, "responses", (), HI),
]


@pytest.mark.parametrize(("url", "content", "endpoint", "messages", "given"), BATCH)
def test_the_url_of_a_batch_line_decides_its_endpoint(
    request_of: RequestOf,
    url: str,
    content: dict[str, Any],
    endpoint: str,
    messages: Any,
    given: Any,
) -> None:
    body = {"model": "gpt", **content, "user": "u", "made_up": {"a": 1}, "metadata": {"k": "v"}}
    row = {"custom_id": "r1", "method": "POST", "url": url, "body": body, "note": "mine"}
    found = request_of(row)
    assert (found.id, found.endpoint, found.model) == ("r1", endpoint, "gpt")
    assert (found.messages, found.input) == (messages, given)
    assert found.params == {"user": "u", "made_up": {"a": 1}, "metadata": {"k": "v"}}
    assert found.metadata == {"note": "mine"}


def test_a_stored_prompt_of_the_responses_api_passes(request_of: RequestOf) -> None:
    row = {"custom_id": "r1", "method": "POST", "url": "/v1/responses"}
    found = request_of({**row, "body": {"prompt": {"id": "pmpt_1"}}})
    assert (found.params, found.input) == ({"prompt": {"id": "pmpt_1"}}, None)


@pytest.mark.parametrize("endpoint", ["completions", "embeddings", "responses"])
@pytest.mark.parametrize("key", ["prompt", "input"])
def test_a_prompt_is_the_input_of_the_other_endpoints(
    request_of: RequestOf, endpoint: str, key: str
) -> None:
    found = request_of({key: "Hi"}, endpoint=endpoint)
    assert (found.endpoint, found.input, found.messages) == (endpoint, "Hi", ())
    assert request_of("Hi", endpoint=endpoint).input == "Hi"


@pytest.mark.parametrize("given", [[1, 2, 3], ["Hi"], [[1, 2]]])
@pytest.mark.parametrize("endpoint", ["completions", "embeddings"])
def test_tokens_and_lists_are_taken_where_the_endpoint_takes_them(
    request_of: RequestOf, endpoint: str, given: Any
) -> None:
    assert request_of({"prompt": given}, endpoint=endpoint).input == given


def test_messages_are_the_input_of_responses(request_of: RequestOf) -> None:
    assert request_of({"messages": HI}, endpoint="responses").input == HI
    items = [{"type": "message", "role": "user", "content": "Hi"}]
    assert request_of({"input": items}, endpoint="responses").input == items


# system


def test_the_system_prompt_goes_first_and_the_rows_own_wins(request_of: RequestOf) -> None:
    job = {"system": "Job"}
    own = [{"role": "developer", "content": "Own"}, *HI]
    assert request_of({"prompt": "Hi"}, **job).messages == [system("Job"), *HI]
    assert request_of("Hi", **job).messages == [system("Job"), *HI]
    assert request_of({"messages": HI}, **job).messages == [system("Job"), *HI]
    assert request_of({"messages": own}, **job).messages == own
    assert request_of({"prompt": "Hi", "system": "Own"}, **job).messages == [system("Own"), *HI]
    assert request_of({"messages": HI, "system": "Own"}).messages == [system("Own"), *HI]
    assert request_of({"messages": HI, "system": None}, **job).messages == [system("Job"), *HI]


def test_responses_call_it_instructions(request_of: RequestOf, reason_of: ReasonOf) -> None:
    job = {"system": "Job", "endpoint": "responses"}
    assert request_of("Hi", **job).params == {"instructions": "Job"}
    assert request_of({"prompt": "Hi", "system": "Own"}, **job).params == {"instructions": "Own"}
    assert request_of({"prompt": "Hi", "instructions": "Own"}, **job).params == {
        "instructions": "Own"
    }
    assert request_of({"messages": [system("Own"), *HI]}, **job).params == {}
    assert reason_of({"prompt": "Hi", "instructions": "a", "system": "b"}, **job) == (
        "system is given twice: as a key, and as instructions or a message"
    )


@pytest.mark.parametrize("endpoint", ["completions", "embeddings"])
def test_an_endpoint_without_a_system_prompt_says_so(reason_of: ReasonOf, endpoint: str) -> None:
    assert reason_of({"prompt": "Hi", "system": "x"}, endpoint=endpoint) == (
        f"system has no place in a request for {endpoint}"
    )
    with pytest.raises(ConfigError, match=f"^the endpoint {endpoint} takes no system prompt"):
        RowParser(RowDefaults(model="m", system="x", endpoint=endpoint))  # type: ignore[arg-type]  # parametrized


# template


def test_with_a_template_any_object_is_data(request_of: RequestOf) -> None:
    row = {"id": "r1", "text": "Hi", "stars": 5, "max_tokens": 9, "system": "Own", "model": "big"}
    found = request_of(row, template="{{text}}", system="Job")
    assert (found.id, found.model) == ("r1", "big")
    assert found.messages == [system("Own"), *HI]
    assert found.params == {"max_tokens": 9}
    assert found.metadata == {"text": "Hi", "stars": 5}


def test_the_template_wins_over_what_the_row_asks_itself(request_of: RequestOf) -> None:
    row = {"prompt": "own", "messages": "own", "input": "own", "text": "Hi"}
    found = request_of(row, template="{{text}}")
    assert (found.messages, found.metadata) == (HI, row)
    batch = {"custom_id": "a", "method": "POST", "url": "u", "body": "Hi"}
    found = request_of(batch, template="{{body}}")
    assert (found.id, found.messages) == ("a", HI)
    assert found.metadata == {"method": "POST", "url": "u", "body": "Hi"}


def test_a_field_that_the_template_names_is_no_parameter(request_of: RequestOf) -> None:
    row = {"user": 4, "stop": 7, "n": 3, "model": "T", "meta": {"x": 1}}
    found = request_of(row, template="{{user}} {{stop}} {{n}} {{model}} {{meta.x}}")
    assert found.messages == [{"role": "user", "content": "4 7 3 T 1"}]
    assert (found.params, found.model, found.metadata) == ({}, "m", row)


def test_a_bare_string_has_the_one_field_text(request_of: RequestOf, reason_of: ReasonOf) -> None:
    assert request_of("Hi", template="{{text}}").messages == HI
    assert request_of("Hi", template="{{text}}").metadata == {}
    assert reason_of("Hi", template="{{body}}") == (
        "no field body for the template; the row has: text"
    )


def test_a_field_that_the_row_lacks_is_named(parse: Parse) -> None:
    found = parse({"id": "a", "title": "x"}, template="{{text}}")
    assert isinstance(found, Rejected)
    assert (found.id, found.metadata) == ("a", {"title": "x"})
    assert found.reason == "no field text for the template; the row has: id, title"


# ids and metadata


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"id": 13}, "13"),
        ({"id": -(10**30)}, str(-(10**30))),
        ({"id": None}, "7"),
        ({}, "7"),
        ({"custom_id": "c"}, "c"),
        ({"custom_id": "c", "id": "i"}, "c"),
        ({"custom_id": None, "id": "i"}, "i"),
        ({"id": "é😀"}, "é😀"),
    ],
)
def test_the_id(request_of: RequestOf, row: dict[str, Any], expected: str) -> None:
    assert request_of({**row, "prompt": "Hi"}).id == expected


def test_with_several_inputs_a_missing_id_names_its_file() -> None:
    parser = RowParser(RowDefaults(model="m"), several=True)
    assert parser.parse(b'"Hi"', 3, "a/b.jsonl").id == "a/b.jsonl:3"
    assert parser.parse(b'{"id": "x", "prompt": "Hi"}', 3, "a/b.jsonl").id == "x"
    assert parser.parse(b"oops", 3, "a/b.jsonl").id == "a/b.jsonl:3"


@pytest.mark.parametrize("bad", [1.5, True, [], {}])
def test_an_id_of_another_type_is_refused(parse: Parse, bad: Any) -> None:
    found = parse({"id": bad, "prompt": "Hi"})
    assert isinstance(found, Rejected)
    assert (found.id, found.reason) == ("7", "id must be a string or a whole number")


def test_an_empty_id_is_refused(reason_of: ReasonOf) -> None:
    assert reason_of({"id": "", "prompt": "Hi"}) == "id is empty"


def test_keys_that_are_not_the_requests_are_handed_back(request_of: RequestOf) -> None:
    row = {"prompt": "Hi", "input": "data", "a": None, "metadata": {"b": [1], "a": 2}, "text": 1}
    assert request_of(row).metadata == {"input": "data", "a": None, "b": [1], "text": 1}
    assert request_of({"prompt": "Hi", "metadata": "x"}).metadata == {"metadata": "x"}
    both = request_of({"prompt": "Hi", "custom_id": "c", "id": 5})
    assert (both.id, both.metadata) == ("c", {"id": 5})


@pytest.mark.parametrize(
    ("line", "row_id"),
    [
        (b'{"id": "a", "prompt": ""}', "a"),
        (b'{"id": "a", "prompt": "\xff"}', "a"),
        (b'{"id": "a", "prompt": "\\ud800"}', "a"),
        (b'{"id": "a", "temperature": NaN, "prompt": "x"}', "a"),
        (b'{"custom_id": "a", "url": "x", "body": {}}', "a"),
        (b'{"id": "\\ud800", "prompt": "x"}', "7"),
        (b'{"id": "a", "prompt": ', "7"),
    ],
)
def test_a_rejected_row_keeps_its_id_where_it_can_be_read(
    parse: Parse, line: bytes, row_id: str
) -> None:
    found = parse(line)
    assert isinstance(found, Rejected)
    assert found.id == row_id
    assert len(found.fingerprint) == 32


def test_a_rejected_row_keeps_its_metadata_and_the_time(parse: Parse) -> None:
    line = b'{"temperature": "hot", "prompt": "x", "topic": "t"}'
    found = RowParser(RowDefaults(model="m")).parse(line, 1, "p", read_at=4.5)
    assert isinstance(found, Rejected)
    assert (found.metadata, found.read_at) == ({"topic": "t"}, 4.5)


# what is wrong, and where


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (
            [1],
            "a row must be an object or a string, got a list; write one row a line",
        ),
        (5, "a row must be an object or a string, got a number"),
        (None, "a row must be an object or a string, got null"),
        ("", "prompt is empty"),
        ({}, "no prompt: the row needs prompt or messages, or the job a template"),
        ({"text": "x"}, "no prompt: the row needs prompt or messages, or the job a template"),
        (
            {"input": "x"},
            "no prompt: the row needs prompt or messages, or the job a template; "
            "input is for the endpoints embeddings and responses",
        ),
        ({"prompt": None}, "no prompt: the row needs prompt or messages, or the job a template"),
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": " \n"}, "prompt is empty"),
        ({"prompt": 5}, "prompt must be a string, got a number"),
        ({"prompt": ["x"]}, "prompt must be a string, got a list"),
        ({"prompt": "x", "messages": HI}, "prompt and messages exclude each other: keep one"),
        ({"prompt": "x", "system": 5}, "system must be a string, got a number"),
        ({"prompt": "x", "model": ""}, "model must be a string, got an empty string"),
        ({"prompt": "x", "model": 4}, "model must be a string, got a number"),
        ({"messages": []}, "messages is an empty list"),
        ({"messages": "x"}, "messages must be a list of objects, got a string"),
        ({"messages": ["x"]}, "messages[0] must be an object, got a string"),
        ({"messages": [*HI, {}]}, "messages[1].role must be a string: it is missing"),
        ({"messages": [{"role": 1}]}, "messages[0].role must be a string: got a number"),
        (
            {"messages": [{"role": "user"}]},
            "messages[0].content must be a string or a list of parts, got nothing",
        ),
        (
            {"messages": [{"role": "user", "content": None}]},
            "messages[0].content must be a string or a list of parts, got null",
        ),
        (
            {"messages": [{"role": "user", "content": {}}]},
            "messages[0].content must be a string or a list of parts, got an object",
        ),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content is an empty list"),
        (
            {"messages": [{"role": "user", "content": [{}, "x"]}]},
            "messages[0].content[1] must be an object, got a string",
        ),
        (
            {"messages": [system("a"), *HI], "system": "b"},
            "system is given twice: as a key, and as one of the messages",
        ),
    ],
)
def test_a_row_that_can_not_be_sent_says_why(reason_of: ReasonOf, row: Any, reason: str) -> None:
    assert reason_of(row).startswith(reason)


@pytest.mark.parametrize(
    ("row", "endpoint", "reason"),
    [
        ({}, "embeddings", "no input: a row for embeddings needs prompt or input, or the job a"),
        ({"messages": HI}, "embeddings", "messages can't be sent to embeddings: give prompt or"),
        ({"prompt": "a", "input": "b"}, "completions", "prompt and input exclude each other"),
        ({"input": []}, "embeddings", "input is an empty list"),
        ({"input": [1, "a"]}, "embeddings", "input[1] must be a token number, got a string"),
        ({"input": ["a", ""]}, "embeddings", "input[1] is empty"),
        ({"input": ["a", 1]}, "embeddings", "input[1] must be a string, got a number"),
        ({"input": [[]]}, "embeddings", "input[0] is an empty list"),
        ({"input": {}}, "embeddings", "input must be a string, got an object"),
        ({"prompt": ["a", "b"]}, "completions", "prompt holds 2 prompts: one row is one answer"),
        ({"input": ["a"]}, "responses", "input[0] must be an object, got a string"),
        ({"input": []}, "responses", "input is an empty list"),
        ({"input": 4}, "responses", "input must be a string, got a number"),
    ],
)
def test_an_input_that_the_endpoint_does_not_take_says_why(
    reason_of: ReasonOf, row: Any, endpoint: str, reason: str
) -> None:
    assert reason_of(row, endpoint=endpoint).startswith(reason)


def test_null_in_a_batch_line_is_as_good_as_missing() -> None:
    parser = RowParser(RowDefaults(model="m", fit=Fit("groq", KNOWN["groq"])))
    body = {"messages": HI, "logprobs": None, "temperature": None, "tools": None, "top_p": 0.5}
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}
    found = parser.parse(json.dumps(line).encode(), 1, "in.jsonl")
    assert isinstance(found, Request), found
    assert found.params == {"top_p": 0.5}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"method": "GET"}, 'method must be POST, got "GET"'),
        ({"url": None}, "url must be one of /v1/chat/completions, /v1/responses, /v1/completions"),
        ({"url": "/v1/images"}, "url must be one of "),
        ({"body": "x"}, "body must be an object, got a string"),
        ({"body": {}}, "no prompt: the row needs prompt or messages"),
        ({"body": {"messages": HI, "model": 5}}, "model must be a string, got a number"),
        ({"body": {"messages": HI, "n": 2}}, "n must be 1, got 2: one row is one answer"),
    ],
)
def test_a_batch_line_that_is_wrong_says_where(
    reason_of: ReasonOf, change: dict[str, Any], reason: str
) -> None:
    row = {"custom_id": "r", "method": "POST", "url": "/v1/chat/completions", "body": {}}
    assert reason_of({**row, **change}).startswith(reason)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"prompt": "a\\ud800"}', "messages[0].content holds a lone surrogate (half of a"),
        (b'{"prompt": "a", "temperature": NaN}', "temperature is NaN, which can't be sent as JSON"),
        (b'{"prompt": "a", "top_p": -Infinity}', "top_p is -Infinity, which can't be sent as JSON"),
        (b'{"prompt": "a", "temperature": 1e999}', "temperature is Infinity, which can't be sent"),
        (b'{"prompt": "a", "logit_bias": {"5": NaN}}', "logit_bias.5 is NaN"),
        (b'{"prompt": "a", "stop": ["b", "\\udfff"]}', "stop[1] holds a lone surrogate"),
        (b'{"prompt": "a", "logit_bias": {"\\ud800": 1}}', "a key of logit_bias holds a lone"),
        (b'{"prompt": "a", "model": "\\ud800"}', "model holds a lone surrogate"),
        (b'{"prompt": "a", "id": "\\ud800"}', "id holds a lone surrogate"),
        (b'{"prompt": "a", "seed": "\\ud800"}', 'seed must be a whole number, got "\\\\ud800"'),
    ],
)
def test_what_json_can_not_carry_is_not_sent(reason_of: ReasonOf, line: bytes, reason: str) -> None:
    assert reason_of(line).startswith(reason)


def test_metadata_may_hold_what_can_not_be_sent(request_of: RequestOf) -> None:
    found = request_of(b'{"prompt": "Hi", "score": NaN, "raw": "\\ud800"}')
    assert found.messages == HI
    assert found.metadata["raw"] == "\ud800"
    assert json.dumps(found.metadata["score"]) == "NaN"


def test_a_prompt_never_stands_in_a_reason(reason_of: ReasonOf) -> None:
    for row in (
        b'{"prompt": "private" oops}',
        b'{"prompt": ["private"]}',
        b'{"messages": "private"}',
        b'{"messages": ["private"]}',
        b'{"messages": [{"role": "user", "content": {"private": 1}}]}',
        b'{"prompt": "private", "system": ["private"]}',
        b'{"prompt": "private \\ud800"}',
        b'{"prompt": "private \xff"}',
    ):
        assert "private" not in reason_of(row)


def test_job_settings_that_can_not_be_sent_are_a_mistake_of_the_job() -> None:
    with pytest.raises(ConfigError, match=r"^system holds a lone surrogate"):
        RowParser(RowDefaults(model="m", system="\udcff"))
    with pytest.raises(ConfigError, match=r"^params\.temperature is NaN"):
        RowParser(RowDefaults(model="m", params={"temperature": float("nan")}))


def test_the_model_that_a_row_names_is_resolved(request_of: RequestOf, reason_of: ReasonOf) -> None:
    def resolve(model: str) -> str:
        if model == "foreign/x":
            raise ValueError("model foreign/x is another provider's")
        return model.removeprefix("ours/")

    assert request_of({"prompt": "x", "model": "ours/big"}, resolve_model=resolve).model == "big"
    assert request_of({"prompt": "x"}, model="ours/big", resolve_model=resolve).model == "ours/big"
    batch = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
    body = {"messages": HI, "model": "ours/big"}
    assert request_of({**batch, "body": body}, resolve_model=resolve).model == "big"
    for row in (
        {"prompt": "x", "model": "foreign/x"},
        {**batch, "body": {**body, "model": "foreign/x"}},
    ):
        assert reason_of(row, resolve_model=resolve) == "model foreign/x is another provider's"


# fingerprint


def test_the_fingerprint_covers_all_that_shapes_the_answer(request_of: RequestOf) -> None:
    base: dict[str, Any] = {"prompt": "Hi", "seed": 1}
    job: dict[str, Any] = {"target": "openai https://a/v1"}
    different = [
        request_of(base, **job),
        request_of({**base, "prompt": "Ho"}, **job),
        request_of({**base, "seed": 2}, **job),
        request_of({**base, "system": "x"}, **job),
        request_of({**base, "model": "n"}, **job),
        request_of(base, target="openai https://b/v1"),
        request_of(base, **job, params={"top_p": 0.5}),
        request_of(base, **job, template="{{prompt}}!"),
        request_of(base, **job, endpoint="completions"),
        request_of(base, **job, endpoint="embeddings"),
    ]
    assert len({found.fingerprint for found in different}) == len(different)
    assert all(len(found.fingerprint) == 32 for found in different)


def test_the_fingerprint_ignores_what_does_not_shape_the_answer(request_of: RequestOf) -> None:
    found = {
        request_of(row).fingerprint
        for row in (
            {"prompt": "Hi", "seed": 1, "logit_bias": {"1": 1, "2": 2}},
            {"logit_bias": {"2": 2, "1": 1}, "seed": 1, "prompt": "Hi"},
            {"id": "x", "prompt": "Hi", "seed": 1, "logit_bias": {"1": 1, "2": 2}, "topic": "t"},
            {"messages": HI, "seed": 1, "logit_bias": {"1": 1, "2": 2}, "stream": False},
        )
    }
    assert len(found) == 1


def test_the_fingerprint_is_the_same_in_every_version(request_of: RequestOf) -> None:
    """It stands in people's output files: a change makes every finished row run again."""
    found = request_of({"prompt": "Hi", "seed": 1}, target="openai https://a/v1", system="Be kind.")
    assert found.fingerprint == "b0c0cff6af79e99a16f5f8619006cc52"


def test_a_request_survives_being_written_down(request_of: RequestOf) -> None:
    found = request_of({"prompt": "Hi", "seed": 1, "a": {"b": None}})
    assert msgspec.json.decode(msgspec.json.encode(found), type=Request) == found
