"""Jobs that run and jobs that ended, in one list."""

from __future__ import annotations

import os
import socket
from typing import Any

from msgspec import Struct

from llmbatch.jobs.manifest.manifest import Manifest
from llmbatch.jobs.watching.listing import listed
from llmbatch.jobs.watching.place import job_name
from llmbatch.jobs.watching.snapshot import Entry

HOUR = 3600


class File(Struct):
    file: str
    path: str
    manifest: Manifest | None


def manifest(**more: Any) -> Manifest:
    given: dict[str, Any] = {
        "llmbatch": "1", "python": "3", "job": "run", "state": "finished", "pid": 4_194_304,
        "host": socket.gethostname(), "started_at": "2026-11-26T09:00:00.000Z",
        "written_at": "2026-11-26T09:10:00.000Z", "output": "a.results.jsonl",
        "rows": {"ok": 7, "truncated": 1, "error": 2}, "total": 10, "spent_usd": 0.5,
    }  # fmt: skip
    return Manifest(**{**given, **more})


def beside(name: str = "a.results.jsonl", **more: Any) -> File:
    return File(name, f"/data/{name}", manifest(**more))


def live(pid: int, **more: Any) -> Entry:
    given: dict[str, Any] = {"started_at": "2026-11-26T09:30:00.000Z", "command": "run"}
    return Entry(job=job_name(10**18, pid), state="running", **{**given, **more})


def test_a_finished_job_is_told_by_its_manifest() -> None:
    summary = {"exit_code": 1, "cost_usd": 0.25}
    [entry] = listed([], [beside(summary=summary, ended_at="2026-11-26T09:10:00.000Z")], "/data")
    assert (entry.state, entry.command, entry.file) == ("finished", "run", "a.results.jsonl")
    assert (entry.done, entry.failed, entry.total, entry.cost_usd) == (10, 2, 10, 0.25)
    assert entry.ended_at == "2026-11-26T09:10:00.000Z"
    assert entry.output == "/data/a.results.jsonl"


def test_one_that_was_killed_is_gone_and_one_that_hides_still_runs() -> None:
    entries = listed(
        [], [beside("a", state="running"), beside("b", state="tidying", pid=os.getpid())], "/data"
    )
    assert {entry.file: entry.state for entry in entries} == {"a": "gone", "b": "running"}


def test_a_job_that_runs_stands_there_once_with_its_file() -> None:
    pid = os.getpid()
    found = [beside(state="running", pid=pid), beside("b", state="stopped", pid=pid)]
    entries = listed([live(pid, done=3, output="/elsewhere/x")], found, "/data")
    assert [(entry.state, entry.file, entry.done) for entry in entries] == [
        ("running", "a.results.jsonl", 3),
        ("stopped", "b", 10),
    ]


def test_what_a_silent_job_does_not_say_its_manifest_does() -> None:
    silent = Entry(job=job_name(10**18, os.getpid()), state="running")
    [entry] = listed([silent], [beside(state="running", pid=os.getpid())], "/data")
    assert (entry.job, entry.total, entry.file) == (silent.job, 10, "a.results.jsonl")


def test_a_job_elsewhere_has_no_file_and_one_in_the_folder_has_its_path() -> None:
    entries = listed(
        [
            live(5, output="/other/x.jsonl"),
            live(6, output="/data/sub/x.jsonl"),
            live(7, output="-"),
        ],
        [File("strange.jsonl", "/data/strange.jsonl", None)],
        "/data",
    )
    assert [entry.file for entry in entries] == [None, "sub/x.jsonl", None]


def test_the_youngest_come_first_and_those_that_run_before_all() -> None:
    old, new = "2026-11-25T09:00:00.000Z", "2026-11-27T09:00:00.000Z"
    found = [beside("old", started_at=old), beside("new", started_at=new), beside("broken", pid=3)]
    entries = listed([live(5, started_at=old)], found, "/data")
    assert [entry.file for entry in entries] == [None, "new", "broken", "old"]
    assert len({entry.job for entry in entries}) == 4


def test_a_manifest_that_somebody_changed_is_listed_all_the_same() -> None:
    [entry] = listed([], [beside(started_at="yesterday", summary={"cost_usd": None})], "/data")
    assert (entry.started_at, entry.cost_usd) == ("yesterday", None)
