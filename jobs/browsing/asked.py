"""What a row asked: made again out of its input, and shown only where it is proved to be that."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ..config import JobConfig
from ..errors import ConfigError, SourceError
from ..manifest.manifest import Manifest
from ..manifest.masks import inside
from ..model import Request
from ..records import BATCH_PREFIX, read
from ..rereading import earlier_config, earlier_parser
from ..sources.inputs import Input, expand
from ..sources.rows import RowParser
from ..sources.stored import STDIN
from .folder import Folder

PATIENCE = 5.0
"""Seconds that are spent on looking for a row in its input."""

LONGEST_DATA = 200
"""Characters of a data URL that are shown: an image is not for reading."""


class Asked(Struct, frozen=True):
    """The request as it was sent; None where it can't be told, and ``why``."""

    request: dict[str, Any] | None
    why: str | None = None


class _Unknown(Exception):
    """Why the request can't be told."""


def asked(
    folder: Folder, file: str, line: bytes, environ: Mapping[str, str], now: JobConfig
) -> Asked:
    """What the result in that line of ``file`` answers. It blocks, for seconds at most.

    ``now`` are the settings in force, of which the manifest does not hold what is secret. The
    input is wherever the manifest says; nothing of it is shown but the row whose request has the
    line's own fingerprint.
    """
    try:
        return Asked(_shown(_found(folder, file, line, environ, now)))
    except (_Unknown, ConfigError, SourceError) as error:
        return Asked(None, str(error))


def _found(
    folder: Folder, file: str, line: bytes, environ: Mapping[str, str], now: JobConfig
) -> Request:
    stored = read(line)
    manifest = folder.manifest(file)
    if stored is None:
        raise _Unknown("the line is no result")
    if stored.status == "invalid":
        raise _Unknown("nothing was asked: the row of the input is not valid")
    if manifest is None:
        raise _Unknown("there is no manifest beside the results, which would name the input")
    if manifest.job != "run":
        raise _Unknown("a piece of a document was asked about: `chunk` says where it stands")
    if any(not each.rereadable for each in manifest.inputs):
        raise _Unknown("the input could be read only once: it is gone")
    if not manifest.inputs:
        raise _Unknown("the manifest names no input")
    inputs = _inputs(folder, file, manifest)
    old = earlier_config(manifest, now)
    parser = earlier_parser(manifest, old, environ, several=len(inputs) > 1)
    until = time.monotonic() + PATIENCE
    number = None if line.startswith(f'{{"id":"{BATCH_PREFIX}'.encode()) else _number(line)
    for source in inputs:
        for row in _rows(source, number, parser, until):
            if row.fingerprint == stored.fingerprint:
                return row
    raise _Unknown("the input, or what goes with it, has changed since: no row asks this any more")


def _rows(source: Input, number: int | None, parser: RowParser, until: float) -> Iterator[Request]:
    """The row of that line; where its number is not known, all of them."""
    for lines in source.blocks():
        if time.monotonic() > until:
            raise _Unknown("the input is too long to be searched for one row")
        for at, line in lines if number is None else _only(lines, number):
            row = parser.parse(line, at, source.path, source.format)
            if isinstance(row, Request):
                yield row
            if at == number:
                return


def _only(lines: Sequence[tuple[int, bytes]], number: int) -> Sequence[tuple[int, bytes]]:
    if not lines or lines[-1][0] < number:
        return ()
    return list(islice((each for each in lines if each[0] == number), 1))


def _inputs(folder: Folder, file: str, manifest: Manifest) -> Sequence[Input]:
    """The inputs where they are now. Raises _Unknown where one of them is not there."""
    names = [facts.path for facts in manifest.inputs]
    for base in _bases(folder, file, manifest):
        paths = [str(base / name) for name in names if name != STDIN]
        if paths and all(os.path.isfile(path) for path in paths):  # noqa: PTH113 - as text
            form = manifest.config.get("input_format")
            return [one for path in paths for one in expand([path], form)]
    missing = names[0] if len(names) == 1 else f"{names[0]} and others"
    raise _Unknown(f"the input is not there any more: {missing}")


def _bases(folder: Folder, file: str, manifest: Manifest) -> Iterator[Path]:
    """What relative paths of a manifest may be relative to, the likeliest first."""
    results = folder.root / file
    output = Path(manifest.output)
    if not output.is_absolute() and results.parts[-len(output.parts) :] == output.parts:
        yield Path(*results.parts[: -len(output.parts)])
    yield results.parent
    yield folder.root


class _Line(Struct):
    line: int | None = None


def _number(line: bytes) -> int | None:
    try:
        return msgspec.json.decode(line, type=_Line).line
    except (ValueError, RecursionError):
        return None


def _shown(request: Request) -> dict[str, Any]:
    shown: dict[str, Any] = {"model": request.model, "endpoint": request.endpoint}
    if request.messages:
        shown["messages"] = _short(request.messages)
    if request.input is not None:
        shown["input"] = _short(request.input)
    return {**shown, **inside(dict(request.params)), **inside(dict(request.extra))}


def _short(value: Any) -> Any:
    if isinstance(value, str):
        if value.startswith("data:") and len(value) > LONGEST_DATA:
            return f"{value[:LONGEST_DATA]}… ({len(value):,} characters)"
        return value
    if isinstance(value, Mapping):
        return {key: _short(item) for key, item in value.items()}
    return [_short(item) for item in value] if isinstance(value, list | tuple) else value
