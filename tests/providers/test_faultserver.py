"""The fault server itself: what other tests lean on."""

from __future__ import annotations

import asyncio
import json
import urllib.request

import aiohttp
import pytest
from faultreplies import answer, error, never, stalled

from faultserver import FaultServer, in_thread


async def post(session: aiohttp.ClientSession, server: FaultServer, **body: object) -> bytes:
    async with session.post(server.url + "/chat/completions", json=body) as response:
        return await response.read()


async def test_it_echoes_and_records_by_default() -> None:
    async with FaultServer() as server, aiohttp.ClientSession() as session:
        plain = json.loads(await post(session, server, messages=[{"content": "hi"}]))
        streamed = await post(session, server, messages=[{"content": "ho"}], stream=True)
    assert plain["choices"][0]["message"]["content"] == "You said: hi"
    assert streamed.endswith(b"data: [DONE]\n\n")
    assert [call.prompt for call in server.calls] == ["hi", "ho"]
    assert server.connections == 1


async def test_replies_are_used_in_order_and_may_choose() -> None:
    async with FaultServer() as server, aiohttp.ClientSession() as session:
        server.replies = [error(500), lambda call: answer("two")]
        first = await post(session, server)
        second = await post(session, server)
    assert b"It went wrong" in first
    assert b"two" in second


async def test_it_counts_the_peak_and_the_busiest_window() -> None:
    release = asyncio.Event()
    async with FaultServer() as server, aiohttp.ClientSession() as session:
        server.replies = stalled(release)
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(post(session, server, stream=True))
            while server.in_flight < 3:
                await asyncio.sleep(0)
            release.set()
    assert server.peak == 3
    assert server.busiest(60) == 3
    assert server.busiest(1e-9) == 1


async def test_it_ends_although_a_call_was_never_answered() -> None:
    async with aiohttp.ClientSession() as session:
        async with FaultServer() as server:
            server.replies = never()
            task = asyncio.create_task(post(session, server))
            while not server.calls:
                await asyncio.sleep(0)
        with pytest.raises(aiohttp.ClientError):
            await task


def test_it_runs_in_a_thread_for_synchronous_tests() -> None:
    with in_thread() as server:
        request = urllib.request.Request(server.url + "/completions", b'{"prompt": "hi"}')
        with urllib.request.urlopen(request) as response:
            assert json.load(response)["choices"][0]["text"] == "You said: hi"
