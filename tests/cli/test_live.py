"""A report on standard output: whole at its end, or on a terminal while it is written."""

from __future__ import annotations

import asyncio
import io
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmbatch.cli.live import ANEW, VOID, Page, Screen, live_for
from llmbatch.cli.progress import Bar, LogLines, Silent
from llmbatch.jobs.config import AnalyzeConfig
from llmbatch.jobs.errors import SinkError
from llmbatch.jobs.events import JobStarted, RouteStopped
from llmbatch.jobs.summary import Tally
from virtualtime import run_virtual


class Terminal:
    """A pseudo-terminal: ``stream`` writes to it, ``read`` ends it and says what it showed."""

    def __init__(self, encoding: str = "utf-8") -> None:
        self._master, slave = os.openpty()
        self.stream: TextIO = os.fdopen(slave, "w", encoding=encoding)
        self._said = bytearray()
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    def _listen(self) -> None:
        try:
            while block := os.read(self._master, 65536):
                self._said += block
        except OSError:  # how it says that nobody has it open any more
            pass

    def read(self) -> str:
        self.close()
        return self._said.decode(errors="surrogateescape").replace("\r\n", "\n")

    def close(self) -> None:
        self.stream.close()
        self._reader.join()
        if self._master >= 0:
            os.close(self._master)
            self._master = -1


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


@pytest.fixture
def silent() -> Silent:
    return Silent(Tally(), io.StringIO())


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")


def test_a_report_is_shown_as_it_is_written_and_once(terminal: Terminal, silent: Silent) -> None:
    screen = Screen(terminal.stream, silent)
    for piece in ("# Fin", "dings\n\n- one", " [1]"):
        screen.draft(piece)
    screen.report(["# Findings\n\n- one [1]\n", "\n## Sources\n", "1. big.txt"])
    assert terminal.read() == "# Findings\n\n- one [1]\n\n## Sources\n1. big.txt\n"


def test_a_report_without_drafts_is_shown_whole(terminal: Terminal, silent: Silent) -> None:
    Screen(terminal.stream, silent).report(["# A\n", "", "b\n"])
    assert terminal.read() == "# A\nb\n"


def test_an_empty_report_shows_nothing(terminal: Terminal, silent: Silent) -> None:
    Screen(terminal.stream, silent).report([])
    assert terminal.read() == ""


def test_a_broken_answer_is_void_and_begins_anew(terminal: Terminal, silent: Silent) -> None:
    screen = Screen(terminal.stream, silent)
    screen.draft(None)
    screen.draft("One th")
    screen.draft(None)
    screen.draft(None)
    screen.draft("Two things\n")
    screen.draft(None)
    screen.draft("Three")
    screen.report(["Three things"])
    assert terminal.read() == f"One th\n{VOID}\nTwo things\n{VOID}\nThree things\n"


def test_another_report_than_was_drafted_is_shown_anew(terminal: Terminal, silent: Silent) -> None:
    screen = Screen(terminal.stream, silent)
    screen.draft("It says [7]")
    screen.report(["It says [1]", "\n"])
    assert terminal.read() == f"It says [7]\n{ANEW}\nIt says [1]\n"


def test_a_report_shorter_than_its_draft_is_shown_anew(terminal: Terminal, silent: Silent) -> None:
    screen = Screen(terminal.stream, silent)
    screen.draft("all of it and more")
    screen.report(["all of it"])
    assert terminal.read() == f"all of it and more\n{ANEW}\nall of it\n"


@pytest.mark.parametrize(
    ("drafted", "report", "shown"),
    [
        ("done.\n", "done.", "done.\n"),
        ("done. ", "done.\n\n## Sources\n", "done. \n\n## Sources\n"),
        ("done.\n\n\n", "done.\n\n## Sources\n", "done.\n\n\n## Sources\n"),
        ("\n", "done.", "\ndone.\n"),
    ],
)
def test_blanks_at_the_end_of_a_draft_are_no_other_report(
    terminal: Terminal, silent: Silent, drafted: str, report: str, shown: str
) -> None:
    screen = Screen(terminal.stream, silent)
    screen.draft(drafted)
    screen.report([report])
    assert terminal.read() == shown


@given(st.lists(st.text("ab\n é", max_size=5), max_size=6), st.integers(0, 30), st.integers(1, 9))
@example(["ab"], 2, 1)
def test_however_drafts_and_report_are_cut_the_text_is_shown_once(
    pieces: list[str], drafted: int, step: int
) -> None:
    terminal = Terminal()
    screen = Screen(terminal.stream, Silent(Tally(), io.StringIO()))
    text = "".join(pieces)
    drafts = text[:drafted]
    for at in range(0, len(drafts), step):
        screen.draft(drafts[at : at + step])
    screen.report(pieces)
    end = "" if text.endswith("\n") or not text else "\n"
    assert terminal.read() == text + end


def test_a_report_can_not_drive_the_terminal(terminal: Terminal, silent: Silent) -> None:
    screen = Screen(terminal.stream, silent)
    screen.draft("a\x1b]0;x\x07\tb\x9b")
    screen.draft("2J\u202ec\r\n\ud800")
    shown = terminal.read()
    assert "\x1b" not in shown
    assert shown.split() == ["a\\x1b]0;x\\x07", "b\\x9b2J\\u202ec\\r", "\\ud800"]


def test_a_terminal_of_another_encoding_shows_what_it_can(silent: Silent) -> None:
    terminal = Terminal("ascii")
    Screen(terminal.stream, silent).report(["café ✓\n"])
    assert terminal.read() == "caf\\xe9 \\u2713\n"


def test_a_huge_report_is_shown_in_full(terminal: Terminal, silent: Silent) -> None:
    screen = Screen(terminal.stream, silent)
    screen.draft("x" * 50_000 + "\n" * 50_000)
    screen.report(["x" * 50_000] + ["y" * 1000] * 50)
    shown = terminal.read()
    assert shown.count("x") == shown.count("y") == 50_000
    assert VOID not in shown
    assert ANEW not in shown


def test_what_the_program_says_itself_is_dim_where_colour_is_wanted(
    terminal: Terminal, silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    screen = Screen(terminal.stream, silent)
    screen.draft("a")
    screen.draft(None)
    assert terminal.read() == f"a\n\x1b[2m{VOID}\x1b[0m\n"


def with_progress(kind: type[Bar | LogLines], terminal: Terminal) -> str:
    """A bar, a report below it, and a message while it is written."""

    async def main() -> None:
        tally = Tally()
        tally(JobStarted(4, "out.jsonl", "openai/m", 4, None, None))
        progress = kind(tally, terminal.stream, asyncio.get_running_loop().time)
        progress(tally.started)
        screen = Screen(terminal.stream, progress)
        screen.draft("# Rep")
        await asyncio.sleep(100)
        progress(RouteStopped("openai/m", "the key is refused"))
        screen.draft("ort")
        progress.close()
        progress.say("llmbatch: done")

    run_virtual(main())
    return terminal.read()


def test_the_bar_is_left_standing_above_and_messages_have_lines_of_their_own(
    terminal: Terminal,
) -> None:
    said = with_progress(Bar, terminal)
    bar, *below = said.split("\n")
    assert re.search(r"  0%\|.*\| 0/4", bar)
    assert below == [
        *("# Rep", "openai/m is out of this job: the key is refused", "ort", "llmbatch: done", ""),
    ]


def test_a_report_from_another_thread_leaves_the_bar_to_the_loop(terminal: Terminal) -> None:
    closed_in: list[threading.Thread] = []

    class Watched(Bar):
        def close(self) -> None:
            closed_in.append(threading.current_thread())
            super().close()

    async def main() -> None:
        tally = Tally()
        tally(JobStarted(4, "out.jsonl", "openai/m", 4, None, None))
        for kind in (Page, Screen):
            bar = Watched(tally, terminal.stream, asyncio.get_running_loop().time)
            bar(tally.started)
            await asyncio.to_thread(kind(terminal.stream, bar).report, ["# Report\n"])

    asyncio.run(main())
    assert closed_in == [threading.main_thread()] * 2
    assert re.fullmatch(r"(\s*0%\|.*\| 0/4.*\n# Report\n){2}", terminal.read())


def test_log_lines_of_the_same_terminal_end_before_the_report(terminal: Terminal) -> None:
    said = with_progress(LogLines, terminal)
    first, message, *below = said.split("\n")
    assert first == "# Rep"
    assert message.endswith("Z openai/m is out of this job: the key is refused")
    assert below == ["ort", "llmbatch: done", ""]


def test_log_lines_in_a_file_go_on_and_leave_the_report_alone(terminal: Terminal) -> None:
    async def main() -> str:
        tally, log = Tally(), io.StringIO()
        progress = LogLines(tally, log, asyncio.get_running_loop().time)
        progress(tally.started)
        screen = Screen(terminal.stream, progress)
        screen.draft("# Rep")
        await asyncio.sleep(31)
        progress.say("a message")
        screen.draft("ort\n")
        progress.close()
        return log.getvalue()

    assert len(run_virtual(main()).splitlines()) == 2
    assert terminal.read() == "# Report\n"


def test_a_terminal_that_is_gone_costs_no_answer_but_the_report_is_missed(silent: Silent) -> None:
    master, slave = os.openpty()
    with open(slave, "w") as stream:
        screen = Screen(stream, silent)
        screen.draft("a")
        os.close(master)
        screen.draft("b")
        screen.draft(None)
        screen.end_line()
        with pytest.raises(SinkError, match="can't write the report to standard output"):
            screen.report(["ab"])


def test_a_file_gets_the_report_as_it_is(tmp_path: Path, silent: Silent) -> None:
    path = tmp_path / "report.md"
    with path.open("w", encoding="ascii") as stream:
        page = Page(stream, silent)
        page.draft("nobody reads along")
        page.draft(None)
        page.report(["# Café\x1b\r\n", "\ud83d\ude00 \ud800", "\ufeffend"])
    assert path.read_bytes() == "# Café\x1b\r\n😀 \ufffd\ufeffend".encode()


def test_a_reader_that_went_away_is_an_error_that_says_what_to_do(silent: Silent) -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as stream, pytest.raises(SinkError) as caught:
        Page(stream, silent).report(["# A\n"])
    assert str(caught.value).startswith("standard output was closed by its reader")
    assert "-o FILE" in str(caught.value)


def test_a_full_disk_is_named(silent: Silent) -> None:
    with open("/dev/full", "w") as stream, pytest.raises(SinkError, match="No space left"):
        Page(stream, silent).report(["# A\n"])


def test_a_pipe_that_does_not_block_gets_all_of_it(silent: Silent) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    got = bytearray()

    def listen() -> None:
        while block := os.read(read, 65536):
            got.extend(block)

    reader = threading.Thread(target=listen)
    reader.start()
    with open(write, "w") as stream:
        Page(stream, silent).report(["x" * 1_000_000] * 3)
    reader.join()
    os.close(read)
    assert len(got) == 3_000_000


@pytest.mark.parametrize(
    ("settings", "on", "kind", "drafts"),
    [
        ({}, "pipe", Page, False),
        ({"report": "-"}, "pipe", Page, False),
        ({"quiet": True}, "pipe", Page, False),
        ({}, "terminal", Screen, True),
        ({"report": "-"}, "terminal", Screen, True),
        ({"quiet": True}, "terminal", Screen, False),
        ({"report": "r.md"}, "terminal", Screen, True),
        ({"report": "r.md"}, "pipe", type(None), False),
        ({"report": "r.md", "quiet": True}, "terminal", type(None), False),
    ],
)
def test_the_report_goes_where_it_fits(
    settings: dict[str, Any],
    on: str,
    kind: type[Page | None],
    drafts: bool,
    terminal: Terminal,
    silent: Silent,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (tmp_path / "out").open("w") as file:
        ours = terminal.stream if on == "terminal" else file
        monkeypatch.setattr(sys, "stderr" if settings.get("report") == "r.md" else "stdout", ours)
        live = live_for(AnalyzeConfig(**settings), silent)
        monkeypatch.undo()
        assert type(live) is kind
        if live is not None:
            assert isinstance(live, Page)
            assert live.stream is ours
            live.draft("draft")
    assert terminal.read() == ("draft" if drafts else "")
    assert (tmp_path / "out").read_bytes() == b""


def test_a_closed_standard_output_is_found_before_anything_is_paid(
    silent: Silent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SinkError, match="standard output is closed: name a file"):
        live_for(AnalyzeConfig(), silent)
    assert live_for(AnalyzeConfig(report="r.md", quiet=True), silent) is None
