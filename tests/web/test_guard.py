"""Who is let in: nobody without the token, and no page of another origin with it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from pageserver import Page, page

DATA = "/api/files"


@pytest.fixture
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    async with page(tmp_path_factory.mktemp("folder")) as open_page:
        yield open_page


async def test_nothing_is_answered_without_the_token(server: Page) -> None:
    for path in ("/", "/static/main.js", DATA, "/ws", "/nothing"):
        reply = await server.ask("GET", path)
        assert reply.status == 403, path
        assert "token" in reply.json["error"]


@pytest.mark.parametrize("token", ["", "x", "é", "\x00"])
async def test_a_wrong_token_is_no_token(server: Page, token: str) -> None:
    cookie = {"Cookie": f"{server.place.guard.cookie}=wrong"}
    for request in ({"params": {"token": token}}, {"headers": cookie}):
        assert (await server.ask("GET", DATA, **request)).status == 403


async def test_the_address_gives_a_cookie_that_no_script_and_no_other_site_can_use(
    server: Page,
) -> None:
    reply = await server.ask("GET", "/", params={"token": server.place.guard.token})
    assert (reply.status, reply.headers["Location"]) == (303, "/")
    cookie, *terms = reply.headers["Set-Cookie"].split("; ")
    assert cookie.startswith(f"llmbatch-{server.place.port}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(terms)
    assert (await server.ask("GET", DATA, headers={"Cookie": cookie})).status == 200


async def test_a_link_from_elsewhere_leads_to_the_page_itself(server: Page) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}
    token = {"token": server.place.guard.token}
    reply = await server.ask("GET", "/", params=token, headers=headers)
    assert reply.status != 303  # the browser would follow without the cookie
    assert "Set-Cookie" in reply.headers


async def test_a_code_lets_in_once(server: Page) -> None:
    code = {"token": server.place.guard.login()}
    assert (await server.ask("GET", DATA, params=code)).status == 403
    assert (await server.ask("GET", "/", params=code)).status == 303
    assert (await server.ask("GET", "/", params=code)).status == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1"]
)
async def test_a_name_that_was_rebound_to_loopback_is_not_served(server: Page, host: str) -> None:
    headers = {**server.headers, "Host": host.format(port=server.place.port)}
    assert (await server.ask("GET", DATA, headers=headers)).status == 403


async def test_localhost_is_served(server: Page) -> None:
    headers = {**server.headers, "Host": f"LOCALHOST:{server.place.port}"}
    assert (await server.ask("GET", DATA, headers=headers)).status == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:{port}", "http://127.0.0.1:1", ""]
)
async def test_a_request_of_another_origin_is_refused(server: Page, origin: str) -> None:
    headers = {**server.headers, "Origin": origin.format(port=server.place.port)}
    assert (await server.ask("GET", DATA, headers=headers)).status == 403
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with server.socket(Origin=headers["Origin"]):
            pass
    assert refused.value.status == 403


async def test_a_websocket_without_an_origin_is_refused(server: Page) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with server.client.ws_connect(f"{server.root}/ws", headers=server.headers):
            pass
    assert refused.value.status == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_whatever_changes_something_has_to_come_from_the_page(
    server: Page, method: str
) -> None:
    assert (await server.ask(method, DATA, headers=server.headers)).status == 403
    ours = {**server.headers, "Origin": server.root}
    assert (await server.ask(method, DATA, headers=ours)).status == 405


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_no_page_of_another_port_can_embed_the_data(server: Page, site: str) -> None:
    headers = {**server.headers, "Sec-Fetch-Site": site, "Sec-Fetch-Dest": "script"}
    for path in (DATA, "/", "/static/main.js"):
        assert (await server.ask("GET", path, headers=headers)).status == 403


@pytest.mark.parametrize("path", ["/", DATA, "/nothing", "/api/rows?file=/etc/passwd"])
async def test_every_answer_has_the_strict_headers(server: Page, path: str) -> None:
    for headers in ({}, server.headers):
        reply = await server.ask("GET", path, headers=headers)
        policy = reply.headers["Content-Security-Policy"].split("; ")
        assert {
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        } <= set(policy)
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Referrer-Policy"] == "no-referrer"
        assert reply.headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert reply.headers["Cache-Control"] == "no-store"
        assert "aiohttp" not in reply.headers["Server"]


@pytest.mark.parametrize(
    "name",
    ["../guard.py", "..%2fguard.py", "%2e%2e/guard.py", "/etc/passwd", ".hidden.js", "a\\b.js"],
)
async def test_no_name_leads_out_of_the_static_files(server: Page, name: str) -> None:
    reply = await server.get(f"/static/{name}")
    assert reply.status in (403, 404)
    assert "root:" not in reply.text
    assert "import" not in reply.text
