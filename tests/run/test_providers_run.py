"""Every provider in its own words: keys, parameters, images, and the long tail through LiteLLM."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from command import SCRIPT, Done
from desk import Desk
from faultreplies import Call, Recipe, answer, error, held
from watching import Watch

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
OTHER_PNG = PNG + b"another picture"

# By provider: the variables of its address and its key, and the header that carries the key.
PROVIDERS = {
    "openai": ("OPENAI_BASE_URL", "OPENAI_API_KEY", "Authorization"),
    "openai-responses": ("OPENAI_BASE_URL", "OPENAI_API_KEY", "Authorization"),
    "azure": ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "api-key"),
    "anthropic": ("ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY", "x-api-key"),
    "gemini": ("GOOGLE_GEMINI_BASE_URL", "GEMINI_API_KEY", "x-goog-api-key"),
    "together": ("TOGETHER_BASE_URL", "TOGETHER_API_KEY", "Authorization"),
}
VERSIONED = {"openai", "openai-responses", "together"}
"""Their base URLs end in /v1."""


def key_of(provider: str) -> str:
    return f"Recognisable-{PROVIDERS[provider][1]}-0123456789"


def everything(desk: Desk) -> dict[str, str]:
    """An environment with the keys of all providers, and this server as the address of each."""
    env = {}
    for name, (address, variable, _) in PROVIDERS.items():
        env[address] = desk.server.url if name in VERSIONED else desk.server.root
        env[variable] = key_of(name)
    return env


def shows_no_key(desk: Desk, done: Done, *files: str) -> None:
    for name in ("in.results.jsonl", *files):
        assert "Recognisable" not in (desk.folder / name).read_text(), name
    assert "Recognisable" not in done.stdout + done.stderr


def careless(call: Call) -> Recipe:
    """A server whose errors repeat every header of the request."""
    told = {name: value for name, value in call.headers.items() if name != "Accept"}
    return error(400, "I was told " + json.dumps(told))


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_key_goes_in_its_own_header_to_its_own_provider_and_nowhere_else(
    desk: Desk, provider: str
) -> None:
    desk.write(*({"id": name, "prompt": name} for name in ("good", "careless")))
    release = asyncio.Event()
    watch = Watch(
        desk.server, lambda call: careless if "careless" in call.prompt else held(release)
    )
    flags = ("in.jsonl", "-m", f"{provider}/name", "--summary", "sum.json")
    env = {**everything(desk), "LLMBATCH_DEBUG": "1"}
    async with desk.running(*flags, route=False, env=env, program=(SCRIPT,)) as job:
        await watch.requests(2)
        assert "Recognisable" not in Path(f"/proc/{job.pid}/cmdline").read_text()
        release.set()
        done = await job.ended()
    assert done.code == 1, done
    results = desk.results()
    assert (results["good"]["status"], results["good"]["provider"]) == ("ok", provider)
    assert "***" in results["careless"]["error"]["message"]
    shows_no_key(desk, done, "sum.json")
    header = PROVIDERS[provider][2]
    for call in desk.server.calls:
        carried = {name for name, value in call.headers.items() if "Recognisable" in value}
        assert {name.lower() for name in carried} == {header.lower()}
        assert call.headers[header].removeprefix("Bearer ") == key_of(provider)
        assert "Recognisable" not in call.target + json.dumps(call.body)


async def test_a_fallback_gets_its_own_key_and_not_the_first_ones(desk: Desk) -> None:
    desk.prompts(1)
    desk.server.replies = lambda call: answer() if call.endpoint == "gemini" else careless
    flags = ("-m", "openai/a", "--fallback", "anthropic/b", "--fallback", "gemini/c")
    done = await desk.run("in.jsonl", *flags, route=False, env=everything(desk))
    assert done.code == 0, done
    shows_no_key(desk, done)
    found = [re.findall("Recognisable-[A-Z_]+", str(call.headers)) for call in desk.server.calls]
    names = ("OPENAI", "ANTHROPIC", "GEMINI")
    assert found == [[f"Recognisable-{name}_API_KEY"] for name in names]


@pytest.mark.parametrize("provider", ["openai", "azure", "anthropic", "gemini", "groq", "xai"])
async def test_a_missing_key_is_named_before_anything_is_sent(desk: Desk, provider: str) -> None:
    desk.prompts(1)
    env = {"AZURE_OPENAI_ENDPOINT": desk.server.root}
    variable = PROVIDERS.get(provider, ("", f"{provider.upper()}_API_KEY"))[1]
    for flags in (("-m", f"{provider}/x"), ("-m", "local/smollm2", "--fallback", f"{provider}/x")):
        done = await desk.run("in.jsonl", *flags, route=False, env=env)
        assert done.code == 2, done
        assert f"{provider}/x needs a key, and {variable} is not set; export" in done.last


async def test_a_parameter_that_a_provider_does_not_know_is_refused_or_dropped(desk: Desk) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "plain", "prompt": "plain", "temperature": 0.5},
        {"id": "odd", "prompt": "odd", "top_k": 5, "temperature": 0.5},
        {"id": "wanted", "prompt": "wanted", "extra_body": {"top_k": 7, "odd_one": [1]}},
    ]
    desk.write(*rows)
    args = ("in.jsonl", "-m", "openai/m", "--summary", "sum.json")
    env = everything(desk)
    said = "openai does not know the parameter top_k: leave it out, let --drop-params do so"

    done = await desk.run(*args, "--param", "top_k=3", route=False, env=env)
    assert done.code == 2, done
    assert said in done.last
    desk.settings(params={"top_k": 3})
    done = await desk.run(*args, route=False, env=env)
    assert done.code == 2, done
    assert said in done.last
    assert not desk.server.calls
    (desk.folder / "llmbatch.yaml").unlink()

    done = await desk.run(*args, route=False, env=env)
    assert done.code == 1, done
    results = desk.results()
    assert (results["odd"]["status"], results["odd"]["error"]["type"]) == ("invalid", "invalid_row")
    assert said in results["odd"]["error"]["message"]
    sent = {call.prompt: call.body for call in desk.server.calls}
    assert sent.keys() == {"plain", "wanted"}
    assert (sent["wanted"]["top_k"], sent["wanted"]["odd_one"]) == (7, [1])
    assert desk.summary()["dropped"] == {}

    done = await desk.run(*args, "--drop-params", "-o", "drop.jsonl", route=False, env=env)
    assert done.code == 0, done
    sent = {call.prompt: call.body for call in desk.server.calls[2:]}
    assert "top_k" not in sent["odd"]
    assert sent["odd"]["temperature"] == 0.5
    assert sent["wanted"]["top_k"] == 7
    assert desk.summary()["dropped"] == {"top_k": 1}
    assert "dropped    1 top_k (parameters, by rows)" in done.stderr


async def test_a_server_known_by_its_address_alone_gets_what_a_row_brings(desk: Desk) -> None:
    desk.write({"id": "odd", "prompt": "odd", "top_k": 5})
    assert (await desk.run("in.jsonl", "--param", "min_p=0.1")).code == 0
    assert (desk.server.calls[0].body["top_k"], desk.server.calls[0].body["min_p"]) == (5, 0.1)


def with_image(url: str, name: str = "seen") -> dict[str, Any]:
    parts = [
        {"type": "text", "text": "What is on it?"},
        {"type": "image_url", "image_url": {"url": url}},
    ]
    return {"id": name, "messages": [{"role": "user", "content": parts}]}


async def test_a_local_image_reaches_each_provider_in_its_own_shape(desk: Desk) -> None:
    (desk.folder / "data" / "photos").mkdir(parents=True)
    (desk.folder / "data" / "photos" / "cat.png").write_bytes(PNG)
    desk.write(with_image("photos/cat.png"), name="data/in.jsonl")
    coded = base64.b64encode(PNG).decode()
    for provider in ("openai", "openai-responses", "anthropic", "gemini"):
        args = ("data/in.jsonl", "-m", f"{provider}/m", "-o", f"{provider}.jsonl")
        done = await desk.run(*args, route=False, env=everything(desk))
        assert done.code == 0, done
    openai, responses, anthropic, gemini = (call.body for call in desk.server.calls)
    url = f"data:image/png;base64,{coded}"
    assert openai["messages"][0]["content"][1] == {"type": "image_url", "image_url": {"url": url}}
    image = responses["input"][0]["content"][1]
    assert (image["type"], image["image_url"]) == ("input_image", url)
    source = {"type": "base64", "media_type": "image/png", "data": coded}
    assert anthropic["messages"][0]["content"][1] == {"type": "image", "source": source}
    inline = {"mimeType": "image/png", "data": coded}
    assert gemini["contents"][0]["parts"][1] == {"inlineData": inline}


async def test_a_changed_image_runs_again_and_a_missing_one_is_its_rows_own_trouble(
    desk: Desk,
) -> None:
    for name in ("cat", "dog"):
        (desk.folder / f"{name}.png").write_bytes(PNG)
    desk.write(with_image("cat.png", "cat"), with_image("dog.png", "dog"))
    assert (await desk.run("in.jsonl")).code == 0
    assert len(desk.server.calls) == 1, "they ask the same, whatever the files are called"
    (desk.folder / "dog.png").write_bytes(OTHER_PNG)
    done = await desk.run("in.jsonl")
    assert done.code == 0
    assert "1 ok (1 done before)" in done.last
    assert base64.b64encode(OTHER_PNG).decode() in desk.server.calls[1].prompt
    desk.write(with_image("cat.png", "cat"), with_image("cow.png", "cow"), with_image("in.jsonl"))
    done = await desk.run("in.jsonl")
    assert done.code == 1
    results = desk.results()
    assert [results[name]["status"] for name in ("cat", "cow", "seen")] == [
        "ok",
        "invalid",
        "invalid",
    ]
    assert 'messages[0].content[1]: the image "cow.png"' in results["cow"]["error"]["message"]
    assert "is not a PNG, JPEG, GIF or WebP" in results["seen"]["error"]["message"]
    assert len(desk.server.calls) == 2


IMPORTED = re.compile(r"\| +litellm$", re.MULTILINE)
WATCH_IMPORTS = {"PYTHONPROFILEIMPORTTIME": "1"}


async def test_nobody_but_litellm_models_imports_litellm(desk: Desk) -> None:
    desk.prompts(2)
    for flags in (("-m", "openai/m"), ("-m", "anthropic/m", "--fallback", "litellm/openai/m")):
        env = everything(desk) | WATCH_IMPORTS
        done = await desk.run("in.jsonl", *flags, route=False, env=env)
        assert done.code == 0, done
        assert "llmbatch.jobs.providers.native" in done.stderr, "imports were watched"
        assert not IMPORTED.search(done.stderr)


@pytest.mark.skipif(find_spec("litellm") is None, reason="litellm is not here")
async def test_the_long_tail_is_asked_through_litellm(desk: Desk) -> None:
    desk.prompts(3)
    key = key_of("openai")
    flags = ("-m", "litellm/openai/m", "--base-url", desk.server.url, "--summary", "sum.json")
    env = {"OPENAI_API_KEY": key, **WATCH_IMPORTS}
    desk.server.replies = lambda call: careless if call.prompt == "say 3" else answer()
    done = await desk.run("in.jsonl", *flags, route=False, env=env)
    assert done.code == 1, done
    assert IMPORTED.search(done.stderr)
    results = desk.results()
    for name in ("r1", "r2"):
        result = results[name]
        assert (result["status"], result["provider"], result["model"]) == (
            "ok",
            "litellm",
            "openai/m",
        )
        assert result["output"] == f"You said: say {name[1:]}"
    assert results["r3"]["error"]["type"] == "bad_request"
    assert results["r3"]["metrics"]["attempts"] == 1
    assert len(desk.server.calls) == 3, "its own retries are off"
    assert all(call.streams for call in desk.server.calls)
    assert {call.headers["Authorization"] for call in desk.server.calls} == {f"Bearer {key}"}
    shows_no_key(desk, done, "sum.json")
