"""What a person sees while a job runs, on terminals of every kind and without one."""

from __future__ import annotations

import asyncio
import io
import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from command import SCRIPT
from desk import Desk
from faultreplies import answer, error, held, never, unauthorized
from hypothesis import given
from hypothesis import strategies as st
from watching import Watch

from llmbatch.cli.figures import Figures, duration, fit, money, rate
from llmbatch.cli.progress import Bar, LogLines, Silent, columns, draining, progress_for
from llmbatch.cli.summary import took
from llmbatch.jobs.events import (
    BreakerClosed,
    BreakerOpened,
    ConcurrencyChanged,
    Draining,
    JobStarted,
    LimitLearned,
    RouteStopped,
    RowFinished,
    RowSkipped,
)
from llmbatch.jobs.model import Result, Status, Usage
from llmbatch.jobs.summary import Tally
from virtualtime import run_virtual

BLOCKS = "█▏▎▍▌▋▊▉"


def terminal(columns: int, *streams: str, **env: str) -> dict[str, Any]:
    """Arguments for a command whose standard error is a terminal of that width."""
    resize = f'stty rows 24 cols {columns} <&2; exec "$@"'
    return {
        "tty": streams or ("stderr",),
        "program": ("sh", "-c", resize, "sh", SCRIPT),
        "env": {"TERM": "xterm", "LC_ALL": "C.UTF-8", **env},
    }


def pictures(text: str) -> list[str]:
    """Everything that was ever painted on a line of the terminal."""
    return [part.rstrip() for part in re.split(r"[\r\n]+", text) if part.strip()]


async def test_the_bar_shows_what_is_done_what_failed_how_fast_and_how_long_still(
    desk: Desk,
) -> None:
    desk.prompts(10)
    release = asyncio.Event()
    early = {"say 1": error(400)} | {f"say {n}": answer() for n in range(2, 7)}
    Watch(desk.server, lambda call: early.get(call.prompt, held(release)))
    async with desk.running("in.jsonl", **terminal(100)) as job:
        await job.heard("6/10, 1 failed, ")
        release.set()
        done = await job.ended()
    assert done.code == 1
    *painted, last = pictures(done.stderr)
    assert re.fullmatch(r"  0%\|\s+\| 0/10, waiting for the first answer", painted[0])
    middle = next(picture for picture in painted if "6/10" in picture)
    assert re.fullmatch(
        rf" 60%\|[{BLOCKS} ]+\| 6/10, 1 failed, \d+s left, [\d.,]+ rows/s, [\d.,]+ tokens/s", middle
    )
    assert any(re.match(r"100%\|█+\| 10/10, 1 failed, [\d.,]+ rows/s", p) for p in painted)
    assert "left" not in next(picture for picture in painted if "10/10" in picture)
    assert max(len(picture) for picture in painted if "|" in picture) <= 100  # not the summary
    assert last.startswith("llmbatch: 9 ok, 1 error in ")
    assert "\x1b" not in done.stderr


async def test_the_time_left_knows_the_rate_limit(desk: Desk) -> None:
    desk.prompts(100)
    async with desk.running("in.jsonl", "--rpm", "60", **terminal(80)) as job:
        await job.heard("0/100, 1m40s left")
        job.send(signal.SIGINT)
        done = await job.ended()
    assert done.code == 130
    assert "stopping" in next(p for p in reversed(pictures(done.stderr)) if "%|" in p)


async def test_messages_stand_above_the_bar_and_not_within_it(desk: Desk) -> None:
    desk.prompts(4)
    watch = Watch(desk.server, never())
    async with desk.running("in.jsonl", "--grace", "0", **terminal(80)) as job:
        await watch.requests(4)
        job.send(signal.SIGTERM)
        done = await job.ended()
    painted = pictures(done.stderr)
    (message,) = [picture for picture in painted if "stopping;" in picture]
    assert message == (
        "terminated: stopping; 4 rows in flight may finish within 0s (Ctrl-C to end at once)"
    )
    assert painted[-1].endswith("(exit 143)")


@pytest.mark.parametrize("width", [1, 20, 39])
async def test_a_narrow_terminal_gets_what_fits(desk: Desk, width: int) -> None:
    desk.prompts(10)
    done = await desk.run("in.jsonl", **terminal(width))
    assert done.code == 0
    painted = pictures(done.stderr)
    figures = painted[: painted.index("  rows       10 ok")]
    assert max(map(len, figures)) <= max(1, width - 4)
    if width >= 20:
        assert figures[-1].startswith("10/10 rows")
    assert painted[-1].endswith("(exit 0)")


async def test_a_terminal_without_a_size_is_taken_for_an_ordinary_one(desk: Desk) -> None:
    desk.prompts(3)
    done = await desk.run("in.jsonl", tty=("stderr",))
    assert done.code == 0
    assert re.search(r"100%\|\S+\| 3/3, ", done.stderr)


async def test_without_a_total_the_rows_are_counted(desk: Desk) -> None:
    done = await desk.run("-", "-o", "out.jsonl", stdin=b'"a"\n"b"\n', **terminal(80))
    assert done.code == 0
    assert any(picture.startswith("2 rows, ") for picture in pictures(done.stderr))
    assert "%" not in done.stderr.partition("  rows ")[0]


async def test_rows_done_before_count_as_done_but_not_as_speed(desk: Desk) -> None:
    desk.prompts(4)
    assert (await desk.run("in.jsonl", "--limit", "3")).code == 0
    watch = Watch(desk.server, never())
    async with desk.running("in.jsonl", "--grace", "0", **terminal(80)) as job:
        await watch.requests(4)
        await job.heard("3/4, waiting for the first answer")
        job.send(signal.SIGINT)
        done = await job.ended()
    assert " 75%|" in done.stderr


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"LC_ALL": "C"}])
async def test_a_plain_terminal_gets_plain_text(desk: Desk, env: dict[str, str]) -> None:
    desk.prompts(3)
    done = await desk.run("in.jsonl", **terminal(80, **env))
    assert done.code == 0
    assert "100%|" in done.stderr
    assert "\x1b" not in done.stderr


async def test_results_on_the_terminal_are_not_mixed_with_a_bar(desk: Desk) -> None:
    desk.prompts(3)
    done = await desk.run("in.jsonl", "-o", "-", **terminal(80, "stdout", "stderr"))
    assert done.code == 0
    assert "%|" not in done.stderr
    assert done.stdout.count('"status":"ok"') == 3
    done = await desk.run("in.jsonl", "-o", "-", **terminal(80))
    assert "100%|" in done.stderr, "standard output is no terminal: nothing can be mixed"


async def test_without_a_terminal_there_is_no_bar(desk: Desk) -> None:
    desk.prompts(3)
    done = await desk.run("in.jsonl")
    assert done.code == 0
    assert "\r" not in done.stderr
    assert "%|" not in done.stderr
    assert done.stderr.startswith("  rows       3 ok\n")


async def test_quiet_says_the_last_line_and_nothing_else(desk: Desk) -> None:
    desk.prompts(3)
    done = await desk.run("in.jsonl", "--quiet", **terminal(80))
    assert pictures(done.stderr) == [done.last]
    assert done.last.startswith("llmbatch: 3 ok in ")
    desk.server.replies = error(400)
    done = await desk.run("in.jsonl", "--quiet", "-o", "two.jsonl")
    assert done.stderr.splitlines() == [done.last]
    assert done.last.startswith("llmbatch: 3 error in ")


def ends(line: str, start: str, code: int) -> None:
    assert line.startswith(f"llmbatch: {start}"), line
    assert line.endswith(f"(exit {code})"), line


async def test_the_last_line_sums_up_every_kind_of_end(desk: Desk) -> None:
    desk.prompts(3)
    done = await desk.run("in.jsonl", "-o", "/dev/full")
    ends(done.last, "stopped early (the output failed): none ran, 3 not run in ", 6)
    assert "llmbatch: error: /dev/full: the disk is full" in done.stderr

    broken = b'{"prompt": "a"}\n' + b"\x1f\x8b not really"
    done = await desk.run("-", "-o", "-", stdin=broken)
    ends(done.last, "1 invalid, 1 ok in ", 1)

    (desk.folder / "cut.jsonl.gz").write_bytes(b"\x1f\x8b\x08\x00")
    done = await desk.run("cut.jsonl.gz")
    assert done.code == 3, "found by the scan, before anything was sent"
    assert done.last.startswith("llmbatch: error: cut.jsonl.gz:1: ")

    done = await desk.run("-", "-o", "-", stdin=b"\x1f\x8b\x08\x00")
    ends(done.last, "stopped early (the input failed): none ran in ", 3)
    assert "it is gzip data" in done.stderr.splitlines()[0]

    desk.server.replies = unauthorized()
    done = await desk.run("in.jsonl", "--concurrency", "1", "-o", "x.jsonl")
    ends(done.last, "stopped early (", 4)
    assert "1 error, 2 not run in " in done.last


@pytest.mark.parametrize("how", ["closed", "full", "gone"])
async def test_a_job_goes_on_although_nobody_can_read_its_progress(
    desk: Desk, how: str, tmp_path: Path
) -> None:
    desk.prompts(3)
    if how == "closed":
        shell = ("sh", "-c", 'exec "$@" 2>&-', "sh", SCRIPT)
        done = await desk.run("in.jsonl", program=shell)
    elif how == "full":
        with open("/dev/full", "w") as full:
            done = await desk.run("in.jsonl", stderr=full)
    else:
        read, write = os.pipe()
        os.close(read)
        try:
            done = await desk.run("in.jsonl", stderr=write)
        finally:
            os.close(write)
    assert done.code == 0
    assert done.stdout == ""
    assert len(desk.results()) == 3


# What follows needs no process.


def result(status: Status, usage: Usage | None = None, cost: float | None = None) -> RowFinished:
    values: dict[str, Any] = dict.fromkeys(Result.__struct_fields__)
    values |= {"status": status, "usage": usage, "cost_usd": cost}
    return RowFinished(Result(**values))


def started(total: int | None = 100, rpm: float | None = None, tpm: float | None = None) -> Tally:
    tally = Tally()
    tally(JobStarted(total, "out.jsonl", "openai/m", 4, rpm, tpm))
    return tally


def test_log_lines_come_every_thirty_seconds_until_they_are_closed() -> None:
    async def main() -> list[str]:
        tally, stream = started(), io.StringIO()
        lines = LogLines(tally, stream, asyncio.get_running_loop().time)
        lines(tally.started)
        for _ in range(3):
            await asyncio.sleep(29)
            for event in (result("ok", Usage(1, 290)), result("error"), RowSkipped("a", "ok")):
                tally(event)
                lines(event)
        await asyncio.sleep(5)
        lines.close()
        lines.close()
        await asyncio.sleep(1000)
        return stream.getvalue().splitlines()

    lines = run_virtual(main())
    when = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "
    assert len(lines) == 3
    for line, text in zip(
        lines,
        (
            "3/100 rows, 1 failed, 24m15s left, 0.067 rows/s, 9.67 tokens/s",
            "6/100 rows, 2 failed, 23m30s left, 0.067 rows/s, 9.67 tokens/s",
            "9/100 rows, 3 failed, 22m45s left, 0.067 rows/s, 9.67 tokens/s",
        ),
        strict=True,
    ):
        assert re.fullmatch(when + re.escape(text), line), line


def test_log_lines_say_what_happens_to_a_route_and_when() -> None:
    async def main() -> list[str]:
        tally, stream = started(), io.StringIO()
        lines = LogLines(tally, stream, asyncio.get_running_loop().time)
        for event in (
            tally.started,
            ConcurrencyChanged("openai/m", 8, 16, "probing"),
            BreakerOpened("openai/m", "HTTP 503\x1b[2J", 1.0),
            BreakerClosed("openai/m", 20.0),
        ):
            lines(event)
        lines.close()
        return stream.getvalue().splitlines()

    when = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ "
    out, back = run_virtual(main())
    assert re.fullmatch(when + r"openai/m does not answer \(HTTP 503\\x1b\[2J\): .*", out)
    assert re.fullmatch(when + "openai/m answers again, after 20s", back)


def test_what_happens_to_a_route_stands_above_the_bar() -> None:
    async def main() -> str:
        tally, stream = started(), io.StringIO()
        bar = Bar(tally, stream, asyncio.get_running_loop().time)
        bar(tally.started)
        bar(RouteStopped("openai/m", "the key is refused"))
        bar.close()
        return stream.getvalue()

    text = run_virtual(main())
    blank = "\r" + " " * 79 + "\r"
    said = "openai/m is out of this job: the key is refused\n"
    before, found, after = text.partition(blank + said)
    assert found, text
    assert "0/100" in before
    assert "0/100" in after


def test_quiet_says_nothing_of_routes() -> None:
    stream = io.StringIO()
    silent = Silent(Tally(), stream)
    silent(BreakerOpened("openai/m", "HTTP 503", 1.0))
    silent(RouteStopped("openai/m", "the key is refused"))
    assert stream.getvalue() == ""
    silent(Draining("interrupted", 0, 1))
    assert stream.getvalue() == "interrupted: stopping\n"


def test_figures_say_how_many_run_at_a_time_where_that_is_found_out() -> None:
    tally = Tally()
    tally(JobStarted(100, "out.jsonl", "openai/m", 256, None, None, auto=True))
    assert Figures(tally, 10).parts() == ["0/100", "waiting for the first answer"]
    tally(ConcurrencyChanged("openai/m", 8, 16, "probing"))
    assert Figures(tally, 10).parts()[-1] == "16 at a time"
    assert not any("at a time" in part for part in Figures(started(), 10).parts())


def test_a_stopping_job_promises_no_time() -> None:
    async def main() -> str:
        tally, stream = started(rpm=6), io.StringIO()
        lines = LogLines(tally, stream, asyncio.get_running_loop().time)
        lines(tally.started)
        lines(Draining("interrupted", 2, 60.0))
        await asyncio.sleep(31)
        lines.close()
        return stream.getvalue()

    said, line = run_virtual(main()).splitlines()
    assert said.startswith("interrupted: stopping; 2 rows in flight may finish within 1m00s")
    assert line.endswith(" 0/100 rows, stopping")


def test_a_job_with_nothing_left_to_do_waits_for_no_answer() -> None:
    tally = started(total=1)
    assert "waiting for the first answer" in Figures(tally, 1.0).parts()
    tally(RowSkipped("a", "ok"))
    assert Figures(tally, 1.0).parts() == ["1/1"]


def test_the_bar_is_painted_five_times_a_second_and_by_no_row() -> None:
    async def main() -> list[str]:
        tally, stream = started(), io.StringIO()
        bar = Bar(tally, stream, asyncio.get_running_loop().time)
        bar(tally.started)
        for _ in range(100):
            tally(result("ok"))
            bar(result("ok"))
        await asyncio.sleep(1.1)
        bar.close()
        return pictures(stream.getvalue())

    painted = [picture for picture in run_virtual(main()) if "/100" in picture]
    assert 6 <= len(painted) <= 9
    assert "100/100" in painted[-1]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (245, "4m05s"),
        (3599.7, "1h00m"),
        (11220, "3h07m"),
        (86400 * 2 + 3600 * 4 + 59, "2d04h"),
    ],
)
def test_a_duration_is_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0004, "0.4 ms"), (0.0301, "30.1 ms"), (0.9996, "1 s"), (1.318, "1.32 s"),
     (59.94, "59.9 s"), (59.96, "1m00s"), (245, "4m05s")],
)  # fmt: skip
def test_a_time_that_has_passed_is_more_exact(seconds: float, text: str) -> None:
    assert took(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "0.012"), (0.5, "0.5"), (3.14159, "3.14"), (20.26, "20.3"), (99.94, "99.9"),
     (250.4, "250"), (12345.6, "12,346")],
)  # fmt: skip
def test_a_rate_has_digits_that_mean_something(value: float, text: str) -> None:
    assert rate(value) == text


def test_the_time_left_follows_the_pace_and_the_limits() -> None:
    assert Figures(started(None), 10).left is None, "no total, no end"
    assert Figures(started(), 10).left is None, "no pace yet"
    assert Figures(started(rpm=60), 10).left == 100, "the limit alone tells"
    slow = started(rpm=60)
    slow(result("ok"))
    assert Figures(slow, 10).left == 990, "slower than the limit"
    fast = started(rpm=60)
    for _ in range(50):
        fast(result("ok"))
    assert Figures(fast, 1).left == 50, "a fast start does not lift the limit"
    learned = started()
    learned(LimitLearned("openai/m", 30.0, None))
    assert Figures(learned, 10).left == 200, "what the server named counts, too"
    tokens = started(tpm=600)
    for _ in range(50):
        tokens(result("ok", Usage(15, 5)))
    assert Figures(tokens, 1).left == 50 * 20 / 600 * 60


def test_figures_start_with_what_matters_most() -> None:
    tally = started()
    for event in (result("ok", Usage(5, 50), cost=0.25), result("error"), RowSkipped("x", "ok")):
        tally(event)
    assert Figures(tally, 10).parts("rows") == [
        "3/100 rows", "1 failed", "8m05s left", "0.2 rows/s", "5 tokens/s", "$0.2500",
    ]  # fmt: skip


def test_with_a_cap_the_figures_say_how_much_of_it_is_used_by_earlier_runs_too() -> None:
    tally = Tally()
    tally(JobStarted(9, "o", "m", 1, None, None, max_cost=5.0, spent_before=1.5))
    assert Figures(tally, 10).cost == "$1.50 of $5.00"
    tally(result("ok", Usage(5, 50), cost=0.25))
    assert Figures(tally, 10).parts()[-1] == "$1.75 of $5.00"


@pytest.mark.parametrize(
    ("usd", "said"),
    [
        (0, "$0"),
        (4e-7, "less than $0.000001"),
        (0.0000123, "$0.000012"),
        (0.25, "$0.2500"),
        (1234.5, "$1,234.50"),
    ],
)
def test_money_that_is_not_nothing_never_looks_it(usd: float, said: str) -> None:
    assert money(usd) == said


def test_the_share_is_full_only_when_every_row_is_done() -> None:
    tally = started(1000)
    tally.rows["ok"] = 999
    assert Figures(tally, 1).percent == 99
    tally.rows["ok"] = 1000
    assert Figures(tally, 1).percent == 100
    assert Figures(started(None), 1).percent == 0


@given(
    st.lists(st.text("x", min_size=1, max_size=30), min_size=1, max_size=8),
    st.integers(min_value=-5, max_value=200),
)
def test_as_many_figures_are_shown_as_there_is_room_for(parts: list[str], room: int) -> None:
    text = fit(parts, room)
    shown = text.split(", ")
    assert shown == parts[: len(shown)]
    assert len(text) <= max(room, len(parts[0]))
    if len(shown) < len(parts):
        assert len(text) + 2 + len(parts[len(shown)]) > room


def test_what_is_stopped_is_said_in_the_right_number() -> None:
    assert draining(Draining("interrupted", 0, 10)) == "interrupted: stopping"
    assert "; 1 row in flight may finish within 10s" in draining(Draining("x", 1, 10))
    assert "; 2 rows in flight may" in draining(Draining("x", 2, 10))


def test_what_others_say_is_made_harmless() -> None:
    stream = io.StringIO()
    Silent(Tally(), stream)(Draining("Wrong key: \x1b[2J\r\n", 0, 1))
    assert stream.getvalue() == "Wrong key: \\x1b[2J\\r\\n: stopping\n"


def test_progress_fits_where_it_goes() -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    tally = Tally()
    assert type(progress_for(Screen(), tally, quiet=False)) is Bar
    assert type(progress_for(Screen(), tally, quiet=False, plain=True)) is LogLines
    assert type(progress_for(Screen(), tally, quiet=True)) is Silent
    assert type(progress_for(io.StringIO(), tally, quiet=False)) is LogLines
    assert columns(Screen()) == 80
