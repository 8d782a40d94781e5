"""Other tools in the benchmark: how they are installed, run and compared."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import dedent

import pytest

from bench.cases import versus
from bench.child import BenchFailed, Ended
from bench.contenders import Rival
from bench.lab import Lab
from bench.rivals import environment
from bench.rivals.tools import TOOLS, Tool
from bench.serving import Server, serving
from bench.settings import Setting
from bench.turns import Cost, Entry, in_turn, start_of

ASKS = """
    import json, sys, urllib.request
    file, url, text = sys.argv[1], sys.argv[2], sys.argv[sys.argv.index("--text") + 1]
    rows = 0
    for line in open(file):
        row = json.loads(line)
        messages = [{"role": "user", "content": row["prompt"]}]
        body = json.dumps({"model": "m", "messages": messages}).encode()
        answer = json.load(urllib.request.urlopen(url + "/chat/completions", body))
        assert answer["choices"][0]["message"]["content"] == text
        rows += 1
    print(json.dumps({"rows": rows, "wall": 0.1}))
"""
PLAIN = Setting(stream=False)


class Scripted(Tool, frozen=True):
    """A tool whose client is a script of the test's."""

    path: Path = Path()

    @property
    def script(self) -> Path:
        return self.path


def scripted(folder: Path, code: str) -> Rival:
    path = folder / "client.py"
    path.write_text(dedent(code))
    tool = Scripted("stub", ("stub==1.0",), path.name, plain=5, streamed=5, path=path)
    return Rival(Lab(folder, quick=True), tool, Path(sys.executable))


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


def test_a_client_in_its_own_process_is_measured(tmp_path: Path, server: Server) -> None:
    rival = scripted(tmp_path, ASKS)
    start = start_of(rival, PLAIN, server, 2)
    cost = in_turn([Entry(rival, 5, start)], PLAIN, server, 2)["stub"]
    assert server.requests() == 1 + 1 + 5 + 5
    assert len(cost.cpu) == 2
    assert cost.served > 0
    assert cost.rate > 0


def test_rows_that_were_not_asked_are_noticed(tmp_path: Path, server: Server) -> None:
    rival = scripted(tmp_path, "print('{\"rows\": 4}')")
    with pytest.raises(BenchFailed, match="4 of 5 rows"):
        rival.ask(PLAIN, server.url(), 5)


def test_a_client_that_says_nothing_is_noticed(tmp_path: Path, server: Server) -> None:
    with pytest.raises(BenchFailed, match="did not say"):
        scripted(tmp_path, "pass").ask(PLAIN, server.url(), 5)


class Installer:
    """Stands where commands are run; remembers them, and makes the interpreter."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.broken = False

    def __call__(self, argv: Sequence[str | Path], cwd: Path, seconds: float) -> Ended:
        self.commands.append([str(word) for word in argv])
        if "venv" in argv:
            Path(argv[-1]).mkdir()
        if self.broken and "pip" in argv:
            raise BenchFailed("python ended with code 1: no matching distribution")
        return Ended(0, 0.0, 0.0, 0, b"", b"")


@pytest.fixture
def installer(monkeypatch: pytest.MonkeyPatch) -> Installer:
    made = Installer()
    monkeypatch.setattr(environment, "succeed", made)
    return made


def tool(*pins: str) -> Tool:
    return Tool("one tool", pins, "client.py", plain=1, streamed=1)


def test_an_environment_is_made_once(tmp_path: Path, installer: Installer) -> None:
    wanted = tool("tool==1.0", "uvloop==0.23.0")
    first = environment.python_of(wanted, tmp_path)
    assert first == tmp_path / "one-tool" / "bin" / "python"
    assert installer.commands[-1][-2:] == ["tool==1.0", "uvloop==0.23.0"]
    assert environment.python_of(wanted, tmp_path) == first
    assert len(installer.commands) == 2


def test_another_version_is_installed_anew(tmp_path: Path, installer: Installer) -> None:
    environment.python_of(tool("tool==1.0"), tmp_path)
    (tmp_path / "one-tool" / "left").write_text("over")
    environment.python_of(tool("tool==1.1"), tmp_path)
    assert installer.commands[-1][-1] == "tool==1.1"
    assert not (tmp_path / "one-tool" / "left").exists()


def test_what_can_not_be_installed_says_why_and_is_tried_again(
    tmp_path: Path, installer: Installer
) -> None:
    installer.broken = True
    with pytest.raises(BenchFailed, match=r"could not be installed: .* no matching distribution"):
        environment.python_of(tool("tool==1.0"), tmp_path)
    installer.broken = False
    assert environment.python_of(tool("tool==1.0"), tmp_path).parent.name == "bin"
    assert len(installer.commands) == 4


def test_a_tool_that_is_missing_is_in_the_results_and_in_the_chart() -> None:
    costs = {"bare loop": cost_of(100), "llmbatch": cost_of(150)}
    why = {tool.name: "could not be installed: no network" for tool in TOOLS}
    figures = list(versus.judged("plain", costs, why))
    assert [figure.measured for figure in figures] == list(why.values())
    assert all(figure.holds is False for figure in figures)
    assert all(figure.bar is not None and figure.bar.micros is None for figure in figures)


def test_what_was_asked_of_the_comparison_is_judged() -> None:
    named = dict(zip([tool.name for tool in TOOLS], (290, 3_000, 9_000), strict=True))
    costs = {name: cost_of(micros) for name, micros in {"llmbatch": 150, **named}.items()}
    verdicts = {figure.what: figure.holds for figure in versus.judged("plain", costs, {})}
    assert verdicts == {
        "plain: flexllm against llmbatch": False,
        "plain: openai SDK against llmbatch": True,
        "plain: litellm against llmbatch": True,
    }


def cost_of(micros: float) -> Cost:
    return Cost(rows=10, cpu=[micros / 1e6], start=0.1, rate=1.0, peak=1, served=1e-5, busy=0.1)
