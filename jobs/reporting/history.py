"""What the manifest beside a results file adds to its lines: the wall clock, runs, what is open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from ..errors import ConfigError
from ..manifest.manifest import BrokenManifest, Manifest, find_manifest, manifest_path
from ..sources.stored import STDIN, suffixes
from ..summary import Summary, Tally
from .figures import History


class Known(Struct, frozen=True):
    """The manifest that belongs to the lines, its summary where it can be read, and what to say.

    ``whole`` says that the last run has made all lines: its figures are the file's.
    """

    manifest: Manifest | None = None
    path: str = ""
    summary: Summary | None = None
    whole: bool = False
    notes: tuple[str, ...] = ()

    @property
    def history(self) -> History | None:
        found = self.manifest
        if found is None:
            return None
        return History(
            path=self.path,
            job=found.job,
            state=found.state,
            running=found.state in ("running", "tidying") and found.alive,
            runs=found.runs,
            started_at=found.started_at,
            ended_at=found.ended_at,
            stopped=None if found.stopped is None else found.stopped.cause,
            spent_usd=found.spent_usd,
            spent_tokens=found.spent_tokens,
        )


def known(path: str, tally: Tally) -> Known:
    """What there is beside ``path``, whose lines were counted. Never raises."""
    if path == STDIN:
        return Known()
    plain = path.removesuffix(suffixes(path)[1])
    try:
        manifest = find_manifest(plain)
    except (BrokenManifest, ConfigError) as error:
        return Known(notes=(f"the manifest is left out: {error}",))
    if manifest is None:
        return Known()
    place = str(manifest_path(plain))
    rows = _counts(tally.rows)
    if manifest.state == "running" and manifest.alive:
        note = f"process {manifest.pid} is writing it: these are the lines so far"
        return Known(manifest, place, notes=(note,))
    if _counts(manifest.rows) != rows:
        told, there = (f"{sum(each.values()):,}" for each in (manifest.rows, rows))
        note = f"{Path(place).name} counts {told} lines and here are {there}: left out"
        return Known(notes=(f"{note}, as it tells of another state of the file",))
    summary = _summary(manifest)
    whole = summary is not None and _counts(summary.rows) == rows
    return Known(manifest, place, summary, whole, tuple(_runs(manifest, summary, whole)))


def _runs(manifest: Manifest, summary: Summary | None, whole: bool) -> Iterator[str]:
    if manifest.ended_unclean:
        yield "its last run ended without saying how"
    if manifest.stopped is not None:
        yield f"its last run ended early: {manifest.stopped.cause}"
    if manifest.runs > 1 and not whole:
        last = "" if summary is None else f"; the last one made {sum(summary.rows.values()):,}"
        yield f"these are the lines of {manifest.runs} runs{last}"


def _summary(manifest: Manifest) -> Summary | None:
    if manifest.summary is None:
        return None
    try:
        return msgspec.convert(manifest.summary, Summary)
    except (ValueError, RecursionError):  # of another version
        return None


def _counts(rows: Mapping[str, int]) -> dict[str, int]:
    return {status: number for status, number in rows.items() if number}
