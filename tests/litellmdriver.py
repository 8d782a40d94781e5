"""A process of its own that asks through LiteLLM, for tests: its import is slow, and it warns.

One JSON object a line on standard input is one attempt; one on standard output is how it went.
Every connection to anything but loopback ends the process.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import aclosing
from typing import Any

import uvloop
from msgspec import UNSET

from llmbatch.jobs.errors import ProviderError, Unanswered
from llmbatch.jobs.keys import Key
from llmbatch.jobs.model import Request
from llmbatch.jobs.providers.litellm import LiteLLM

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def shown(value: Any) -> dict[str, Any]:
    """A Struct as JSON can hold it, without what is not set."""
    fields = {name: getattr(value, name) for name in value.__struct_fields__}
    return {name: field for name, field in fields.items() if field is not UNSET}


def guard(event: str, args: tuple[Any, ...]) -> None:
    """An audit hook: no word to the network, not even a name to look up."""
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    if (host.decode() if isinstance(host, bytes) else host) not in LOOPBACK:
        sys.stderr.write(f"network: {event} {host}\n")
        sys.stderr.flush()
        os._exit(70)  # an exception could be caught, or belong to a thread that nobody joins


def request(ask: dict[str, Any]) -> Request:
    return Request(
        id="r",
        line=1,
        path="in.jsonl",
        endpoint=ask.get("endpoint", "chat"),
        model=ask["model"],
        fingerprint="f",
        messages=ask.get("messages") or [{"role": "user", "content": "one two three"}],
        params=ask.get("params", {}),
        extra=ask.get("extra", {}),
    )


async def attempt(provider: LiteLLM, ask: dict[str, Any]) -> dict[str, Any]:
    """The deltas of one attempt and what ended it; ``stop_after`` leaves the stream early."""
    deltas: list[dict[str, Any]] = []
    quotas: list[dict[str, str]] = []
    failure: dict[str, Any] | None = None
    provider._quota = lambda headers: quotas.append(dict(headers))  # type: ignore[assignment,func-returns-value]
    stream = provider.stream(request(ask), whole=ask.get("whole", False), hear=lambda quota: None)
    try:
        async with aclosing(stream):
            async for delta in stream:
                deltas.append({name: getattr(delta, name) for name in delta.__struct_fields__})
                if len(deltas) == ask.get("stop_after"):
                    break
    except ProviderError as error:
        failure = {
            "type": error.type,
            "may_be_billed": isinstance(error, Unanswered),
            "http_status": error.http_status,
            "message": str(error),
            "retryable": error.retryable,
            "retry_after": getattr(error, "retry_after", None),
        }
    return {"deltas": deltas, "error": failure, "headers": quotas[0] if quotas else {}}


def open_provider(ask: dict[str, Any]) -> LiteLLM:
    key = ask.get("key", "sk-proj-Zq8fWm1x-do-not-print")
    return LiteLLM(
        key=Key(key) if key else None,
        base_url=ask.get("url"),
        headers=ask.get("headers"),
        timeout=ask.get("timeout", 60.0),
        stall_timeout=ask.get("stall", 30.0),
        drop=ask.get("drop", False),
    )


async def main() -> None:
    """LiteLLM's connections stay open until the last provider goes: the first one is kept."""
    loop = asyncio.get_running_loop()
    kept: LiteLLM | None = None
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        ask = json.loads(line)
        provider = open_provider(ask)
        done = await attempt(provider, ask)
        if kept is None:
            kept = provider
        else:
            await provider.aclose()
        print(json.dumps(done, default=shown))
        sys.stdout.flush()
    if kept is not None:
        await kept.aclose()


if __name__ == "__main__":
    sys.addaudithook(guard)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as the command does
        runner.run(main())
