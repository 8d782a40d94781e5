"""``--log-format json``: every line on standard error is one JSON object."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampleresults import sample

from llmbatch.cli.jsonlines import JsonLines
from llmbatch.cli.logjson import asked_for, record
from llmbatch.cli.main import main
from llmbatch.cli.terminal import VOICE
from llmbatch.jobs.drain import Stop
from llmbatch.jobs.events import (
    BreakerOpened,
    Draining,
    JobStarted,
    Noted,
    RouteStopped,
    RowFinished,
)
from llmbatch.jobs.summary import Tally


@pytest.fixture(autouse=True)
def plain() -> Iterator[None]:
    before = logging.getLogger().handlers[:]
    yield
    VOICE.json = VOICE.guarded = VOICE.github = False
    logging.getLogger().handlers = before
    logging.captureWarnings(False)


def lines(text: str) -> list[dict[str, Any]]:
    """Each line as an object, which has what every one has."""
    found = [json.loads(line) for line in text.splitlines()]
    for each in found:
        assert each["ts"].endswith("Z")
        assert each["level"] in ("info", "warning", "error")
        assert each["event"]
        assert isinstance(each["message"], str)
    return found


class Log:
    """The log of a job that these events happen to."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.stream = io.StringIO()
        self.tally = Tally()
        self.time = 0.0
        self.log = JsonLines(self.tally, self.stream, lambda: self.time, quiet=quiet)

    def happens(self, *events: Any) -> None:
        for event in events:
            self.tally(event)
            self.log(event)

    @property
    def said(self) -> list[dict[str, Any]]:
        return lines(self.stream.getvalue())


STARTED = JobStarted(10, "out.jsonl", "openai/m", 4, 60.0, None, fallbacks=["b/m"])


async def test_the_start_progress_and_notices_have_their_figures() -> None:
    log = Log()
    log.happens(STARTED, RowFinished(sample("a")), RowFinished(sample("b", "error")))
    log.time = 2.0
    log.log.show()
    log.happens(BreakerOpened("openai/m", "HTTP 503", 5.0), Noted("the canary has passed"))
    log.happens(RouteStopped("b/m", "the key is refused"), Draining("interrupted", 3, 10.0))
    log.log.close()
    start, progress, breaker, note, stopped, draining = log.said
    assert (start["event"], start["total"], start["rpm"]) == ("job_started", 10, 60.0)
    assert start["fallbacks"] == ["b/m"]
    assert progress["event"] == "progress"
    assert (progress["done"], progress["total"], progress["failed"]) == (2, 10, 1)
    assert progress["rows"] == {"ok": 1, "error": 1}
    assert sum(progress["failures"].values()) == 1
    assert (progress["attempts"], progress["in_flight"]) == (2, None)
    assert (progress["elapsed_s"], progress["output_tokens"]) == (2.0, 160)
    assert progress["loop_lag_p99_s"] is None, "nothing was measured yet"
    assert (breaker["event"], breaker["level"]) == ("breaker_opened", "warning")
    assert (breaker["route"], breaker["cooldown"]) == ("openai/m", 5.0)
    assert (note["event"], note["message"]) == ("noted", "the canary has passed")
    assert (stopped["event"], stopped["level"]) == ("route_stopped", "warning")
    assert (draining["event"], draining["in_flight"], draining["grace"]) == ("draining", 3, 10.0)


async def test_the_summary_is_the_last_line_with_all_its_fields() -> None:
    log = Log()
    log.happens(STARTED, RowFinished(sample("a")))
    log.log.close()
    log.log.conclude(log.tally.summary(wall=3, stopped=Stop("halt", "failed>5%")), 4)
    last = log.said[-1]
    assert (last["event"], last["level"], last["exit_code"]) == ("summary", "error", 4)
    assert last["rows"] == {"ok": 1}
    assert last["stopped"] == {"cause": "halt", "message": "failed>5%"}
    assert "(exit 4)" in last["message"]


async def test_quiet_leaves_the_end_and_its_reason() -> None:
    log = Log(quiet=True)
    log.happens(STARTED, Noted("x"), BreakerOpened("openai/m", "HTTP 503", 5.0))
    assert log.said == []
    log.happens(Draining("interrupted", 0, 10.0))
    log.log.conclude(log.tally.summary(wall=3), 130)
    assert [each["event"] for each in log.said] == ["draining", "summary"]


def test_what_libraries_say_is_a_record_without_a_traceback() -> None:
    log = Log()
    try:
        raise ValueError("a secret prompt")
    except ValueError:
        logging.getLogger("asyncio").exception("task %s failed", "t")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    logged, warned = log.said
    assert (logged["event"], logged["level"], logged["message"]) == (
        "log",
        "error",
        "task t failed",
    )
    assert "secret" not in log.stream.getvalue()
    assert warned["level"] == "warning"
    logging.getLogger("asyncio").error("%d rows", "no number")
    assert log.said[-1]["message"] == "%d rows"


@given(st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_any_text_is_one_line_of_ascii_and_no_command(text: str, fields: dict[str, str]) -> None:
    line = record("info", "x", text, fields=fields)
    assert len(line.splitlines()) == 1
    assert line.isascii()
    assert "##[" not in line
    found = json.loads(line)
    assert (found["message"], found["fields"]) == (text, fields)


@pytest.mark.parametrize(
    ("args", "variable", "wanted"),
    [
        (["run", "--log-format", "json"], None, True),
        (["run", "--log-format=json"], None, True),
        (["run", "--log-format=json", "--log-format", "text"], None, False),
        (["run"], "json", True),
        (["run", "--log-format=text"], "json", False),
        (["run", "--", "--log-format=json"], None, False),
        (["run", "--log-format"], None, False),
        (["run"], None, False),
    ],
)
def test_it_is_known_before_settings_are_read(
    args: list[str], variable: str | None, wanted: bool
) -> None:
    environ = {} if variable is None else {"LLMBATCH_LOG_FORMAT": variable}
    assert asked_for(args, environ) is wanted


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["run", "--nope"], 2, "No such option --nope"),
        (["run", "x.jsonl", "--rpm", "often"], 2, "--rpm: must be a number"),
        (["run", "no-such-file.jsonl"], 3, "no such file"),
        (["nonsense"], 2, "nonsense"),
        (["run", "x.jsonl", "--halt-on", "faild>5%"], 2, "did you mean failed?"),
    ],
)
def test_an_error_before_the_start_is_a_record(
    args: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*args, "--log-format", "json"]) == code
    first, *others = lines(capsys.readouterr().err)
    assert (first["level"], first["event"]) == ("error", "error")
    assert said in first["message"]
    assert all(each["event"] == "hint" for each in others)
