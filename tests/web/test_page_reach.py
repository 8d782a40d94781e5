"""Who can use the page, and who can't: keyboards, screen readers, phones; never another site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from browser import PHONE, visit
from faultreplies import answer
from pagesite import Site
from playwright.async_api import Browser, Page, expect

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("results")]
VIEWS = {
    "jobs": "#/jobs",
    "results": "#/results?file=done.results.jsonl",
    "chat": "#/chat",
}
HERE = Path(__file__).parent
AUDIT, CONTRAST = ((HERE / name).read_text() for name in ("audit.js", "contrast.js"))


async def shown(page: Page, view: str) -> None:
    """The view has all that it will have."""
    if view == "jobs":
        await page.get_by_role("link", name="done.results.jsonl").click()
        await expect(page.get_by_role("img", name="Time to first token")).to_be_visible()
    elif view == "results":
        await page.locator(".rows tbody a").first.click()
        await expect(page.get_by_role("region", name="Metrics")).to_be_visible()
    else:
        await page.get_by_label("Message").fill("Hello")
        await expect(page.get_by_role("button", name="Send")).to_be_enabled()
        await page.keyboard.press("Enter")
        await expect(page.locator(".turn")).to_have_attribute("aria-busy", "false")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
async def test_everything_has_a_name_and_can_be_read(
    browser: Browser, site: Site, view: str, theme: Any
) -> None:
    site.provider.replies = answer("# Title\n\nSome `code` and a [link](https://example.org).")
    async with visit(browser, site.at(VIEWS[view]), color_scheme=theme) as page:
        await shown(page, view)
        assert await page.evaluate(AUDIT) == []
        found = await page.evaluate(CONTRAST)
        assert found["wrong"] == []
        assert found["checked"] > 15


@pytest.mark.parametrize("view", VIEWS)
async def test_nothing_is_wider_than_a_small_phone(browser: Browser, site: Site, view: str) -> None:
    site.provider.replies = answer(f"```\n{'wide ' * 60}\n```\n{'x' * 400}")
    narrow = {**PHONE, "width": 360}
    async with visit(browser, site.at(VIEWS[view]), viewport=narrow) as page:
        await shown(page, view)
        assert await page.evaluate("document.documentElement.scrollWidth") == 360


async def test_the_page_is_used_by_keyboard_alone(browser: Browser, site: Site) -> None:
    site.provider.replies = answer("Hello yourself.")
    async with visit(browser, site.address) as page:
        await expect(page.get_by_role("link", name="done.results.jsonl")).to_be_visible()
        await page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to content")
        await expect(skip).to_be_focused()
        await expect(skip).to_be_in_viewport()
        await page.keyboard.press("Enter")
        await expect(page.locator("main")).to_be_focused()
        await page.keyboard.press("Tab")
        link = page.locator(".joblist a").first
        await expect(link).to_be_focused()
        assert await link.evaluate("(each) => getComputedStyle(each).outlineStyle") == "solid"
        await page.keyboard.press("2")
        await expect(page.locator("#results-title")).to_be_focused()
        await page.keyboard.press("?")
        await expect(page.get_by_role("dialog")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_be_hidden()
        await page.keyboard.press("3")
        await expect(page.get_by_label("Message")).to_be_focused()
        await page.keyboard.type("Hello 1 2 3 ?")  # no shortcut while one writes
        await page.keyboard.press("Enter")
        await expect(page.locator(".turn .prose")).to_have_text("Hello yourself.")
        await expect(page.locator("#said")).to_have_text("The answer is complete")


async def test_the_theme_is_the_systems_until_another_is_chosen_and_kept(
    browser: Browser, site: Site
) -> None:
    def dark() -> Any:
        return page.evaluate(
            "getComputedStyle(document.body).backgroundColor === 'rgb(18, 20, 22)'"
        )

    async with visit(browser, site.address, color_scheme="dark") as page:
        assert await dark()
        await page.get_by_role("button", name="Theme: as the system").click()
        assert not await dark()
        await page.reload()
        assert not await dark()
        await page.get_by_role("button", name="Theme: light").click()
        await page.emulate_media(color_scheme="light")
        assert await dark()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"], ids=["same host", "other host"])
async def test_another_origin_is_refused(browser: Browser, site: Site, name: str) -> None:
    """A page of another server, in a browser that holds the cookie, gets at nothing."""
    markup = (HERE / "elsewhere.html").read_text().replace("ROOT", site.root)
    markup = markup.replace("SOCKET", site.root.replace("http", "ws", 1))

    async def stranger(_: web.Request) -> web.Response:
        return web.Response(text=markup, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", stranger)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        async with visit(browser, site.address) as page:
            await expect(page.locator("#connection-text")).to_have_text("Live")
            other = await page.context.new_page()
            await other.goto(f"http://{name}:{port}/")
            await expect(other).not_to_have_title("waits")
            read, blind, socket, frame, script = await other.evaluate("JSON.parse(document.title)")
            assert (read, blind) == ("TypeError", "TypeError")
            assert (socket, script) == ("closed", "refused")
            assert "llmbatch" not in frame
            assert "Jobs" not in frame
    finally:
        await runner.cleanup()


async def test_the_policy_lets_no_markup_become_a_script(browser: Browser, site: Site) -> None:
    async with visit(browser, site.address, excused="TrustedHTML") as page:
        refused = await page.evaluate(
            """() => { try { document.body.innerHTML = "<b>"; return false; }
                catch (error) { return error.name; } }"""
        )
        assert refused == "TypeError"
        await expect(page.locator("#connection-text")).to_have_text("Live")


@pytest.mark.parametrize("view", ["#/constructor", "#/jobs/%E0%A4%A", "#/jobs/toString", "#//"])
async def test_an_address_that_leads_nowhere_shows_the_jobs(
    browser: Browser, site: Site, view: str
) -> None:
    async with visit(browser, site.at(view), viewport=PHONE) as page:
        await expect(page.get_by_role("link", name="done.results.jsonl")).to_be_visible()
