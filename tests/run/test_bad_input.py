"""Bad input, through the real command: a clear error, the right exit code, and nothing lost."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import resource
import socket
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import Done, without_rights
from desk import Desk
from faultreplies import held, redirect, web_page

from faultserver import FaultServer

LINES: list[tuple[str | bytes, str, str]] = [
    # the line, its id in the output, and what the reason must say ("" where it is answered)
    (b'\xef\xbb\xbf{"id": "bom", "prompt": "x"}\n', "bom", ""),
    ('{"prompt": "never closed"', "2", "not JSON"),
    ("", "", ""),
    ("  \t ", "", ""),
    ("plain words", "5", "not JSON"),
    ("{} and more", "6", "not JSON: extra data at column 4"),
    (
        "[1, 2]",
        "7",
        "a row must be an object or a string, got a list; write one row a line",
    ),
    ('"a bare string"', "8", ""),
    (b'{"id": "latin", "prompt": "caf\xe9"}\n', "latin", "not UTF-8: 0xe9 at byte 31"),
    (b'{"id": "nul", "prompt": "a\x00b"}\n', "10", "a NUL at byte 27"),
    (r'{"id": "half", "prompt": "\ud800"}', "half", "lone surrogate"),
    ('{"id": "nan", "prompt": "x", "top_p": NaN}', "nan", "top_p is NaN"),
    ('{"id": "inf", "prompt": "x", "top_p": 1e999}', "inf", "top_p is Infinity"),
    (r'{"id": "data", "prompt": "x", "score": NaN, "half": "\udc00"}', "data", ""),
    ('{"id": 700, "prompt": "x"}', "700", ""),
    ('{"id": 1.5, "prompt": "x"}', "16", "id must be a string or a whole number"),
    ('{"id": "", "prompt": "x"}', "17", "id is empty"),
    ('{"id": "none", "text": "x"}', "none", "no prompt: the row needs prompt or messages"),
    ('{"id": "strange", "prompt": "x", "topic": {"a": [1]}}', "strange", ""),
    ('{"id": "hot", "prompt": "x", "temperature": "hot"}', "hot", 'must be a number, got "hot"'),
    ('{"id": "five", "prompt": 5}', "five", "prompt must be a string, got a number"),
    ('{"id": "msgs", "messages": "hi"}', "msgs", "messages must be a list of objects"),
    ('{"id": "role", "messages": [{"content": "x"}]}', "role", "messages[0].role"),
    ('{"id": "many", "prompt": "x", "n": 3}', "many", "n must be 1, got 3"),
    ('{"id": "deep", "prompt": "x", "d": ' + "[" * 200 + "]" * 200 + "}", "deep", "nested more"),
    ('{"custom_id": "get", "method": "GET", "url": "/v1/x", "body": {}}', "get", "must be POST"),
    (
        '{"custom_id": "url", "method": "POST", "url": "/v1/x", "body": {}}',
        "url",
        "url must be one",
    ),
    ('{"id": "blank", "prompt": " "}', "blank", "prompt is empty"),
    (b'{"id": "crlf", "prompt": "x"}\r\n', "crlf", ""),
    (b'{"id": "open-ended", "prompt": "x"}', "open-ended", ""),
]


def refused(done: Done, code: int, *words: str) -> None:
    """The command said what is wrong, in so many words, and nothing that a bug would say."""
    assert done.code == code, done
    for word in words:
        assert word in done.stderr, done
    assert done.stderr.startswith("llmbatch: error: "), done
    unbroken(done)


def unbroken(done: Done) -> None:
    assert "Traceback" not in done.stderr, done
    assert "bug in llmbatch" not in done.stderr, done
    assert 'File "' not in done.stderr, done


async def test_a_bad_line_is_a_result_with_its_reason_and_stops_no_other(desk: Desk) -> None:
    desk.write(*(line for line, _, _ in LINES))
    done = await desk.run("in.jsonl", "--no-dedupe")
    unbroken(done)
    assert done.code == 1
    found = desk.results()
    wanted = {row_id: (n, why) for n, (_, row_id, why) in enumerate(LINES, 1) if row_id}
    assert {i: line["line"] for i, line in found.items()} == {i: n for i, (n, _) in wanted.items()}
    for row_id, (_, why) in wanted.items():
        line = found[row_id]
        if why:
            assert (line["status"], line["output"]) == ("invalid", None), line
            assert line["error"]["type"] == "invalid_row"
            assert why in line["error"]["message"], line
        else:
            assert line["status"] == "ok", line
            assert line["output"].startswith("You said: "), line
    good = sum(not why for _, why in wanted.values())
    assert len(desk.server.calls) == good
    assert f"{good} ok" in done.last
    assert f"{len(wanted) - good} invalid" in done.last
    assert found["strange"]["metadata"] == {"topic": {"a": [1]}}
    assert found["data"]["metadata"] == {"score": None, "half": "\udc00"}
    again = await desk.run("in.jsonl")
    assert again.code == 1, "rows that can't be sent still count when there is nothing left to do"
    assert len(desk.server.calls) == good


async def test_strict_refuses_all_of_it_and_lists_the_lines(desk: Desk) -> None:
    desk.write({"prompt": "x"}, "nonsense", {"id": "b", "prompt": "x", "temperature": "hot"})
    done = await desk.run("in.jsonl", "--strict")
    refused(done, 3, "2 of 3 rows are invalid", "in.jsonl:2: not JSON", "in.jsonl:3: temperature")
    assert not desk.server.calls
    assert not (desk.folder / "in.results.jsonl").exists()


async def test_a_line_of_50_mb_is_one_row_like_any_other(desk: Desk) -> None:
    size = 50_000_000
    desk.write(
        {"id": "before", "prompt": "x"},
        b'{"id": "long", "prompt": "' + b"x" * size + b'"}\n',
        b"x" * size + b"\n",
        {"id": "after", "prompt": "x"},
    )
    done = await desk.run("in.jsonl")
    unbroken(done)
    assert done.code == 1
    found = desk.results()
    assert {i: line["status"] for i, line in found.items()} == {
        "before": "ok",
        "long": "ok",
        "3": "invalid",
        "after": "ok",
    }
    assert max(len(call.prompt) for call in desk.server.calls) == size
    assert len(json.dumps(found["3"])) < 1000
    assert len(done.stderr) < 2000


async def test_an_empty_input_is_refused(desk: Desk) -> None:
    (desk.folder / "in.jsonl").touch()
    refused(await desk.run("in.jsonl"), 3, "in.jsonl: there is no row in it")
    assert not (desk.folder / "in.results.jsonl").exists()


async def test_empty_standard_input_is_refused(desk: Desk) -> None:
    refused(await desk.run("-", "-o", "out.jsonl"), 3, "standard input: there is no row in it")


async def test_an_id_twice_names_both_lines_and_nothing_is_sent(desk: Desk) -> None:
    desk.write({"id": "a", "prompt": "x"}, {"prompt": "y"}, r'{"id": "\u0061", "prompt": "z"}')
    refused(await desk.run("in.jsonl"), 3, 'in.jsonl:3: the id "a"', "used at in.jsonl:1")
    desk.write({"id": "a", "prompt": "x"})
    desk.write({"id": "a", "prompt": "x"}, name="other.jsonl")
    done = await desk.run("in.jsonl", "other.jsonl", "-o", "out.jsonl")
    refused(done, 3, "other.jsonl:1:", "in.jsonl:1")
    assert not desk.server.calls


async def test_an_id_twice_on_standard_input_is_a_row_of_its_own(desk: Desk) -> None:
    rows = b'{"id": "a", "prompt": "x"}\n{"id": "a", "prompt": "y"}\n{"id": "b", "prompt": "z"}\n'
    done = await desk.run("-", "-o", "out.jsonl", stdin=rows)
    assert done.code == 1
    found = desk.results("out.jsonl")
    assert {i: line["status"] for i, line in found.items()} == {
        "a": "ok",
        "a#2": "invalid",
        "b": "ok",
    }
    assert found["a"]["output"] == "You said: x"
    assert 'the id "a" is already used at' in found["a#2"]["error"]["message"]


async def test_a_field_that_the_template_lacks_is_that_rows_own_trouble(desk: Desk) -> None:
    desk.write({"id": "good", "text": "tea"}, {"id": "bad", "txet": "tea"}, name="rows.jsonl")
    done = await desk.run("rows.jsonl", "--template", "Drink {{text}}")
    assert done.code == 1
    found = desk.results("rows.results.jsonl")
    assert found["good"]["output"] == "You said: Drink tea"
    reason = found["bad"]["error"]["message"]
    assert reason == "no field text for the template; the row has: id, txet"


def nothing(folder: Path) -> None:
    """Nothing needs to be prepared."""


def unreadable(folder: Path) -> None:
    (folder / "in.jsonl").chmod(0)


def folder_called_in(folder: Path) -> None:
    (folder / "in.jsonl").unlink()
    (folder / "in.jsonl").mkdir()


def read_only_folder(folder: Path) -> None:
    (folder / "sub").mkdir(0o500)


def read_only_file(folder: Path) -> None:
    (folder / "out.jsonl").touch(0o400)


def foreign_output(folder: Path) -> None:
    (folder / "out.jsonl").write_text("these are my notes\n")


Prepare = Callable[[Path], None]


@pytest.mark.parametrize(
    ("prepare", "args", "code", "words"),
    [
        (unreadable, ["in.jsonl"], 3, ["in.jsonl: no permission to read it"]),
        (folder_called_in, ["in.jsonl"], 3, ["in.jsonl: is a folder", "in.jsonl/*.jsonl"]),
        (nothing, ["missing.jsonl"], 3, ["missing.jsonl: no such file"]),
        (nothing, ["*.nothing"], 3, ["*.nothing: no file matches"]),
        (nothing, [], 2, ["no input: name a file, a glob, or -"]),
        (nothing, ["in.jsonl", "-o", "no/out.jsonl"], 6, ["no/out.jsonl", "does not exist"]),
        (read_only_folder, ["in.jsonl", "-o", "sub"], 6, ["sub: is a folder"]),
        (read_only_folder, ["in.jsonl", "-o", "sub/out.jsonl"], 6, ["sub/out.jsonl", "permission"]),
        (read_only_file, ["in.jsonl", "-o", "out.jsonl"], 6, ["out.jsonl", "no permission"]),
        (foreign_output, ["in.jsonl", "-o", "out.jsonl"], 6, ["no line of it is a result"]),
        (nothing, ["in.jsonl", "-o", "in.jsonl"], 2, ["in.jsonl is an input too"]),
        (nothing, ["*.jsonl", "-o", "./in.jsonl"], 2, ["in.jsonl is an input too"]),
        (
            nothing,
            ["in.jsonl", "--summary", "in.jsonl"],
            2,
            ["in.jsonl: is an input too"],
        ),
        (
            nothing,
            ["in.jsonl", "--summary", "in.results.jsonl"],
            2,
            ["is the output too"],
        ),
        (
            nothing,
            ["in.jsonl", "--junit", "in.results.jsonl.manifest.json"],
            2,
            ["is the output's manifest too"],
        ),
        (nothing, ["in.jsonl", "--summary", "no/s.json"], 2, ["--summary", "does not exist"]),
        (nothing, ["in.jsonl", "--temperature", "hot"], 2, ["--temperature: must be a number"]),
        (nothing, ["in.jsonl", "--nonsense"], 2, ["No such option", "--nonsense"]),
    ],
)
async def test_what_can_not_work_is_refused_before_anything_is_sent(
    desk: Desk, prepare: Prepare, args: list[str], code: int, words: list[str]
) -> None:
    content = desk.prompts(2).read_bytes()
    prepare(desk.folder)
    done = await desk.run(*args, preexec_fn=without_rights)
    refused(done, code, *words)
    assert not desk.server.calls
    if (desk.folder / "in.jsonl").is_file():
        assert (desk.folder / "in.jsonl").read_bytes() == content
    if (desk.folder / "out.jsonl").exists():
        assert (desk.folder / "out.jsonl").read_bytes() in (b"", b"these are my notes\n")


async def test_a_glob_leaves_the_results_of_earlier_runs_out(desk: Desk) -> None:
    desk.prompts(2)
    assert (await desk.run("in.jsonl")).code == 0
    done = await desk.run("*.jsonl")
    assert done.code == 0, done
    assert "2 done before" in done.last


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", ["is not a URL"]),
        ("localhost:8000/v1", ["is not a URL", "must begin with http://"]),
        ("http://me:hunter2@host/v1", ["user or password"]),
        ("http://host/v1?key=hunter2", ["remove what follows the path"]),
    ],
)
async def test_a_base_url_that_is_none_is_refused(desk: Desk, url: str, words: list[str]) -> None:
    desk.prompts(1)
    done = await desk.run("in.jsonl", "--base-url", url, "-m", "m", route=False)
    refused(done, 2, "base_url", *words)
    assert "hunter2" not in done.stderr


async def test_a_server_that_is_not_there_is_said_in_each_row(desk: Desk) -> None:
    desk.prompts(2)
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # bound, so that nobody else takes it, and not listening
        place = f"127.0.0.1:{unheard.getsockname()[1]}"
        args = ("--base-url", f"http://{place}/v1", "-m", "m", "--retries", "0")
        done = await desk.run("in.jsonl", *args, route=False)
    unbroken(done)
    assert done.code == 1
    assert "2 error" in done.last
    assert "connection_failed" in done.stderr
    for line in desk.results().values():
        assert (line["status"], line["error"]["type"]) == ("error", "connection_failed")
        assert f"can't connect to {place}: Connection refused" in line["error"]["message"]


async def test_a_web_page_is_no_answer_and_is_not_asked_for_again(desk: Desk) -> None:
    desk.prompts(2)
    desk.server.replies = web_page()
    done = await desk.run("in.jsonl")
    unbroken(done)
    assert done.code == 1
    for line in desk.results().values():
        assert line["error"]["type"] == "malformed_response"
        assert "a web page, is the base URL right (it ends in /v1)?" in line["error"]["message"]
        assert "the server says" not in line["error"]["message"]
    assert len(desk.server.calls) == 2


async def test_a_redirect_is_named_and_never_followed(desk: Desk) -> None:
    desk.prompts(1)
    async with FaultServer() as elsewhere:
        desk.server.replies = redirect(f"{elsewhere.url}/chat/completions")
        done = await desk.run("in.jsonl", env={"OPENAI_API_KEY": "sk-stays-where-it-is"})
        assert done.code == 1
        (line,) = desk.lines()
        assert line["error"]["http_status"] == 307
        assert f"redirects to {elsewhere.url}/chat/completions" in line["error"]["message"]
        assert len(desk.server.calls) == 1
        assert not elsewhere.calls


async def test_a_second_run_on_the_same_output_ends_at_once(desk: Desk) -> None:
    desk.prompts(3)
    release = asyncio.Event()
    desk.server.replies = held(release)
    async with desk.running("in.jsonl") as first:
        async with asyncio.timeout(30):
            while len(desk.server.calls) < 3:
                await asyncio.sleep(0.01)
        second = await desk.run("in.jsonl")
        refused(second, 6, "in.results.jsonl: another run", f"process {first.pid}", "-o")
        assert len(desk.server.calls) == 3
        release.set()
        assert (await first.ended()).code == 0
    assert len(desk.results()) == 3


async def test_a_lock_that_somebody_else_holds_is_respected(desk: Desk) -> None:
    desk.prompts(1)
    output = desk.folder / "in.results.jsonl"
    with output.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refused(await desk.run("in.jsonl"), 6, "another run")
    assert not desk.server.calls
    assert not output.read_bytes()


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of that size; skips where none can be mounted."""
    place = folder / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "llmbatch-test", place],
        capture_output=True,
        text=True,
    )
    if made.returncode:
        pytest.skip(f"a small file system can't be mounted here: {made.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


async def test_a_full_disk_loses_nothing_and_the_job_goes_on_when_there_is_room(desk: Desk) -> None:
    desk.prompts(100)
    with small_disk(desk.folder, "16k") as disk:
        done = await desk.run("in.jsonl", "-o", "disk/out.jsonl", "--summary", "sum.json")
        full(desk, done, "disk/out.jsonl", "the disk is full: free some space")
        subprocess.run(["mount", "-o", "remount,size=10m", disk], check=True)
        assert (await desk.run("in.jsonl", "-o", "disk/out.jsonl")).code == 0
        assert len(desk.results("disk/out.jsonl")) == 100


async def test_a_file_that_may_not_grow_loses_nothing_either(desk: Desk) -> None:
    desk.prompts(100)
    done = await desk.run(
        "in.jsonl",
        *("-o", "out.jsonl", "--summary", "sum.json"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384)),
    )
    full(desk, done, "out.jsonl", "the file has reached the largest size allowed")
    assert (await desk.run("in.jsonl", "-o", "out.jsonl")).code == 0
    assert len(desk.results("out.jsonl")) == 100


def full(desk: Desk, done: Done, output: str, reason: str) -> None:
    """Exit 6 with the reason; what is there is whole lines, and the summary counts just those."""
    unbroken(done)
    assert done.code == 6, done
    assert f"{output}: {reason}" in done.stderr
    kept = desk.results(output)
    assert 10 < len(kept) < 100
    assert all(line["status"] == "ok" for line in kept.values())
    assert done.last.startswith("llmbatch: stopped early"), done
    assert f"{len(kept)} ok" in done.last
    assert done.last.endswith("(exit 6)")
    summary = json.loads((desk.folder / "sum.json").read_text())
    assert summary["exit_code"] == 6
    assert summary["rows"] == {"ok": len(kept)}


async def test_a_full_device_stops_the_job_and_promises_nothing(desk: Desk) -> None:
    desk.prompts(2)
    done = await desk.run("in.jsonl", "-o", "/dev/full")
    unbroken(done)
    assert done.code == 6
    assert "/dev/full: the disk is full" in done.stderr
    assert "goes on from there" not in done.stderr


async def test_an_input_that_breaks_in_the_middle_keeps_what_was_answered(desk: Desk) -> None:
    rows = b"".join(b'{"id": "r%d", "prompt": "say %d"}\n' % (n, n) for n in range(3))
    packer = zlib.compressobj(wbits=31)  # gzip, whose end never comes
    data = packer.compress(rows) + packer.flush(zlib.Z_SYNC_FLUSH)
    pipe = desk.folder / "in.jsonl.gz"
    os.mkfifo(pipe)  # which nobody can look through before anything is sent
    async with desk.running(pipe.name, "-o", "out.jsonl", "--summary", "sum.json") as job:
        await asyncio.to_thread(pipe.write_bytes, data)
        done = await job.ended()
    unbroken(done)
    assert done.code == 3
    assert "in.jsonl.gz:4: the .gz data ends too early: the file was cut short" in done.stderr
    assert {line["status"] for line in desk.results("out.jsonl").values()} == {"ok"}
    assert len(desk.results("out.jsonl")) == 3
    assert done.last.startswith("llmbatch: stopped early"), done
    assert "3 ok" in done.last
    summary = json.loads((desk.folder / "sum.json").read_text())
    assert (summary["exit_code"], summary["rows"]) == (3, {"ok": 3})


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("model: m\nrpm: fast\n", ["llmbatch.yaml:2: rpm: must be a number"]),
        ("model: m\nrpms: 5\n", ["llmbatch.yaml:2: rpms: unknown key; did you mean rpm?"]),
        ("rpm: 4\nmodel: m\nrpm: 5\n", ["llmbatch.yaml:3: rpm: set twice, first in line 1"]),
        ("providers:\n  a:\n    base_url: 5\n", ["llmbatch.yaml:3: providers.a.base_url: must be"]),
    ],
)
async def test_a_mistake_in_the_yaml_names_its_line(
    desk: Desk, yaml: str, words: list[str]
) -> None:
    desk.prompts(1)
    (desk.folder / "llmbatch.yaml").write_text(yaml)
    refused(await desk.run("in.jsonl"), 2, *words)
    assert not desk.server.calls


async def test_a_mistake_in_the_environment_names_its_variable(desk: Desk) -> None:
    desk.prompts(1)
    done = await desk.run("in.jsonl", env={"LLMBATCH_RPM": "fast"})
    refused(done, 2, "LLMBATCH_RPM: must be a number")
    done = await desk.run("in.jsonl", env={"LLMBATCH_RPMS": "5"})
    refused(done, 2, "LLMBATCH_RPMS: unknown variable; did you mean LLMBATCH_RPM?")
    assert not desk.server.calls


async def test_a_model_that_nobody_knows_is_refused_with_the_way_out(desk: Desk) -> None:
    desk.prompts(1)
    done = await desk.run("in.jsonl", "-m", "gpt-4o", route=False)
    refused(done, 2, 'model "gpt-4o" names no provider', "did you mean openai/gpt-4o?")
    done = await desk.run("in.jsonl", "-m", "openai/gpt-4o", route=False)
    refused(done, 2, "needs a key", "export OPENAI_API_KEY=...")
    done = await desk.run("in.jsonl", route=False)
    refused(done, 2, "llmbatch models pull smollm2")
