"""What is installed: the page's files are in the wheel, and of a kind that browsers take."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from pageserver import page

from llmbatch.cli.web.assets import FOLDER, TYPES

ROOT = Path(__file__).parent.parent.parent


def test_a_built_wheel_holds_every_file_of_the_page(tmp_path: Path) -> None:
    """Built by the backend alone, elsewhere: nothing is fetched, nothing is left behind."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("cli", "jobs", "pyproject.toml", "README.md", "LICENSE"):
        (tree / name).symlink_to(ROOT / name)
    code = "from setuptools import build_meta; print(build_meta.build_wheel('out'))"
    built = subprocess.run(
        [sys.executable, "-c", code], cwd=tree, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = (tree / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        files = {name: archive.getinfo(name).file_size for name in names}
    for path in FOLDER.iterdir():
        assert files[f"llmbatch/cli/web/static/{path.name}"] == path.stat().st_size


async def test_every_file_of_the_page_is_served_as_what_it_is(tmp_path: Path) -> None:
    async with page(tmp_path) as server:
        for path in FOLDER.iterdir():
            reply = await server.get(f"/static/{path.name}")
            assert reply.status == 200, path
            assert reply.headers["Content-Type"].startswith(TYPES[path.suffix])
        index = await server.get("/")
        assert index.text == (FOLDER / "index.html").read_text()
