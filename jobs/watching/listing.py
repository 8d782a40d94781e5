"""One list of jobs: those that run, and those whose manifests say how they ended."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec import structs

from ..manifest.manifest import Manifest
from ..model import GOOD
from .place import job_name, pid_of
from .snapshot import Entry, State

UNENDED = ("running", "tidying")


class Found(Protocol):
    """A results file: its path within the folder that is looked at, and what is known of it."""

    @property
    def file(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def manifest(self) -> Manifest | None: ...


def listed(running: Sequence[Entry], found: Iterable[Found], folder: str) -> list[Entry]:
    """The jobs that run, wherever, and those that ended in the folder; each the youngest first.

    A job that runs and whose manifest is there stands in the list once.
    """
    live = {entry.job: _within(entry, folder) for entry in running}
    by_pid = {pid_of(job): job for job in live}
    ended = []
    for each in found:
        manifest = each.manifest
        if manifest is None:
            continue
        entry = entry_of(manifest, each.file, each.path)
        job = by_pid.get(manifest.pid) if entry.state == "running" else None
        if job is None:
            ended.append(entry)
        elif live[job].command is None:  # it has not answered
            live[job] = structs.replace(entry, job=job)
        elif live[job].file is None:
            live[job] = structs.replace(live[job], file=each.file)
    return [*_youngest(live.values()), *_youngest(ended)]


def entry_of(manifest: Manifest, file: str, path: str) -> Entry:
    """A job as its manifest tells it; ``gone`` is one that was killed."""
    summary: Mapping[str, Any] = manifest.summary or {}
    rows = manifest.rows
    return Entry(
        job=_name(manifest),
        state=_state(manifest),
        command=manifest.job,
        output=path,
        file=file,
        started_at=manifest.started_at,
        ended_at=manifest.ended_at,
        done=sum(rows.values()),
        failed=sum(count for status, count in rows.items() if status not in GOOD),
        total=manifest.total,
        cost_usd=summary.get("cost_usd", manifest.spent_usd),
    )


def _state(manifest: Manifest) -> State:
    if manifest.state == "finished" or manifest.state == "stopped":
        return manifest.state
    return "running" if manifest.alive else "gone"


def _name(manifest: Manifest) -> str:
    try:
        started = datetime.fromisoformat(manifest.started_at)
        return job_name(max(0, int(started.timestamp() * 1000)) * 1_000_000, manifest.pid)
    except (ValueError, OverflowError):
        return job_name(0, manifest.pid)


def _within(entry: Entry, folder: str) -> Entry:
    """The entry with its ``file``, where the output is in that folder."""
    if not entry.output or not os.path.isabs(entry.output):  # noqa: PTH117
        return entry
    relative = os.path.relpath(os.path.realpath(entry.output), os.path.realpath(folder))
    outside = relative == ".." or relative.startswith(f"..{os.sep}")
    return entry if outside else structs.replace(entry, file=relative)


def _youngest(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.started_at or "", reverse=True)
