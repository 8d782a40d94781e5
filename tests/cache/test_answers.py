"""What is kept is found again by what was asked, and by nothing else; failures cost no row."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import stat
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec import structs
from sampleresults import rejected, request, results, sample
from scripted import Chair

from llmbatch.jobs.cache.answers import Cache
from llmbatch.jobs.cache.caching import Cached
from llmbatch.jobs.cache.database import key_of
from llmbatch.jobs.cache.place import FILE
from llmbatch.jobs.cache.shelf import clear, stats
from llmbatch.jobs.clock import SystemClock
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.model import UNSET, Result, Row, Usage
from llmbatch.jobs.ports import Seat
from llmbatch.jobs.reuse.copies import reuse

VALUES: list[dict[str, Any]] = [
    {"output": "text"},
    {"output": {"name": "Ulm", "score": 3}},
    {"output": [0.25, -1.5], "endpoint": "embeddings"},
    {"output": "\ud800 half of a pair"},
    {"output": "", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f"}}]},
    {"output": "So.", "reasoning": "Let me see.", "logprobs": [{"token": "a", "logprob": -0.1}]},
]


async def test_what_was_kept_is_found_by_another_job(opened: Any) -> None:
    async with opened() as cache:
        for number, value in enumerate(VALUES):
            cache.keep(sample(f"r{number}", fingerprint=f"f{number}", **value))
    async with opened() as cache:
        for number, value in enumerate(VALUES):
            found = cache.find(f"f{number}")
            kept = sample(fingerprint=f"f{number}", **value)
            assert found == structs.replace(kept, id="", line=0, metrics=None)
        assert cache.find("f99") is None


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(results())
def test_any_answer_comes_back_as_it_was_written(tmp_path_factory: Any, result: Result) -> None:
    async def there_and_back() -> Result | None:
        folder = tmp_path_factory.mktemp("cache")
        for _ in range(2):
            cache = Cache(folder, 50_000_000, print)
            cache.start()
            found = cache.find(result.fingerprint)
            if found is None:
                cache.keep(result)
            await cache.aclose()
        return found

    found = asyncio.run(there_and_back())
    assert found is not None
    assert (found.status, found.finish_reason) == (result.status, result.finish_reason)
    assert (found.provider, found.model, found.usage) == (
        result.provider,
        result.model,
        result.usage,
    )
    assert (found.id, found.metadata, found.metrics) == ("", {}, None)


async def test_another_request_that_shares_the_key_is_not_taken_for_it(
    opened: Any, folder: Path
) -> None:
    async with opened() as cache:
        cache.keep(sample(fingerprint="f1"))
    with sqlite3.connect(folder / FILE) as database:
        database.execute("UPDATE answers SET key = ?", (key_of("f2"),))
    database.close()
    async with opened() as cache:
        assert cache.find("f2") is None


async def test_only_the_owner_may_read_it(opened: Any, folder: Path) -> None:
    async with opened() as cache:
        cache.keep(sample())
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


async def test_hits_and_last_use_are_remembered(opened: Any, folder: Path) -> None:
    async with opened() as cache:
        cache.keep(sample(fingerprint="f1"))
    database = sqlite3.connect(folder / FILE)
    database.execute("UPDATE answers SET used = 1000, created = 1000")
    database.commit()
    async with opened() as cache:
        for _ in range(3):
            assert cache.find("f1") is not None
    found = stats(folder)
    assert found is not None
    assert (found.entries, found.hits, found.oldest) == (1, 3, 1000)
    (used,) = database.execute("SELECT used FROM answers").fetchone()
    assert used > time.time() - 3600
    database.close()


async def test_what_was_not_used_for_longest_makes_room(opened: Any, folder: Path) -> None:
    limit = 1_000_000
    async with opened(limit) as cache:
        for number in range(200):
            cache.keep(sample(fingerprint=f"old{number}", output="x" * 1000))
    database = sqlite3.connect(folder / FILE)
    database.execute("UPDATE answers SET used = 1000")
    database.execute("UPDATE answers SET used = 2000 WHERE key = ?", (key_of("old7"),))
    database.commit()
    database.close()
    async with opened(limit) as cache:
        assert cache.find("old8") is not None, "it is used again, and stays"
        for number in range(560):
            cache.keep(sample(fingerprint=f"new{number}", output="x" * 1000))
    found = stats(folder)
    assert found is not None
    assert found.bytes <= limit
    async with opened(limit) as cache:
        assert all(cache.find(f"new{number}") for number in range(560))
        old = [number for number in range(200) if cache.find(f"old{number}")]
    assert {7, 8} <= set(old)
    assert len(old) < 150


async def test_a_smaller_limit_shrinks_the_file(opened: Any, folder: Path) -> None:
    async with opened() as cache:
        for number in range(2000):
            cache.keep(sample(fingerprint=f"f{number}", output="x" * 1000))
    assert (folder / FILE).stat().st_size > 2_000_000
    async with opened(1_000_000) as cache:
        cache.keep(sample(fingerprint="last"))
    found = stats(folder)
    assert found is not None
    assert found.bytes <= 1_000_000
    assert found.entries > 300


async def test_an_answer_that_is_too_large_is_left_out(opened: Any) -> None:
    async with opened(1_000_000) as cache:
        cache.keep(sample(fingerprint="large", output="x" * 500_000))
        cache.keep(sample(fingerprint="small"))
    async with opened(1_000_000) as cache:
        assert cache.find("large") is None
        assert cache.find("small") is not None


async def test_a_database_that_breaks_is_given_up_once_and_costs_nothing_else(
    opened: Any, folder: Path, lost: list[str]
) -> None:
    async with opened() as cache:
        for number in range(500):
            cache.keep(sample(fingerprint=f"f{number}", output="x" * 1000))
    async with opened() as cache:
        with (folder / FILE).open("r+b") as file:
            file.seek(8192)
            file.write(b"\xff" * 500_000)
        answers = [cache.find(f"f{number}") for number in range(500)]
        assert None in answers
        cache.keep(sample(fingerprint="later"))
        assert cache.broken
        assert cache.find("f1") is None
    assert len(lost) == 1
    assert FILE in lost[0]


async def test_a_failure_of_the_thread_that_writes_is_told_in_the_loop(
    opened: Any, folder: Path, lost: list[str]
) -> None:
    async with opened() as cache:
        other = sqlite3.connect(folder / FILE)
        other.execute("DROP TABLE answers")
        other.commit()
        other.close()
        cache.keep(sample(fingerprint="f1"))
        async with asyncio.timeout(30):
            while not cache.broken:
                await asyncio.sleep(0.01)
    assert len(lost) == 1


async def test_a_damaged_entry_is_asked_again_and_replaced(opened: Any, folder: Path) -> None:
    async with opened() as cache:
        cache.keep(sample(fingerprint="f1"))
    database = sqlite3.connect(folder / FILE)
    database.execute("UPDATE answers SET answer = x'7b22'")
    database.commit()
    database.close()
    async with opened() as cache:
        assert cache.find("f1") is None
        cache.keep(sample(fingerprint="f1", output="anew"))
    async with opened() as cache:
        assert cache.find("f1").output == "anew"


@pytest.mark.parametrize("block", range(4))
def test_bytes_that_changed_make_no_wrong_answer_and_no_bug(
    opened: Any, folder: Path, block: int
) -> None:
    """Every end is an answer as it was, none, or a ConfigError."""

    async def fill() -> None:
        async with opened() as cache:
            for number in range(60):
                cache.keep(sample(fingerprint=f"f{number}", output=f"answer {number}" * 50))

    async def look_up() -> int:
        async with opened() as cache:
            found = [(number, cache.find(f"f{number}")) for number in range(60)]
            cache.keep(sample(fingerprint="new"))
        assert all(each is None or each.output == f"answer {number}" * 50 for number, each in found)
        return sum(each is not None for _, each in found)

    asyncio.run(fill())
    whole, hits = (folder / FILE).read_bytes(), []
    for seed in range(25 * block, 25 * (block + 1)):
        random, data = Random(seed), bytearray(whole)
        for _ in range(random.choice([1, 5, 40, 400])):
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
        for path in folder.iterdir():
            path.unlink()
        (folder / FILE).write_bytes(data)
        with contextlib.suppress(ConfigError):
            hits.append(asyncio.run(look_up()))
        with contextlib.suppress(ConfigError):
            stats(folder)
        with contextlib.suppress(ConfigError):
            clear(folder)
    assert any(0 < number < 60 for number in hits)


def test_clearing_says_what_it_removed_and_gives_the_space_back(folder: Path) -> None:
    async def fill() -> None:
        cache = Cache(folder, 50_000_000, print)
        cache.start()
        for number in range(300):
            cache.keep(sample(fingerprint=f"f{number}", output="x" * 3000))
        await cache.aclose()

    assert clear(folder) == (0, 0)
    asyncio.run(fill())
    entries, size = clear(folder)
    assert entries == 300
    assert size > 900_000
    assert (folder / FILE).stat().st_size < 100_000
    found = stats(folder)
    assert found is not None
    assert (found.entries, found.oldest) == (0, None)


class Asked:
    def __init__(self, **fields: Any) -> None:
        self.ids: list[str] = []
        self.fields = fields

    async def __call__(self, row: Row, seat: Seat) -> Result:
        self.ids.append(row.id)
        return sample(row.id, fingerprint=row.fingerprint, **self.fields)


async def test_a_hit_is_the_rows_own_and_cost_nothing(opened: Any) -> None:
    asked = Asked(cost_usd=0.5)
    async with opened() as cache:
        await Cached(asked, cache, SystemClock())(request("a"), Chair())
    async with opened() as cache:
        row = structs.replace(request("b"), line=4, metadata={"tag": 1})
        found = await Cached(asked, cache, SystemClock())(row, Chair())
    assert asked.ids == ["a"]
    assert (found.id, found.line, found.metadata) == ("b", 4, {"tag": 1})
    assert (found.usage, found.cost_usd, reuse(found)) == (Usage(), 0.0, "cached")
    assert found.metrics is not None
    assert (found.metrics.attempts, found.metrics.same_as) == (0, UNSET)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "refused"},
        {"status": "filtered"},
        {"status": "partial"},
        {"status": "error"},
        {"status": "invalid_output"},
        {"fallbacks": 1},
    ],
)
async def test_what_is_no_good_answer_of_the_first_route_is_not_kept(
    opened: Any, fields: dict[str, Any]
) -> None:
    asked = Asked(**fields)
    for _ in range(2):
        async with opened() as cache:
            await Cached(asked, cache, SystemClock())(request("a"), Chair())
    assert asked.ids == ["a", "a"]


async def test_rows_that_can_not_be_sent_are_not_looked_up(opened: Any) -> None:
    asked = Asked()
    async with opened() as cache:
        await Cached(asked, cache, SystemClock())(rejected("a"), Chair())
    assert asked.ids == ["a"]


@pytest.mark.parametrize("what", ["noise", "another version", "another's", "torn"])
async def test_what_is_no_cache_is_refused_with_what_to_do(
    opened: Any, folder: Path, what: str
) -> None:
    folder.mkdir()
    path = folder / FILE
    if what == "noise":
        path.write_bytes(bytes(range(256)) * 100)
    elif what == "torn":
        async with opened() as cache:
            cache.keep(sample(output="x" * 10_000))
        path.write_bytes(path.read_bytes()[:5000])
    else:
        database = sqlite3.connect(path)
        database.execute("CREATE TABLE theirs (a)")
        if what == "another version":
            database.execute("PRAGMA application_id = 1280068930")
            database.execute("PRAGMA user_version = 99")
        database.commit()
        database.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"name another folder|cache clear") as caught:
        async with opened():
            pass
    assert str(folder) in str(caught.value)
    if what == "another's":
        assert path.read_bytes() == before
        with pytest.raises(ConfigError, match="no cache of llmbatch"):
            clear(folder)
        assert path.read_bytes() == before
    else:
        assert clear(folder)[0] is None
        async with opened() as cache:
            assert cache.find("f1") is None
