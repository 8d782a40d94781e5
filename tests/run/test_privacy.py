"""Keys and prompts stay where they belong, and nothing foreign drives the terminal."""

from __future__ import annotations

import asyncio
import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from command import SCRIPT, Done
from desk import Desk
from faultreplies import (
    Call,
    Recipe,
    answer,
    error,
    error_in_stream,
    held,
    inserted,
    redirect,
    unauthorized,
    web_page,
)

KEY = "sk-proj-Recognisable0123456789abcdefKey"
HEADER = "header-Secret-9876543210"
SECRET_PROMPT = "the-prompt-nobody-else-may-read"
CONTROLS = "\x1b]0;title\x07\x1b[2J\x9b31m\x85\x00\r\u202e\u2066\u200e\u2028\x7f"
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def told(call: Call) -> str:
    """Everything secret that came with the request, as a careless server would log it."""
    return f"{call.headers.get('Authorization')} {call.headers.get('X-Api-Key')}"


def key_alone(call: Call) -> str:
    return call.headers.get("Authorization", "").removeprefix("Bearer ")


CARELESS: dict[str, Recipe] = {
    "error body": lambda call: error(400, f"Bad request of {told(call)}"),
    "upper case": lambda call: error(400, told(call).upper()),
    "error code": lambda call: error(400, "", code=key_alone(call), kind=told(call)),
    "validation": lambda call: error(422, body=json.dumps({"detail": [{"msg": told(call)}]})),
    "plain text": lambda call: error(500, body=told(call), content_type="text/plain"),
    "web page": lambda call: web_page(502, f"<html>{told(call)}</html>"),
    "good page": lambda call: web_page(200, f"<html>{told(call)}</html>"),
    "redirect": lambda call: redirect(f"http://x.invalid/?key={key_alone(call)}"),
    "in stream": lambda call: error_in_stream(f"Oh no, {told(call)}"),
    "stream code": lambda call: error_in_stream("", code=key_alone(call)),
    "stream text": lambda call: inserted({"error": told(call)}),
    "broken chunk": lambda call: inserted(b"{" + told(call).encode()),
    "retry header": lambda call: error(429, headers={"Retry-After": told(call)}),
    "content type": lambda call: error(200, body=b"?", content_type=told(call)),
    "controls": error(400, f"Bad {CONTROLS} thing"),
    "controls in stream": error_in_stream(f"Bad {CONTROLS} thing"),
}
FATAL: dict[str, Recipe] = {
    "key in 401": unauthorized(),
    "all in 403": lambda call: error(403, f"This API key is wrong: {told(call)} {CONTROLS}"),
}


def nothing_slipped_out(desk: Desk, done: Done, *files: str) -> None:
    said = {"stdout": done.stdout, "stderr": done.stderr}
    said |= {name: (desk.folder / name).read_text() for name in files}
    for place, text in said.items():
        for secret in (KEY, HEADER):
            assert secret.lower() not in text.lower(), (place, text)
    assert SECRET_PROMPT not in done.stderr
    assert not RAW.search(done.stderr), repr(RAW.search(done.stderr))
    assert "Traceback" not in done.stderr


def keep_key(desk: Desk, place: str) -> dict[str, str]:
    """Put the key where the provider ``lab`` finds it; returns the environment for that."""
    path = desk.folder / "keyfile"
    path.write_text(f"{KEY}\n")
    path.chmod(0o600)
    script = desk.folder / "pass"
    script.write_text(f"#!/bin/sh\necho reading {KEY} >&2\ncat keyfile\n")
    script.chmod(0o700)
    source = {"env": "api_key_env: LAB_KEY", "file": "api_key_file: keyfile"}
    yaml = (
        f"providers:\n  lab:\n    base_url: {desk.server.url}\n"
        f"    {source.get(place, 'api_key_cmd: ./pass')}\n    headers: {{X-Api-Key: {HEADER}}}\n"
    )
    (desk.folder / "llmbatch.yaml").write_text(yaml)
    return {"LAB_KEY": KEY} if place == "env" else {}


@pytest.mark.parametrize("place", ["env", "file", "cmd"])
async def test_a_key_shows_nowhere_however_the_server_repeats_it(desk: Desk, place: str) -> None:
    environ = keep_key(desk, place)
    desk.write(*({"id": name, "prompt": f"{name}: {SECRET_PROMPT}"} for name in CARELESS))
    desk.server.replies = lambda call: CARELESS[call.prompt.partition(":")[0]]
    args = ("--model", "lab/m", "--retries", "0", "--summary", "sum.json")
    done = await desk.run("in.jsonl", *args, route=False, env={**environ, "LLMBATCH_DEBUG": "1"})
    assert done.code == 1, done
    assert {key_alone(call) for call in desk.server.calls} == {KEY}
    nothing_slipped_out(desk, done, "in.results.jsonl", "sum.json")
    found = desk.results()
    assert found.keys() == CARELESS.keys()
    assert "Bad request of *** ***" in found["error body"]["error"]["message"]
    for name, recipe in FATAL.items() if place == "env" else ():
        desk.server.replies = recipe
        done = await desk.run("in.jsonl", *args, "-o", "f.jsonl", route=False, env=environ)
        assert done.code == 4, (name, done)
        nothing_slipped_out(desk, done, "f.jsonl", "sum.json")
        assert "***" in done.last


async def test_a_key_shows_in_no_process_list(desk: Desk) -> None:
    environ = keep_key(desk, "cmd")
    desk.prompts(1)
    release = asyncio.Event()
    desk.server.replies = held(release)
    args = ("in.jsonl", "--model", "lab/m")
    env = {**environ, "OPENAI_API_KEY": KEY}
    async with desk.running(*args, route=False, env=env, program=(SCRIPT,)) as job:
        async with asyncio.timeout(30):
            while not desk.server.calls:
                await asyncio.sleep(0.01)
        shown = Path(f"/proc/{job.pid}/cmdline").read_text()
        release.set()
        done = await job.ended()
    assert done.code == 0
    assert "in.jsonl" in shown
    assert KEY not in shown
    assert key_alone(desk.server.calls[0]) == KEY


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        (f"api_key_env: {KEY}", "the variable it names"),
        (f"api_key_file: {KEY}", "the file it names"),
        (f"api_key_cmd: sh -c 'echo {KEY} >&2; exit 3'", "exit 3"),
        (f"api_key: {KEY}", "api_key"),
        (f'headers: {{X-Key: "{KEY}\\x07"}}', "X-Key"),
    ],
)
async def test_a_key_in_the_wrong_place_is_not_repeated(desk: Desk, yaml: str, words: str) -> None:
    desk.prompts(1)
    text = f"providers:\n  lab:\n    base_url: {desk.server.url}\n    {yaml}\n"
    (desk.folder / "llmbatch.yaml").write_text(text)
    done = await desk.run("in.jsonl", "--model", "lab/m", route=False)
    assert done.code == 2, done
    assert words in done.stderr
    assert not desk.server.calls
    nothing_slipped_out(desk, done)


async def test_an_odd_key_is_refused_without_showing_it(desk: Desk) -> None:
    desk.prompts(1)
    done = await desk.run("in.jsonl", env={"OPENAI_API_KEY": f"{KEY}\x07{KEY}"})
    assert done.code == 2
    assert "OPENAI_API_KEY: the key holds a space, a control character" in done.stderr
    nothing_slipped_out(desk, done)


async def test_prompts_are_in_the_output_at_most(desk: Desk) -> None:
    prompt = SECRET_PROMPT
    desk.write(
        {"id": "echo", "prompt": prompt},
        {"id": "messages", "messages": [{"role": "user", "content": prompt}, {"role": prompt}]},
        {"id": "field", "prompt": [prompt]},
        f'{{"id": "broken", "prompt": "{prompt}',
        {"id": "surrogate", "prompt": prompt, "system": [prompt]},
    )
    desk.server.replies = lambda call: error(400, f"Can't say this: {call.prompt}")
    done = await desk.run("in.jsonl", "--summary", "sum.json", env={"LLMBATCH_DEBUG": "1"})
    assert done.code == 1
    nothing_slipped_out(desk, done, "sum.json")
    assert prompt not in (desk.folder / "sum.json").read_text()
    found = desk.results()
    assert prompt in found["echo"]["error"]["message"], "the server's words, in that row alone"
    del found["echo"]
    assert prompt not in json.dumps(found)
    strict = await desk.run("in.jsonl", "--strict", "-o", "strict.jsonl")
    assert strict.code == 3
    nothing_slipped_out(desk, strict)


async def test_an_output_is_as_private_as_the_umask_says(desk: Desk) -> None:
    desk.prompts(1)
    done = await desk.run("in.jsonl", "--summary", "sum.json", umask=0o077)
    assert done.code == 0
    for name in ("in.results.jsonl", "sum.json"):
        assert stat.S_IMODE((desk.folder / name).stat().st_mode) == 0o600


async def test_control_characters_never_reach_the_terminal_raw(desk: Desk) -> None:
    row: dict[str, Any] = {"id": f"id{CONTROLS}", "prompt": "x", "note": CONTROLS}
    text = f"before {CONTROLS} after"
    desk.write(row, {"id": "bad", "prompt": "bad"}, {"id": "thinks", "prompt": "think"})
    desk.server.replies = lambda call: {
        "x": answer(text, chunks=1),
        "think": answer(text, chunks=1, reasoning=text, reasoning_key="reasoning"),
    }.get(call.prompt, error(400, text))
    done = await desk.run("in.jsonl", "-o", "-", "--order", "input", tty=["stdout", "stderr"])
    assert done.code == 1
    shown = done.stdout.replace("\r\n", "\n")  # the terminal's own line ends
    assert not RAW.search(shown), repr(shown)
    lines = {line["id"]: line for line in map(json.loads, shown.splitlines())}
    assert lines[row["id"]]["output"] == text, "nothing is lost, it is only written differently"
    assert lines[row["id"]]["metadata"] == {"note": CONTROLS}
    assert lines["thinks"]["reasoning"] == text
    # What the bar itself does to a terminal is to begin its line anew.
    assert not RAW.search(done.stderr.replace("\r", "").replace("\x1b[A", "")), repr(done.stderr)


async def test_names_with_control_characters_are_shown_harmless(desk: Desk) -> None:
    name = "in\x1b[31m\u202e.jsonl"
    desk.write(
        {"id": "a\x1b]0;x\x07", "prompt": "x"}, {"id": "a\x1b]0;x\x07", "prompt": "y"}, name=name
    )
    done = await desk.run(name)
    assert done.code == 3
    assert "\\x1b[31m\\u202e" in done.stderr
    nothing_slipped_out(desk, done)
    desk.prompts(1, name=name)
    done = await desk.run(name, "--summary", "s\x1b.json")
    assert done.code == 0
    nothing_slipped_out(desk, done)
    done = await desk.run(name, "--model", "x\x1b[2J/y", route=False)
    assert done.code == 2
    nothing_slipped_out(desk, done)


@pytest.mark.model
async def test_the_embedded_models_key_shows_in_no_process_list(desk: Desk, smollm2: Path) -> None:
    environ = {"LLMBATCH_MODELS": str(smollm2.parent), "OPENAI_API_KEY": KEY}
    flags = ("-m", f"local/{smollm2}", "--max-tokens", "4", "-o", "-", "--concurrency", "1")
    async with desk.running(
        "-", *flags, route=False, env=environ, stdin=asyncio.subprocess.PIPE, program=(SCRIPT,)
    ) as job:
        job.stdin.write(b'"Hello"\n')
        await job.heard('"status"', on="stdout")
        children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
        shown = [Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in children]
        own = Path(f"/proc/{job.pid}/cmdline").read_text()
        job.stdin.close()
        done = await job.ended()
    assert done.code == 0, done
    ((_python, *words),) = shown
    assert (words[0], Path(words[1].decode()).name, words[2:]) == (b"-P", "child.py", [b""])
    assert KEY not in own
    nothing_slipped_out(desk, done)
