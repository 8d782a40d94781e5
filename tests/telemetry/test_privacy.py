"""What leaves with telemetry, and what never does."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from collector import Collector
from faultreplies import Call, Recipe, answer, error
from told import Told

from llmbatch.jobs.telemetry import names

SECRET = "walrus"
TOKEN = "sesame-open-4711"


def hostile(call: Call) -> Recipe:
    """A server that repeats the prompt wherever it can."""
    if "fail" in call.prompt:
        return error(400, f"can't take {call.prompt}", code=f"no {SECRET}")
    return answer(f"you said {call.prompt}", finish=f"stopped at {SECRET}")


def write(here: Told) -> None:
    here.server.replies = hostile
    here.write(
        {"id": f"{SECRET}@a.example", "prompt": f"{SECRET} one", "owner": SECRET},
        {"id": f"{SECRET}@b.example", "prompt": f"{SECRET} fail", "user": SECRET},
        {"id": f"{SECRET} 3", "messages": [{"role": "user", "content": SECRET}], "stop": SECRET},
        f'{{"broken": "{SECRET}',
    )


async def test_no_text_id_or_metadata_leaves_unless_it_is_asked_for(
    here: Told, collector: Collector
) -> None:
    write(here)
    code = await here.tell(
        *("in.jsonl", "--otlp", collector.url, "--pushgateway", collector.url),
        *("--prometheus", "x.prom", "--system", f"be a {SECRET}"),
    )
    assert code == 1
    assert len(collector.spans) == 8
    assert len(collector.requests) >= 4
    assert SECRET.encode() not in collector.everything
    assert SECRET not in Path("x.prom").read_text()
    assert SECRET not in here.said


async def test_with_content_a_row_has_its_texts_as_the_conventions_shape_them(
    here: Told, collector: Collector
) -> None:
    write(here)
    flags = ("--otlp", collector.url, "--otlp-content", "--system", "be short")
    assert await here.tell("in.jsonl", *flags) == 1
    rows = {span.attributes.get(names.ROW_ID): span for span in collector.spans}
    first = rows[f"{SECRET}@a.example"]
    assert json.loads(first.attributes["gen_ai.input.messages"]) == [
        {"role": "system", "parts": [{"type": "text", "content": "be short"}]},
        {"role": "user", "parts": [{"type": "text", "content": f"{SECRET} one"}]},
    ]
    (said,) = json.loads(first.attributes["gen_ai.output.messages"])
    assert said["role"] == "assistant"
    assert SECRET in said["parts"][0]["content"]
    assert "can't take" in rows[f"{SECRET}@b.example"].message
    assert b"owner" not in collector.everything


async def test_rows_that_other_processes_ask_have_their_texts_and_parameters_too(
    here: Told, collector: Collector
) -> None:
    here.write(
        {"id": "a", "prompt": "one", "temperature": 0.5},
        {"id": "b", "prompt": "two", "max_tokens": 7},
        {"id": "c", "prompt": "two", "max_tokens": 7},
    )
    flags = ("--otlp", collector.url, "--otlp-content", "--processes", "2", "--system", "be short")
    assert await here.tell("in.jsonl", *flags) == 0
    rows = {span.attributes.get(names.ROW_ID): span.attributes for span in collector.spans}
    for row, text in (("a", "one"), ("b", "two"), ("c", "two")):
        assert json.loads(rows[row]["gen_ai.input.messages"]) == [
            {"role": "system", "parts": [{"type": "text", "content": "be short"}]},
            {"role": "user", "parts": [{"type": "text", "content": text}]},
        ]
    assert rows["a"]["gen_ai.request.temperature"] == 0.5
    asked = [rows[row] for row in "bc" if names.REUSED not in rows[row]]
    assert [row["gen_ai.request.max_tokens"] for row in asked] == [7]


async def test_pictures_and_tools_are_named_and_pictures_left_out(
    here: Told, collector: Collector
) -> None:
    picture = "data:image/png;base64," + base64.b64encode(b"pixels" * 50).decode()
    call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [
            {"type": "text", "text": "what is it"},
            {"type": "image_url", "image_url": {"url": picture}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "a walrus"},
    ]  # fmt: skip
    here.write({"id": "a", "messages": messages})
    await here.tell("in.jsonl", "--otlp", collector.url, "--otlp-content")
    row = next(span for span in collector.spans if span.name == "chat m")
    user, assistant, tool = json.loads(row.attributes["gen_ai.input.messages"])
    assert user["parts"] == [{"type": "text", "content": "what is it"}, {"type": "image_url"}]
    assert assistant["parts"] == [
        {"type": "tool_call", "id": "c1", "name": "look", "arguments": "{}"}
    ]
    assert tool["parts"] == [{"type": "tool_call_response", "id": "c1", "response": "a walrus"}]
    assert picture[30:60].encode() not in collector.everything


async def test_half_a_character_is_content_too(here: Told, collector: Collector) -> None:
    here.write(b'{"id": "a\\ud800", "prompt": "half \\ud83d"}\n')
    assert await here.tell("in.jsonl", "--otlp", collector.url, "--otlp-content") in (0, 1)
    assert [span for span in collector.spans if names.LINE in span.attributes]
    assert here.said == ""


async def test_headers_are_sent_and_never_shown(
    here: Told, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"x-key={TOKEN}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    here.prompts(1)
    assert await here.tell("in.jsonl", "--otlp") == 0
    for _, headers, _ in collector.requests:
        assert headers.get("X-Key", headers.get("x-key")) == TOKEN
        assert headers["Content-Encoding"] == "gzip"
    assert len(collector.spans) == 3
    collector.answer = 401
    await here.tell("in.jsonl", "--otlp", "--fresh", "--force")
    assert "status 401" in here.said
    assert TOKEN not in here.said
    assert TOKEN.encode() not in Path("in.results.jsonl.manifest.json").read_bytes()


async def test_a_password_in_an_address_is_sent_and_never_shown(
    here: Told, collector: Collector
) -> None:
    url = collector.url.replace("://", f"://me:{TOKEN}@")
    here.prompts(1)
    assert await here.tell("in.jsonl", "--otlp", url, "--pushgateway", url) == 0
    wanted = "Basic " + base64.b64encode(f"me:{TOKEN}".encode()).decode()
    assert {headers["Authorization"] for _, headers, _ in collector.requests} == {wanted}
    manifest = Path("in.results.jsonl.manifest.json").read_text()
    assert TOKEN not in manifest
    assert '"pushgateway"' in manifest
    collector.answer = 500
    await here.tell("in.jsonl", "--otlp", url, "--pushgateway", url, "--fresh", "--force")
    assert here.said.count("status 500") == 2
    assert TOKEN not in here.said
