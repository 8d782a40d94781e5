"""Patterns and folders become files: sorted, each once, and the search ends."""

from __future__ import annotations

import glob
from pathlib import Path

import pytest

from llmbatch.jobs.errors import SourceError
from llmbatch.jobs.sources.globs import expand_pattern, is_pattern, walk


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.md", "a.md", "d/c.md", "d/e/f.md", "d/e/g.txt", ".git/h.md", "d/.i.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / "d/folder.md").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "pattern",
    [
        "*.md",
        "**/*.md",
        "**/*",
        "**",
        "d/**",
        "d/**/*.md",
        "**/e/*",
        "**/e/**",
        "./**/*.md",
        "d/*/*",
        "**/**/f.md",
        ".git/*",
        ".git/**",
        "[ab].md",
        "d/**/[fg].*",
        "*/e/f.md",
        "**/d/**/f.md",
    ],
)
def test_a_pattern_finds_what_a_shell_finds(tree: Path, pattern: str) -> None:
    every = set(glob.glob(pattern, recursive=True))
    expected = sorted(path for path in every if not Path(path).is_dir())
    assert expand_pattern(pattern) == expected
    assert expand_pattern(f"{tree}/{pattern}") == [f"{tree}/{path}" for path in expected]


def test_links_in_a_circle_end(tree: Path) -> None:
    Path("d/up").symlink_to("..")
    Path("d/e/up").symlink_to("../..")
    assert expand_pattern("**/f.md") == ["d/e/f.md"]
    assert list(walk("d"))[:2] == ["d/c.md", "d/e/f.md"]
    assert len(list(walk("d"))) == 5


def test_a_folder_is_walked_in_the_order_of_its_names_without_what_is_hidden(tree: Path) -> None:
    assert list(walk(".")) == ["./a.md", "./b.md", "./d/c.md", "./d/e/f.md", "./d/e/g.txt"]
    assert list(walk("d/")) == ["d/c.md", "d/e/f.md", "d/e/g.txt"]
    assert "./.git/h.md" in list(walk(".", hidden=True))


def test_a_deep_folder_is_walked(tree: Path) -> None:
    deep = Path(*["n"] * 300)
    deep.mkdir(parents=True)
    (deep / "deep.txt").write_text("x")
    assert list(walk("n")) == [str(deep / "deep.txt")]


def test_a_pattern_without_a_match_is_named(tree: Path) -> None:
    for pattern in ("*.pdf", "**/*.pdf", "nowhere/**"):
        with pytest.raises(SourceError, match="no file matches: check the pattern"):
            expand_pattern(pattern)


def test_a_file_whose_name_looks_like_a_pattern_is_none(tree: Path) -> None:
    assert is_pattern("a[1].md")
    Path("a[1].md").write_text("x")
    assert not is_pattern("a[1].md")
