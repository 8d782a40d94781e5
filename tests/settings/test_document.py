"""YAML in: lines are kept, and nothing unsafe or doubtful gets through."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.settings.document import MAX_BYTES, parse


def mistake(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ConfigError) as caught:
        parse(data, "f.yaml")
    return str(caught.value)


def plain(text: str) -> dict:
    return {key: item.plain for key, item in parse(text.encode(), "f.yaml").items()}


def test_every_key_knows_its_line() -> None:
    items = parse(b"# first\nrpm: 3\nparams:\n  top_p: 1\n", "f.yaml")
    assert (items["rpm"].line, items["params"].line) == (2, 3)
    assert items["params"].value["top_p"].line == 4


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "null\n", "\ufeff"])
def test_an_empty_file_sets_nothing(text: str) -> None:
    assert plain(text) == {}


def test_a_bom_is_no_part_of_the_first_key() -> None:
    assert plain("\ufeffrpm: 1") == {"rpm": 1}


def test_numbers_with_an_exponent_are_numbers_and_dates_are_text() -> None:
    assert plain("a: 1e3\nb: 2026-01-02\nc: 1_000\nd: 2.5E-1") == {
        "a": 1000.0,
        "b": "2026-01-02",
        "c": 1000,
        "d": 0.25,
    }


def test_keys_are_taken_as_written() -> None:
    assert plain("params: {50256: -100, on: 1, 1.0: 2}") == {
        "params": {"50256": -100, "on": 1, "1.0": 2}
    }


def test_a_duplicate_key_names_both_lines() -> None:
    assert mistake("rpm: 1\ntpm: 2\nrpm: 3\n") == (
        "f.yaml:3: rpm: set twice, first in line 1; keep one"
    )


def test_a_duplicate_key_inside_is_found_too() -> None:
    assert mistake("params:\n  a: 1\n  a: 2\n").startswith(
        "f.yaml:3: a: set twice, first in line 2"
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("rpm: 1\n\tmodel: x\n", "f.yaml:2:1"),
        ("rpm: 1\nmodel: 'open\n", "f.yaml:3:1"),
        ("a: [1, 2\nb: 3\n", "f.yaml:2:2"),
        ("a: b: c\n", "f.yaml:1:5"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1"),
    ],
)
def test_broken_yaml_is_named_with_line_and_column(text: str, where: str) -> None:
    message = mistake(text)
    assert message.startswith(f"{where}: not valid YAML: ")
    assert "\n" not in message


def test_a_tab_gets_a_hint() -> None:
    assert "spaces, not tabs" in mistake("rpm: 1\n\tmodel: x\n")


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text\n", "7\n"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    assert mistake(text) == "f.yaml:1: must hold settings, one a line, as name: value"


def test_aliases_are_refused_before_they_can_expand() -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(40))
    assert mistake(bomb) == "f.yaml:2: aliases (*name) are not used here; use a profile"


def test_an_unsafe_tag_is_refused() -> None:
    text = "rpm: 1\nmodel: !!python/object/apply:os.system ['true']\n"
    assert mistake(text).startswith("f.yaml:2: remove the tag")


def test_a_tag_that_lies_about_its_value_is_refused() -> None:
    assert mistake("rpm: !!int abc\n") == "f.yaml:1: not a value that its tag allows"


def test_endless_nesting_is_refused() -> None:
    deep = "a: " + "[" * 50 + "]" * 50
    assert mistake(deep) == "f.yaml:1: nested more than 32 levels deep"
    assert mistake("a: " + "[" * 50_000).startswith("f.yaml:1:")


def test_a_huge_file_is_refused() -> None:
    assert "larger than 1 MiB" in mistake(b"#" * (MAX_BYTES + 1))


def test_text_that_is_not_utf8_names_its_line() -> None:
    assert mistake(b"rpm: 1\nmodel: \xff\n") == "f.yaml:2: not UTF-8 text"


def test_a_nul_names_its_line() -> None:
    assert mistake(b"rpm: 1\nmodel: \x00\n").startswith("f.yaml:2")


def test_a_compound_key_is_refused() -> None:
    assert mistake("? [a, b]\n: 1\n") == "f.yaml:1: a setting's name must be plain text"


def test_a_syntax_error_does_not_quote_the_file() -> None:
    assert "sk-secret" not in mistake("model: x\napi_key: 'sk-secret\n")
    assert "sk-secret" not in mistake("OPENAI_API_KEY=sk-secret\n")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(alphabet="ab:-[]{}&*!'\"\n\t #|>1.?%@,", max_size=80))
def test_any_bytes_are_settings_or_a_config_error(data: bytes | str) -> None:
    with suppress(ConfigError):
        assert isinstance(parse(data if isinstance(data, bytes) else data.encode(), "f"), dict)
