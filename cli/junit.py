"""``--junit FILE``: one test case a row of this run, for CI servers that show such reports.

The format is Jenkins's (https://github.com/jenkinsci/xunit-plugin, junit-10.xsd), which others
read as well; it has no attributes for a file and a line. The cases are kept in a nameless file
beside the report until their number is known, which stands in front of them; nothing of a report
is ever there by half.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from llmbatch.jobs.errors import ConfigError, SinkError
from llmbatch.jobs.events import Event, JobStarted, RowFinished
from llmbatch.jobs.model import GOOD, Result
from llmbatch.jobs.summary import Summary
from llmbatch.jobs.wholefile import check_writable, drop_ours, is_special, write_whole

from .causes import cause_of, explained
from .terminal import escaped

BLOCK = 1 << 20
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NO_XML = re.compile("[\ufffe\uffff\U0001fffe-\U0001ffff]")
_MARKUP = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_SPECIAL = re.compile('[&<>"]')
_ANSWERED_BADLY = frozenset({"refused", "filtered", "invalid_output"})
"""Statuses of rows that have an answer, which is not one to use: a test that fails, no error."""


def check_junit_path(path: str) -> None:
    """Find out before the job what would spoil its end. Raises :class:`ConfigError`.

    An older report goes: a job that can't begin leaves none.
    """
    if problem := check_writable(path, "--junit"):
        raise ConfigError(problem)
    drop_ours(path, f'{_XML}<testsuite name="llmbatch '.encode())


class JUnit:
    """An observer that writes a report at the end of the job.

    A disk that is full costs the report, not the job: :meth:`conclude` says so.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._cases: IO[bytes] | None = None
        self._problem: OSError | None = None
        self._started = ""
        self._tests = 0
        self._failures = 0
        self._errors = 0
        self._seconds = 0.0

    def __call__(self, event: Event) -> None:
        if isinstance(event, JobStarted):
            self._open()
        elif isinstance(event, RowFinished) and self._cases is not None:
            try:
                self._cases.write(self._case(event.result, event.path))
            except OSError as error:
                self._problem = self._problem or error

    def conclude(self, summary: Summary, code: int) -> None:
        """Write the report. Raises SinkError; the results are safe then."""
        try:
            if self._problem is not None:
                raise self._problem
            write_whole(self._path, self._report(summary, code))
        except OSError as error:
            raise SinkError(
                f"can't write the JUnit report to {self._path}: {error.strerror}; "
                "the results are safe"
            ) from error
        finally:
            if self._cases is not None:
                with suppress(OSError):
                    self._cases.close()

    def _open(self) -> None:
        """An older report goes now: it must not be read as this one."""
        self._started = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        try:
            folder = None
            if not is_special(self._path):
                folder = Path(os.path.realpath(self._path)).parent
                with suppress(OSError):
                    os.unlink(os.path.realpath(self._path))  # noqa: PTH108 - a link stays one
            self._cases = tempfile.TemporaryFile(dir=folder, buffering=BLOCK)  # noqa: SIM115
        except OSError as error:
            self._problem = error

    def _case(self, result: Result, path: str) -> bytes:
        self._tests += 1
        latency = result.metrics.latency_s if result.metrics else 0.0
        self._seconds += latency
        name = "standard input" if path == "-" else path or "llmbatch"
        attributes = {"classname": name, "name": result.id, "time": f"{latency:.3f}"}
        head = f"<testcase{_written(attributes)}"
        if result.status in GOOD:
            return f"{head}/>\n".encode()
        kind = "failure" if result.status in _ANSWERED_BADLY else "error"
        self._failures += kind == "failure"
        self._errors += kind == "error"
        why = _written({"type": cause_of(result), "message": explained(result)})
        place = name if result.chunk or result.fold else f"{name}:{result.line}"
        told = _escaped(f"{place}: {result.status}")
        return f"{head}><{kind}{why}>{told}</{kind}></testcase>\n".encode()

    def _report(self, summary: Summary, code: int) -> Iterator[bytes]:
        attributes = {
            "name": f"llmbatch {summary.model}",
            "tests": str(self._tests),
            "failures": str(self._failures),
            "errors": str(self._errors),
            "skipped": "0",
            "time": f"{summary.wall_s:.3f}",
            "timestamp": self._started or time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()),
        }
        facts = {"output": summary.output, "exit_code": str(code)}
        yield f"{_XML}<testsuite{_written(attributes)}>\n<properties>\n".encode()
        for name, value in facts.items():
            yield f"<property{_written({'name': name, 'value': value})}/>\n".encode()
        yield b"</properties>\n"
        if self._cases is not None:
            self._cases.seek(0)
            while block := self._cases.read(BLOCK):
                yield block
        yield b"</testsuite>\n"

    def __repr__(self) -> str:
        return f"<JUnit {self._path}: {self._tests} rows>"


def _written(attributes: dict[str, str]) -> str:
    return "".join(f' {name}="{_escaped(value)}"' for name, value in attributes.items())


def _escaped(text: str) -> str:
    """Text as XML can hold it: what it has no place for stands as an escape such as ``\\x1b``."""
    shown = _NO_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped(text))
    return _SPECIAL.sub(lambda match: _MARKUP[match[0]], shown)
