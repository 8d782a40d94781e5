"""The certificates that are trusted: read for a server over TLS, and only for one."""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from faultserver import FaultServer, in_thread

PEM = Path(__file__).with_name("selfsigned.pem")

ASK = """
import asyncio, sys
from llmbatch.jobs.pipeline import import_senders

import_senders()

from aiohttp import ClientSession, connector
from llmbatch.jobs.providers.http import Http

def read():
    return connector._SSL_CONTEXT_VERIFIED.cert_store_stats()["x509"]

async def main():
    there = read()
    if sys.argv[2] == "job":
        http = Http(sys.argv[1], name="lab")
        opened = read()
        status = (await http.post("/v1/chat/completions", b"{}"))._answer.status
        await http.aclose()
    else:
        opened = read()
        async with ClientSession() as session, session.post(sys.argv[1]) as response:
            status = response.status
    print(there, opened, status, read())

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("tls", "who", "seen"),
    [
        (True, "job", "0 1 200 1"),
        (True, "another", "0 0 404 1"),
        (False, "job", "0 0 200 0"),
    ],
)
def test_certificates_are_read_for_a_server_over_tls_alone(tls: bool, who: str, seen: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    with in_thread(FaultServer(tls=context if tls else None)) as server:
        done = subprocess.run(
            [sys.executable, "-c", ASK, server.root if who == "job" else server.url, who],
            env={"SSL_CERT_FILE": str(PEM)},
            capture_output=True,
            text=True,
        )
    assert done.stdout.strip() == seen, done.stderr
