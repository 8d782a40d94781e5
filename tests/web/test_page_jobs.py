"""The page's view of jobs: a running one moves, one that is over is as its summary says."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Mapping
from typing import Any

import pytest
from browser import PHONE, values, visit
from command import running
from faultreplies import answer, never, rate_limited
from pagesite import HOSTILE, Site
from playwright.async_api import Browser, Page, expect

pytestmark = pytest.mark.asyncio(loop_scope="session")


def figure_of(summary: Mapping[str, Any], path: str) -> Any:
    """The value at a path such as ``routes.openai/gpt-4.1.pauses``: names may have dots."""
    for name, value in summary.items():
        if path == name:
            return value
        if path.startswith(f"{name}.") and isinstance(value, Mapping):
            return figure_of(value, path.removeprefix(f"{name}."))
    raise AssertionError(f"the summary has no {path}")


def same(shown: Mapping[str, str], summary: Mapping[str, Any]) -> None:
    """Every figure on the page is the summary's, to the last digit."""
    for path, text in shown.items():
        value = figure_of(summary, path)
        assert (text if isinstance(value, str) else float(text)) == value, path


async def test_a_running_job_moves_and_ends_as_its_summary_says(
    browser: Browser, site: Site
) -> None:
    lines = [json.dumps({"id": f"live-{n}", "prompt": f"Tell {n}"}) for n in range(40)]
    (site.folder / "live.jsonl").write_text("\n".join(lines))
    gate = asyncio.Semaphore(0)
    end = asyncio.Event()

    async def reply(call: Any) -> Any:
        if call.prompt == "Tell 0":  # it is written until the test has seen it
            return answer("word " * 50, chunks=50, edit=lambda parts: [*parts[:9], end, *parts[9:]])
        await gate.acquire()
        return answer(HOSTILE if call.prompt == "Tell 1" else "a short answer", chunks=4)

    site.provider.replies = reply
    options = ("--model", "tiny", "--base-url", site.provider.url, "--summary", "live.json")
    frames: list[dict[str, Any]] = []
    async with (
        running("run", "live.jsonl", *options, cwd=site.folder, env=site.environ) as job,
        visit(browser, site.address, prepare=_collecting(frames)) as page,
    ):
        await page.get_by_role("link", name="live.results.jsonl").click()
        state = page.locator(".job .pill")
        await expect(state).to_have_text("Running")
        card = page.locator(".card").filter(has_text="live-0")
        await expect(card.locator(".text")).to_contain_text("word word")

        link = page.get_by_role("link", name="live.results.jsonl")
        await link.focus()
        done = page.locator('[data-job="done"]')
        bar = page.get_by_role("progressbar", name="Rows done")
        for count in (5, 12):
            for _ in range(count):
                gate.release()
            await expect(done).not_to_have_text("0")
            before = await done.inner_text()
            gate.release()
            await expect(done).not_to_have_text(before)
        assert int(await bar.get_attribute("aria-valuenow") or 0) > 0
        await expect(link.locator(".second")).to_contain_text(" of 40")
        await expect(link).to_be_focused()  # while what it says has changed
        await expect(page.get_by_role("img", name="Rows a second")).to_be_visible()
        hostile = page.locator(".card").filter(has_text="live-1")
        if await hostile.count():
            assert await hostile.locator("img, script").count() == 0

        end.set()
        await expect(card.locator(".state")).to_have_text("ok")
        await expect(card.locator(".foot")).to_contain_text("50 tokens")
        for _ in range(40):
            gate.release()
        assert (await job.ended()).code == 0
        await expect(state).to_have_text("Finished")
        summary = json.loads((site.folder / "live.json").read_text())
        await expect(page.locator('[data-figure="wall_s"]')).to_have_attribute(
            "value", str(summary["wall_s"])
        )
        shown = await values(page, "data-figure")
        same(shown, summary)
        mine = [each for each in frames if each["output"].endswith("live.results.jsonl")]
        assert mine[-1]["summary"] == summary
        assert {"usage.output_tokens", "rows_per_s", "ttft_s.p50", "latency_s.p99"} <= shown.keys()
        assert (await values(page, "data-job"))["done"] == "40"


def _collecting(frames: list[dict[str, Any]]) -> Any:
    """Keeps each `job` message that the page is sent."""

    def keep(data: str | bytes) -> None:
        message = json.loads(data)
        if message["type"] == "job" and "summary" in message:
            frames.append(message)

    async def prepare(page: Page) -> None:
        page.on("websocket", lambda socket: socket.on("framereceived", keep))

    return prepare


async def test_what_a_running_job_shows_is_its_last_frame_also_when_it_is_killed(
    browser: Browser, site: Site
) -> None:
    (site.folder / "held.jsonl").write_text("\n".join(json.dumps(f"Hold {n}") for n in range(20)))
    replies = iter([answer("Quick.")] * 9)
    site.provider.replies = lambda call: next(replies, never())
    options = ("--model", "tiny", "--base-url", site.provider.url, "--concurrency", "3")
    frames: list[dict[str, Any]] = []
    async with (
        running("run", "held.jsonl", *options, cwd=site.folder, env=site.environ) as job,
        visit(browser, site.address, prepare=_collecting(frames)) as page,
    ):
        await page.get_by_role("link", name="held.results.jsonl").click()
        await expect(page.locator('[data-job="done"]')).to_have_text("9")
        await expect(page.locator('[data-job="in_flight"]')).to_have_text("3")
        shown = await values(page, "data-figure")
        while not (matching := [each for each in frames if _matches(each["summary"], shown)]):
            shown = await values(page, "data-figure")  # it was between two frames
        last = matching[-1]
        assert len(shown) > 10
        assert (last["done"], last["in_flight"], last["summary"]["attempts"]) == (9, 3, 9)

        job.send(signal.SIGKILL)
        await expect(page.locator(".job .pill")).to_have_text("Gone")
        await expect(page.locator('[data-job="done"]')).to_have_text("9")
        await expect(page.locator(".card.writing")).to_have_count(0)
        listed = page.get_by_role("link", name="held.results.jsonl")
        await expect(listed).to_contain_text("Gone")


async def test_what_no_row_has_told_yet_is_a_dash_and_not_unknown(
    browser: Browser, site: Site
) -> None:
    inputs = [f"early-{number:02}.jsonl" for number in range(23)]
    for name in inputs:
        (site.folder / name).write_text(json.dumps({"id": name, "prompt": "Say it"}))
    end = asyncio.Event()
    replies = iter([rate_limited("0.01")])
    site.provider.replies = lambda call: next(
        replies, answer("word " * 9, chunks=9, edit=lambda parts: [*parts[:4], end, *parts[4:]])
    )
    options = ("--model", "tiny", "--base-url", site.provider.url, "--no-dedupe")
    output = ("-o", "early.results.jsonl", "--concurrency", "1")
    async with (
        running("run", *inputs, *output, *options, cwd=site.folder, env=site.environ) as job,
        visit(browser, site.address) as page,
    ):
        link = page.get_by_role("link", name="early.results.jsonl")
        await expect(link).to_have_attribute("title", str(site.folder / "early.results.jsonl"))
        await link.click()
        names = "early-00.jsonl, early-01.jsonl, early-02.jsonl and 20 more"
        await expect(page.locator(".subject")).to_contain_text(names)
        tiles = page.locator(".tile")
        attempts = tiles.filter(has_text="Attempts")
        await expect(attempts).to_contain_text("1 retry")
        cost = tiles.filter(has_text="Cost").locator('[data-figure="cost_usd"]')
        await expect(cost).to_have_text("–")
        end.set()
        assert (await job.ended()).code == 0
        await expect(cost).to_have_text("unknown")


def _matches(summary: Mapping[str, Any], shown: Mapping[str, str]) -> bool:
    try:
        same(shown, summary)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("viewport", [None, PHONE], ids=["wide", "phone"])
async def test_a_job_that_is_over_agrees_with_its_summary_to_the_digit(
    browser: Browser, site: Site, results: Mapping[str, Any], viewport: Any
) -> None:
    more = {"viewport": viewport} if viewport else {}
    async with visit(browser, site.address, **more) as page:
        await page.get_by_role("link", name="done.results.jsonl").click()
        await expect(page.locator(".job .pill")).to_have_text("Finished")
        await expect(page.get_by_role("img", name="Time to first token")).to_be_visible()
        shown = await values(page, "data-figure")
        same(shown, results)
        every = {"usage.input_tokens", "usage.output_tokens", "cost_usd", "wall_s", "attempts"}
        times = {f"{name}.{p}" for name in ("ttft_s", "latency_s") for p in ("p50", "p95", "p99")}
        causes = {"failures.bad_request", "retries.rate_limited", "retries.overloaded"}
        assert every | times | causes <= shown.keys()
        told = await values(page, "data-job")
        assert (told["done"], told["failed"], told["left"]) == ("230", "2", "0")
        await page.get_by_role("link", name="Failed rows").click()
        await expect(page.locator(".found")).to_have_text("2 of 230 rows")


async def test_a_job_that_is_looked_at_again_has_its_figures_still(
    browser: Browser, site: Site, results: Mapping[str, Any]
) -> None:
    async with visit(browser, site.address) as page:
        await page.get_by_role("link", name="done.results.jsonl").click()
        times = page.get_by_role("img", name="Time to first token")
        await expect(times).to_be_visible()
        there = page.url
        await page.evaluate("location.hash = '#/jobs/of-another-day'")
        await expect(times).to_be_hidden()
        await page.evaluate("address => { location.href = address; }", there)
        await expect(times).to_be_visible()
        same(await values(page, "data-figure"), results)
        assert (await values(page, "data-figure"))["attempts"] != ""


async def test_the_page_comes_back_by_itself_and_says_that_it_was_gone(
    browser: Browser, site: Site, results: Mapping[str, Any]
) -> None:
    sockets: list[Any] = []

    async def prepare(page: Page) -> None:
        async def through(socket: Any) -> None:
            sockets.append(socket)
            if len(sockets) == 2:  # the first attempt to come back fails
                await socket.close()
            else:
                socket.connect_to_server()

        await page.route_web_socket("**/ws", through)

    async with visit(browser, site.address, prepare=prepare) as page:
        connection = page.locator("#connection-text")
        await expect(connection).to_have_text("Live")
        await sockets[0].close()
        await expect(page.locator("#banner")).to_contain_text("Trying again")
        await expect(connection).to_have_text("Live")
        assert len(sockets) == 3
        await expect(page.locator("#said")).to_have_text("Connected again")
        await expect(page.locator("#banner")).to_be_hidden()
        await expect(page.get_by_role("link", name="done.results.jsonl")).to_be_visible()
