"""A job as it is now: the `job` message, and the short line that stands in a list of jobs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, Protocol

from msgspec import Struct, structs

from ..histogram import Histogram
from ..outlook import Outlook
from ..processes import cpu_seconds
from ..progress import stamp
from ..pulse import Pulse
from ..summary import Summary, Tally
from ..summaryfile import summary_values
from .timeline import Point, Timeline

BARS = 40
"""The most that a histogram has."""

INPUTS = 20
"""The most inputs that are named."""

NAMED = 500
"""The most documents of an analysis that are named."""

State = Literal["running", "finished", "stopped", "gone"]


class About(Struct, frozen=True, kw_only=True):
    """What does not change: ``job`` is its name here, ``started`` seconds since the epoch."""

    job: str
    command: Literal["run", "analyze"]
    inputs: Sequence[str]
    folder: str
    started: float
    pid: int


class Entry(Struct, frozen=True, kw_only=True):
    """A job in a list. ``file`` is its output's path within the folder that is looked at.

    Times are ISO 8601 in UTC.
    """

    job: str
    state: State
    command: Literal["run", "analyze"] | None = None
    output: str | None = None
    file: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    done: int | None = None
    failed: int | None = None
    total: int | None = None
    cost_usd: float | None = None


class Looking(Protocol):
    """How an outlook is made of the tally and the seconds since the start."""

    def __call__(self, tally: Tally, elapsed: float) -> Outlook: ...


class View:
    """Makes a job's figures into messages. ``now`` is a monotonic time in seconds."""

    def __init__(
        self, about: About, tally: Tally, looking: Looking, now: Callable[[], float]
    ) -> None:
        self.about = about
        self.tally = tally
        self._looking = looking
        self._now = now
        self._began = now()
        self._cpu = cpu_seconds()
        self.timeline = Timeline()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._now() - self._began

    def pulse(self) -> Pulse:
        """What is under way; asked for in the loop alone."""
        return Pulse(0) if self.tally.flow is None else self.tally.flow.pulse()

    @property
    def earlier(self) -> int:
        """Rows that earlier runs have done."""
        return sum(self.tally.skipped.values())

    def note(self) -> None:
        """Remember how things are; once a second."""
        self.timeline.add(self.point(self.pulse().in_flight), self.earlier)

    def point(self, in_flight: int) -> Point:
        """This moment."""
        tally, elapsed = self.tally, self.elapsed
        outlook = self._looking(tally, elapsed)
        return Point(
            round(elapsed, 2),
            in_flight,
            outlook.done,
            outlook.failed,
            tally.usage.output_tokens,
            tally.bill.total,
        )

    def summary(self) -> Summary:
        """As it would be if the job ended now."""
        return self.tally.summary(wall=self.elapsed, cpu=cpu_seconds() - self._cpu)

    def message(self, notices: Sequence[str]) -> dict[str, Any]:
        """The `job` message of a job that runs."""
        return self._message("running", self.summary(), None, notices)

    def last(self, summary: Summary, code: int, notices: Sequence[str]) -> dict[str, Any]:
        """The one of its end, with the summary that is written."""
        return self._message(ended(summary), summary, code, notices)

    def _message(
        self, state: State, summary: Summary, code: int | None, notices: Sequence[str]
    ) -> dict[str, Any]:
        about, tally, started = self.about, self.tally, self.tally.started
        elapsed = self.elapsed
        running = state == "running"
        pulse = self.pulse() if running else Pulse(0)
        outlook, now = self._looking(tally, elapsed), self.point(pulse.in_flight)
        left = outlook.left if running else None
        return {
            "type": "job",
            "job": about.job,
            "state": state,
            "command": about.command,
            "pid": about.pid,
            "folder": about.folder,
            "inputs": about.inputs,
            "output": _absolute(started.output, about.folder),
            "started_at": stamp(about.started),
            "elapsed_s": round(elapsed, 3) if running else summary.wall_s,
            "left_s": None if left is None else round(left, 3),
            "summary": summary_values(_bounded(summary), code),
            "failed": summary.failed,
            "done": outlook.done,
            "total": outlook.whole,
            "in_flight": pulse.in_flight,
            "concurrency": tally.concurrency,
            "limits": pulse.limits,
            "recent": self.timeline.rates(now, self.earlier),
            "timeline": {
                "every_s": self.timeline.every,
                "points": self.timeline.with_now(now),
            },
            "histograms": {
                "ttft_s": bars(tally.ttft),
                "latency_s": bars(tally.latency),
                "itl_s": bars(tally.itl),
            },
            "notices": list(notices),
        }

    def entry(self) -> Entry:
        """The job in a list."""
        about, tally = self.about, self.tally
        outlook = self._looking(tally, self.elapsed)
        return Entry(
            job=about.job,
            state="running",
            command=about.command,
            output=_absolute(tally.started.output, about.folder),
            started_at=stamp(about.started),
            done=outlook.done,
            failed=outlook.failed,
            total=outlook.whole,
            cost_usd=tally.bill.total,
        )

    def __repr__(self) -> str:
        return f"<View of {self.about.job}, {self.timeline!r}>"


def about_job(
    command: Literal["run", "analyze"], inputs: Sequence[str], job: str, started: float
) -> About:
    """What there is to know of a job of this process."""
    named = [name if len(name) <= 500 else f"{name[:499]}…" for name in inputs[:INPUTS]]
    if len(inputs) > INPUTS:
        named.append(f"and {len(inputs) - INPUTS:,} more")
    try:
        folder = os.getcwd()  # noqa: PTH109 - as a text
    except OSError:  # which somebody has removed
        folder = ""
    return About(
        job=job, command=command, inputs=named, folder=folder, started=started, pid=os.getpid()
    )


def ended(summary: Summary) -> State:
    """How a job ended that has a summary."""
    return "finished" if summary.stopped is None else "stopped"


def bars(histogram: Histogram) -> Sequence[tuple[float, float, int]]:
    """Lower and upper bound in seconds, and how many between them."""
    return histogram.bars(BARS)


def _bounded(summary: Summary) -> Summary:
    """The summary, of an analysis of very many documents with the first of them."""
    analysis = summary.analysis
    if analysis is None:
        return summary
    documents, skipped = analysis.coverage.documents, analysis.skipped
    if len(documents) <= NAMED and len(skipped) <= NAMED:
        return summary
    coverage = structs.replace(analysis.coverage, documents=documents[:NAMED])
    skipped = dict(islice(skipped.items(), NAMED))
    return structs.replace(
        summary, analysis=structs.replace(analysis, coverage=coverage, skipped=skipped)
    )


def _absolute(output: str, folder: str) -> str:
    """Where the results go; ``-`` and what is not known yet stay."""
    if output in ("", "-"):
        return output
    return str(Path(folder) / output)
