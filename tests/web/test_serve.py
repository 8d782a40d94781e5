"""The command: it prints its address alone, and says what is wrong before it serves anything."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import aiohttp
import pytest
from command import Running, command, running

URL = "http://127.0.0.1:"


async def address(job: Running) -> str:
    await job.heard("token=", on="stdout")
    await job.heard("\n", on="stdout")
    return job.stdout.strip()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
async def test_a_signal_ends_it_at_once_whoever_looks(
    tmp_path: Path, number: int, code: int
) -> None:
    async with running("serve", "--port", "0", cwd=tmp_path) as job:
        url = await address(job)
        assert url.startswith(URL)
        assert job.stdout == f"{url}\n"  # and nothing else
        assert "token" not in job.stderr
        root, _, token = url.partition("/?token=")
        headers = {"Authorization": f"Bearer {token}", "Origin": root}
        async with (
            aiohttp.ClientSession(headers=headers) as client,
            client.ws_connect(f"{root}/ws") as page,
        ):
            assert (await page.receive_json())["type"] == "hello"
            job.send(number)
            done = await job.ended(10)
            while (message := await page.receive()).type != aiohttp.WSMsgType.CLOSE:
                assert message.type == aiohttp.WSMsgType.TEXT
            assert message.data == aiohttp.WSCloseCode.GOING_AWAY
    assert done.code == code
    assert "Traceback" not in done.stderr


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = await command("serve", "--port", port, cwd=tmp_path)
    assert (done.code, done.stdout) == (2, "")
    assert f"--port {port}: another program listens there" in done.stderr


async def test_two_servers_find_ports_of_their_own(tmp_path: Path) -> None:
    async with running("serve", cwd=tmp_path) as one, running("serve", cwd=tmp_path) as two:
        assert await address(one) != await address(two)


async def test_mistakes_are_told_before_anything_is_served(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "bad.yaml").write_text("model: m\nrpm: many\n")
    (tmp_path / "who.yaml").write_text("model: opnai/gpt\n")
    wrong = {
        ("no/such",): "no/such: there is no such folder",
        ("file",): "file: is not a folder",
        ("--config", "bad.yaml"): "bad.yaml:2: rpm",
        ("--config", "who.yaml"): "opnai",
        ("--profile", "fast"): "profile",
        ("--port", "70000"): "port",
        ("--host", "0.0.0.0"): "No such option --host",
    }
    done = await asyncio.gather(*(command("serve", *args, cwd=tmp_path) for args in wrong))
    for (args, said), each in zip(wrong.items(), done, strict=True):
        assert each.code == 2, (args, each)
        assert each.stdout == ""
        assert said in each.stderr, (args, each)
        assert "Traceback" not in each.stderr


async def test_without_a_place_for_the_address_it_ends(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = await command("serve", "--port", "0", cwd=tmp_path, stdout=full.fileno())
    assert done.code == 6
    assert "standard output" in done.stderr


async def test_a_browser_that_holds_on_to_it_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "opened")
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$$ $1" > "{tmp_path}/opened"\nexec sleep 600 >&- 2>&-\n')
    browser.chmod(0o700)
    environ = {"BROWSER": f"{browser} %s"}
    async with running("serve", "--port", "0", "--open", cwd=tmp_path, env=environ) as job:
        url = await address(job)
        pid, opened = (await asyncio.to_thread((tmp_path / "opened").read_text)).split()
        try:
            assert opened.startswith(url.partition("token=")[0])
            assert opened != url  # a code that works once, as others can read it here
            job.send(signal.SIGTERM)
            assert (await job.ended(10)).code == 143
        finally:
            os.kill(int(pid), signal.SIGKILL)


@pytest.mark.parametrize("browser", ["'%s", "no-such-browser %s"])
async def test_without_a_browser_the_address_is_there(tmp_path: Path, browser: str) -> None:
    environ = {"BROWSER": browser, "PATH": str(tmp_path)}
    async with running("serve", "--port", "0", "--open", cwd=tmp_path, env=environ) as job:
        await address(job)
        job.send(signal.SIGTERM)
        done = await job.ended(10)
    assert done.code == 143
    assert "Traceback" not in done.stderr
