"""The page's view of results: what is looked for is found, and a row shows all that is known."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from browser import PHONE, values, visit
from command import running
from faultreplies import answer
from pagesite import HOSTILE, Site
from playwright.async_api import Browser, Page, expect

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("results")]
DONE = "#/results?file=done.results.jsonl"


def rows(page: Page) -> Any:
    return page.locator(".rows tbody tr")


async def test_the_filter_filters(browser: Browser, site: Site) -> None:
    async with visit(browser, site.at(DONE)) as page:
        await expect(page.locator(".found")).to_have_text("230 rows")
        await expect(rows(page)).to_have_count(100)

        await page.get_by_label("Search").fill("Number 12")
        await expect(page.locator(".found")).to_have_text("11 of 230 rows")  # 12, 120 to 129
        await expect(rows(page)).to_have_count(11)

        await page.get_by_role("button", name="Clear filters").click()
        await page.get_by_label("error", exact=False).check()
        await expect(page.locator(".found")).to_have_text("2 of 230 rows")
        await expect(rows(page).first).to_contain_text("bad request")

        await page.reload()  # the address says it all
        await expect(page.locator(".found")).to_have_text("2 of 230 rows")
        await page.get_by_label("error", exact=False).uncheck()
        await page.get_by_label("latency, at least").fill("1000")
        await expect(page.locator(".found")).to_have_text("0 of 230 rows")
        await expect(page.get_by_text("No row is like that")).to_be_visible()


async def test_a_heading_sorts_the_rows_and_turns_them_round(browser: Browser, site: Site) -> None:
    def seconds(text: str) -> float:
        number, unit = text.split(" ")
        return float(number) / (1000 if unit == "ms" else 1)

    async with visit(browser, site.at(DONE)) as page:
        heading = page.get_by_role("columnheader", name="Latency")
        for order in ("descending", "ascending"):
            await heading.get_by_role("button").click()
            await expect(heading).to_have_attribute("aria-sort", order)
            shown = [seconds(each) for each in await page.locator("td.latency").all_inner_texts()]
            assert shown == sorted(shown, reverse=order == "descending")


async def test_a_hundred_rows_are_a_page(browser: Browser, site: Site) -> None:
    async with visit(browser, site.at(DONE)) as page:
        await page.get_by_role("link", name="Last page").click()
        await expect(page.locator(".where")).to_have_text("201–230 of 230")
        await expect(rows(page)).to_have_count(30)
        await page.go_back()
        await expect(page.locator(".where")).to_have_text("1–100 of 230")


async def test_a_row_shows_request_answer_times_and_retries(browser: Browser, site: Site) -> None:
    text = (site.folder / "done.results.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    row = next(line for line in lines if line["id"] == "row-7")
    async with visit(browser, site.at(DONE)) as page:
        await page.get_by_label("Search").fill("Number 7.")  # and at once, before it is searched
        await page.get_by_role("link", name="row-7", exact=True).click()
        panel = page.get_by_role("region", name="row-7")
        await expect(panel.get_by_role("region", name="Answer")).to_contain_text("Number 7.")
        await expect(panel.get_by_role("region", name="Request")).to_contain_text("Say 7.")
        steps = panel.get_by_role("region", name="Time").get_by_role("listitem")
        await expect(steps.filter(has_text="Attempt 1")).to_contain_text("rate limited")
        await expect(steps.filter(has_text="Attempt 2: answer")).to_be_visible()
        shown = await values(page, "data-metric")
        for name, value in shown.items():
            assert float(value) == row["metrics"][name]
        assert {"ttft_s", "latency_s", "queue_s", "attempts"} <= shown.keys()
        await expect(panel).to_contain_text("Made again after")


async def test_a_failed_row_shows_its_error(browser: Browser, site: Site) -> None:
    async with visit(browser, site.at(f"{DONE}&status=error")) as page:
        await rows(page).first.get_by_role("link").click()
        panel = page.locator("section.row")
        await expect(panel.locator(".failure")).to_contain_text("HTTP 400")
        await expect(panel.locator(".failure")).to_contain_text("this prompt is <b>bad</b>")
        await expect(panel.get_by_role("region", name="Answer")).to_contain_text("There is none.")


async def test_a_hostile_answer_is_text_in_the_list_and_in_its_row(
    browser: Browser, site: Site
) -> None:
    async with visit(browser, site.at(f"{DONE}&q=onerror"), viewport=PHONE) as page:
        await expect(rows(page)).to_have_count(1)
        await expect(rows(page)).to_contain_text("<img src=x onerror=")
        await rows(page).get_by_role("link").click()
        body = page.get_by_role("region", name="Answer").locator(".text").first
        shown = HOSTILE.replace("\x1b", "⟨ESC⟩").replace("\x00", "⟨NUL⟩")
        shown = shown.replace("\u202e", "⟨U+202E⟩").replace("\u202c", "⟨U+202C⟩")
        assert await body.text_content() == shown
        await page.get_by_role("button", name="Formatted").click()
        prose = page.locator(".prose")
        await expect(prose.locator("pre")).to_have_text("</pre><b>bold</b>")
        assert await page.locator("#main :is(img, script, b, iframe)").count() == 0
        assert await prose.get_by_role("link").count() == 0  # javascript: leads nowhere
        await expect(page).to_have_title(re.compile("Results"))


async def test_rows_are_read_by_keyboard_alone(browser: Browser, site: Site) -> None:
    async with visit(browser, site.at(DONE)) as page:
        await expect(rows(page)).to_have_count(100)
        for _ in range(2):
            await page.keyboard.press("j")
        await expect(rows(page).nth(1).get_by_role("link")).to_be_focused()
        await page.keyboard.press("Enter")
        name = page.locator("#row-name")
        await expect(name).to_be_focused()
        second = await name.inner_text()
        await page.keyboard.press("j")
        await expect(name).not_to_have_text(second)
        await page.keyboard.press("k")
        await expect(name).to_have_text(second)
        await page.keyboard.press("Escape")
        await expect(page.locator("section.row")).to_be_hidden()
        await expect(rows(page).nth(1).get_by_role("link")).to_be_focused()
        await page.keyboard.press("/")
        await expect(page.get_by_label("Search")).to_be_focused()


async def test_a_link_leads_to_the_row(browser: Browser, site: Site) -> None:
    async with visit(browser, site.at(DONE)) as page:
        await rows(page).nth(2).get_by_role("link").click()
        await expect(page.locator("section.row")).to_be_visible()
        name, link = await page.locator("#row-name").inner_text(), page.url
        await page.goto("about:blank")
        await page.goto(link)
        await expect(page.locator("#row-name")).to_have_text(name)


async def test_rows_of_any_shape_are_shown(browser: Browser, site: Site) -> None:
    """Whoever wrote the file: what is no time, no list or no object is left out."""
    text = (site.folder / "done.results.jsonl").read_text()
    first = json.loads(text.splitlines()[0])
    strange: dict[str, dict[str, Any]] = {
        "tried": {"metrics": {**first["metrics"], "tried": "no list", "retried": "none either"}},
        "failed": {"status": "error", "output": None, "error": "a bare <b>text</b>"},
        "other": {"metadata": [1], "cost_usd": -1, "output": [{"a": 1}]},
    }
    lines = [json.dumps({**first, "id": name, **more}) for name, more in strange.items()]
    (site.folder / "strange.results.jsonl").write_text("\n".join(lines) + "\n[]\n")
    async with visit(browser, site.at("#/results?file=strange.results.jsonl")) as page:
        found = page.locator(".found")
        await expect(found).to_have_text("3 rows, 1 line is no result")
        for name in strange:
            await page.get_by_role("link", name=name, exact=True).click()
            await expect(page.get_by_role("region", name=name)).to_be_visible()
            await expect(page.get_by_role("region", name="Metrics")).to_be_attached()
            panel = await page.locator("section.row").inner_text()
            assert not re.search("undefined|NaN|object Object", panel)
            if name == "failed":
                assert "a bare <b>text</b>" in panel


async def test_rows_are_asked_for_again_when_the_server_is_back(
    browser: Browser, site: Site
) -> None:
    sockets: list[Any] = []

    async def prepare(page: Page) -> None:
        async def through(socket: Any) -> None:
            sockets.append(socket)
            socket.connect_to_server()

        await page.route_web_socket("**/ws", through)

    async with visit(browser, site.at(DONE), prepare=prepare, excused="ERR_FAILED") as page:
        await expect(page.locator(".found")).to_have_text("230 rows")
        await page.route("**/api/**", lambda route: route.abort())
        await page.get_by_label("Search").fill("Number 12")
        await expect(page.get_by_text("The server does not answer.")).to_be_visible()
        await page.unroute("**/api/**")
        await sockets[0].close()
        await expect(page.locator(".found")).to_have_text("11 of 230 rows")
        await expect(page.get_by_label("Search")).to_have_value("Number 12")


async def test_a_job_that_begins_puts_its_file_into_the_list(browser: Browser, site: Site) -> None:
    end = asyncio.Event()
    replies = iter([answer("Quick.")])
    site.provider.replies = lambda call: next(
        replies, answer("word " * 9, chunks=9, edit=lambda parts: [*parts[:4], end, *parts[4:]])
    )
    (site.folder / "begun.jsonl").write_text('"One"\n"Two"\n')
    options = ("--model", "tiny", "--base-url", site.provider.url, "--concurrency", "1")
    async with visit(browser, site.at(DONE)) as page:
        await expect(page.locator(".found")).to_have_text("230 rows")
        run = running("run", "begun.jsonl", *options, cwd=site.folder, env=site.environ)
        async with run as job:
            option = page.get_by_role("option", name="begun.results.jsonl")
            await expect(option).to_have_text("begun.results.jsonl (running)")
            await page.get_by_label("Results file").select_option("begun.results.jsonl")
            await expect(page.locator(".found")).to_have_text("1 row")
            end.set()
            assert (await job.ended()).code == 0
            await expect(page.locator(".found")).to_have_text("2 rows")
            await expect(option).to_have_text("begun.results.jsonl")
