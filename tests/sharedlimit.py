"""One process of several that share a limit: sends as fast as its gate lets it, and notes when.

    python sharedlimit.py STATE RPM ROWS LOG

Each line that it appends to LOG is its process id and a time (seconds, monotonic).
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from llmbatch.jobs.limits import open_gate
from llmbatch.jobs.model import Request

ROW = Request(
    id="q", line=1, path="-", endpoint="chat", model="m", fingerprint="", messages=[], params={}
)


async def main(state: str, rpm: str, rows: str, log: str) -> None:
    gate = open_gate(
        route="p/m",
        concurrency=8,
        ceiling=8,
        rpm=float(rpm),
        tpm=None,
        counter=None,
        shared=Path(state),
        observe=lambda event: None,
    )
    fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    todo = iter(range(int(rows)))

    async def pump() -> None:
        for _ in todo:
            async with gate.admit(ROW):
                os.write(fd, f"{os.getpid()} {time.monotonic():.6f}\n".encode())

    await asyncio.gather(*(pump() for _ in range(8)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
