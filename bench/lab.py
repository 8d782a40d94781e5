"""What every case works with: a scratch folder, input files, and how each client is started."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from .child import ROOT, BenchFailed, Child, Ended, started, succeed
from .shapes import text_of

CONCURRENCY = 64

KEYS = {"ANTHROPIC_API_KEY": "none", "GEMINI_API_KEY": "none"}
"""For providers that are not asked without one; the local server looks at none."""


class Lab(Struct, frozen=True):
    """``folder`` is scratch of its own; ``quick`` asks for fewer and shorter runs."""

    folder: Path
    quick: bool

    @property
    def command(self) -> Path:
        """The `llmbatch` beside this interpreter."""
        return Path(sys.executable).parent / "llmbatch"

    def rows(self, count: int) -> Path:
        """An input of so many rows, written once."""
        path = self.folder / f"rows-{count}.jsonl"
        if not path.exists():
            with path.open("w", encoding="utf-8") as file:
                file.writelines(map(_row, range(count)))
        return path

    def fresh_output(self, name: str = "results") -> Path:
        """A place for results where nothing is yet."""
        path = self.folder / f"{name}.jsonl"
        path.unlink(missing_ok=True)
        return path

    @contextmanager
    def start(
        self, rows: Path, output: Path, url: str, *flags: str, seconds: float = 300
    ) -> Iterator[Child]:
        """`llmbatch run`, with dummy keys and a state folder of its own."""
        argv = self.run_argv(rows, output, url, *flags)
        state = {"XDG_STATE_HOME": str(self.folder / "state")}
        with started(argv, self.folder, seconds, KEYS | state) as child:
            yield child

    def llmbatch(
        self, rows: Path, output: Path, url: str, *flags: str, seconds: float = 300
    ) -> Ended:
        """`llmbatch run` to its end, with exit code 0, or BenchFailed."""
        with self.start(rows, output, url, *flags, seconds=seconds) as child:
            return child.succeed()

    def killed_llmbatch(self, rows: Path, output: Path, url: str, after: float) -> Ended:
        """The same, but killed with SIGKILL after so many seconds unless it ended before."""
        with self.start(rows, output, url, seconds=after) as child:
            return child.end()

    def bare(self, rows: Path, url: str, *flags: str) -> Ended:
        """The bare loop over the same rows."""
        return succeed(self.bare_argv(rows, url, *flags), ROOT, 300)

    def bare_argv(self, rows: Path, url: str, *flags: str) -> list[str | Path]:
        """To be started in the project's folder."""
        return [sys.executable, "-m", "bench.bare", rows, url, *flags]

    def run_argv(self, rows: Path, output: Path, url: str, *flags: str) -> list[str | Path]:
        """The command as every case runs it; of a flag that comes twice the last one holds."""
        if not self.command.exists():
            raise BenchFailed("there is no llmbatch command beside this Python")
        fixed = ("--base-url", url, "--model", "m", "--concurrency", str(CONCURRENCY), "--quiet")
        return [self.command, "run", rows, "-o", output, *fixed, *flags]


def check_results(output: Path, count: int, tokens: int = 20) -> None:
    """Every row once, each ``ok``, each with the whole text; BenchFailed says what is wrong."""
    check_outputs(output, count, text_of(tokens))


def check_outputs(output: Path, count: int, expected: object) -> None:
    """The same for outputs of any kind: each must be equal to ``expected``."""
    seen = bytearray(count)  # not a set: this process must stay smaller than those it measures
    for result in results_of(output):
        row = int(result["id"].removeprefix("row-"))
        if seen[row]:
            raise BenchFailed(f"the output has {result['id']} twice")
        seen[row] = 1
        if result["status"] != "ok" or result["output"] != expected:
            raise BenchFailed(f"{result['id']} ended as {result['status']}, or is not whole")
    if missing := seen.count(0):
        raise BenchFailed(f"{missing} of {count} rows are missing from the output")


def results_of(output: Path) -> Iterator[dict[str, Any]]:
    """The lines of an output."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    with output.open("rb") as lines:
        try:
            yield from map(decode, lines)
        except msgspec.DecodeError:
            raise BenchFailed("the output has a line that is not JSON") from None


def _row(i: int) -> str:
    return (
        f'{{"id": "row-{i}", "prompt": "Say in one sentence what point {i} of the list is about, '
        'as you would to somebody who has not read it.", "max_tokens": 20, "temperature": 0}\n'
    )
