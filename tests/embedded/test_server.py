from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from embeddedparent import Parent

from llmbatch.jobs.embedded import server as embedded
from llmbatch.jobs.embedded.server import EmbeddedServer, default_threads
from llmbatch.jobs.errors import ConfigError

Watch = Callable[[int], Callable[[float], bool]]

needs_llama = pytest.mark.skipif(
    find_spec("xllamacpp") is None, reason="llama.cpp is not here: pip install xllamacpp"
)
QUESTION = {
    "messages": [{"role": "user", "content": "Say hello."}],
    "max_tokens": 8,
    "temperature": 0,
}


async def ask(url: str, key: str, **more: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}", **EmbeddedServer.headers}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/chat/completions", headers=headers, json=QUESTION | more) as response,
    ):
        body: dict[str, Any] = await response.json()
        return body | {"status": response.status}


async def stream(session: aiohttp.ClientSession, server: EmbeddedServer) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {server.key}", **server.headers}
    asked = QUESTION | {"stream": True, "stream_options": {"include_usage": True}}
    url = f"{server.base_url}/chat/completions"
    async with session.post(url, headers=headers, json=asked) as response:
        assert response.status == 200
        lines = (await response.text()).split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


async def failure(model: Path, **settings: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        await EmbeddedServer.start(model, **settings)
    return str(caught.value)


@pytest.mark.model
async def test_a_real_model_streams_its_answer_on_loopback(smollm2: Path) -> None:
    async with (
        await EmbeddedServer.start(smollm2, parallel=2, alias="smollm2") as server,
        aiohttp.ClientSession() as session,
    ):
        assert server.base_url.startswith("http://127.0.0.1:")
        assert server.base_url.endswith("/v1")
        # More at once than there are slots, and one after the other on the same session.
        answers = await asyncio.gather(*(stream(session, server) for _ in range(3)))
        answers += [await stream(session, server) for _ in range(3)]
    for chunks in answers:
        text = [c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"]]
        assert "".join(text).strip()
        assert chunks[-2]["choices"][0]["finish_reason"] in {"stop", "length"}
        assert 0 < chunks[-1]["usage"]["completion_tokens"] <= 8
        assert {chunk["model"] for chunk in chunks} == {"smollm2"}


@pytest.mark.model
async def test_only_its_random_key_opens_it_and_the_key_is_seen_nowhere(smollm2: Path) -> None:
    async with await EmbeddedServer.start(smollm2, parallel=1) as server:
        assert (await ask(server.base_url, "guess"))["status"] == 401
        assert (await ask(server.base_url, server.key))["status"] == 200
        assert len(server.key) >= 32
        assert server.key not in repr(server)
        if sys.platform == "linux":
            for name in ("cmdline", "environ"):
                seen = Path(f"/proc/{server.pid}/{name}").read_bytes()
                assert seen
                assert server.key.encode() not in seen


@pytest.mark.model
async def test_a_prompt_that_does_not_fit_is_refused_not_cut(smollm2: Path) -> None:
    async with await EmbeddedServer.start(smollm2, parallel=2, context=256) as server:
        long = [{"role": "user", "content": "word " * 300}]
        refused = await ask(server.base_url, server.key, messages=long)
    assert refused["status"] == 400
    assert refused["error"]["type"] == "exceed_context_size_error"


@pytest.mark.model
async def test_it_leaves_when_asked_and_closing_twice_is_fine(smollm2: Path) -> None:
    server = await EmbeddedServer.start(smollm2, parallel=1)
    assert server.returncode is None
    await server.aclose(60)
    await server.aclose()
    assert server.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.kill(server.pid, 0)


@pytest.mark.model
async def test_signals_to_the_whole_group_leave_it_at_work(parent: Parent) -> None:
    assert await parent.line() == "begun"
    facts = await parent.facts()
    os.killpg(parent.process.pid, signal.SIGINT)
    assert await parent.line() == "interrupted"
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(int(facts["pid"]), number)
    assert (await ask(facts["url"], facts["key"]))["status"] == 200
    assert await parent.finish() == ("0", ""), "it left when asked, and said nothing itself"


@pytest.mark.model
async def test_it_ends_with_a_parent_that_is_killed(parent: Parent, watch: Watch) -> None:
    assert await parent.line() == "begun"
    ended = watch(int((await parent.facts())["pid"]))
    assert not ended(0)
    parent.process.kill()
    assert ended(60)


@pytest.mark.model
async def test_it_ends_with_a_parent_that_is_killed_while_the_model_loads(
    parent: Parent, watch: Watch
) -> None:
    assert await parent.line() == "begun"
    pid = parent.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        pytest.skip("needs /proc/PID/task/TID/children (Linux)")
    while not (pids := children.read_text().split()):
        await asyncio.sleep(0.005)
    ended = watch(int(pids[0]))
    parent.process.kill()
    assert ended(60)


async def test_a_child_that_does_not_listen_is_ended_by_force(
    tmp_path: Path, stand_in: Callable[[str], None]
) -> None:
    stand_in('import signal\nprint(\'{"address": "http://deaf"}\', flush=True)\nsignal.pause()')
    server = await EmbeddedServer.start(tmp_path)
    assert server.base_url == "http://deaf/v1"
    await server.aclose(0.1)
    assert server.returncode == -signal.SIGKILL


async def test_a_child_that_takes_too_long_is_ended(
    tmp_path: Path, stand_in: Callable[[str], None]
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    heard = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    stand_in(f"import signal\nheld = open({str(fifo)!r}, 'w')\nsignal.pause()")
    with pytest.raises(ConfigError, match="the model was not loaded within 1 s"):
        await EmbeddedServer.start(tmp_path, timeout=1)
    try:
        assert os.read(heard, 1) == b"", "while a writer lives, this would block"
    finally:
        os.close(heard)


async def test_a_start_that_is_given_up_leaves_no_child(
    tmp_path: Path, stand_in: Callable[[str], None]
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    stand_in(f"import os, signal\nopen({str(fifo)!r}, 'w').write(str(os.getpid()))\nsignal.pause()")
    start = asyncio.create_task(EmbeddedServer.start(tmp_path))
    pid = int(await asyncio.to_thread(fifo.read_text))
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_child_that_dies_is_reported_with_its_last_words(
    tmp_path: Path, stand_in: Callable[[str], None]
) -> None:
    stand_in(
        "import sys\n"
        "for line in ['0.01.002.003 E cause', *'abc', 'end\\x1b[2J']:\n"
        "    print(line, file=sys.stderr)\n"
        "sys.exit(3)"
    )
    assert (await failure(tmp_path / "m.gguf")).splitlines() == [
        f"{tmp_path}/m.gguf: the model could not be started: its process ended with code 3",
        *("cause", "a", "c", "end[2J"),
    ]


@needs_llama
async def test_a_broken_model_is_reported_with_the_cause(tmp_path: Path) -> None:
    model = tmp_path / "broken.gguf"
    model.write_bytes(b"GGUF" + bytes(100))
    said = await failure(model)
    assert said.startswith(f"{model}: the model could not be started: llama.cpp refused it\n")
    assert len(said.splitlines()) > 1


@pytest.mark.model
async def test_a_model_that_was_cut_is_reported_so(smollm2: Path, tmp_path: Path) -> None:
    model = tmp_path / "cut.gguf"
    with smollm2.open("rb") as file:
        model.write_bytes(file.read(4_000_000))
    assert "model is corrupted or incomplete" in await failure(model)


@needs_llama
async def test_a_library_that_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "xllamacpp.py").write_text("raise ImportError('libgomp.so.1: cannot open it')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    said = await failure(tmp_path / "m.gguf")
    assert "llama.cpp can't be loaded: libgomp.so.1: cannot open it" in said
    assert "libgomp1" in said


async def test_without_the_extra_the_message_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    assert "pip install xllamacpp" in await failure(tmp_path / "m.gguf")


async def test_files_in_the_working_directory_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path)
    assert "wrong json" not in await failure(tmp_path / "m.gguf")


def test_a_core_is_left_to_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for cores in (1, 2, 4, 64):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, n=cores: set(range(n)), False)
        found.append(default_threads())
    assert found == [1, 1, 3, 8]
