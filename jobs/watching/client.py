"""The other side: which jobs of this user run on this host, and what one of them says.

Looking is cheap enough to be done every second, and takes away the sockets of jobs that were
killed. Meant for an event loop; asks nothing of a job but what it tells by itself.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from .lines import line
from .place import SUFFIX, Runtime, open_all, pid_of
from .snapshot import Entry
from .watcher import FOLLOW, LIST

PATIENCE = 1.0
"""Seconds that a job gets to say how it is: one that is stopped, or very busy, says nothing."""

LONGEST = 32 << 20
"""Bytes of a line; what says more is no job."""

JOBS = 200
"""Jobs that are listed, the youngest."""

_read_entry = msgspec.json.Decoder(Entry).decode


class Gone(Exception):
    """No job of that name runs."""


async def running(environ: Mapping[str, str] | None = None) -> list[Entry]:
    """The jobs of this user that run on this host, the oldest first.

    One that does not answer in time stands there with its name alone.
    """
    found: list[Entry] = []
    for runtime in open_all(os.environ if environ is None else environ):
        with runtime:
            names = _swept(runtime)[-JOBS:]
            told = await asyncio.gather(*(_entry(runtime, name) for name in names))
            found += [entry for entry in told if entry is not None]
    return sorted(found, key=lambda entry: entry.job)[-JOBS:]


async def follow(job: str, environ: Mapping[str, str] | None = None) -> AsyncGenerator[bytes, None]:
    """What a job says from now on, line by line, to its end.

    The first line is a `job` message. The last one has a state that is not "running": where the
    job is killed that is "gone", with the figures that it told last. Raises :class:`Gone` where
    there is no such job; close it to look no more.
    """
    reader, writer = await _connected(job, os.environ if environ is None else environ)
    last = b""
    over = False
    try:
        writer.write(FOLLOW)
        while data := await _line(reader):
            if data.startswith(b'{"type":"job"'):
                last = data
            yield data
        over = True
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    if over and (told := _gone(job, last)) is not None:
        yield told


async def _connected(
    job: str, environ: Mapping[str, str]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if pid_of(job) is not None:
        for runtime in open_all(environ):
            with runtime:
                sock = await _connect(runtime, job + SUFFIX)
            if sock is not None:
                return await asyncio.open_unix_connection(sock=sock, limit=LONGEST)
    raise Gone(f"no job {job} runs")


async def _connect(runtime: Runtime, name: str) -> socket.socket | None:
    """A connection; None where there is nobody, and then its socket goes."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.connect(runtime.address(name))
    except ConnectionRefusedError:
        runtime.remove(name)
    except OSError:  # too many wait at its door; gone; another user's
        pass
    else:
        return sock
    sock.close()
    return None


async def _entry(runtime: Runtime, name: str) -> Entry | None:
    sock = await _connect(runtime, name)
    if sock is None:
        return None if name not in runtime.names() else _silent(name)
    reader, writer = await asyncio.open_unix_connection(sock=sock, limit=LONGEST)
    try:
        async with asyncio.timeout(PATIENCE):
            writer.write(LIST)
            data = await _line(reader)
        return _read_entry(data) if data else None
    except TimeoutError:
        return _silent(name)
    except msgspec.MsgspecError:
        return None
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _silent(name: str) -> Entry:
    return Entry(job=name.removesuffix(SUFFIX), state="running")


def _swept(runtime: Runtime) -> Sequence[str]:
    with suppress(OSError):
        runtime.sweep()
        return [name for name in runtime.names() if name.endswith(SUFFIX)]
    return ()


async def _line(reader: asyncio.StreamReader) -> bytes:
    """The next whole line without its end; empty where there is none."""
    try:
        return (await reader.readuntil(b"\n"))[:-1]
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
        return b""


def _gone(job: str, last: bytes) -> bytes | None:
    """What is told of a job that said nothing of its end; None where it did."""
    said: dict[str, Any] = {"type": "job", "job": job, "state": "gone"}
    if last:
        with suppress(msgspec.DecodeError):
            told = msgspec.json.decode(last, type=dict[str, Any])
            if told.get("state") != "running":
                return None
            said = {**told, "state": "gone", "in_flight": 0, "left_s": None}
    return line(said)[:-1]
