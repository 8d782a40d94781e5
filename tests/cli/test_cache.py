"""`llmbatch cache`: what it holds, and how it is emptied."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from sampleresults import sample

from llmbatch.cli.main import main
from llmbatch.jobs.cache.answers import Cache
from llmbatch.jobs.cache.place import FILE


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is started, and the user's home."""
    for name in [name for name in os.environ if name.startswith("LLMBATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def filled(folder: Path, entries: int) -> None:
    async def fill() -> None:
        cache = Cache(folder, 10_000_000, pytest.fail)
        cache.start()
        for number in range(entries):
            cache.keep(sample(fingerprint=f"f{number}"))
        await cache.aclose()

    asyncio.run(fill())


def test_where_there_is_none_it_says_so_and_makes_none(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache", "stats"]) == 0
    assert main(["cache", "clear"]) == 0
    said = capsys.readouterr().out
    assert f"folder   {home}/xdg/llmbatch/answers\n" in said
    assert "there is no cache yet" in said
    assert "removed 0 answers, 0 bytes" in said
    assert not (home / "xdg").exists()


def test_the_flag_wins_over_the_settings_and_they_over_the_users_own(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, entries in (("xdg/llmbatch/answers", 1), ("ours", 2), ("flag", 3)):
        filled(home / name, entries)
    assert main(["cache", "stats"]) == 0
    assert "entries  1\n" in capsys.readouterr().out
    (home / "llmbatch.yaml").write_text("cache: ours\n")
    assert main(["cache", "stats"]) == 0
    assert "entries  2\n" in capsys.readouterr().out
    assert main(["cache", "clear", "--cache", "flag"]) == 0
    assert "removed 3 answers, " in capsys.readouterr().out
    assert main(["cache", "stats", "--cache", "flag"]) == 0
    assert "entries  0\n" in capsys.readouterr().out
    (home / "llmbatch.yaml").write_text("cache: 'off'\n")
    assert main(["cache", "stats"]) == 0
    assert "entries  1\n" in capsys.readouterr().out


def test_a_cache_that_can_not_be_read_is_named_and_then_removed(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "c").mkdir()
    (home / "c" / FILE).write_text("this is no database, whatever its name says " * 99)
    assert main(["cache", "stats", "--cache", "c"]) == 2
    assert "llmbatch cache clear" in capsys.readouterr().err
    assert main(["cache", "clear", "--cache", "c"]) == 0
    assert "removed a cache that can't be read" in capsys.readouterr().out
    assert list((home / "c").iterdir()) == []


def test_a_file_is_no_cache(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "file").write_text("")
    assert main(["cache", "clear", "--cache", "file"]) == 2
    assert "is a file, not a folder" in capsys.readouterr().err
