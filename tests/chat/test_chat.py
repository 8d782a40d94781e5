"""A conversation on a real terminal."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command import SCRIPT, environment
from faultreplies import Act, answer, context_too_long, cut, error, unauthorized
from ptyterminal import Terminal

from faultserver import FaultServer
from llmbatch.cli.main import main

Open = Callable[..., Terminal]


def sent(server: FaultServer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = server.calls[-1].body["messages"]
    return found


def test_questions_are_answered_one_after_the_other(chat: Open, server: FaultServer) -> None:
    terminal = chat("--system", "Be brief.")
    server.replies = [answer("The **first** answer"), answer("The *second* answer")]
    terminal.answers("one")
    terminal.answers("two")
    assert "The first answer" in terminal.text
    assert "The second answer" in terminal.text
    assert "*" not in terminal.text
    assert "tokens in, " in terminal.text
    assert "first token" in terminal.text
    assert sent(server) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "The **first** answer"},
        {"role": "user", "content": "two"},
    ]
    terminal.type("\x04")
    assert terminal.ended() == 0


def test_an_answer_is_drawn_while_it_comes_and_ctrl_c_stops_it_alone(
    chat: Open, server: FaultServer
) -> None:
    terminal = chat()
    server.replies = [answer(edit=lambda parts: [*parts[:3], Act.HANG], text="So far, " * 9)]
    terminal.type("tell me\r")
    terminal.shows("So far")
    terminal.type("\x03")
    terminal.shows("(stopped; what came is kept)")
    server.replies = [answer("And now")]
    terminal.answers("go on")
    assert "And now" in terminal.text
    user, stopped, _ = sent(server)
    assert user["content"] == "tell me"
    assert stopped["content"].startswith("So far")
    terminal.type("/save kept.json\r")
    terminal.shows("saved to kept.json")
    terminal.type("\x03")
    terminal.shows("Ctrl-C once more leaves")
    terminal.type("\x03")
    assert terminal.ended() == 0


def test_the_commands_of_a_conversation(chat: Open, server: FaultServer, tmp_path: Path) -> None:
    terminal = chat("--price-in", "1", "--price-out", "1", "--fallback", "other")
    server.replies = answer("Yes")

    terminal.type("/modell x\r")
    terminal.shows("did you mean /model?")
    terminal.type("/model\r")
    terminal.shows("* m")
    terminal.shows("  other")
    terminal.type("/model other\r")
    terminal.shows("other answers from here on")
    terminal.type("/model local/nothing\r")
    terminal.shows("error:")

    terminal.type("/system Be\x0abrief.\r")  # Ctrl-J: a line of its own
    terminal.shows("system message: Be\\nbrief.")
    terminal.answers("line one\x1b\rline two")  # Alt-Enter
    assert server.calls[-1].body["model"] == "other"
    assert sent(server) == [
        {"role": "system", "content": "Be\nbrief."},
        {"role": "user", "content": "line one\nline two"},
    ]
    terminal.answers("\x1b[200~pasted\ntext\x1b[201~")
    assert sent(server)[-1]["content"] == "pasted\ntext"

    terminal.type("/save talk.json\r")
    terminal.shows("5 messages saved to talk.json")
    terminal.type("/clear\r")
    terminal.shows("all forgotten; the system message stays")
    server.replies = answer("Another")
    terminal.answers("new")
    assert len(sent(server)) == 2
    terminal.answers("/retry")
    assert len(sent(server)) == 2

    terminal.type("/load talk.json\r")
    terminal.shows("5 messages loaded")
    terminal.type("/drop 1\r")
    terminal.shows("1 question forgotten")
    terminal.answers("and now?")
    assert [each["content"] for each in sent(server)][1:] == ["pasted\ntext", "Yes", "and now?"]

    mark = terminal.mark()
    terminal.type("/tokens\r")
    terminal.shows("5 answers: ")
    listed = terminal.since(mark)
    assert "1. " in listed
    assert "5. " in listed
    total = sum(call_tokens(call.body) for call in server.calls)
    assert total > 0
    assert "$" in listed
    terminal.type("/help\r")
    terminal.shows("Alt-Enter")
    terminal.type("/quit\r")
    assert terminal.ended() == 0
    saved = json.loads((tmp_path / "talk.json").read_text())
    assert saved["model"] == "other"
    assert [each["role"] for each in saved["messages"]] == ["system", *["user", "assistant"] * 2]
    assert stat.S_IMODE((tmp_path / "talk.json").stat().st_mode) == 0o600


def call_tokens(body: Any) -> int:
    return sum(len(each["content"]) for each in body["messages"])


def test_what_goes_wrong_is_said_and_the_chat_goes_on(
    chat: Open, server: FaultServer, tmp_path: Path
) -> None:
    terminal = chat(OPENAI_API_KEY="sk-secret")
    server.replies = [
        unauthorized(),
        context_too_long(),
        error(400, "Odd \x1b[31mrequest"),
        answer("Fine"),
    ]
    terminal.type("one\r")
    terminal.shows("Incorrect API key")
    terminal.answers_or("two", "/drop forgets the older half")
    terminal.answers_or("three", "Odd")
    terminal.answers("four")
    assert sent(server) == [{"role": "user", "content": "four"}]
    (tmp_path / "bad.json").write_text('{"messages": [{"role": "user"}]}')
    (tmp_path / "worse.json").write_text("{")
    for file, said in (
        ("bad.json", "content must be a string, got nothing"),
        ("worse.json", "is not JSON"),
        ("none.json", "No such file"),
        (".", "Is a directory"),
    ):
        terminal.type(f"/load {file}\r")
        terminal.shows(said)
    terminal.type("/save bad.json\r")
    terminal.shows("bad.json exists: /save! bad.json overwrites it")
    terminal.type("/save /dev/full\r")
    terminal.shows("/dev/full exists")
    terminal.type("/save! /dev/full\r")
    terminal.shows("can't write /dev/full: No space left on device")
    server.replies = answer("Still here")
    terminal.answers("five")
    assert len(sent(server)) == 3
    assert "sk-secret" not in terminal.text
    assert "Traceback" not in terminal.text


def test_ctrl_c_stops_a_command_and_not_the_chat(
    chat: Open, server: FaultServer, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "key")
    slow = {"base_url": server.url, "api_key_cmd": "sh -c 'trap \"\" INT; cat key'"}
    (tmp_path / "llmbatch.yaml").write_text(json.dumps({"providers": {"slow": slow}}))
    terminal = chat()
    terminal.type("/model slow/m\r")
    with (tmp_path / "key").open("w"):  # which waits until the key is being read
        terminal.type("\x03")
        terminal.shows("(stopped)")
    server.replies = answer("Still here")
    terminal.answers("five")
    terminal.type("\x04")
    assert terminal.ended() == 0


def test_a_hostile_answer_stays_text(terminal: Terminal, server: FaultServer) -> None:
    hostile = "\x1b]0;owned\x07 <img src=x onerror=alert(1)> \u202egnp.exe \x9b31m `\x1b[2J` end"
    server.replies = answer(hostile, chunks=9)
    mark = terminal.mark()
    terminal.answers("go")
    written = terminal.raw[mark:]
    for evil in ("\x1b]0", "\x07", "\x1b[2J", "\u202e", "\x9b"):
        assert evil not in written
    shown = " ".join(terminal.text.split())
    for text in ("\\x1b]0;owned\\x07", "<img src=x onerror=alert(1)>", "\\u202egnp.exe", "end"):
        assert text in shown


def test_what_is_settled_is_written_exactly_once(chat: Open, server: FaultServer) -> None:
    words = [f"w{n}x" for n in range(400)]
    paragraphs = "\n\n".join(" ".join(words[n : n + 20]) for n in range(0, 400, 20))
    code = "\n".join(f"line_{n}_y = {n}" for n in range(500))
    text = f"{paragraphs}\n\n```python\n{code}\n```\n\nThe end."
    server.replies = answer(text, chunks=700, delay=0.001)
    terminal = chat(rows=12)
    said = terminal.answers("much")
    for n in range(500):
        assert len(re.findall(rf"\bline_{n}_y = {n}\b", said)) == 1
    once = sum(len(re.findall(rf"\b{word}\b", said)) == 1 for word in words)
    assert once > 0.9 * len(words)  # the last word of a row may move to the next one
    shown = terminal.text
    places = [shown.index(f"{word}") for word in words]
    assert places == sorted(places)
    assert shown.count("line_499_y") == 1


@pytest.mark.parametrize("columns", [40, 80])
def test_markdown_is_drawn(terminal: Terminal, server: FaultServer, columns: int) -> None:
    text = (
        "# Title\n\nSome **bold** and `code`.\n\n- one\n- two\n\n"
        "| Name | Count |\n|---|---:|\n| apples | 3 |\n\n```\nplain = 1\n```\n"
    )
    server.replies = answer(text, chunks=40, delay=0.005)
    terminal.resize(columns, 24)
    terminal.answers("draw")
    rows = [" ".join(row.split()) for row in terminal.text.rpartition("> draw")[2].split("\n")]
    for row in ("Title", "Some bold and code.", "• one", "• two", "Name Count", "apples 3"):
        assert row in rows
    assert "plain = 1" in rows
    assert not any("|" in row or "```" in row for row in rows)


def test_a_terminal_that_changes_its_size_loses_nothing(chat: Open, server: FaultServer) -> None:
    words = [f"w{n}x" for n in range(60)]
    server.replies = answer(" ".join(words), chunks=60, delay=0.03)
    terminal = chat()
    mark = terminal.mark()
    terminal.type("go\r")
    terminal.says("w20x")
    terminal.resize(50, 20)
    terminal.says("w40x")
    terminal.resize(100, 30)
    terminal.until(lambda: "tokens in" in terminal.since(mark), "the end")
    said = terminal.since(mark)
    places = [said.index(word) for word in words]
    assert places == sorted(places)


def test_an_answer_that_breaks_off_is_void_and_comes_anew(
    terminal: Terminal, server: FaultServer
) -> None:
    server.replies = [cut(after=3, text="wrong words here", chunks=6), answer("Right")]
    terminal.answers("go")
    assert "what stands above is void" in terminal.text
    server.replies = answer("Yes")
    terminal.answers("more")
    assert sent(server)[1]["content"] == "Right"


@pytest.mark.parametrize("plain", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_where_nothing_is_to_be_drawn_answers_are_plain_text(
    chat: Open, server: FaultServer, plain: dict[str, str]
) -> None:
    server.replies = answer("# Some **bold** text\x1b[31m")
    terminal = chat(**plain)
    mark = terminal.mark()
    terminal.answers("go")
    assert "# Some **bold** text\\x1b[31m\r\n" in terminal.raw[mark:]


def test_the_history_is_kept_for_nobody_else(
    chat: Open, server: FaultServer, tmp_path: Path
) -> None:
    server.replies = answer("Yes")
    first = chat()
    first.answers("remember me")
    first.type("\x04")
    assert first.ended() == 0
    path = tmp_path / ".local/share/llmbatch/chat-history"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    second = chat("--no-history")
    second.type("\x1b[A\r")
    second.answers("forget me")
    assert [call.prompt for call in server.calls] == ["remember me", "forget me"]
    assert "forget me" not in path.read_text()
    third = chat()
    third.answers("\x1b[A")
    assert server.calls[-1].prompt == "remember me"


def test_a_signal_that_ends_it_leaves_the_terminal_in_order(
    chat: Open, server: FaultServer
) -> None:
    server.replies = answer(edit=lambda parts: [*parts[:3], Act.HANG], text="So far, " * 9)
    terminal = chat()
    terminal.type("tell me\r")
    terminal.shows("So far")
    assert not terminal.echoes
    terminal.signal(signal.SIGTERM)
    assert terminal.ended() == 143
    assert terminal.echoes


def test_what_is_typed_and_pasted_during_an_answer_is_asked_next(
    terminal: Terminal, server: FaultServer
) -> None:
    slowly = answer(edit=lambda parts: [*parts[:3], 0.3, *parts[3:]], text="So far, so")
    server.replies = [slowly, answer("Two"), answer("Three")]
    mark = terminal.mark()
    terminal.type("one\r")
    terminal.shows("So far")
    terminal.type("two\r\x1b[200~three\rand four\x1b[201~\r")
    terminal.until(lambda: terminal.since(mark).count("tokens in") == 3, "three answers")
    assert [call.prompt for call in server.calls] == ["one", "two", "three\nand four"]


@pytest.mark.model
def test_the_embedded_model_is_loaded_and_answers(chat: Open, smollm2: Path) -> None:
    models = {"LLMBATCH_MODELS": str(smollm2.parent)}
    terminal = chat("-m", "local/smollm2", "--max-tokens", "12", **models)
    terminal.answers("Say hello.")
    terminal.type("/tokens\r")
    terminal.shows("1 answer: ")
    terminal.type("\x04")
    assert terminal.ended() == 0


def test_without_a_terminal_each_line_is_a_question(server: FaultServer, tmp_path: Path) -> None:
    server.replies = [answer("# One\x1b"), error(400, "No"), answer("Three")]
    done = subprocess.run(
        [SCRIPT, "chat", "--base-url", server.url, "-m", "m"],
        input="one\ntwo\nthree",
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment(tmp_path),
    )
    assert (done.returncode, done.stdout) == (1, "# One\x1b\nThree\n")
    assert done.stderr == "error: HTTP 400: No\n"


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("llmbatch.cli.chat.find_spec", lambda name: None)
    assert main(["chat"]) == 2
    assert "pip install prompt-toolkit rich" in capsys.readouterr().err
