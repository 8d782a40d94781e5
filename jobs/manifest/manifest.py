"""``<output>.manifest.json``: what a job was, how it stands or ended, and what it cost so far."""

from __future__ import annotations

import errno
import os
import platform
import re
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self

import msgspec
from msgspec import Struct

from ..drain import Stop
from ..errors import ConfigError, SinkError
from ..traffic import RouteFigures
from ..wholefile import is_special, write_whole
from .account import Account

SUFFIX = ".manifest.json"
MAKER = "llmbatch/"
MARK = f"{MAKER}1"
_BEGIN = f'{{"manifest":"{MAKER}'.encode()
_NOWHERE = (errno.ENAMETOOLONG, errno.ENOTDIR)
_TABLE = re.compile(r"(\.(csv|tsv|parquet))\.jsonl$")
LARGEST = 64 << 20
"""Bytes; no manifest is that long."""

State = Literal["running", "tidying", "finished", "stopped"]
"""``tidying``: every row has its result, and the output may be rewritten at any moment."""


class InputFacts(Struct, frozen=True, kw_only=True):
    """One input or document as it was when the job began.

    ``blake2b`` is the hash of its bytes as stored, 32 bytes in hex; None while that is not known.
    What can be read only once (standard input, a pipe) is not ``rereadable``, and nothing else is
    known of it.
    """

    path: str
    rereadable: bool = True
    bytes: int | None = None
    blake2b: str | None = None
    rows: int | None = None


class RouteFacts(Struct, frozen=True, kw_only=True):
    """Who was asked: ``target`` is the text that stands for the server in fingerprints."""

    label: str
    name: str
    model: str
    target: str


class SchemaFacts(Struct, frozen=True, kw_only=True):
    """The schema that answers had to fit, and the hash of its text."""

    text: str
    blake2b: str

    @classmethod
    def of(cls, text: str) -> Self:
        return cls(text=text, blake2b=blake2b(text.encode(), digest_size=32).hexdigest())


class Manifest(Struct, frozen=True, kw_only=True):
    """A job and its output, as of ``written_at``. Times are UTC, amounts USD.

    ``spent_usd`` and ``spent_tokens`` are of all runs of this output, failed attempts included;
    ``lines_usd`` and ``lines_tokens`` are what the lines that were in the output say themselves,
    so that a later run knows what was added since. USD is None where nothing had a price;
    ``unpriced`` counts the lines with tokens and without a price. ``leased_usd`` and
    ``leased_tokens`` are what a run with a budget may have used up by now at worst, None where it
    ended in order. ``rows`` counts the lines by status, those of earlier runs included; ``not_run``
    are the input's rows without a line, None where their number is not known. ``config`` holds no
    secrets. ``routes`` are as they are asked, ``limits`` what was learned of each.
    ``summary`` are the figures of the last run, as ``--summary`` writes them; None while it runs.
    """

    manifest: str = MARK
    llmbatch: str
    python: str
    job: Literal["run", "analyze"]
    state: State
    stopped: Stop | None = None
    pid: int
    host: str
    started_at: str
    written_at: str
    ended_at: str | None = None
    runs: int = 1
    output: str
    format: str = "jsonl"
    config: Mapping[str, Any] = {}
    routes: Sequence[RouteFacts] = ()
    schema: SchemaFacts | None = None
    inputs: Sequence[InputFacts] = ()
    total: int | None = None
    rows: Mapping[str, int] = {}
    not_run: int | None = None
    spent_usd: float | None = None
    spent_tokens: int = 0
    lines_usd: float | None = None
    lines_tokens: int = 0
    leased_usd: float | None = None
    leased_tokens: int | None = None
    unpriced: int = 0
    limits: Mapping[str, RouteFigures] = {}
    summary: Mapping[str, Any] | None = None

    @property
    def ended_unclean(self) -> bool:
        """Whether the run that wrote it is gone without having said how it ended."""
        return self.state in ("running", "tidying") and not self.alive

    @property
    def alive(self) -> bool:
        """Whether its process is there; one of another host counts as gone."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            return True
        return True


class Carried(Struct, frozen=True):
    """What all earlier runs of an output spent; ``unpriced`` lines cost nobody knows what."""

    usd: float | None = None
    tokens: int = 0
    unpriced: int = 0


def carried(previous: Manifest | None, lines: Account) -> Carried:
    """What was spent before this run, by the last manifest and the lines that are there now.

    Lines that were added since the manifest are counted, as those of a run that was killed. After
    ``tidying`` none were added. A run with a budget that was killed counts with all that it may
    have used up. It is never less than what the lines that are there cost, whatever a manifest says
    that somebody copied or changed.
    """
    if previous is None:
        return Carried(lines.usd, lines.tokens, lines.unpriced)
    usd, tokens = previous.spent_usd, previous.spent_tokens
    if previous.state != "tidying":
        more = max(0.0, (lines.usd or 0.0) - (previous.lines_usd or 0.0))
        usd = None if (usd, lines.usd) == (None, None) else (usd or 0.0) + more
        tokens += max(0, lines.tokens - previous.lines_tokens)
    known = [each for each in (usd, lines.usd, previous.leased_usd) if each is not None]
    tokens = max(tokens, lines.tokens, previous.leased_tokens or 0)
    return Carried(max(known, default=None), tokens, lines.unpriced)


def manifest_path(output: str | os.PathLike[str]) -> Path:
    """Beside the output; for a link beside what it points to, as the lock is.

    The results that a table is made of (``x.csv.jsonl``) have that of the table.
    """
    real = Path(os.path.realpath(output))
    return real.with_name(_TABLE.sub(r"\1", real.name) + SUFFIX)


def read_manifest(output: str | os.PathLike[str]) -> Manifest | None:
    """The manifest of that output; None where there is none that can be read. Never raises."""
    try:
        return find_manifest(output)
    except (BrokenManifest, ConfigError):
        return None


class BrokenManifest(ValueError):
    """It was written by this tool, and can't be read."""


def find_manifest(output: str | os.PathLike[str]) -> Manifest | None:
    """As :func:`read_manifest`, but raises BrokenManifest for one of ours that can't be read, and
    ConfigError for a file of that name that is none."""
    path = manifest_path(output)
    try:
        if is_special(path):  # a pipe would never end
            raise _taken(path)
        with path.open("rb") as file:
            data = file.read(LARGEST)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in _NOWHERE:  # writing it will say so
            return None
        why = getattr(error, "strerror", None) or "not a path"
        raise ConfigError(f"{path}: can't read the manifest: {why}") from None
    try:
        found = msgspec.json.decode(data, type=Manifest)
        if found.manifest.startswith(MAKER):
            return found
    except (ValueError, RecursionError):
        if not data.strip(b"\0 \r\n\t") or _compact(data).startswith(_BEGIN):
            raise BrokenManifest(f"{path}: is damaged") from None
    raise _taken(path)


def _taken(path: Path) -> ConfigError:
    return ConfigError(
        f"{path}: is no manifest of llmbatch, and this output's manifest belongs there: move it "
        "away, or name another output"
    )


def write_manifest(manifest: Manifest) -> None:
    """Put it in its place, whole or not at all. Raises SinkError."""
    path = manifest_path(manifest.output)
    try:
        write_whole(path, [encoded(manifest)])
    except OSError as error:
        raise SinkError(
            f"{path}: can't write the manifest: {error.strerror}: name another output"
        ) from error


def encoded(manifest: Manifest) -> bytes:
    """JSON for people, with its line feed."""
    text = msgspec.json.encode(_printable(msgspec.to_builtins(manifest)))
    return msgspec.json.format(text, indent=2) + b"\n"


def versions() -> tuple[str, str]:
    """Of llmbatch and of Python."""
    return version("llmbatch"), platform.python_version()


def utc_now() -> str:
    """The time, to the millisecond, as results have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _compact(data: bytes) -> bytes:
    return b"".join(data[:200].split())


def _printable(value: Any) -> Any:
    """Lone surrogates, as in a file's name that is no UTF-8, as escapes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_printable(key): _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, list) else value
