"""What was said is kept, sent, saved and loaded: whole or not at all."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.cli.conversation import reading as reading_room
from llmbatch.cli.conversation.commands import COMMANDS, parsed, unknown
from llmbatch.cli.conversation.reading import Lines
from llmbatch.cli.conversation.transcript import Transcript
from llmbatch.jobs.errors import SinkError, SourceError


def said(*pairs: tuple[str, str], system: str | None = None) -> Transcript:
    transcript = Transcript(system)
    for question, reply in pairs:
        transcript.open = question
        transcript.answered(reply)
    return transcript


@settings(deadline=None, max_examples=40)
@given(
    pairs=st.lists(st.tuples(st.text(), st.text(min_size=1)), min_size=1, max_size=4),
    system=st.none() | st.text(),
)
def test_what_is_saved_is_loaded_again(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]], system: str | None
) -> None:
    path = tmp_path_factory.mktemp("talk") / "talk.json"
    before, after = said(*pairs, system=system), Transcript("other")
    before.save(path, "m")
    after.load(path)
    assert (after.system, after.messages, after.open) == (system, before.messages, None)


def test_a_question_without_an_answer_is_open() -> None:
    transcript = said(("one", "1"))
    transcript.open = "two"
    transcript.answered("")
    assert transcript.open == "two"
    transcript.answered("2 and", stopped=True)
    assert transcript.messages[-1] == {"role": "assistant", "content": "2 and", "stopped": True}
    assert transcript.reopen()
    assert transcript.open == "two"
    assert len(transcript.messages) == 2
    assert not Transcript().reopen()


def test_the_oldest_are_forgotten_first() -> None:
    transcript = said(("one", "1"), ("two", "2"), ("three", "3"))
    assert transcript.forget() == 2
    assert transcript.messages[0]["content"] == "three"
    assert transcript.forget(9) == 1
    assert transcript.messages == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff", "not UTF-8 (byte 0)"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"{}", 'no "messages"'),
        (b'{"messages": []}', "empty"),
        (b'{"messages": [{"role": "tool", "content": "x"}]}', "messages[0].role"),
        (b'{"messages": [{"role": "user", "content": [1]}]}', "messages[0].content"),
        (b"3", "must be a list"),
    ],
)
def test_a_file_that_is_wrong_changes_nothing(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "talk.json"
    path.write_bytes(content)
    transcript = said(("one", "1"), system="s")
    before = transcript.asked()
    with pytest.raises(SourceError) as caught:
        transcript.load(path)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)
    assert transcript.asked() == before


def test_other_shapes_are_loaded_too(tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    path.write_text('\ufeff[{"role": "user", "content": "Hi", "name": "x"}]')
    transcript = Transcript()
    assert transcript.load(path) == 1
    assert transcript.open == "Hi"


def test_what_cannot_be_written_is_said_and_leaves_the_old_file(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="No such file"):
        said(("one", "1")).save(tmp_path / "none" / "talk.json", "m")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="is no file"):
        Transcript().load(tmp_path / "pipe")


def test_a_full_disk_leaves_no_empty_file(small_disk: Path) -> None:
    with pytest.raises(SinkError, match="No space left"):
        said(("one", "1" * 100_000)).save(small_disk / "talk.json", "m")
    assert not list(small_disk.iterdir())


def test_the_draft_too_is_for_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    sync = os.fsync

    def look(fd: int) -> None:
        found.append(stat.S_IMODE(os.fstat(fd).st_mode))
        sync(fd)

    monkeypatch.setattr(os, "fsync", look)
    said(("one", "1")).save(tmp_path / "talk.json", "m")
    assert found == [0o600]


@pytest.fixture
def piped() -> Iterator[tuple[Lines, int]]:
    """What reads lines, and where they are written."""
    source, into = os.pipe()
    with open(source) as stdin, open(into, "wb"):
        yield Lines(stdin, lambda: None), into


async def test_what_is_typed_after_an_interrupt_is_not_lost(piped: tuple[Lines, int]) -> None:
    lines, into = piped
    reading = asyncio.ensure_future(lines.read())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    os.write(into, b"first\r\n\nlast\n")
    assert [await lines.read() for _ in range(3)] == ["first", "", "last"]


async def test_a_line_without_end_is_refused(
    piped: tuple[Lines, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, into = piped
    monkeypatch.setattr(reading_room, "MOST", 1000)
    os.write(into, b"x" * 2000)
    with pytest.raises(SourceError, match="more than 1,000 bytes"):
        await lines.read()


def test_commands_are_told_from_questions() -> None:
    assert parsed("/model  a b ") == ("/model", "a b")
    assert parsed("/q") == ("/quit", "")
    assert parsed(" /etc/passwd?") is None
    assert parsed("what is /model?") is None
    for name in COMMANDS:
        assert f"did you mean {name}?" in unknown(name + "x")
