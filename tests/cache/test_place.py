"""Where the cache is, how large it may be, and what is no folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmbatch.jobs.cache.place import bytes_of, cache_folder, check_folder, make_folder
from llmbatch.jobs.errors import ConfigError


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/llmbatch/answers"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/llmbatch/answers"),
        ({"HOME": "/h"}, "/h/.cache/llmbatch/answers"),
    ],
)
def test_auto_is_the_users_own_cache(environ: dict[str, str], folder: str) -> None:
    assert cache_folder("auto", environ) == Path(folder)


def test_a_name_is_a_folder() -> None:
    assert cache_folder("here", {}) == Path.cwd() / "here"


@pytest.mark.parametrize(
    ("text", "size"),
    [("1GB", 10**9), ("1.5 GiB", 3 << 29), ("500M", 5 * 10**8), ("2000000", 2_000_000)],
)
def test_sizes_are_read_as_they_are_meant(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["0", "10kB", "999999B", "much", "-1GB", ""])
def test_a_size_that_is_none_or_too_small_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--cache-size"):
        bytes_of(text)


def test_a_file_where_a_folder_belongs_explains_how_the_flag_is_written(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text("")
    with pytest.raises(ConfigError, match="--cache=DIR"):
        check_folder(str(path), {})
    with pytest.raises(ConfigError, match="--cache=DIR"):
        check_folder(str(tmp_path / "prompts"), {}, inputs=False)
    check_folder(str(tmp_path), {})


def test_a_folder_that_can_not_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="another folder"):
        make_folder(tmp_path / "file" / "cache")
