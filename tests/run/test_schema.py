"""``--schema``: answers are data, checked, asked for once again, and kept where they do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, Here
from faultreplies import Call, Recipe, answer
from msgspec import structs

from faultserver import FaultServer
from llmbatch.jobs import JobConfig, run_job_async
from llmbatch.jobs.errors import ConfigError

SHORT = "name:str, score:int"
GOOD = {"name": "Ada", "score": 7}
FORM = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "score": {"type": "integer"}},
    "required": ["name", "score"],
    "additionalProperties": False,
}


async def refused(desk: Desk, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> str:
    """Why the job, in this process, ended before anything was sent."""
    desk.prompts(1)
    monkeypatch.chdir(desk.folder)
    config = JobConfig(inputs=("in.jsonl",), model="m", base_url=desk.server.url)
    with pytest.raises(ConfigError) as caught:
        await run_job_async(structs.replace(config, **settings), environ={})
    assert desk.server.calls == []
    return str(caught.value)


def system(call: Call) -> str | None:
    first = call.body["messages"][0]
    return first["content"] if first["role"] == "system" else None


async def test_the_output_is_the_value_itself(here: Here) -> None:
    here.prompts(2)
    fenced = f"Here you are:\n```json\n{json.dumps(GOOD, indent=1)}\n```\n"
    here.server.replies = [answer(json.dumps(GOOD)), answer(fenced)]
    done = await here.run("in.jsonl", "--schema", SHORT)
    assert done.code == 0, done
    assert [row["output"] for row in here.lines()] == [GOOD, GOOD]
    assert len(here.server.calls) == 2


async def test_a_bad_answer_is_asked_for_once_again_and_its_text_is_kept_where_that_does_not_help(
    here: Here,
) -> None:
    here.prompts(2)

    def reply(call: Call) -> Recipe:
        first, *again = [m["content"] for m in call.body["messages"] if m["role"] == "user"]
        if first == "say 2":
            return answer("I would rather not.")
        return answer(json.dumps(GOOD) if again else '{"name": "Ada"}')

    here.server.replies = reply
    assert (await here.run("in.jsonl", "--schema", SHORT)).code == 1
    assert len(here.server.calls) == 4
    good, bad = here.results()["r1"], here.results()["r2"]
    assert (good["status"], good["output"]) == ("ok", GOOD)
    assert good["metrics"]["retried"] == ["invalid_output"]
    problem = '"score" is a required property'
    assert any(problem in call.body["messages"][-1]["content"] for call in here.server.calls)
    assert (bad["status"], bad["output"]) == ("invalid_output", "I would rather not.")
    assert bad["error"]["type"] == "invalid_output"
    here.server.calls.clear()
    here.server.replies = answer(json.dumps(GOOD))
    assert (await here.run("in.jsonl", "--schema", SHORT)).code == 0
    assert here.results()["r2"]["output"] == GOOD
    assert len(here.server.calls) == 1


async def test_a_server_that_is_known_by_its_address_is_told_in_the_system_message(
    here: Here,
) -> None:
    here.write(
        {"id": "none", "prompt": "a"},
        {"id": "own", "prompt": "b", "system": "Be kind."},
        {"id": "said", "messages": [{"role": "developer", "content": "Be terse."},
                                    {"role": "user", "content": "c"}]},
        {"id": "parts", "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be glad."}]},
            {"role": "user", "content": "d"}]},
    )  # fmt: skip
    here.server.replies = answer(json.dumps(GOOD))
    assert (await here.run("in.jsonl", "--schema", SHORT)).code == 0
    said = {call.body["messages"][-1]["content"]: call for call in here.server.calls}
    words = said["a"].body["messages"][0]["content"]
    assert said["a"].body["messages"][0]["role"] == "system"
    assert words.startswith("Answer with JSON alone")
    assert json.loads(words.splitlines()[1]) == FORM
    assert said["b"].body["messages"][0]["content"] == f"Be kind.\n\n{words}"
    assert said["c"].body["messages"][0] == {
        "role": "developer", "content": f"Be terse.\n\n{words}",
    }  # fmt: skip
    assert said["d"].body["messages"][0]["content"] == [
        {"type": "text", "text": "Be glad."}, {"type": "text", "text": words},
    ]  # fmt: skip
    assert all("response_format" not in call.body for call in said.values())


@pytest.mark.parametrize(
    ("model", "key", "version"),
    [("openai/gpt-5-mini", "OPENAI_API_KEY", "/v1"),
     ("openai-responses/gpt-5-mini", "OPENAI_API_KEY", "/v1"),
     ("anthropic/claude-sonnet-4-5", "ANTHROPIC_API_KEY", ""),
     ("gemini/gemini-2.5-flash", "GEMINI_API_KEY", "")],
)  # fmt: skip
async def test_a_provider_with_a_request_for_it_is_sent_that_alone(
    here: Here, model: str, key: str, version: str
) -> None:
    here.prompts(1)
    here.server.replies = answer(json.dumps(GOOD))
    args = ("--base-url", here.server.root + version, "-m", model, "--schema", SHORT)
    done = await here.run("in.jsonl", *args, route=False, env={key: "k"})
    assert done.code == 0, done
    (call,) = here.server.calls
    body = call.body
    match model.partition("/")[0]:
        case "openai":
            form = body["response_format"]["json_schema"]["schema"]
            assert [message["role"] for message in body["messages"]] == ["user"]
        case "openai-responses":
            form = body["text"]["format"]["schema"]
            assert "instructions" not in body
        case "anthropic":
            form = body["output_config"]["format"]["schema"]
            assert "system" not in body
        case _:
            form = body["generationConfig"]["responseJsonSchema"]
            assert body["generationConfig"]["responseMimeType"] == "application/json"
            assert "systemInstruction" not in body
    assert form == FORM
    assert here.results()["r1"]["output"] == GOOD


async def test_with_a_fallback_that_has_no_request_for_it_the_prompt_says_it(
    desk: Desk, second: FaultServer
) -> None:
    desk.prompts(1)
    desk.settings(providers={"other": {"base_url": second.url}})
    desk.server.replies = answer(json.dumps(GOOD))
    args = ("--base-url", desk.server.url, "-m", "openai/gpt-5", "--fallback", "other/x")
    env = {"OPENAI_API_KEY": "k"}
    done = await desk.run("in.jsonl", *args, "--schema", SHORT, route=False, env=env)
    assert done.code == 0, done
    (call,) = desk.server.calls
    assert "response_format" not in call.body
    assert "JSON alone" in (system(call) or "")


async def test_a_row_keeps_a_form_of_its_own_and_is_checked_all_the_same(here: Here) -> None:
    own = {"type": "json_object"}
    here.write({"id": "own", "prompt": "JSON, please", "response_format": own})
    here.server.replies = [answer('{"other": 1}'), answer(json.dumps(GOOD))]
    args = ("--base-url", here.server.url, "-m", "openai/gpt-5", "--schema", SHORT)
    done = await here.run("in.jsonl", *args, route=False, env={"OPENAI_API_KEY": "k"})
    assert done.code == 0, done
    assert [call.body["response_format"] for call in here.server.calls] == [own, own]


async def test_another_schema_runs_the_rows_again_also_where_the_same_is_sent(here: Here) -> None:
    here.prompts(2)
    here.server.replies = answer(json.dumps(GOOD))
    args = ("--base-url", here.server.url, "-m", "openai/gpt-5")
    env = {"OPENAI_API_KEY": "k"}
    for schema, asked in ((FORM, 2), (FORM, 0), ({**FORM, "minProperties": 2}, 2)):
        (here.folder / "s.json").write_text(json.dumps(schema))
        done = await here.run("in.jsonl", *args, "--schema", "s.json", route=False, env=env)
        assert done.code == 0, done
        assert len(here.server.calls) == asked
        here.server.calls.clear()
    assert (await here.run("in.jsonl", *args, route=False, env=env)).code == 0
    assert len(here.server.calls) == 2, "without a schema it is another request again"


BAD: list[tuple[str, Any, str]] = [
    ("missing.json", None, "there is no file missing.json"),
    ("s.json", '{"type": "strnig"}', "s.json: is not a valid JSON Schema"),
    ("s.json", '{"$ref": "https://example.com/a.json"}', "nothing is fetched"),
    ("s.json", "false", "s.json: is false, and no answer can fit that"),
    ("s.json", '{"$schema": "http://example.com/mine"}', "its $schema is http://example.com/mine"),
    ("s.json", '{"$schema": "http://json-schema.org/draft-03/schema#"}', "known are drafts"),
    ("s.json", "", "s.json:1: is not JSON: the file is empty"),
    (".", None, ".: can't read the schema: Is a directory"),
    ('{"type": "object"}', None, "a JSON Schema is read from a file: name one that holds it"),
    ("name:strr", None, 'character 1: name: "strr" is no type; did you mean str?'),
]


@pytest.mark.parametrize(("schema", "content", "wrong"), BAD)
async def test_a_schema_that_is_none_is_refused_before_anything_is_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, schema: str, content: str | None, wrong: str
) -> None:
    if content is not None:
        (desk.folder / schema).write_text(content)
    assert wrong in await refused(desk, monkeypatch, schema=schema)


async def test_only_answers_of_a_chat_can_be_checked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for endpoint in ("completions", "embeddings", "responses"):
        said = await refused(desk, monkeypatch, schema=SHORT, endpoint=endpoint)
        assert f"answers of the endpoint {endpoint} can't be checked by a schema" in said
    line = {"custom_id": "b", "method": "POST", "url": "/v1/embeddings", "body": {"input": "x"}}
    desk.write(line)
    assert (await desk.run("in.jsonl", "--schema", SHORT)).code == 1
    assert desk.results()["b"]["status"] == "invalid"
    assert desk.server.calls == []


async def test_what_is_no_schema_is_a_mistake_of_the_user(desk: Desk) -> None:
    desk.prompts(1)
    done = await desk.run("in.jsonl", "--schema", "name:strr")
    assert done.code == 2
    assert done.last.startswith("llmbatch: error: --schema, character 1: name")


@pytest.mark.model
async def test_the_embedded_model_gives_data(desk: Desk, smollm2: Path) -> None:
    desk.write({"id": "h", "prompt": "Hydrogen is a gas with the symbol H."})
    args = ("--schema", "symbol:str, state:solid|liquid|gas", "--max-tokens", "60")
    model = ("-m", f"local/{smollm2}")
    done = await desk.run("in.jsonl", *args, *model, "--temperature", "0", route=False)
    assert done.code == 0, done
    output = desk.results()["h"]["output"]
    assert set(output) == {"symbol", "state"}
    assert output["state"] in ("solid", "liquid", "gas")
