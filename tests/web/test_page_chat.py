"""The page's chat: it streams and stops, and what a model says is text."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from browser import PATIENCE_MS, PHONE, values, visit
from faultreplies import answer, error, stalled
from pagesite import HOSTILE, Site
from playwright.async_api import Browser, Page, expect

pytestmark = pytest.mark.asyncio(loop_scope="session")
MEGABYTE = 1_000_000


async def ask(page: Page, text: str) -> Any:
    """The answer's turn."""
    box = page.get_by_label("Message")
    await box.fill(text)
    await expect(page.get_by_role("button", name="Send")).to_be_enabled()
    await box.press("Enter")
    return page.locator(".turn").last


async def ended(turn: Any, within_ms: float = PATIENCE_MS) -> None:
    await expect(turn).to_have_attribute("aria-busy", "false", timeout=within_ms)


async def test_an_answer_streams_and_says_what_it_took(browser: Browser, site: Site) -> None:
    go_on = asyncio.Event()
    site.provider.replies = stalled(go_on, after=4, text="one two **three** four", chunks=6)
    async with visit(browser, site.at("#/chat")) as page:
        turn = await ask(page, "Count")
        await expect(turn.locator(".prose")).to_contain_text("one")
        await expect(turn).to_have_attribute("aria-busy", "true")
        go_on.set()
        await ended(turn)
        await expect(turn.locator(".prose")).to_have_text("one two three four")
        await expect(turn.locator("strong")).to_have_text("three")
        shown = await values(page, "data-metric")
        assert {"output_tokens", "input_tokens", "ttft_s", "latency_s"} <= shown.keys()
        assert int(shown["output_tokens"]) == 6


@pytest.mark.parametrize("way", ["Escape", "button"])
async def test_an_answer_is_stopped_and_what_came_is_kept(
    browser: Browser, site: Site, way: str
) -> None:
    site.provider.replies = stalled(asyncio.Event(), after=4, text="one two three", chunks=6)
    async with visit(browser, site.at("#/chat")) as page:
        turn = await ask(page, "Count")
        await expect(turn.locator(".prose")).to_contain_text("one")
        if way == "Escape":
            await page.keyboard.press("Escape")
        else:
            await page.get_by_role("button", name="Stop").click()
        await ended(turn)
        await expect(turn.locator(".foot")).to_contain_text("stopped")
        await expect(turn.locator(".prose")).to_contain_text("one")
        async with asyncio.timeout(20):  # its stream is closed at the provider
            while site.provider.in_flight:
                await asyncio.sleep(0.01)
        site.provider.replies = answer("again")
        await expect(page.get_by_role("button", name="Send")).to_be_visible()
        await ended(await ask(page, "More"))


async def test_a_conversation_goes_on_is_retried_and_exported(
    browser: Browser, site: Site, tmp_path: Path
) -> None:
    site.provider.replies = [answer("First."), answer("Second."), answer("Third.")]
    async with visit(browser, site.at("#/chat")) as page:
        await page.get_by_text("System text").first.click()
        await page.get_by_label("System text").fill("Be brief.")
        await ended(await ask(page, "One?"))
        box = page.get_by_label("Message")
        await box.fill("Two")
        await box.press("Shift+Enter")
        await box.press_sequentially("lines?")
        await box.press("Enter")
        turn = page.locator(".turn").last
        await ended(turn)
        await expect(turn.locator(".prose")).to_have_text("Second.")
        said = [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "First."},
            {"role": "user", "content": "Two\nlines?"},
        ]
        assert site.provider.calls[-1].body["messages"] == said

        await turn.get_by_role("button", name="Retry").click()
        await expect(page.locator(".turn").last.locator(".prose")).to_have_text("Third.")
        await ended(page.locator(".turn").last)
        assert site.provider.calls[-1].body["messages"] == said
        assert await page.locator(".turn").count() == 2

        async with page.expect_download() as coming:
            await page.get_by_role("button", name="Export").click()
        await (await coming.value).save_as(tmp_path / "chat.json")
        exported = json.loads((tmp_path / "chat.json").read_text())["messages"]
        assert [each["content"] for each in exported[-2:]] == ["Two\nlines?", "Third."]

        await page.get_by_role("button", name="New chat").click()
        await expect(page.get_by_text("Try a prompt")).to_be_visible()


async def test_an_error_of_the_provider_is_told(browser: Browser, site: Site) -> None:
    site.provider.replies = error(400, "no <i>such</i> thing")
    async with visit(browser, site.at("#/chat")) as page:
        turn = await ask(page, "Hello")
        await ended(turn)
        await expect(turn.locator(".failure")).to_contain_text("no <i>such</i> thing")
        site.provider.replies = answer("Better.")
        await turn.get_by_role("button", name="Retry").click()
        await expect(page.locator(".turn .prose")).to_have_text("Better.")
        await ended(page.locator(".turn"))


async def test_a_hostile_answer_stays_text(browser: Browser, site: Site) -> None:
    site.provider.replies = answer(HOSTILE, chunks=40)
    async with visit(browser, site.at("#/chat"), viewport=PHONE) as page:
        title = await page.title()
        turn = await ask(page, "<img src=x onerror=alert(1)>")
        await ended(turn)
        prose = turn.locator(".prose")
        await expect(prose).to_contain_text("<img src=x onerror=\"document.title='taken'\">")
        await expect(prose).to_contain_text("⟨ESC⟩[31mred⟨ESC⟩[0m ⟨U+202E⟩gnp.exe⟨U+202C⟩ ⟨NUL⟩")
        await expect(prose).to_contain_text("[a link](javascript:alert(1))")
        assert await turn.locator(":is(img, script, b, i, iframe, a)").count() == 0
        assert await page.title() == title
        paragraph = prose.locator("p").first
        isolated = await paragraph.evaluate("(p) => getComputedStyle(p).unicodeBidi")
        assert (await paragraph.get_attribute("dir"), isolated) == ("auto", "plaintext")


@pytest.mark.parametrize(
    "text",
    [
        "x" * MEGABYTE,
        "- a `b` [c and more words, **bold** and not\n" * (MEGABYTE // 44),
        "\x1b[1mone\x1b[0m \u202etwo\n" * (MEGABYTE // 17),
    ],
    ids=["one line", "marks", "control characters"],
)
async def test_a_megabyte_does_not_hold_the_page_up(
    browser: Browser, site: Site, text: str
) -> None:
    site.provider.replies = answer(f"{text}\nThe end.", chunks=200)
    async with visit(browser, site.at("#/chat")) as page:
        turn = await ask(page, "Talk")
        await page.get_by_label("Message").fill("still here")  # while it streams
        await ended(turn, 3 * PATIENCE_MS)
        prose = turn.locator(".prose")
        await expect(prose.get_by_text("The end.")).to_be_visible()
        assert await prose.evaluate("(each) => each.textContent.length") > 0.9 * len(text)
        assert await prose.locator("*").count() < 30_000
        await expect(page.get_by_label("Message")).to_have_value("still here")


async def test_more_than_the_server_takes_is_told_and_not_sent(
    browser: Browser, site: Site
) -> None:
    asked = len(site.provider.calls)
    async with visit(browser, site.at("#/chat")) as page:
        turn = await ask(page, "語" * 1_400_000)  # three bytes each
        await ended(turn)
        await expect(turn.locator(".failure")).to_contain_text("more than 4 MB")
        await expect(page.locator("#connection-text")).to_have_text("Live")
    assert len(site.provider.calls) == asked
