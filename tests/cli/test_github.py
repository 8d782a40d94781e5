"""``--github``: what becomes of failed rows, and what of hostile words in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampleresults import sample

from llmbatch.cli.github import MOST, GitHub, check_log, command
from llmbatch.cli.stepsummary import markdown
from llmbatch.cli.terminal import VOICE, printable, printable_lines
from llmbatch.jobs.drain import Stop
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.events import BreakerOpened, JobStarted, RouteStopped, RowFinished
from llmbatch.jobs.model import Chunk, Failure
from llmbatch.jobs.summary import Summary, Tally

LINE = re.compile(r"::(error|warning|notice) ([^\n]*?)::([^\n]*)")
SAID = "the provider says: tell me about my secret prompt"


class Run:
    """What GitHub is told of rows that end so."""

    def __init__(self, **environ: str) -> None:
        self.said: list[str] = []
        self.tally = Tally()
        self.tally(JobStarted(100, "out.jsonl", "openai/m", 1, None, None))
        self.github = GitHub(self.said.append, environ)

    def rows(self, *statuses: str, path: str = "in.jsonl", **fields: object) -> None:
        for number, status in enumerate(statuses, 1):
            failed = Failure("bad_request", 400, SAID, retryable=False)
            values = {"line": number, "error": failed if status == "error" else None, **fields}
            event = RowFinished(sample(f"r{number}", status, **values), path)  # type: ignore[arg-type]
            self.tally(event)
            self.github(event)

    def end(self, code: int = 1, stopped: Stop | None = None) -> Summary:
        summary = self.tally.summary(wall=1.0, stopped=stopped)
        self.github.conclude(summary, code)
        return summary

    def told(self, kind: str) -> list[tuple[str, str]]:
        """The properties and the message of each annotation of that kind."""
        found = []
        for line in self.said:
            match = LINE.fullmatch(line)
            assert match, line
            if match[1] == kind:
                found.append((match[2], match[3]))
        return found


def test_a_failed_row_is_an_error_at_its_line() -> None:
    run = Run()
    run.rows("ok", "error", "truncated")
    run.end()
    ((properties, message),) = run.told("error")
    assert properties == "file=in.jsonl,line=2,title=llmbatch%3A bad_request"
    assert message == "row r2: the server does not take this request (bad_request, HTTP 400)"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("refused", "the model refused to answer (refused)"),
        ("filtered", "the provider's filter took the answer away (filtered)"),
        ("partial", "the answer broke off (stream_broken, HTTP 200)"),
    ],
)
def test_every_end_has_words(status: str, said: str) -> None:
    run = Run()
    run.github(RowFinished(sample("q", status), "in.jsonl"))  # type: ignore[arg-type]
    run.end()
    assert run.told("error")[0][1] == f"row q: {said}"


def test_a_bad_line_says_what_is_wrong_with_it() -> None:
    run = Run()
    run.rows("invalid", error=Failure("invalid_row", None, "not JSON: at column 5", False))
    run.end()
    assert "not JSON: at column 5 (invalid_row)" in run.told("error")[0][1]


def test_values_of_a_bad_row_are_left_out() -> None:
    run = Run()
    why = 'temperature must be a number, got "my \\"secret\\" words": mend it'
    run.rows("invalid", error=Failure("invalid_row", None, why, False))
    run.end()
    message = run.told("error")[0][1]
    assert 'temperature must be a number, got "…": mend it (invalid_row)' in message


def test_a_type_that_nobody_knows_is_its_own_word() -> None:
    run = Run()
    run.rows("error", error=Failure("brand_new", None, SAID, False))
    run.end()
    assert run.told("error")[0][1] == "row r1: brand new (brand_new)"


def test_ten_are_shown_and_the_rest_is_counted() -> None:
    run = Run()
    run.rows(*["error"] * 25)
    run.end()
    assert len(run.told("error")) == MOST == 10
    ((_, message),) = run.told("notice")
    assert message == "15 more rows failed; all of them stand in out.jsonl"
    few = Run()
    few.rows(*["error"] * 10)
    few.end()
    assert (len(few.told("error")), few.told("notice")) == (10, [])


def test_why_a_job_stopped_comes_first_and_takes_one_of_the_ten() -> None:
    run = Run()
    run.rows(*["error"] * 12)
    run.end(4, Stop("halt", "failed>5%: 3 of the last 20 rows failed (15%)"))
    errors = run.told("error")
    assert len(errors) == 10
    assert errors[0][1] == "stopped early: failed>5%25: 3 of the last 20 rows failed (15%25)"
    assert run.told("notice")[0][1].startswith("3 more rows failed")


@pytest.mark.parametrize("cause", ["fatal", "outage"])
def test_a_providers_words_are_not_among_why_a_job_stopped(cause: str) -> None:
    run = Run(GITHUB_STEP_SUMMARY="/dev/null")
    summary = run.end(4, Stop(cause, SAID))  # type: ignore[arg-type]
    assert run.told("error")
    assert SAID not in "".join(run.said)
    assert SAID not in markdown(summary, 4)


def test_an_output_that_failed_is_the_reason() -> None:
    run = Run()
    run.end(6, Stop("fatal", "the output failed"))
    assert run.told("error")[0][1] == "stopped early: the output failed"


def test_what_deserves_a_warning(tmp_path: Path) -> None:
    run = Run(GITHUB_STEP_SUMMARY=str(tmp_path / "s.md"))
    run.rows("truncated", "truncated", "ok")
    for event in (BreakerOpened("a/m", SAID, 5), RouteStopped("b/m", SAID)):
        run.tally(event)
        run.github(event)
    run.end(0)
    texts = [message for _, message in run.told("warning")]
    assert texts[:2] == [
        "a/m did not answer for a while",
        "b/m is out of the job: the log says why",
    ]
    assert "2 rows cut at the length limit" in texts
    assert SAID not in "".join(run.said)


def test_no_words_of_a_provider_are_shown(tmp_path: Path) -> None:
    run = Run(GITHUB_STEP_SUMMARY=str(tmp_path / "s.md"))
    run.rows("error", "partial", "invalid_output", error=Failure("stalled", 500, SAID, True))
    run.end()
    assert SAID not in "".join(run.said)
    assert "secret" not in (tmp_path / "s.md").read_text()


# Hostile words


@pytest.mark.parametrize(
    "hostile",
    [
        "::error::pwned",
        "x\n::error::pwned",
        "x\r::stop-commands::t",
        "##[error]pwned",
        "a,line=9::b",
        "%0A::error::",
        "\x1b[31m\u2028::warning::",
    ],
)
def test_an_id_or_a_path_is_no_command(hostile: str, tmp_path: Path) -> None:
    place = tmp_path / "s.md"
    run = Run(GITHUB_STEP_SUMMARY=str(place))
    run.github(RowFinished(sample(hostile, "error", line=3), f"{hostile}/in.jsonl"))
    run.end()
    (line,) = [each for each in run.said if each.startswith("::error")]
    assert "\n" not in line
    assert "\r" not in line
    head = line.removeprefix("::error ").split("::", 1)[0]
    assert [part.split("=")[0] for part in head.split(",")] == ["file", "line", "title"]
    assert "line=3" in head.split(",")


@given(st.text(), st.text())
def test_a_command_is_one_line_whose_parts_come_back(message: str, value: str) -> None:
    line = command("error", message, title=value)
    assert len(line.splitlines()) == 1
    match = re.fullmatch(r"::error title=([^:,]*)::(.*)", line)
    assert match
    assert decoded(match[2]) == printable(message)
    assert decoded(match[1]) == printable(value)


def decoded(text: str) -> str:
    """As the runner undoes it."""
    for code, meant in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, meant)
    return text


@given(st.text())
def test_no_line_of_the_log_is_a_command_where_github_reads_it(text: str) -> None:
    VOICE.guarded = True
    try:
        for line in (*printable_lines(text).split("\n"), printable(text)):
            assert not line.strip().startswith("::")
            assert "##[" not in line
    finally:
        VOICE.guarded = False


# Places


@pytest.mark.parametrize(
    ("workspace", "path", "named"),
    [
        ("{0}", "{0}/data/in.jsonl", "data/in.jsonl"),
        ("{0}", "sub/in.jsonl", "sub/in.jsonl"),
        ("{0}/other", "{0}/data/in.jsonl", "{0}/data/in.jsonl"),
        ("", "{0}/in.jsonl", "{0}/in.jsonl"),
    ],
)
def test_files_are_named_from_the_repositorys_root(
    workspace: str, path: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = Run(GITHUB_WORKSPACE=workspace.format(tmp_path))
    run.rows("error", path=path.format(tmp_path))
    run.end()
    assert run.told("error")[0][0].startswith(f"file={named.format(tmp_path)},line=1,")


def test_standard_input_has_no_file_and_a_chunk_no_line() -> None:
    run = Run()
    run.rows("error", path="-")
    chunk = Chunk(document="a.txt", number=1, start=0, end=1, byte_start=0, byte_end=1, tokens=1)
    run.rows("error", path="a.txt", chunk=chunk)
    run.end()
    heads = [head for head, _ in run.told("error")]
    assert heads == [
        "title=llmbatch%3A bad_request",
        "file=a.txt,title=llmbatch%3A bad_request",
    ]


# The step's summary


def test_the_summary_is_a_table_and_is_appended(tmp_path: Path) -> None:
    place = tmp_path / "s.md"
    place.write_text("before\n\n")
    run = Run(GITHUB_STEP_SUMMARY=str(place))
    run.rows("ok", "ok", "error", "refused")
    run.end()
    text = place.read_text()
    assert text.startswith("before\n\n### llmbatch: rows failed (exit 1)\n\n| | |\n|---|---|\n")
    assert "| rows | 2 ok, 1 error, 1 refused |" in text
    assert "| tokens | 48 in, 320 out |" in text
    assert "| bad\\_request | 1 | the server does not take this request |" in text
    assert "| refused | 1 | the provider does not allow this request |" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} == {3, 4}
    assert not run.told("warning") or "summary" not in run.told("warning")[-1][1]


@pytest.mark.parametrize("hostile", ["a|b", "<b>x</b>", "[x](http://y)", "`x`", "a\nb", "@team #1"])
def test_names_mean_nothing_to_markdown(hostile: str) -> None:
    tally = Tally()
    tally(JobStarted(1, hostile, hostile, 1, None, None))
    text = markdown(tally.summary(wall=1.0), 0)
    assert hostile not in text
    (row,) = [line for line in text.splitlines() if line.startswith("| output")]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3


@pytest.mark.parametrize("place", [None, "/nowhere/at/all/s.md", "/"])
def test_a_summary_that_can_not_be_written_is_said_and_costs_nothing(place: str | None) -> None:
    run = Run(**({} if place is None else {"GITHUB_STEP_SUMMARY": place}))
    run.rows("ok")
    run.end(0)
    ((_, message),) = run.told("warning")[-1:]
    assert "summary" in message


def test_json_lines_and_commands_do_not_go_together() -> None:
    with pytest.raises(ConfigError, match="--log-format json"):
        check_log("json")
