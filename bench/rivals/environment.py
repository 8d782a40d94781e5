"""A virtual environment a tool, under `.bench/envs`: made once, and again when its pins change."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from ..child import ROOT, BenchFailed, succeed
from .tools import Tool

ENVIRONMENTS = ROOT / ".bench" / "envs"
SECONDS = 600
"""What an installation may take."""


def python_of(tool: Tool, environments: Path = ENVIRONMENTS) -> Path:
    """The interpreter that has the tool; BenchFailed says why it could not be installed."""
    folder = environments / tool.name.replace(" ", "-")
    python = folder / "bin" / "python"
    stamp = folder / "installed.txt"
    wanted = "\n".join((sys.version.split()[0], *tool.pins, ""))
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    environments.mkdir(parents=True, exist_ok=True)
    try:
        succeed([sys.executable, "-m", "venv", folder], environments, SECONDS)
        pip: list[str | Path] = [python, "-m", "pip", "install", "--quiet", *tool.pins]
        succeed(pip, environments, SECONDS)
    except BenchFailed as error:
        raise BenchFailed(f"could not be installed: {error}") from None
    stamp.write_text(wanted, encoding="utf-8")  # last: an interrupted installation is done again
    return python
