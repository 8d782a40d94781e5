"""Each sample, run as its documentation says."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from desk import Desk

HOUSE = Path(__file__).parents[2]
SAMPLES = HOUSE / "samples"


@pytest.fixture(autouse=True)
def samples(desk: Desk) -> None:
    """The folder of samples lies beside the user, as in a checkout."""
    shutil.copytree(SAMPLES, desk.folder / "samples")


async def test_the_prompts_are_all_answered(desk: Desk) -> None:
    done = await desk.run("samples/prompts.jsonl", "-o", "results.jsonl")
    assert done.code == 0, done
    assert "20 ok" in done.last
    found = desk.results("results.jsonl")
    assert found["capital"]["output"].startswith("You said: What is the capital of France?")
    assert found["capital"]["metadata"] == {"topic": "geography"}
    again = await desk.run("samples/prompts.jsonl", "-o", "results.jsonl")
    assert again.code == 0
    assert "nothing left to do (20 done before)" in again.last
    assert len(desk.server.calls) == 20


async def test_the_batch_lines_run_in_both_formats(desk: Desk) -> None:
    done = await desk.run("samples/batch.jsonl")
    assert done.code == 0, done
    assert len(desk.results("samples/batch.results.jsonl")) == 6
    assert {call.body["model"] for call in desk.server.calls} == {"smollm2"}
    done = await desk.run("samples/batch.jsonl", "--format", "openai-batch", "-o", "out.jsonl")
    assert done.code == 0
    rows = (SAMPLES / "batch.jsonl").read_text().splitlines()
    wanted = [json.loads(row)["custom_id"] for row in rows]
    lines = {line["custom_id"]: line for line in desk.lines("out.jsonl")}
    assert sorted(lines) == sorted(wanted)
    first = lines["request-1"]["response"]["body"]["choices"][0]["message"]["content"]
    assert first == "You said: What colour is a ripe banana?"


async def test_the_reviews_run_with_the_template_of_the_readme(desk: Desk) -> None:
    line = re.search(r"llmbatch run (reviews\.jsonl .*)", (HOUSE / "README.md").read_text())
    assert line is not None
    found = re.fullmatch(r"reviews\.jsonl --template '(.*)' --max-tokens (\d+)", line[1])
    assert found is not None, "the README shows another command: let this test run that one"
    template, most = found.groups()
    args = ("--template", template, "--max-tokens", most)
    done = await desk.run("samples/reviews.jsonl", *args)
    assert done.code == 0, done
    results = desk.results("samples/reviews.results.jsonl")
    assert len(results) == 8
    kettle = results["r1"]
    assert kettle["metadata"]["stars"] == 5
    asked = {call.prompt for call in desk.server.calls}
    assert template.replace("{{text}}", kettle["metadata"]["text"]) in asked
    assert {call.body["max_tokens"] for call in desk.server.calls} == {int(most)}


async def test_the_settings_are_in_force_with_their_profiles(desk: Desk) -> None:
    config = ("--config", "samples/llmbatch.yaml", "--base-url", desk.server.url, "-m", "lab/m")
    args = ("samples/prompts.jsonl", "-o", "out.jsonl", *config)
    done = await desk.run(*args, "--profile", "quick", route=False)
    assert done.code == 0, done
    assert len(desk.server.calls) == 5
    for call in desk.server.calls:
        assert call.headers["X-Team"] == "research"
        assert call.body["messages"][0]["role"] == "system"
    assert 0.2 in {call.body["temperature"] for call in desk.server.calls}
    system = "You are a helpful assistant. Answer in one or two sentences."
    assert system in {call.body["messages"][0]["content"] for call in desk.server.calls}
    broken = desk.write('"good"', "bad")
    nightly = (broken, *config, "--profile", "nightly")
    done = await desk.run(*nightly, route=False)
    assert done.code == 3
    assert "1 of 2 rows is invalid, and --strict" in done.stderr
    shown = (HOUSE / "samples" / "llmbatch.yaml").read_text()
    assert "5%" in shown, "which is what makes the next run end well"
    rows = [{"id": f"r{n}", "prompt": "x"} for n in range(19)]
    desk.write(*rows, {"id": "bad", "prompt": 5})
    done = await desk.run("in.jsonl", *config, "--rpm", "60000", route=False)
    assert done.code == 0
    assert "1 invalid" in done.last


@pytest.mark.model
async def test_the_embedded_model_answers_the_prompts_as_make_demo_does(
    desk: Desk, smollm2: Path
) -> None:
    """The first rows alone: `make demo` does them all."""
    cache = desk.folder / "models"
    cache.mkdir()
    (cache / "SmolLM2-135M-Instruct.Q4_1.gguf").symlink_to(smollm2)
    args = ("samples/prompts.jsonl", "-o", "results.jsonl", "--limit", "2", "--max-tokens", "6")
    environ = {"LLMBATCH_MODELS": str(cache)}
    done = await desk.run(*args, route=False, env=environ)
    assert done.code == 0, done
    found = desk.results("results.jsonl")
    assert len(found) == 2
    for line in found.values():
        assert line["status"] in ("ok", "truncated")
        assert line["output"].strip()
        assert (line["provider"], line["model"]) == ("local", "smollm2")
        assert line["usage"]["output_tokens"] > 0
        assert line["metrics"]["ttft_s"] > 0
