"""What the page looks like: a screenshot of each view, and of a report.

LLMBATCH_SCREENSHOTS=docs/images makes the ones of the documentation, which takes two minutes.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from browser import visit
from command import command, running
from faultreplies import answer, error, rate_limited
from pagesite import Site
from playwright.async_api import Browser, Page, expect

from llmbatch.cli.web.server import Serving, opened
from llmbatch.jobs.config import JobConfig

pytestmark = pytest.mark.asyncio(loop_scope="session")
ASKED = os.environ.get("LLMBATCH_SCREENSHOTS")
LASTS_S = 60.0 if ASKED else 1.5
ROWS = 2_000
MODEL = "openai/gpt-4o-mini"
KEY = "sk-of-a-test"
TALL = {"width": 1280, "height": 1080}

OPENINGS = (
    "The reviewer likes the quiet fan and the light case",
    "Mostly positive: the screen is praised twice",
    "Mixed. Delivery was late, and the seller answered within a day",
    "Negative: the battery lasted four hours instead of nine",
    "Positive, with one wish: a second USB port",
)
ENDINGS = (
    "and would buy it again for a colleague who travels a lot.",
    "while the keyboard is called the best that he has typed on in years.",
    "so I would file it under shipping, not under the product itself.",
    "and the price, compared with last year's model, is called fair.",
)
CHAT = """Three things, in this order:

1. **Look at a sample.** `head -20 reviews.jsonl` shows whether every row has a text.
2. **Plan it.** Nothing is sent, and you know what it will cost:
   - the tokens of all prompts
   - the time it takes within your limits
3. **Set a canary and a budget**, so that a mistake costs cents:

```sh
llmbatch run reviews.jsonl --template 'Sum up: {{text}}' \\
    --canary 20 --halt-on 'failed>5%' --max-cost 5
```

| rows | tokens | cost |
|---|---|---|
| 20 | 12,400 | $0.004 |
| 60,000 | 37,200,000 | $11.16 |
"""


class Provider:
    """Answers as a busy provider does: in tokens, now and then not at all."""

    def __init__(self) -> None:
        self.dice = random.Random(7)

    def __call__(self, call: Any) -> Any:
        if "million" in call.prompt:
            return answer(CHAT, chunks=160, delay=0.02)
        luck = self.dice.random()
        if luck < 0.015:
            return rate_limited("0.3")
        if luck < 0.02:
            return error(503, "The engine is overloaded")
        if luck < 0.024:
            return error(400, "This prompt is empty")
        text = f"{self.dice.choice(OPENINGS)}, {self.dice.choice(ENDINGS)}"
        pace = self.dice.lognormvariate(-3.3, 0.4)
        return answer(text, chunks=self.dice.randint(14, 30), delay=pace, edit=self.later)

    def later(self, parts: list[bytes]) -> list[Any]:
        return [self.dice.lognormvariate(-1.5, 0.5), *parts]


async def taken(page: Page, folder: Path, name: str) -> None:
    await page.evaluate(
        """() => { for (const each of document.querySelectorAll("#folder bdi"))
            each.textContent = "/home/ada/reviews"; }"""
    )
    file = folder / f"{name}.png"
    await page.screenshot(path=file)
    assert file.stat().st_size > 10_000


@pytest_asyncio.fixture(loop_scope="session")
async def shop(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """A site of its own, with nothing but the job of the pictures."""
    folder = tmp_path / "reviews"
    folder.mkdir(mode=0o700)
    rows = ({"id": f"review-{n:05}", "text": f"Review {n} says"} for n in range(ROWS))
    (folder / "reviews.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    site.provider.replies = Provider()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    prices = {"price_in": 0.15, "price_out": 0.6}
    config = JobConfig(model=MODEL, base_url=site.provider.url, **prices)
    async with opened(Serving(folder=folder, config=config, port=0)) as place:
        address = f"{place.root}?token={place.guard.token}"
        yield Site(address, place.root, folder, site.provider)


@pytest.mark.timeout(300)
async def test_each_view_has_its_picture(browser: Browser, shop: Site, tmp_path: Path) -> None:
    pictures = Path(ASKED or tmp_path)
    pictures.mkdir(parents=True, exist_ok=True)
    options = ["--model", MODEL, "--base-url", shop.provider.url, "--template", "Sum up: {{text}}"]
    options += ["--price-in", "0.15", "--price-out", "0.6"]
    options += ["--rpm", "600", "--tpm", "16000", "--concurrency", "24"]
    env = {**shop.environ, "OPENAI_API_KEY": KEY}
    async with running("run", "reviews.jsonl", *options, cwd=shop.folder, env=env) as job:
        await _of_jobs(browser, shop, pictures)
        await _of_results(browser, shop, pictures)
        await _of_chat(browser, shop, pictures)
        job.send(signal.SIGINT)
        await job.ended()
    report = ("report", "reviews.results.jsonl", "-o", "reviews.html")
    done = await command(*report, cwd=shop.folder)
    assert done.code == 0, done
    address = (shop.folder / "reviews.html").as_uri()
    async with visit(browser, address, color_scheme="light") as page:
        await taken(page, pictures, "report")


async def _of_jobs(browser: Browser, site: Site, pictures: Path) -> None:
    async with visit(browser, site.address, color_scheme="light", viewport=TALL) as page:
        await page.get_by_role("link", name="reviews.results.jsonl").click()
        await expect(page.locator(".card")).to_have_count(6)
        await asyncio.sleep(LASTS_S)  # a picture of a job that has run for a while
        await expect(page.get_by_role("img", name="In flight")).to_be_visible()
        written = page.locator(".card").filter(has_text=re.compile(r"(\w+ ){5}"))
        await expect(written.nth(3)).to_be_visible()
        await taken(page, pictures, "jobs")


async def _of_results(browser: Browser, site: Site, pictures: Path) -> None:
    view = "#/results?file=reviews.results.jsonl&sort=-attempts"
    async with visit(browser, site.at(view), color_scheme="dark") as page:
        await page.locator(".rows tbody a").nth(1).click()
        await expect(page.get_by_role("region", name="Metrics")).to_be_attached()
        await taken(page, pictures, "results")


async def _of_chat(browser: Browser, site: Site, pictures: Path) -> None:
    async with visit(browser, site.at("#/chat"), color_scheme="light") as page:
        await page.get_by_label("Message").fill("What do I do before I send a million reviews?")
        await expect(page.get_by_role("button", name="Send")).to_be_enabled()
        await page.keyboard.press("Enter")
        await expect(page.locator(".turn")).to_have_attribute("aria-busy", "false")
        await taken(page, pictures, "chat")
