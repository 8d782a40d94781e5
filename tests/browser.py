"""A real browser for the tests of the page: the system's Chromium, driven by Playwright.

    async with visit(browser, site.address) as page:
        await expect(page.get_by_role("heading", name="Jobs")).to_be_visible()

No test of it may leave a word on the console, break the content security policy, or ask any other
server for anything: :func:`visit` fails on each of these. The browser finds no host but loopback.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, Playwright, expect

PROGRAM = next(
    (
        path
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (path := shutil.which(name))
    ),
    None,
)
NONE = "no browser is here: apt-get install chromium"
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


async def launched(playwright: Playwright) -> Browser:
    """Without a network: no name leads anywhere, and nothing is asked in the background."""
    assert PROGRAM is not None
    args = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"]
    args += ["--no-sandbox"] if os.geteuid() == 0 else []
    return await playwright.chromium.launch(executable_path=PROGRAM, args=args)


def origin(address: str) -> str:
    """``http://127.0.0.1:8642``; that of a WebSocket is its page's."""
    parts = urlsplit(address)
    return f"{parts.scheme.replace('ws', 'http', 1)}://{parts.netloc}"


@contextlib.asynccontextmanager
async def visit(
    browser: Browser,
    address: str,
    *,
    excused: str | None = None,
    prepare: Callable[[Page], Awaitable[None]] | None = None,
    **context: Any,
) -> AsyncIterator[Page]:
    """A page of a browser of its own, at ``address``. ``context`` is Playwright's.

    ``excused`` is a part of what may stand on the console, where a test provokes it; ``prepare``
    is given the page before it goes to its address.
    """
    wrong: list[str] = []
    own = origin(address)

    def asked(url: str) -> None:
        if not url.startswith(("data:", "blob:", "about:")) and origin(url) != own:
            wrong.append(f"asked another server: {url}")

    opened = await browser.new_context(**{"viewport": WIDE, "reduced_motion": "reduce", **context})
    try:
        page = await opened.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", lambda said: wrong.append(f"console {said.type}: {said.text}"))
        page.on("pageerror", lambda error: wrong.append(f"error: {error}"))
        page.on("request", lambda request: asked(request.url))
        page.on("websocket", lambda socket: asked(socket.url))
        if prepare is not None:
            await prepare(page)
        await page.goto(address)
        yield page
    finally:
        await opened.close()
    left = [each for each in wrong if excused is None or excused not in each]
    assert not left, left


async def values(page: Page, attribute: str) -> dict[str, str]:
    """What is shown with its exact value: the values of all elements with that attribute."""
    found: dict[str, str] = await page.evaluate(
        """(name) => Object.fromEntries([...document.querySelectorAll(`[${name}]`)]
            .filter((each) => each.checkVisibility() && each.value !== "")
            .map((each) => [each.getAttribute(name), each.getAttribute("value")]))""",
        attribute,
    )
    return found
