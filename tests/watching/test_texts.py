"""The answers that are followed: which ones, and that nobody is told what did not come."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from llmbatch.jobs.model import Result
from llmbatch.jobs.watching.telling import Telling
from llmbatch.jobs.watching.texts import KEPT, NAME, Texts, shown


class Row(Struct, frozen=True):
    id: str
    line: int = 1


class Ear:
    """A watcher without a socket: has room when it is told so."""

    def __init__(self) -> None:
        self.busy = False
        self.seen: dict[str, tuple[int, int]] = {}
        self.owed: list[bytes] = []
        self.messages: list[dict[str, Any]] = []

    def send(self, lines: list[bytes]) -> None:
        assert not self.busy
        assert all(data.endswith(b"\n") and data.count(b"\n") == 1 for data in lines)
        self.messages += map(msgspec.json.decode, lines)  # strict: nothing but Unicode

    def text(self, row: str) -> str:
        """What a page shows of a row: a gap is shown as so many marks."""
        shown = ""
        for message in self.messages:
            if message["type"] == "chunk" and message["row"] == row:
                text = message["text"]
                shown = "" if text is None else shown + "~" * message.get("gap", 0) + text
        return shown


def result(row: str) -> Result:
    return Result(
        id=row, line=1, fingerprint="", status="ok", output="", finish_reason="stop",
        provider="p", model="m", fallbacks=0, usage=None, cost_usd=None, metrics=None, error=None,
        metadata={},
    )  # fmt: skip


def test_six_answers_are_followed_while_somebody_looks_and_two_else() -> None:
    texts = Texts()
    assert [bool(texts.heard(Row(f"r{n}"), None)) for n in range(4)] == [False, False, True, True]
    texts.watch(True)
    assert [bool(texts.heard(Row(f"s{n}"), None)) for n in range(6)] == [False] * 4 + [True] * 2
    assert len(texts.answers) == 6
    del texts.answers["s0"]
    assert texts.heard(Row("s7"), None), "a place that is free is given away little by little"
    texts.more()
    assert not texts.heard(Row("s8"), None)
    texts.more()
    assert texts.heard(Row("s9"), None)


def test_who_comes_in_the_middle_is_told_what_came_before() -> None:
    texts, telling, ear = Texts(), Telling("j"), Ear()
    texts.heard(Row("a"), None)
    texts.heard(Row("a"), "Once upon ")
    texts.heard(Row("a"), "a time")
    telling.tell(ear, texts.answers.values())
    assert ear.text("a") == "Once upon a time"
    texts.heard(Row("a"), ", there was")
    telling.tell(ear, texts.answers.values())
    telling.tell(ear, texts.answers.values())
    assert ear.text("a") == "Once upon a time, there was"
    assert len(ear.messages) == 3


def test_a_new_attempt_voids_what_came_before() -> None:
    texts, telling, ear = Texts(), Telling("j"), Ear()
    for text in (None, "a draft", None, "the answer"):
        texts.heard(Row("a"), text)
        telling.tell(ear, texts.answers.values())
    assert ear.text("a") == "the answer"
    assert [message["attempt"] for message in ear.messages] == [1, 1, 2, 2]
    assert [message["text"] for message in ear.messages] == [None, "a draft", None, "the answer"]


@given(
    st.lists(
        st.tuples(st.sampled_from(["piece", "again", "busy", "free"]), st.text(max_size=5)),
        max_size=60,
    )
)
def test_whenever_it_has_room_it_ends_up_with_the_text_as_it_came(
    steps: list[tuple[str, str]],
) -> None:
    texts, telling, ear = Texts(), Telling("j"), Ear()
    texts.heard(Row("a"), None)
    came = ""
    for what, text in steps:
        if what == "piece" and text:
            texts.heard(Row("a"), text)
            came += text
        elif what == "again":
            texts.heard(Row("a"), None)
            came = ""
        elif what in ("busy", "free"):
            ear.busy = what == "busy"
        telling.tell(ear, texts.answers.values())
    ear.busy = False
    telling.ended(texts.answers.pop("a"), result("a"), [ear])
    assert ear.text("a") == came
    assert ear.messages[-1]["type"] == "done"
    assert not ear.seen


def test_of_a_long_answer_that_was_missed_the_end_is_told_and_how_much_is_not() -> None:
    texts, telling, ear = Texts(), Telling("j"), Ear()
    texts.heard(Row("a"), None)
    texts.heard(Row("a"), "start ")
    telling.tell(ear, texts.answers.values())
    ear.busy = True
    for _ in range(100_000):
        texts.heard(Row("a"), "0123456789")
    telling.tell(ear, texts.answers.values())
    ear.busy = False
    telling.tell(ear, texts.answers.values())
    text = ear.text("a")
    assert len(text) == 1_000_006
    assert text.startswith("start ~")
    assert text.count("~") == 1_000_000 - KEPT
    assert text.endswith("0123456789")


def test_a_megabyte_at_once_is_kept_at_its_end_alone() -> None:
    texts, telling, ear = Texts(), Telling("j"), Ear()
    texts.heard(Row("a"), None)
    texts.heard(Row("a"), "x" * 1_000_000 + "end")
    telling.tell(ear, texts.answers.values())
    assert ear.messages[-1]["gap"] == 1_000_003 - KEPT
    assert ear.messages[-1]["text"].endswith("xend")
    assert len(ear.messages[-1]["text"]) == KEPT


def test_who_is_busy_is_told_of_the_end_of_what_it_saw_and_of_nothing_else() -> None:
    texts, telling, ear = Texts(), Telling("j"), Ear()
    texts.watch(True)
    texts.heard(Row("seen"), None)
    telling.tell(ear, texts.answers.values())
    ear.busy = True
    for n in range(1000):
        texts.more()
        assert not texts.heard(Row(f"r{n}"), None)
        texts.heard(Row(f"r{n}"), "text")
        telling.ended(texts.answers.pop(f"r{n}"), result(f"r{n}"), [ear])
    telling.ended(texts.answers.pop("seen"), result("seen"), [ear])
    assert len(ear.owed) == 1
    ear.busy = False
    telling.tell(ear, texts.answers.values())
    assert [message["type"] for message in ear.messages] == ["chunk", "done"]
    assert ear.messages[-1]["row"] == "seen"


@pytest.mark.parametrize("busy", [False, True])
def test_a_character_that_comes_in_two_halves_is_told_whole(busy: bool) -> None:
    texts, telling, ear = Texts(), Telling("j"), Ear()
    row = Row("\ud83d-id")
    texts.heard(row, None)
    for piece in ("smile ", "\ud83d", "\ude00! ", "alone \ude00 ", "at the end \ud83d"):
        ear.busy = busy
        texts.heard(row, piece)
        telling.tell(ear, texts.answers.values())
    ear.busy = False
    telling.ended(texts.answers.pop(row.id), result(row.id), [ear])
    assert ear.text("\ufffd-id") == "smile 😀! alone \ufffd at the end \ufffd"
    assert not ear.seen


def test_a_huge_id_is_cut_and_still_its_own() -> None:
    names = {shown("x" * 1_000_000, line) for line in (1, 2)}
    assert len(names) == 2
    assert max(map(len, names)) <= NAME + 20
