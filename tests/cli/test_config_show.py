"""`llmbatch config show`: what is in force and why, and never a key."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from llmbatch.cli.main import main

SECRET = "sk-recognisable-0123456789"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in an empty folder and a clean environment: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LLMBATCH_DEBUG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")

    def call(*args: str, yaml: str | None = None, **environ: str) -> tuple[int, str, str]:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        if yaml is not None:
            Path("llmbatch.yaml").write_text(yaml)
        code = main(["config", "show", *args])
        return code, *capsys.readouterr()

    return call


def row(out: str, key: str) -> list[str]:
    return next(line.split(maxsplit=2) for line in out.splitlines() if line.split()[:1] == [key])


def test_every_setting_is_shown_with_value_and_origin(run: Run) -> None:
    code, out, err = run(
        "--rpm", "60", "--no-stream", yaml="model: openai/m\nmax_wait: 2m\n", LLMBATCH_TPM="1000"
    )
    assert (code, err) == (0, "")
    assert row(out, "rpm") == ["rpm", "60", "--rpm"]
    assert row(out, "stream") == ["stream", "false", "--no-stream"]
    assert row(out, "tpm") == ["tpm", "1000", "LLMBATCH_TPM"]
    assert row(out, "max_wait") == ["max_wait", "120", "llmbatch.yaml:2"]
    assert row(out, "grace") == ["grace", "10", "default"]


def test_the_settings_of_an_analysis_are_shown_too(run: Run) -> None:
    yaml = "documents: [big.txt, docs/]\ntask: |\n  Find dates.\n  Only those.\nquotes: yes\n"
    code, out, err = run(yaml=yaml, LLMBATCH_FOLD="none", LLMBATCH_REPORT="r.md")
    assert (code, err) == (0, "")
    shown = [re.split("  +", line) for line in out.splitlines()]
    assert ["documents", '["big.txt", "docs/"]', "llmbatch.yaml:1"] in shown
    assert ["task", r"Find dates.\nOnly those.\n", "llmbatch.yaml:2"] in shown
    assert row(out, "quotes") == ["quotes", "true", "llmbatch.yaml:5"]
    assert row(out, "fold") == ["fold", "none", "LLMBATCH_FOLD"]
    assert row(out, "report") == ["report", "r.md", "LLMBATCH_REPORT"]
    assert row(out, "schema") == ["schema", "-", "default"]


def test_the_route_is_shown(run: Run) -> None:
    out = run("-m", "openai/m", OPENAI_BASE_URL="http://p/v1")[1]
    assert "route   openai, model m\n" in out
    assert "server  http://p/v1 (OPENAI_BASE_URL)\n" in out
    assert "key     OPENAI_API_KEY (not set)\n" in out
    assert "local, model smollm2" in run()[1]


def test_a_key_is_only_said_to_be_there(run: Run) -> None:
    out = run("-m", "openai/m", OPENAI_API_KEY=SECRET)[1]
    assert "OPENAI_API_KEY (set)" in out
    assert SECRET not in out


YAML = f"""
params:
  extra_headers: {{Authorization: {SECRET}}}
  access_token: {SECRET}
  max_tokens: 7
providers:
  lab:
    base_url: http://lab/v1
    api_key_cmd: vault read --token={SECRET}
    headers: {{X-Api-Key: {SECRET}, Cookie: {SECRET}, X-Team: research}}
  slip: {{base_url: "http://u:{SECRET}@b/v1?key={SECRET}", api_key_env: {SECRET}}}
"""


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_may_be_secret_is_masked(run: Run, form: list[str]) -> None:
    code, out, err = run("-m", "lab/m", *form, yaml=YAML)
    assert code == 0
    assert SECRET not in out + err
    assert "research" in out
    assert "command vault (not run)" in out
    assert run("-m", "slip/m", *form)[0] == 2


def test_json_is_for_scripts(run: Run) -> None:
    code, out, _ = run("--json", "--param", "top_p=0.5", "a.jsonl", OPENAI_API_KEY=SECRET)
    shown = json.loads(out)
    assert code == 0
    assert shown["settings"]["params.top_p"] == {"value": 0.5, "from": "--param top_p"}
    assert shown["settings"]["inputs"] == {"value": ["a.jsonl"], "from": "command line"}
    assert shown["route"]["provider"] == "local"
    assert shown["problem"] is None


def test_settings_are_shown_also_when_no_server_fits_them(run: Run) -> None:
    code, out, err = run("-m", "gpt-4o")
    assert code == 2
    assert row(out, "model") == ["model", "gpt-4o", "--model"]
    assert err.startswith('llmbatch: error: model "gpt-4o" names no provider')
    code, out, _ = run("-m", "gpt-4o", "--json")
    assert code == 2
    assert json.loads(out)["route"] is None
    assert "names no provider" in json.loads(out)["problem"]


def test_control_characters_of_a_setting_do_not_reach_the_terminal(run: Run) -> None:
    out = run("--system", "a\x1b[2Jb\u202ec\nd")[1]
    assert "\x1b" not in out
    assert r"a\x1b[2Jb\u202ec\nd" in out


def test_long_values_are_cut_in_the_table_and_whole_in_json(run: Run) -> None:
    assert row(run("--system", "x" * 500)[1], "system")[1] == "x" * 57 + "..."
    assert json.loads(run("--system", "x" * 500, "--json")[1])["settings"]["system"] == {
        "value": "x" * 500,
        "from": "--system",
    }


ERRORS = {
    "yaml key": f"api_key: {SECRET}",
    "yaml provider key": f"providers: {{lab: {{api_key: {SECRET}}}}}",
    "yaml header": f"providers: {{lab: {{base_url: http://a, headers: {{A: [{SECRET}]}}}}}}",
    "yaml broken header": f'providers: {{lab: {{base_url: b, headers: {{A: "{SECRET}\\n"}}}}}}',
    "yaml url": f"model: m\nbase_url: http://x:{SECRET}@a/v1",
    "yaml url query": f"model: m\nbase_url: http://a/v1?api_key={SECRET}",
    "yaml url is key": f"model: m\nbase_url: {SECRET}",
    "yaml syntax": f"api_key: '{SECRET}",
    "yaml tab": f"api_key:\n\t{SECRET}",
    "yaml is env file": f"OPENAI_API_KEY={SECRET}",
    "yaml list": f"- {SECRET}",
    "yaml tag": f"model: !!int {SECRET}",
    "yaml alias": f"model: &a {SECRET}\nsystem: *a",
    "provider env": f"model: lab/m\nproviders: {{lab: {{base_url: b, api_key_env: {SECRET}}}}}",
}


@pytest.mark.parametrize("name", ERRORS)
def test_no_error_about_the_file_shows_a_key(run: Run, name: str) -> None:
    code, out, err = run(yaml=ERRORS[name], OPENAI_API_KEY=SECRET)
    assert code == 2
    assert err.startswith("llmbatch: error: ")
    assert SECRET not in out + err


@pytest.mark.parametrize(
    "args",
    [
        ["--api-key", SECRET],
        [f"--api-key={SECRET}"],
        [f"--rpm-{SECRET[:2]}={SECRET}"],
        ["--param", SECRET],
        ["-m", "x", "--base-url", f"https://{SECRET}@a"],
        ["-m", "openai/m", "--base-url", f"http://a/?{SECRET}"],
    ],
)
def test_no_error_about_a_flag_shows_a_key(run: Run, args: list[str]) -> None:
    code, out, err = run(*args)
    assert code == 2
    assert SECRET not in out + err


def test_prices_are_shown_with_their_origin(run: Run) -> None:
    yaml = "prices:\n  openai/gpt-4.1: {input: 2, output: 8.5}\n"
    code, out, _ = run("--price-in", "1", "--price-out", "0", yaml=yaml)
    assert code == 0
    assert row(out, "prices.openai/gpt-4.1.output")[1:] == ["8.5", "llmbatch.yaml:2"]
    assert row(out, "price_in")[1:] == ["1", "--price-in"]


@pytest.mark.parametrize(
    ("args", "price"),
    [
        (
            ("-m", "openai/gpt-4o-mini"),
            r"\$0.15 in, \$0.075 cached, \$0.6 out for a million tokens \(by genai-prices [\d.]+\)",
        ),
        (
            ("-m", "openai/gpt-5.4"),
            r"\$2.5 in, .*, more above 272,000 tokens of input \(by genai-prices [\d.]+\)",
        ),
        (
            ("-m", "openai/gpt-4o-mini", "--price-in", "1", "--price-out", "0"),
            r"\$1 in, \$1 cached, \$0 out for a million tokens \(by --price-in and --price-out\)",
        ),
        (("-m", "m", "--base-url", "http://a/v1"), "unknown"),
        ((), "unknown"),
    ],
)
def test_the_price_of_a_route_is_shown_and_who_says_so(
    run: Run, args: tuple[str, ...], price: str
) -> None:
    code, out, _ = run(*args)
    assert code == 0
    found = next(line for line in out.splitlines() if line.startswith("price   "))
    assert re.fullmatch(f"price   {price}", found)


def test_one_half_of_a_price_is_a_mistake(run: Run) -> None:
    code, out, err = run("--price-in", "1", "-m", "openai/m")
    assert code == 2
    assert "price_in" in out
    assert "give both --price-in and --price-out" in err
