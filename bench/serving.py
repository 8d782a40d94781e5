"""The local server as a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

import msgspec

from .child import ROOT, BenchFailed
from .seen import Seen


class Server:
    """The counting server while it runs."""

    __slots__ = ("port",)

    def __init__(self, port: int) -> None:
        self.port = port

    def __repr__(self) -> str:
        return f"Server(port={self.port})"

    def url(self, **plan: float | str) -> str:
        """A base URL whose answers follow ``plan`` (fields of :class:`.answers.Plan`)."""
        return f"{self.root(**plan)}/v1"

    def root(self, **plan: float | str) -> str:
        """The same for those whose base URL does not end in ``/v1``: Anthropic and Gemini."""
        settings = "".join(f"/{key}={value}" for key, value in plan.items())
        return f"http://127.0.0.1:{self.port}{settings}"

    def requests(self) -> int:
        """Requests for an answer so far."""
        return self._stats("/stats").requests

    def seen(self) -> Seen:
        """When they came, and which were refused."""
        return self._stats("/stats?all")

    def told(self) -> Seen:
        """What it tells of itself, without the moments."""
        return self._stats("/stats")

    def _stats(self, path: str) -> Seen:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            return msgspec.json.decode(connection.getresponse().read(), type=Seen)
        finally:
            connection.close()


@contextmanager
def serving(*mood: str) -> Iterator[Server]:
    """A fresh server in its own process; it ends with the context, or when we die.

    ``mood`` is what :func:`.moods.mood_of` takes.
    """
    with process_with_port("bench.server", *mood) as port:
        yield Server(port)


@contextmanager
def process_with_port(module: str, *arguments: str) -> Iterator[int]:
    """A module of ours that prints its port and ends with its standard input, while it runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise BenchFailed("the local server did not start")
        yield int(line)
    finally:
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
