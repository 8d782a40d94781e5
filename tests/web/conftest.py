"""One browser and one site for all tests of the page: each test opens a page of its own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import browser as chromium
import pytest
import pytest_asyncio
from command import command
from faultreplies import answer, error, rate_limited
from pagesite import HOSTILE, Site
from playwright.async_api import Browser, async_playwright

from faultserver import FaultServer
from llmbatch.cli.web.server import Serving, opened
from llmbatch.jobs.config import JobConfig


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if chromium.PROGRAM is None:
        pytest.skip(chromium.NONE)
    async with async_playwright() as playwright:
        launched = await chromium.launched(playwright)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    folder.chmod(0o700)
    async with FaultServer() as provider:
        config = JobConfig(model="tiny", base_url=provider.url)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_RUNTIME_DIR", str(folder))
            async with opened(Serving(folder=folder, config=config, port=0)) as place:
                address = f"{place.root}?token={place.guard.token}"
                yield Site(address, place.root, folder, provider)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def results(site: Site) -> dict[str, Any]:
    """The summary of the job whose output is ``done.results.jsonl``.

    It has 230 rows: two failed, two were tried again, one has a hostile answer.
    """
    rows = [{"id": f"row-{number}", "prompt": f"Say {number}."} for number in range(230)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (site.folder / "done.jsonl").write_text(lines)
    again = {"Say 7.": rate_limited("0.01"), "Say 8.": error(503)}

    def reply(call: Any) -> Any:
        if call.prompt in again:
            return again.pop(call.prompt)
        if call.prompt == "Say 3.":
            return answer(HOSTILE)
        if call.prompt in ("Say 4.", "Say 5."):
            return error(400, "this prompt is <b>bad</b>")
        return answer(f"Number {call.prompt.removeprefix('Say ')}")

    site.provider.replies = reply
    options = ("--model", "tiny", "--base-url", site.provider.url, "--summary", "done.json")
    prices = ("--price-in", "1", "--price-out", "2")
    args = ("run", "done.jsonl", *options, *prices)
    done = await command(*args, cwd=site.folder, env=site.environ)
    assert done.code == 1, done
    summary: dict[str, Any] = json.loads((site.folder / "done.json").read_text())
    return summary
