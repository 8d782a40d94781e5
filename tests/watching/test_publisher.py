"""One job and those who look at it: nobody of them can hold it up, or fill its memory."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from looking import found, looking
from msgspec import Struct

from llmbatch.jobs.events import ConcurrencyChanged, Draining, JobStarted, Noted, RowFinished
from llmbatch.jobs.model import Result
from llmbatch.jobs.summary import Tally
from llmbatch.jobs.watching import client, publisher
from llmbatch.jobs.watching.client import Gone, running
from llmbatch.jobs.watching.place import SUFFIX, open_to_publish
from llmbatch.jobs.watching.publisher import WATCHERS, Publisher


class Row(Struct, frozen=True):
    id: str
    line: int = 1


@asynccontextmanager
async def published(environ: Mapping[str, str], **kw: Any) -> AsyncIterator[Publisher]:
    tally = Tally()
    job = Publisher("run", ["in.jsonl"], tally, environ=environ, **kw)
    tally(JobStarted(10, "out.jsonl", "p/m", 4, None, None))
    job.open()
    try:
        yield job
    finally:
        job.close()


def finished(row: str) -> RowFinished:
    return RowFinished(
        Result(
            id=row, line=1, fingerprint="", status="ok", output="", finish_reason="stop",
            provider="p", model="m", fallbacks=0, usage=None, cost_usd=None, metrics=None,
            error=None, metadata={},
        )
    )  # fmt: skip


def address(environ: Mapping[str, str], job: Publisher) -> Path:
    return Path(environ["XDG_RUNTIME_DIR"]) / "llmbatch" / (job.job + SUFFIX)


async def connected(
    environ: Mapping[str, str], job: Publisher
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    runtime = open_to_publish(environ)
    assert runtime is not None
    with runtime:
        return await asyncio.open_unix_connection(runtime.address(job.job + SUFFIX))


async def test_socket_and_folder_are_for_the_user_alone(environ: dict[str, str]) -> None:
    async with published(environ) as job:
        path = address(environ, job)
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        [entry] = [each for each in await running(environ) if each.job == job.job]
        assert (entry.state, entry.done, entry.total) == ("running", 0, 10)
    assert list(path.parent.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
async def test_another_user_cannot_connect(environ: dict[str, str], tmp_path: Path) -> None:
    for folder in (*tmp_path.parents, tmp_path, Path(environ["XDG_RUNTIME_DIR"])):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o711)  # so that it is the job's own folder that keeps him out
    code = (
        "import os, socket, sys\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "os.chdir(sys.argv[1]) if sys.argv[3] else None\n"
        "try: s.connect(sys.argv[2]); s.sendall(b'follow\\n'); print('read', s.recv(10))\n"
        "except OSError as error: print(type(error).__name__)\n"
    )

    async def said(*words: str) -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, *words, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        return out.decode().strip()

    async with published(environ) as job:
        path = address(environ, job)
        tried = str(path.parent.parent), f"llmbatch/{path.name}", "x"
        assert await said(*tried) == "PermissionError"
        path.parent.chmod(0o711)
        path.chmod(0o666)
        assert await said(*tried) in ("read b''", "BrokenPipeError", "ConnectionResetError")
        path.parent.chmod(0o700)


async def test_what_happens_to_the_job_is_told_in_words(environ: dict[str, str]) -> None:
    async with published(environ) as job, looking(job.job, environ) as look:
        assert (await look.next() or {})["notices"] == []
        job(Noted("the cache failed"))
        job(ConcurrencyChanged("p/m", 8, 4, "rate limited"))
        job(Draining("interrupted", 3, 10.0))
        told = await look.until(lambda message: message.get("notices"))
        assert told["notices"] == [
            "the cache failed",
            "p/m: 4 at a time instead of 8 (rate limited)",
            "interrupted: stopping",
        ]
        for n in range(1000):
            job(Noted(f"note {n}"))
        told = await look.until(lambda message: "note 999" in message.get("notices", ()))
        assert len(told["notices"]) == 20


@pytest.mark.parametrize(
    "words",
    [b"GET / HTTP/1.1\r\n\r\n", b"\n", b"follow\nfollow\n", b"x", b"\0" * 8_000_000],
    ids=["http", "empty", "twice", "x", "megabytes"],
)
async def test_who_talks_nonsense_is_sent_away(environ: dict[str, str], words: bytes) -> None:
    async with published(environ) as job:
        reader, writer = await connected(environ, job)
        async with asyncio.timeout(10):
            try:
                writer.write(words)
                await writer.drain()
                while await reader.read(65536):
                    pass
            except ConnectionError:
                pass
        writer.close()
        assert await found(environ), "and the job can still be looked at"


async def test_who_has_nothing_more_to_say_may_listen(environ: dict[str, str]) -> None:
    async with published(environ) as job:
        reader, writer = await connected(environ, job)
        writer.write(b"follow\n")
        writer.write_eof()
        for _ in range(2):
            assert b'"type":"job"' in await reader.readline()
        writer.close()
        async with asyncio.timeout(10), looking(job.job, environ) as look:
            while len(job._watchers) > 1:
                await look.next()


async def test_who_asks_nothing_is_sent_away(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "PATIENCE", 0)
    async with published(environ) as job:
        reader, writer = await connected(environ, job)
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()


async def test_who_does_not_read_is_skipped_and_costs_no_memory(environ: dict[str, str]) -> None:
    async with published(environ) as job:
        _, writer = await connected(environ, job)
        writer.write(b"follow\n")
        writer.transport.pause_reading()
        async with looking(job.job, environ) as look:
            await look.next()
            for n in range(300):
                job.heard(Row("long"), None if n == 0 else "x" * 20_000)
                if n % 30 == 0:
                    await look.until(lambda message: message["type"] == "chunk")
            assert len(job._watchers) == 2
            behind = [len(each._rest) for each in job._watchers]
            job(finished("long"))
            await look.until(lambda message: message["type"] == "done")
        assert max(behind) > 0, "one of them has not read"
        assert max(behind) < 1_000_000
        writer.close()


async def test_the_end_of_a_job_waits_for_nobody(environ: dict[str, str]) -> None:
    async with published(environ) as job:
        stuck = [await connected(environ, job) for _ in range(5)]
        for _, writer in stuck:
            writer.write(b"follow\n")
            writer.transport.pause_reading()
        async with looking(job.job, environ) as look:
            await look.next()
            job.heard(Row("a"), None)
            for _ in range(8):
                job.heard(Row("a"), "\x01" * 30_000)
                await look.until(lambda message: message["type"] == "chunk")
            summary = job._view.tally.summary(wall=1.0)
            job.conclude(summary, 0)
            last = await look.last()
        assert (last["state"], last["summary"]["exit_code"]) == ("finished", 0)
        for _, writer in stuck:
            writer.close()


async def test_only_so_many_may_look_at_a_time(environ: dict[str, str]) -> None:
    async with published(environ) as job:
        crowd = [await connected(environ, job) for _ in range(WATCHERS + 5)]
        async with asyncio.timeout(10):
            sent_away = await asyncio.wait(
                [asyncio.create_task(reader.read()) for reader, _ in crowd],
                return_when=asyncio.FIRST_COMPLETED,
            )
        assert sent_away[0]
        assert len(job._watchers) == WATCHERS
        for _, writer in crowd:
            writer.close()
        assert await found(environ)


async def test_a_storm_of_connections_is_let_in_a_few_a_second(environ: dict[str, str]) -> None:
    async with published(environ) as job:
        entered = []
        enter = job._enter
        job._door._enter = lambda connection: (entered.append(1), enter(connection))
        assert job._runtime is not None
        path = job._runtime.address(job.job + SUFFIX)
        for _ in range(30):
            for _ in range(10):
                with socket.socket(socket.AF_UNIX) as sock:
                    sock.setblocking(False)
                    try:
                        sock.connect(path)
                    except BlockingIOError:
                        break
            await asyncio.sleep(0)
        assert len(entered) <= 50
        assert await found(environ), "when the second is over, the next ones are let in"


async def test_without_descriptors_the_job_goes_on_and_is_looked_at_later(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __init__(self, sock: socket.socket) -> None:
            self._sock = sock
            self.tries = 0

        def accept(self) -> Any:
            self.tries += 1
            if self.tries == 1:
                raise OSError(24, "Too many open files")
            return self._sock.accept()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._sock, name)

    async with published(environ) as job:
        full = Full(job._door._socket)
        job._door._loop.remove_reader(job._door._socket)
        job._door._socket = full
        job._door._loop.add_reader(full, job._door._knock)
        assert await found(environ)
        assert full.tries == 2, "it was not tried again and again"


async def test_a_job_that_answers_nothing_stands_in_the_list_by_its_name(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.01)
    runtime = open_to_publish(environ)
    assert runtime is not None
    with runtime, socket.socket(socket.AF_UNIX) as stopped:
        stopped.bind(runtime.address("18eb8e5cd7da6690-1.sock"))
        stopped.listen(0)
        entries = [await running(environ) for _ in range(3)]
    for each in entries:
        [entry] = [job for job in each if job.job == "18eb8e5cd7da6690-1"]
        assert (entry.state, entry.command) == ("running", None)


async def test_what_is_no_job_is_not_followed(environ: dict[str, str]) -> None:
    for name in ("", "18eb8e5cd7da6690-1", "../../x", "x" * 1000, "a\0b"):
        with pytest.raises(Gone):
            async with looking(name, environ) as look:
                await look.next()


async def test_a_line_without_an_end_is_not_read_for_ever(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LONGEST", 1000)
    runtime = open_to_publish(environ)
    assert runtime is not None

    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"type":"job","state":"running"}\n' + b"x" * 100_000)
        await reader.read()
        writer.close()

    with runtime:
        path = runtime.address("18eb8e5cd7da6690-1.sock")
        async with (
            await asyncio.start_unix_server(shout, path),
            looking("18eb8e5cd7da6690-1", environ) as look,
        ):
            last = await look.last()
    assert last["state"] == "gone"
    assert len(look.said) == 2


async def test_a_summary_of_any_size_takes_no_more_than_its_share_of_time(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with published(environ) as job, looking(job.job, environ) as look:
        await look.next()
        message, loop, made = job._view.message, asyncio.get_running_loop(), []

        def slow(notices: Any) -> Any:
            made.append(loop.time())
            time.sleep(0.02)
            return message(notices)

        job._view.message = slow
        await look.until(lambda message: message["type"] == "job")
        assert job._next - made[-1] >= 1.0, "the next one after 50 times as long"
