"""A folder, a fault server and ``llmbatch run``, for tests of the whole way through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from command import Done, Running, command, running

from faultserver import FaultServer
from llmbatch.cli.exits import exit_of
from llmbatch.cli.options import settings_from
from llmbatch.cli.run import run
from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.job import run_job_async


class Desk:
    """Where a user sits: files in a folder, a server to ask, and ``llmbatch run``."""

    verb = "run"

    def __init__(self, folder: Path, server: FaultServer) -> None:
        self.folder = folder
        self.server = server

    def write(self, *rows: Any, name: str = "in.jsonl") -> Path:
        """A file of rows: bytes and text stand as they are, everything else as JSON."""
        path = self.folder / name
        lines = [row if isinstance(row, bytes | str) else json.dumps(row) for row in rows]
        path.write_bytes(b"".join(r if isinstance(r, bytes) else r.encode() + b"\n" for r in lines))
        return path

    def prompts(self, count: int, name: str = "in.jsonl") -> Path:
        """Rows ``r1`` to ``r<count>``, whose prompts are ``say 1`` to ``say <count>``."""
        rows = [{"id": f"r{n}", "prompt": f"say {n}"} for n in range(1, count + 1)]
        return self.write(*rows, name=name)

    def settings(self, **values: Any) -> None:
        """The folder's ``llmbatch.yaml``."""
        (self.folder / "llmbatch.yaml").write_text(json.dumps(values))  # which is YAML as well

    def summary(self, name: str = "sum.json") -> dict[str, Any]:
        """What ``--summary`` wrote."""
        found: dict[str, Any] = json.loads((self.folder / name).read_text())
        return found

    async def run(self, *args: str | Path, route: bool = True, **kw: Any) -> Done:
        """``llmbatch run`` to its end; without ``route`` no server is named."""
        return await command(self.verb, *args, *self._route(route), cwd=self.folder, **kw)

    def running(
        self, *args: str | Path, route: bool = True, **kw: Any
    ) -> AbstractAsyncContextManager[Running]:
        """``llmbatch run`` as a live process."""
        return running(self.verb, *args, *self._route(route), cwd=self.folder, **kw)

    def _route(self, wanted: bool) -> tuple[str, ...]:
        return ("--base-url", self.server.url, "-m", "m") if wanted else ()

    def lines(self, name: str = "in.results.jsonl") -> list[dict[str, Any]]:
        """The output's lines, of which every one has to be whole."""
        data = (self.folder / name).read_bytes()
        assert data.endswith(b"\n") or not data
        return [json.loads(line) for line in data.splitlines()]

    def results(self, name: str = "in.results.jsonl") -> dict[str, dict[str, Any]]:
        """The output by id; every id stands in it once."""
        lines = self.lines(name)
        found = {line["id"]: line for line in lines}
        assert len(found) == len(lines), "an id occurs twice"
        return found


class Here(Desk):
    """The same with every job in this process, for tests of what a job leaves behind.

    How a process ends, and what it says, is not seen; the working folder has to be ``folder``.
    """

    async def run(
        self, *args: str | Path, route: bool = True, env: Mapping[str, str] | None = None, **_: Any
    ) -> Done:
        """The exit code alone; raises what stops a job before it begins."""
        words = [str(arg) for arg in (*args, *self._route(route))]
        with run.make_context("run", words) as ctx:
            config = settings_from(ctx).config
        assert isinstance(config, JobConfig)
        summary = await run_job_async(config, environ=env or {})
        return Done(exit_of(summary, config.max_failed), "", "")
