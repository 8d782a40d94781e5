"""A report in a real browser: it obeys its own policy, and foreign words stay words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browser import PHONE, visit
from click.testing import CliRunner
from playwright.async_api import Browser
from resultsfiles import FAILED, row, tried, write

from llmbatch.cli.report import report

pytestmark = pytest.mark.asyncio(loop_scope="session")
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
HOSTILE = (
    "<img src=x onerror=document.title='taken'></style><script>document.title='taken'</script>"
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    rows = [row(f"r{n}", times={"latency_s": 0.1 + n % 17 / 5}) for n in range(200)]
    failed = {**FAILED, "type": HOSTILE}
    times = tried((0, 1, HOSTILE), (2, 6, None))
    rows.append(row(HOSTILE + "x" * 400, "error", provider=HOSTILE, error=failed, times=times))
    path = write(folder / "r.jsonl", rows)
    page = folder / "r.html"
    CliRunner().invoke(report, [str(path), "-o", str(page)], catch_exceptions=False)
    return page.as_uri()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_it_is_drawn_and_can_be_read(browser: Browser, address: str, theme: Any) -> None:
    async with visit(browser, address, color_scheme=theme) as page:
        assert await page.title() == "r.jsonl - llmbatch report"
        assert await page.locator("svg[role=img]").count() > 15
        card = page.locator(".card").first
        colour = await card.evaluate("(each) => getComputedStyle(each).backgroundColor")
        assert colour == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 27, 34)"}[theme]
        found = await page.evaluate(CONTRAST)
        assert found["wrong"] == []
        assert await page.locator("img, script").count() == 0
        assert await page.get_by_text("<img src=x onerror").count() > 0


async def test_it_fits_a_phone_and_needs_no_script(browser: Browser, address: str) -> None:
    narrow = {**PHONE, "width": 360}
    async with visit(browser, address, viewport=narrow, java_script_enabled=False) as page:
        wide = await page.locator("html").evaluate("(each) => each.scrollWidth")
        assert wide == 360
        await page.locator("summary").first.click()
        assert await page.locator("details[open] table").count() == 1
