"""``--github``: annotations of the workflow's log, and the step's summary.

Workflow commands go to standard error: the runner reads either stream, and results may be on the
other one. Nothing that a provider or a prompt says is shown. The format is that of
https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.events import BreakerOpened, Event, RouteStopped, RowFinished
from llmbatch.jobs.model import GOOD, Result
from llmbatch.jobs.summary import Summary

from .causes import cause_of, explained
from .exits import Exit
from .stepsummary import markdown
from .terminal import escaped

MOST = 10
"""Annotations of one kind that GitHub shows of a step."""

LONGEST = 100
"""Characters of an id that are shown."""

STOPPED: Mapping[str, str] = {
    "fatal": "nobody is left to ask: a key is refused, a quota used up, or a certificate not "
    "trusted; the log says which",
    "outage": "no server has answered for as long as --max-outage allows",
}
"""Why a job stopped, where its own words could be a provider's."""


def check_log(log_format: str) -> None:
    """Raises ConfigError where the log has no place for commands."""
    if log_format == "json":
        raise ConfigError(
            "--github writes workflow commands to standard error, where --log-format json promises "
            "JSON alone: leave one of them out"
        )


class GitHub:
    """Collects what is worth an annotation; ``say`` writes a line to the log as it stands."""

    def __init__(self, say: Callable[[str], None], environ: Mapping[str, str]) -> None:
        self._say = say
        self._environ = environ
        self._failed: list[str] = []
        self._failures = 0
        self._routes: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, RowFinished):
            if event.result.status not in GOOD:
                self._failures += 1
                if len(self._failed) < MOST:
                    self._failed.append(self._annotation(event.result, event.path))
        elif isinstance(event, BreakerOpened):
            self._routes.setdefault(event.route, "did not answer for a while")
        elif isinstance(event, RouteStopped):
            self._routes[event.route] = "is out of the job: the log says why"

    def conclude(self, summary: Summary, code: int) -> None:
        """Write the annotations, and the step's summary where there is a place for it."""
        errors = []
        if summary.stopped is not None:
            stop = summary.stopped
            why = STOPPED.get(stop.cause, stop.message) if code == Exit.STOPPED else stop.message
            errors.append(command("error", f"stopped early: {why}", title="llmbatch stopped early"))
        errors += self._failed[: MOST - len(errors)]
        for line in [*errors, *self._warnings(summary)]:
            self._say(line)
        shown = len(errors) - (summary.stopped is not None)
        if self._failures > shown:
            more = self._failures - shown
            text = f"{more:,} more rows failed; all of them stand in {summary.output}"
            self._say(command("notice", text, title="llmbatch"))
        if problem := self._write_summary(markdown(summary, code)):
            self._say(command("warning", problem, title="llmbatch"))

    def _annotation(self, result: Result, path: str) -> str:
        shown = result.id if len(result.id) <= LONGEST else result.id[: LONGEST - 1] + "…"
        row = f"row {shown}: {explained(result)}"
        place: dict[str, str] = {}
        if path not in ("", "-"):
            place["file"] = self._in_workspace(path)
            if not (result.chunk or result.fold):
                place["line"] = str(result.line)
        return command("error", row, **place, title=f"llmbatch: {cause_of(result)}")

    def _in_workspace(self, path: str) -> str:
        """GitHub knows files by their place in the repository."""
        root = self._environ.get("GITHUB_WORKSPACE")
        full = os.path.abspath(path)  # noqa: PTH100 - a link stays what it is
        if root and os.path.commonpath([full, os.path.abspath(root)]) == os.path.abspath(root):  # noqa: PTH100
            return os.path.relpath(full, root)
        return path

    def _warnings(self, summary: Summary) -> list[str]:
        texts = [f"{route} {what}" for route, what in self._routes.items()]
        if truncated := summary.rows.get("truncated"):
            texts.append(f"{_rows(truncated)} cut at the length limit")
        if summary.dropped:
            names = ", ".join(sorted(summary.dropped))
            texts.append(f"parameters that a provider does not know were left out: {names}")
        if unknown := sum(summary.unpriced.values()) + summary.unmetered:
            texts.append(f"the cost of {_rows(unknown)} is not known")
        return [command("warning", text, title="llmbatch") for text in texts[:MOST]]

    def _write_summary(self, text: str) -> str | None:
        """Append it; what went wrong, where something did: a job does not fail for that."""
        path = self._environ.get("GITHUB_STEP_SUMMARY")
        if not path:
            return "GITHUB_STEP_SUMMARY is not set: the step has no summary"
        try:
            with Path(path).open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            return f"the step's summary can't be written ({reason})"
        return None

    def __repr__(self) -> str:
        return f"<GitHub: {self._failures} rows failed>"


def command(kind: str, message: str, **properties: str) -> str:
    """A workflow command; whatever stands in the values is text to it."""
    told = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{kind} {told}::{_data(message)}"


def _data(text: str) -> str:
    """Control characters are shown as escapes first: the log is a terminal to many."""
    return escaped(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"
