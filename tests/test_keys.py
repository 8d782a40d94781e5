"""Where keys come from, and that they do not show."""

import sys
from pathlib import Path

import msgspec
import pytest

from llmbatch.jobs import keys
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.keys import Key, KeySource, Kind, first_key, missing, redact

SECRET = "sk-recognisable-0123456789"


def source(kind: Kind, name: str) -> KeySource:
    return KeySource(kind=kind, name=name, setting=f"providers.lab.api_key_{kind}")


def mistake(kind: Kind, name: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        source(kind, name).read(environ or {})
    return str(caught.value)


def revealed(kind: Kind, name: str, environ: dict[str, str] | None = None) -> str:
    key = source(kind, name).read(environ or {})
    assert key is not None
    return key.reveal()


def python(code: str) -> str:
    return f"{sys.executable} -c '{code}'"


def test_a_key_shows_itself_nowhere() -> None:
    key = Key(SECRET)
    assert SECRET not in f"{key} {key!r} {[key]}"
    assert key.reveal() == SECRET
    with pytest.raises(TypeError):
        msgspec.json.encode(key)


def test_keys_compare_by_what_they_hold() -> None:
    assert Key("a") == Key("a") != Key("b")
    assert len({Key("a"), Key("a")}) == 1


def test_a_key_that_was_read_is_taken_out_of_any_text() -> None:
    Key(SECRET + "-longer")
    Key(SECRET)
    assert redact(f"Bearer {SECRET}-longer and {SECRET}.") == "Bearer *** and ***."


def test_a_placeholder_does_not_blot_out_words() -> None:
    Key("none")
    assert redact("none of it") == "none of it"


@pytest.mark.parametrize("value", [SECRET, f"{SECRET}\n", f"  {SECRET}\r\n"])
def test_a_variable_holds_the_key(value: str) -> None:
    assert revealed("env", "LAB_KEY", {"LAB_KEY": value}) == SECRET


@pytest.mark.parametrize("environ", [{}, {"LAB_KEY": ""}, {"LAB_KEY": " \n"}])
def test_a_variable_that_is_not_set_is_no_key(environ: dict[str, str]) -> None:
    assert source("env", "LAB_KEY").read(environ) is None


def test_a_missing_key_says_what_to_do() -> None:
    own = KeySource(kind="env", name="OPENAI_API_KEY", setting="OPENAI_API_KEY")
    assert str(missing([own], "openai/m")) == (
        "openai/m needs a key, and OPENAI_API_KEY is not set; "
        "export OPENAI_API_KEY=... with your key and run again"
    )
    assert str(missing([source("env", "LAB_KEY")], "lab/m")).startswith(
        "providers.lab.api_key_env: lab/m needs a key, and LAB_KEY is not set"
    )


@pytest.mark.parametrize("name", ["gsk_recognisable0123456789", "sk-recognisable"])
def test_a_key_in_the_place_of_a_variable_is_not_shown(name: str) -> None:
    assert name not in str(missing([source("env", name)], "lab/m"))
    assert name not in source("env", name).describe({})


@pytest.mark.parametrize(
    "value", ["sk 1234", "sk-\x1b[31m", "sk-\n1", "sk-\u20ac", "sk-\xa01", "sk\t1", "sk-\udc80"]
)
def test_a_key_that_no_header_can_carry_is_refused_unseen(value: str) -> None:
    message = mistake("env", "LAB_KEY", {"LAB_KEY": value})
    assert message.startswith("providers.lab.api_key_env: the key holds a space")
    assert "sk" not in message


def test_a_file_holds_the_key(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(f"\ufeff{SECRET}\n", encoding="utf-8")
    assert revealed("file", str(path)) == SECRET


def test_a_key_file_may_stand_in_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text(SECRET)
    assert revealed("file", "~/key") == SECRET


def test_a_key_file_that_is_no_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "key"
    where = "providers.lab.api_key_file: "
    assert mistake("file", str(path)) == f"{where}can't read {path}: No such file or directory"
    assert mistake("file", str(tmp_path)) == f"{where}can't read {tmp_path}: Is a directory"
    path.write_text("\n")
    assert mistake("file", str(path)) == f"{where}the key is empty"
    path.write_bytes(b"\xff\xfe")
    assert mistake("file", str(path)) == f"{where}{path} is not text"
    path.write_bytes(b"x" * 70_000)
    assert mistake("file", str(path)) == f"{where}{path} is too large to be a key"


def test_a_key_in_the_place_of_a_path_is_not_shown() -> None:
    assert SECRET not in mistake("file", SECRET)
    assert SECRET not in mistake("cmd", SECRET)


def test_a_command_prints_the_key() -> None:
    assert revealed("cmd", python(f'print("{SECRET}")')) == SECRET


def test_a_command_is_not_run_by_a_shell(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    command = python("import sys; print(len(sys.argv))") + f" a; touch {flag}"
    assert revealed("cmd", command) == "4"
    assert not flag.exists()


def test_a_command_that_fails_shows_its_complaint_but_nothing_it_printed() -> None:
    code = (
        f'import sys; print("{SECRET}"); '
        f'sys.stderr.write("no vault\\x1b[31m\\nfor {SECRET}"); sys.exit(3)'
    )
    message = mistake("cmd", python(code))
    assert message.endswith("failed (exit 3): no vault [31m for ***")
    assert SECRET not in message


def test_a_commands_arguments_are_not_shown() -> None:
    message = mistake("cmd", python(f'import sys; sys.exit("{"x" * 3}")') + f" {SECRET}")
    assert SECRET not in message
    assert SECRET not in source("cmd", f"vault -t {SECRET}").describe({})


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("./no-such-program x", "can't run ./no-such-program: No such file or directory"),
        ("echo 'open", "not a command; check its quotes"),
        ("", "not a command; check its quotes"),
        ("true", "true printed nothing"),
    ],
)
def test_a_command_that_gives_no_key_is_named(command: str, reason: str) -> None:
    assert mistake("cmd", command) == f"providers.lab.api_key_cmd: {reason}"


def test_a_command_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "COMMAND_TIMEOUT", 0.2)
    assert mistake("cmd", python("import time; time.sleep(600)")).endswith(
        "gave no key within 0.2 s; it must not ask for anything"
    )


def test_the_first_source_that_has_a_key_wins(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file")
    sources = [source("env", "LAB_KEY"), source("file", str(tmp_path / "key"))]
    assert first_key(sources, {"LAB_KEY": "from-env"}) == Key("from-env")
    assert first_key(sources, {}) == Key("from-file")
    assert first_key(sources[:1], {}) is None


def test_a_description_says_whether_the_key_is_there(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert source("env", "LAB_KEY").describe({"LAB_KEY": SECRET}) == "LAB_KEY (set)"
    assert source("env", "LAB_KEY").describe({}) == "LAB_KEY (not set)"
    assert source("file", str(path)).describe({}) == f"file {path} (missing)"
    path.write_text(SECRET)
    path.chmod(0o600)
    assert source("file", str(path)).describe({}) == f"file {path} (there)"
    path.chmod(0o644)
    assert "readable by everyone" in source("file", str(path)).describe({})
