"""Requests that go through a proxy: what it hears, and that they arrive."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from proxyserver import ProxyServer

from faultserver import FaultServer
from llmbatch.jobs.errors import ConnectionFailed
from llmbatch.jobs.model import Request
from llmbatch.jobs.providers.native import Native

pytestmark = pytest.mark.usefixtures("each_way")

Ask = Callable[..., Request]
Collect = Callable[..., Any]
Connect = Callable[..., Native]
Through = Callable[..., None]

PEM = Path(__file__).with_name("selfsigned.pem")
BASIC = b"Basic " + b64encode(b"user:hunter2")


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Through:
    """``through(url, credentials="user:hunter2@")``: requests go through that proxy from now on."""

    def set_up(url: str, credentials: str = "") -> None:
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, url.replace("://", f"://{credentials}"))

    return set_up


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate of the tests is trusted, whatever name it is shown for."""
    context = ssl.create_default_context(cafile=PEM)
    context.check_hostname = False
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", context)


@pytest.mark.parametrize("credentials", ["", "user:hunter2@"])
@pytest.mark.parametrize("dialect", ["openai", "anthropic", "gemini"])
async def test_a_proxy_that_is_asked_for_a_tunnel_never_hears_the_key(
    connect: Connect,
    ask: Ask,
    collect: Collect,
    through: Through,
    secret: str,
    dialect: str,
    credentials: str,
) -> None:
    async with ProxyServer() as proxy:
        through(proxy.url, credentials)
        provider = connect("https://llm.example/v1", dialect=dialect, headers={"X-Team": "blue"})
        with pytest.raises(ConnectionFailed, match="the proxy answered HTTP 407"):
            await collect(provider, ask())
    (head,) = proxy.heads
    assert head.startswith(b"CONNECT llm.example:443 HTTP/1.1\r\n")
    assert secret.encode() not in head
    assert b"X-Team" not in head
    assert (BASIC in head) == bool(credentials)
    assert head.lower().count(b"authorization") == bool(credentials)


@pytest.mark.parametrize("credentials", ["", "user:hunter2@"])
async def test_the_proxy_of_a_plain_address_gets_its_own_credentials_and_no_others(
    server: FaultServer,
    connect: Connect,
    ask: Ask,
    collect: Collect,
    through: Through,
    secret: str,
    credentials: str,
) -> None:
    through(server.root, credentials)
    provider = connect("http://llm.example/v1")
    for _ in range(2):  # over a new connection, and over one that was kept
        assert (await collect(provider, ask()))[-1].status == "ok"
    assert server.connections == 1
    for call in server.calls:
        assert call.target == "http://llm.example/v1/chat/completions"
        assert call.headers["Host"] == "llm.example"
        assert call.headers["Authorization"] == f"Bearer {secret}"
        expected = BASIC.decode() if credentials else None
        assert call.headers.get("Proxy-Authorization") == expected


@pytest.mark.usefixtures("trusting")
async def test_https_goes_through_a_tunnel_that_is_kept(
    connect: Connect, ask: Ask, collect: Collect, through: Through, secret: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    async with FaultServer(tls=context) as secured:
        port = int(secured.root.rpartition(":")[2])
        async with ProxyServer(upstream=("127.0.0.1", port)) as proxy:
            through(proxy.url, "user:hunter2@")
            provider = connect("https://llm.example:8443/v1")
            for _ in range(2):
                assert (await collect(provider, ask()))[-1].status == "ok"
            await provider.aclose()
    assert len(proxy.heads) == 1
    for call in secured.calls:
        assert call.target == "/v1/chat/completions"
        assert call.headers["Host"] == "llm.example:8443"
        assert call.headers["Authorization"] == f"Bearer {secret}"
        assert "Proxy-Authorization" not in call.headers
