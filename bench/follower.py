"""A browser that looks at a job: `llmbatch serve` and a WebSocket to it, until standard input ends.

    python -m bench.follower FOLDER OUTPUT

Watches whatever job runs that writes to OUTPUT. At its end it prints how many messages of each
kind it was told about jobs.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import uvloop

COMMAND = Path(sys.executable).parent / "llmbatch"


@asynccontextmanager
async def server(folder: str) -> AsyncIterator[str]:
    """The address of a server over that folder."""
    process = await asyncio.create_subprocess_exec(
        COMMAND, "serve", folder, "--port", "0", cwd=folder, stdout=PIPE, stderr=DEVNULL
    )
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


async def look(socket: aiohttp.ClientWebSocketResponse, output: str, told: Counter[str]) -> None:
    watched = None
    async for message in socket:
        said: dict[str, Any] = msgspec.json.decode(message.data)
        if said["type"] == "jobs":
            for job in said["jobs"]:
                ours = job["output"] == output and job["state"] == "running"
                if ours and job["job"] != watched:
                    watched = job["job"]
                    await socket.send_json({"type": "watch", "job": watched})
        elif said.get("job") is not None:
            told[said["type"]] += 1


async def main(folder: str, output: str) -> None:
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), gone.set)
    told: Counter[str] = Counter()
    async with server(folder) as url, aiohttp.ClientSession() as session:
        address, _, token = url.partition("/?token=")
        headers = {"Authorization": f"Bearer {token}", "Origin": address}
        async with session.ws_connect(f"{address}/ws", headers=headers, max_msg_size=0) as socket:
            looking = asyncio.create_task(look(socket, output, told))
            print("ready", flush=True)
            await gone.wait()
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking
    print(msgspec.json.encode(told).decode(), flush=True)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
