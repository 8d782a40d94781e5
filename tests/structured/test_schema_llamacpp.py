"""A schema on a real server: llama.cpp makes a grammar of it, and a tiny model keeps to it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from llmbatch.jobs.answer import Answer
from llmbatch.jobs.dialects import KNOWN
from llmbatch.jobs.embedded.server import EmbeddedServer
from llmbatch.jobs.keys import Key
from llmbatch.jobs.model import Request
from llmbatch.jobs.providers.http import Http
from llmbatch.jobs.providers.native import Native
from llmbatch.jobs.providers.opening import wire_of
from llmbatch.jobs.structured.answers import parse
from llmbatch.jobs.structured.request import instruction, params_for
from llmbatch.jobs.structured.schema import Schema

DIALECT = KNOWN["llamacpp"]
SCHEMAS: dict[str, Any] = {
    "plain": {
        "type": "object",
        "properties": {
            "person": {"enum": ["Ada", "Grace"]},
            "year": {"type": "integer"},
            "kind": {"type": ["boolean", "null"]},
        },
        "required": ["person", "year", "kind"],
        "additionalProperties": False,
    },
    # Words that some servers, or older ones, refuse: it is sent without them.
    "odd words": {
        "type": "object",
        "$defs": {"name": {"type": "string", "pattern": "[A-Z]", "maxLength": 100_000}},
        "properties": {
            "names": {
                "type": "array",
                "items": {"oneOf": [{"$ref": "#/$defs/name"}, {"type": "null"}]},
                "maxItems": 100_000,
            },
            "count": {"type": "integer", "multipleOf": 1, "not": {"const": "x"}},
        },
        "required": ["count"],
        "patternProperties": {"^x-": {"type": "string", "format": "no-such-format"}},
        "additionalProperties": False,
    },
}


@pytest.mark.model
async def test_the_smallest_model_gives_json_of_the_schema(smollm2: Path) -> None:
    async with await EmbeddedServer.start(smollm2, parallel=2, context=512) as server:
        http = Http(
            server.base_url,
            name="llama.cpp",
            key=Key(server.key),
            header=DIALECT.header,
            headers=server.headers,
        )
        provider = Native(http, wire_of(DIALECT, http.failures), name="llama.cpp")
        try:
            answers = await asyncio.gather(*(asked(provider, name) for name in SCHEMAS))
        finally:
            await provider.aclose()
    plain, odd = map(parse, answers)
    assert Schema(SCHEMAS["plain"]).check(plain) is None
    assert isinstance(odd["count"], int)


async def asked(provider: Native, name: str) -> str:
    schema = Schema(SCHEMAS[name])
    params = params_for(schema, [(DIALECT, "smollm2")])
    assert params
    prompt = f"Ada wrote a program in 1843. {instruction(schema)}"
    request = Request(
        id="q1", line=1, path="in.jsonl", endpoint="chat", model="smollm2", fingerprint="f",
        messages=[{"role": "user", "content": prompt}],
        params={**params, "max_tokens": 200, "temperature": 0},
    )  # fmt: skip
    answer = Answer(0.0)
    async for delta in provider.stream(request):
        answer.add(delta, 0.0)
    return str(answer.output)
