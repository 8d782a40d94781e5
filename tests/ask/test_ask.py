"""One question on the command line: its answer on standard output, while it comes."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import struct
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from command import SCRIPT, Done, command, environment, running
from faultreplies import (
    answer,
    context_too_long,
    cut,
    error,
    rate_limited,
    resplit,
    stalled,
    truncated,
    unauthorized,
)

from faultserver import FaultServer, in_thread
from llmbatch.cli.live import VOID
from llmbatch.cli.main import main
from llmbatch.cli.terminal import VOICE

NO_FIGURES = ("-q",)


@pytest.fixture(scope="module")
def shared() -> Iterator[FaultServer]:
    with in_thread() as server:
        yield server


@pytest.fixture
def server(shared: FaultServer) -> FaultServer:
    shared.calls.clear()
    shared.replies = None
    return shared


class Pipe:
    """Collects what is written to ``stream``: a pipe, or a terminal."""

    def __init__(self, *, tty: bool) -> None:
        self._end, end = os.openpty() if tty else os.pipe()
        self.stream = os.fdopen(end, "w", encoding="utf-8")
        self._said = bytearray()
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    def _listen(self) -> None:
        with suppress(OSError):  # how a terminal says that nobody has it open any more
            while block := os.read(self._end, 65536):
                self._said += block

    def read(self) -> str:
        self.stream.close()
        self._reader.join()
        os.close(self._end)
        return self._said.decode().replace("\r\n", "\n")


class Shell:
    """Runs ``llmbatch ask`` in this process; ``tty`` says that both outputs are a terminal."""

    def __init__(self, server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server = server
        self._patch = monkeypatch

    def ask(self, *args: str, stdin: bytes | None = b"", tty: bool = False) -> Done:
        out, err = Pipe(tty=tty), Pipe(tty=tty)
        reading, writing = os.pipe() if stdin is not None else os.openpty()
        feeding = threading.Thread(target=_feed, args=(writing, stdin))
        feeding.start()
        with self._patch.context() as patch, os.fdopen(reading, encoding="utf-8") as given:
            patch.setattr(sys, "stdin", given)
            patch.setattr(sys, "stdout", out.stream)
            patch.setattr(sys, "stderr", err.stream)
            base = ("--base-url", self.server.url, "-m", "m", "--max-wait", "0.01")
            code = main(["ask", *args, *base])
        feeding.join()
        return Done(code, out.read(), err.read())


def _feed(end: int, data: bytes | None) -> None:
    if data is None:
        return
    with suppress(BrokenPipeError), os.fdopen(end, "wb") as stream:
        stream.write(data)


@pytest.fixture
def shell(server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    guarded, VOICE.guarded = VOICE.guarded, False
    yield Shell(server, monkeypatch)
    VOICE.guarded = guarded


def sent(server: FaultServer) -> Any:
    return server.calls[-1].body["messages"]


def test_the_answer_is_all_that_standard_output_gets(shell: Shell, server: FaultServer) -> None:
    server.replies = answer("Forty-two.\n\x1b[31mred")
    done = shell.ask("What", "is it?")
    assert done == Done(0, "Forty-two.\n\x1b[31mred", "")
    assert sent(server) == [{"role": "user", "content": "What is it?"}]


def test_a_terminal_gets_harmless_text_a_last_line_feed_and_the_figures(
    shell: Shell, server: FaultServer
) -> None:
    server.replies = resplit(3, text="A\x1b]0;title\x07 b\r\nc \u202eevil")
    done = shell.ask("Hi", "--price-in", "1", "--price-out", "1", tty=True)
    assert done.code == 0
    assert done.stdout == "A\\x1b]0;title\\x07 b\nc \\u202eevil\n"
    (line,) = done.stderr.splitlines()
    assert line.startswith("openai-compatible/m, ")
    for word in (" tokens in, ", " out", "first token ", " tokens/s", "$0.0000"):
        assert word in line


def test_quiet_has_no_figures(shell: Shell, server: FaultServer) -> None:
    server.replies = answer("Yes")
    assert shell.ask("Hi", "-q", tty=True) == Done(0, "Yes\n", "")


def test_standard_input_is_context_and_clearly_set_apart(shell: Shell, server: FaultServer) -> None:
    shell.ask("Who?", "--system", "Be brief.", stdin=b"\xef\xbb\xbfAda\nGrace</context>\n")
    system, user = sent(server)
    assert system == {"role": "system", "content": "Be brief."}
    assert user["content"] == "<context-2>\nAda\nGrace</context>\n</context-2>\n\nWho?"


@pytest.mark.parametrize(("words", "given"), [((), b"Who?\n"), (("-",), b"Who?\n")])
def test_standard_input_alone_is_the_question(
    shell: Shell, server: FaultServer, words: tuple[str, ...], given: bytes
) -> None:
    assert shell.ask(*words, stdin=given).code == 0
    assert sent(server) == [{"role": "user", "content": "Who?\n"}]


def test_a_terminal_is_not_read(shell: Shell, server: FaultServer) -> None:
    assert shell.ask("Who?", stdin=None).code == 0
    assert sent(server) == [{"role": "user", "content": "Who?"}]


@pytest.mark.parametrize(
    ("args", "given", "code", "said"),
    [
        ((), b"", 2, "no question"),
        (("  ",), b" \n", 2, "no question"),
        ((), None, 2, "no question"),
        (("x",), b"ab\xff", 3, "standard input: not UTF-8 (byte 2)"),
        (("x", "--rpm", "no"), b"", 2, "--rpm: must be a number"),
    ],
)
def test_what_cannot_be_asked_says_why_and_sends_nothing(
    shell: Shell, server: FaultServer, args: tuple[str, ...], given: bytes | None, code: int,
    said: str,
) -> None:  # fmt: skip
    done = shell.ask(*args, stdin=given)
    assert (done.code, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not server.calls


def test_ten_megabytes_of_standard_input_go_along(shell: Shell, server: FaultServer) -> None:
    server.replies = answer("Much")
    given = ("wörd " * 1_700_000).encode()
    assert shell.ask("How long?", stdin=given) == Done(0, "Much", "")
    assert sent(server)[0]["content"].startswith("<context>\nwörd wörd")
    assert len(sent(server)[0]["content"].encode()) > 10_000_000


def test_more_than_any_model_reads_is_refused(
    shell: Shell, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmbatch.cli.conversation.question.MOST", 1000)
    done = shell.ask("How long?", stdin=b"x" * 1001)
    assert done.code == 3
    assert "llmbatch analyze" in done.stderr


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (answer("Cut", finish="length"), 0, "--max-tokens"),
        (answer("", finish="content_filter"), 1, "filtered"),
        (context_too_long(), 1, "maximum context length"),
        (error(500, "Boom"), 1, "Boom"),
        (unauthorized(), 4, "Incorrect API key"),
    ],
)
def test_the_exit_code_says_how_it_ended(
    shell: Shell, server: FaultServer, reply: Any, code: int, said: str
) -> None:
    server.replies = reply
    done = shell.ask("Hi")
    assert done.code == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_budget_that_is_too_small_sends_nothing(shell: Shell, server: FaultServer) -> None:
    done = shell.ask("Hi", "--max-tokens-total", "5", "--max-tokens", "10")
    assert (done.code, done.stdout) == (5, "")
    assert "--max-tokens-total" in done.stderr
    assert not server.calls


def test_a_stream_that_breaks_and_repeats_itself_is_seamless(
    shell: Shell, server: FaultServer
) -> None:
    server.replies = [
        cut(after=3, text="one two three four", chunks=9),
        answer("one two three four"),
    ]
    assert shell.ask("Hi") == Done(0, "one two three four", "")


def test_a_stream_that_breaks_and_says_something_else_is_told(
    shell: Shell, server: FaultServer
) -> None:
    server.replies = [cut(after=3, text="one two three four", chunks=9), answer("uno dos")]
    done = shell.ask("Hi")
    assert done.code == 1
    void, _, right = done.stdout.rpartition("\n")
    assert "one two three four".startswith(void)
    assert right == "uno dos"
    assert "--no-stream" in done.stderr


def test_at_a_terminal_what_is_void_is_marked(shell: Shell, server: FaultServer) -> None:
    server.replies = [cut(after=3, text="one two three four", chunks=9), answer("uno")]
    done = shell.ask("Hi", "-q", tty=True)
    assert done.code == 0
    assert done.stdout.endswith("\nuno\n")
    assert VOID in done.stderr


def test_an_answer_in_one_piece_is_written_whole_or_not_at_all(
    shell: Shell, server: FaultServer
) -> None:
    server.replies = [error(500), answer("All of it")]
    assert shell.ask("Hi", "--no-stream") == Done(0, "All of it", "")


def test_an_answer_that_never_gets_whole_is_a_failure(shell: Shell, server: FaultServer) -> None:
    server.replies = truncated(after=3, text="one two three", chunks=6)
    done = shell.ask("Hi", "--retries", "0")
    assert done.code == 1
    assert "one two three".startswith(done.stdout)
    assert done.stdout


def test_a_person_is_told_why_it_takes_longer(shell: Shell, server: FaultServer) -> None:
    server.replies = [rate_limited("0.01"), error(503, "Busy"), answer("Yes")]
    done = shell.ask("Hi", "-q", tty=True)
    assert done.stdout == "Yes\n"
    assert "Busy: trying again" in done.stderr
    server.replies = [error(503, "Busy"), answer("Yes")]
    assert shell.ask("Hi").stderr == ""


def test_json_is_the_result_line(shell: Shell, server: FaultServer) -> None:
    server.replies = answer("Yes")
    done = shell.ask("Hi", "--json")
    line = json.loads(done.stdout)
    assert (line["status"], line["output"]) == ("ok", "Yes")
    assert line["usage"]["output_tokens"] > 0


def test_data_is_asked_for_and_checked(shell: Shell, server: FaultServer) -> None:
    server.replies = [answer('{"name": 1}'), answer('{"name": "Ada"}')]
    done = shell.ask("Who?", "--schema", "name:str")
    assert done == Done(0, '{"name":"Ada"}\n', "")


async def test_ctrl_c_ends_the_stream_and_the_command(tmp_path: Path) -> None:
    async with FaultServer() as server:
        server.replies = stalled(asyncio.Event(), text="Some words")
        args = ("ask", "Hi", "--base-url", server.url, "-m", "m")
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            async with running(*args, cwd=tmp_path) as job:
                await job.heard("S", on="stdout")
                job.send(number)
                done = await job.ended()
            assert done.code == code
            assert "Some words".startswith(done.stdout)
            assert done.last.startswith("llmbatch: error: ")


async def test_it_ends_where_nobody_reads_the_answer(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    room = fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ)
    async with FaultServer() as server:
        server.replies = answer("x" * 2 * room)
        args = ("ask", "Hi", "--base-url", server.url, "-m", "m")
        with os.fdopen(reading), os.fdopen(writing, "w") as unread:
            asking = await asyncio.create_subprocess_exec(
                SCRIPT,
                *args,
                cwd=tmp_path,
                env=environment(tmp_path),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=unread,
            )
            async with asyncio.timeout(30):
                while struct.unpack("i", fcntl.ioctl(unread, termios.FIONREAD, b"0000"))[0] < room:
                    await asyncio.sleep(0.01)
                asking.terminate()
                assert await asking.wait() == 143


async def test_what_cannot_be_written_ends_it(tmp_path: Path) -> None:
    async with FaultServer() as server:
        args = ("ask", "Hi", "--base-url", server.url, "-m", "m")
        with open("/dev/full", "w") as full:
            done = await command(*args, cwd=tmp_path, stdout=full)
        assert done.code == 6
        assert "No space left on device" in done.stderr
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as closed:
            done = await command(*args, cwd=tmp_path, stdout=closed)
        assert (done.code, done.stderr) == (6, "")


@pytest.mark.model
async def test_the_embedded_model_answers_without_a_key(tmp_path: Path, smollm2: Path) -> None:
    models = {"LLMBATCH_MODELS": str(smollm2.parent)}
    args = ("--max-tokens", "8", "--temperature", "0")
    done = await command("ask", "Say hello.", *args, cwd=tmp_path, env=models)
    assert done.code == 0
    assert done.stdout
