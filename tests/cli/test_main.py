"""The command's edge: exit codes, messages, start-up, and nothing raw on the terminal."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from llmbatch.cli import main as entry
from llmbatch.cli.exits import Exit, code_for, exit_of, innermost
from llmbatch.cli.main import COMMANDS, main
from llmbatch.cli.terminal import printable, printable_lines
from llmbatch.jobs.drain import Cause, Stop
from llmbatch.jobs.errors import (
    AuthFailed,
    ConfigError,
    OutputLocked,
    SinkError,
    SourceError,
)
from llmbatch.jobs.keys import Key
from llmbatch.jobs.summary import Summary

SECRET = "sk-recognisable-0123456789"
Fail = Callable[[BaseException], int]


def environment(**more: str) -> dict[str, str]:
    # Without PYTHONUNBUFFERED and its like: what is buffered fails later, at the very end.
    foreign = ("LLMBATCH_", "OPENAI_", "PYTHON")
    ours = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
    return {**ours, **more}


def command(*args: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "llmbatch.cli.main", *args],
        cwd=cwd,
        env=environment(**environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Run a command that ends with the given error."""

    def call(error: BaseException) -> int:
        def body() -> None:
            raise error

        monkeypatch.setattr(
            entry.LazyGroup, "get_command", lambda *_: click.Command("run", callback=body)
        )
        return main(["run"])

    monkeypatch.delenv("LLMBATCH_DEBUG", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    return call


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("x"), 2),
        (click.UsageError("x"), 2),
        (click.FileError("x"), 2),
        (SourceError("x"), 3),
        (AuthFailed("x"), 4),
        (SinkError("x"), 6),
        (OutputLocked("x"), 6),
        (BrokenPipeError(), 6),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (KeyError("x"), 70),
        (SystemExit(7), 7),
        (ExceptionGroup("g", [ExceptionGroup("g", [SourceError("x")])]), 3),
    ],
)
def test_every_error_has_its_exit_code(fail: Fail, error: BaseException, code: int) -> None:
    assert fail(error) == code


def test_what_a_command_returns_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, code in ((None, 0), (Exit.ROWS_FAILED, 1), (5, 5)):
        body = click.Command("run", callback=lambda value=value: value)
        monkeypatch.setattr(entry.LazyGroup, "get_command", lambda *_, body=body: body)
        assert main(["run"]) == code


def test_an_error_is_one_line_on_standard_error(
    fail: Fail, capsys: pytest.CaptureFixture[str]
) -> None:
    fail(SourceError("not there", path="a.jsonl"))
    assert capsys.readouterr() == ("", "llmbatch: error: a.jsonl: not there\n")


def test_an_error_can_not_drive_the_terminal(
    fail: Fail, capsys: pytest.CaptureFixture[str]
) -> None:
    fail(ConfigError("a\x1b]0;x\x07b\x9bc\u202ed\r\nllmbatch: error: forged\udc80"))
    err = capsys.readouterr().err
    assert err == (
        "llmbatch: error: a\\x1b]0;x\\x07b\\x9bc\\u202ed\\r\n  llmbatch: error: forged\\udc80\n"
    )


def test_a_key_in_an_error_is_masked(fail: Fail, capsys: pytest.CaptureFixture[str]) -> None:
    Key(SECRET)
    fail(ConfigError(f"server said: bad key {SECRET}"))
    assert capsys.readouterr().err == "llmbatch: error: server said: bad key ***\n"


def test_a_bug_shows_no_traceback_and_no_content(
    fail: Fail, capsys: pytest.CaptureFixture[str]
) -> None:
    fail(KeyError("a private prompt"))
    err = capsys.readouterr().err
    assert err.startswith("llmbatch: error: this is a bug in llmbatch: KeyError at test_main.py:")
    assert "LLMBATCH_DEBUG=1" in err
    assert "private" not in err
    assert "Traceback" not in err


def test_the_traceback_is_there_on_request_without_keys(
    fail: Fail, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMBATCH_DEBUG", "1")
    Key(SECRET)
    fail(KeyError(f"\x1b{SECRET}"))
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert "test_main.py" in err
    assert SECRET not in err
    assert "\x1b" not in err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["config", "show", "--streem"], "No such option --streem. Did you mean --stream?"),
        (["config", "show", "--rpmm", "1"], "No such option --rpmm. Did you mean --rpm?"),
        (["confg"], "No such command 'confg'. Did you mean 'config'?"),
        (["run", "x", "--api-key", "v4lue"], "No such option --api-key. A key is never a flag"),
        (["run", "x", "--api-key=v4lue"], "No such option --api-key. A key is never a flag"),
        (["config", "show", "--rpm"], "Option '--rpm' requires an argument."),
        (["config", "show", "--order", "x"], "'x' is not one of 'finish', 'input'"),
    ],
)
def test_a_usage_mistake_is_named_with_the_nearest_right_one(
    args: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(args) == 2
    err = capsys.readouterr().err
    assert err.startswith("llmbatch: error: ")
    assert message in err
    assert "v4lue" not in err
    assert "--help' for help." in err


def test_the_whole_command_in_a_process(tmp_path: Path) -> None:
    (tmp_path / "llmbatch.yaml").write_text("model: x/y\nrpms: 3\n")
    done = command("config", "show", cwd=tmp_path, OPENAI_API_KEY=SECRET)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "llmbatch: error: llmbatch.yaml:2: rpms: unknown key; did you mean rpm?\n"
    )


def test_help_and_version_need_nothing(tmp_path: Path) -> None:
    done = command("--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for name, line in COMMANDS.items():
        assert name in done.stdout
        assert line.summary in done.stdout
    assert command("--version", cwd=tmp_path).stdout.startswith("llmbatch 0.")


def test_no_arguments_show_the_help_as_a_usage_error(tmp_path: Path) -> None:
    done = command(cwd=tmp_path)
    assert done.returncode == 2
    assert "Commands:" in done.stderr


def test_the_help_loads_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from llmbatch.cli.main import main; main(['--help']);"
        "heavy = {'aiohttp', 'asyncio', 'msgspec', 'yaml', 'tqdm', 'ssl'} & set(sys.modules);"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_behind_standard_output_is_an_output_error(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "llmbatch.cli.main", "config", "show"],
            cwd=tmp_path,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 6
    assert done.stderr == (
        "llmbatch: error: can't write to standard output: No space left on device\n"
    )


def test_a_reader_that_goes_away_is_no_noise(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "llmbatch.cli.main", "config", "show"],
            cwd=tmp_path,
            env=environment(),
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (6, "")


def on_a_terminal(cwd: Path, **environ: str) -> str:
    """What a person sees of a wrong command."""
    leader, follower = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-m", "llmbatch.cli.main", "confg"],
            cwd=cwd,
            env={**environment(TERM="xterm"), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=follower,
            check=False,
        )
        return os.read(leader, 4096).decode()
    finally:
        os.close(leader)
        os.close(follower)


def test_colour_is_for_terminals_that_want_it(tmp_path: Path) -> None:
    plain = {"NO_COLOR": ""}
    assert "\x1b[31m" in on_a_terminal(tmp_path, **plain)
    assert "\x1b" not in on_a_terminal(tmp_path, NO_COLOR="1")
    assert "\x1b" not in on_a_terminal(tmp_path, **plain, TERM="dumb")
    assert "\x1b" not in command("confg", cwd=tmp_path).stderr


def test_the_shell_completes_commands_and_options(tmp_path: Path) -> None:
    for words, expected in (
        ("llmbatch con", "config"),
        ("llmbatch config show --stall", "--stall"),
    ):
        done = command(
            cwd=tmp_path,
            _LLMBATCH_COMPLETE="bash_complete",
            COMP_WORDS=words,
            COMP_CWORD=str(len(words.split()) - 1),
        )
        assert done.returncode == 0
        assert expected in done.stdout


def test_text_without_control_characters_stays_as_it_is() -> None:
    assert printable("Grüße, 日本語 🎉 ~") == "Grüße, 日本語 🎉 ~"
    assert printable_lines("a\tb\nc") == "a\\tb\n  c"


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0), 0x202E, 0x2066, 0x2028])
def test_every_control_character_is_neutralised(code: int) -> None:
    shown = printable(f"a{chr(code)}b")
    assert shown.isprintable()
    assert shown.startswith("a\\")


def test_a_group_of_errors_is_its_first_one() -> None:
    inner = SinkError("x")
    assert innermost(ExceptionGroup("a", [ExceptionGroup("b", [inner]), KeyError()])) is inner
    assert code_for(inner) == 6


def summary(ok: int, failed: int, cause: Cause | None = None) -> Summary:
    values: dict[str, Any] = dict.fromkeys(Summary.__struct_fields__)
    values |= {"rows": {"ok": ok, "error": failed}, "skipped": {}}
    return Summary(**{**values, "stopped": cause and Stop(cause, "why")})


@pytest.mark.parametrize(
    ("ok", "failed", "allowed", "code"),
    [
        (9, 0, "0", 0),
        (9, 1, "0", 1),
        (9, 1, "1", 0),
        (8, 2, "1", 1),
        (9, 1, "10%", 0),
        (9, 1, "9.9%", 1),
        (0, 0, "5%", 0),
        (9_943, 57, "0.57%", 0),
        (9_942, 58, "0.57%", 1),
    ],
)
def test_rows_may_fail_as_far_as_it_was_allowed(
    ok: int, failed: int, allowed: str, code: int
) -> None:
    assert exit_of(summary(ok, failed), allowed) == code


@pytest.mark.parametrize(("cause", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("fatal", 4)])
def test_a_job_that_was_stopped_says_why(cause: Cause, code: int) -> None:
    assert exit_of(summary(9, 0, cause), "100%") == code
