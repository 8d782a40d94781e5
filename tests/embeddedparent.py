"""Another Python that starts the embedded server, so that it can be killed."""

from __future__ import annotations

import asyncio
import json

PARENT = """
import asyncio, json, signal, sys
from pathlib import Path
from llmbatch.jobs.embedded.server import EmbeddedServer

async def main():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, lambda: print("interrupted", flush=True))
    print("begun", flush=True)
    async with await EmbeddedServer.start(Path(sys.argv[1])) as server:
        facts = {"pid": server.pid, "url": server.base_url, "key": server.key}
        print(json.dumps(facts), flush=True)
        await loop.run_in_executor(None, sys.stdin.read)
        await server.aclose(60)
        print(server.returncode, flush=True)

try:
    from uvloop import run
except ImportError:
    run = asyncio.run
run(main())
"""


class Parent:
    """Another Python that starts the embedded server, in a process group of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> str:
        assert self.process.stdout is not None
        return (await self.process.stdout.readline()).decode().strip()

    async def facts(self) -> dict[str, str]:
        facts: dict[str, str] = json.loads(await self.line())
        return facts

    async def finish(self) -> tuple[str, str]:
        """End its input; returns all else that it said, on standard output and error."""
        output, errors = await self.process.communicate(b"")
        return output.decode().strip(), errors.decode().strip()
