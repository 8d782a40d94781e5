"""Who is measured against whom: each asks the rows of a setting in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from .answers import VECTOR
from .child import ROOT, BenchFailed, Ended, started
from .lab import Lab, check_outputs
from .rivals.tools import Tool
from .settings import UNREACHED, Setting
from .shapes import text_of

SECONDS = 300


class Contender(Protocol):
    """``ask`` runs to the end; BenchFailed where an answer is missing or not whole."""

    @property
    def name(self) -> str: ...

    def ask(self, setting: Setting, url: str, rows: int) -> Ended: ...


class Llmbatch(Struct, frozen=True):
    """`llmbatch run`, everything on; its output is checked afterwards."""

    lab: Lab
    name: str = "llmbatch"

    def ask(self, setting: Setting, url: str, rows: int) -> Ended:
        output = self.lab.fresh_output()
        flags = ["--concurrency", str(setting.concurrency)]
        flags += [] if setting.stream else ["--no-stream"]
        flags += ["--endpoint", "embeddings"] if setting.embeddings else []
        flags += UNREACHED if setting.limits else []
        source = setting.rows(self.lab.folder, rows)
        ended = self.lab.llmbatch(source, output, url, *flags, seconds=SECONDS)
        text = text_of(setting.tokens)
        check_outputs(output, rows, list(VECTOR) if setting.embeddings else text)
        return ended


class BareLoop(Struct, frozen=True):
    """`bench.bare`, which checks each answer itself. It has no limits."""

    lab: Lab
    name: str = "bare loop"

    def ask(self, setting: Setting, url: str, rows: int) -> Ended:
        flags = ["--concurrency", str(setting.concurrency)]
        flags += [] if setting.stream else ["--no-stream"]
        flags += ["--embeddings"] if setting.embeddings else []
        ended = self.lab.bare(setting.rows(self.lab.folder, rows), url, *flags)
        return _counted(ended, rows)


class Rival(Struct, frozen=True):
    """A tool's client script, which checks each answer itself."""

    lab: Lab
    tool: Tool
    python: Path

    @property
    def name(self) -> str:
        return self.tool.name

    def ask(self, setting: Setting, url: str, rows: int) -> Ended:
        source = setting.rows(self.lab.folder, rows)
        argv: list[str | Path] = [self.python, self.tool.script, source, url]
        argv += ["--text", text_of(setting.tokens)]
        argv += ["--concurrency", str(setting.concurrency)]
        argv += [] if setting.stream else ["--no-stream"]
        with started(argv, ROOT, SECONDS, self.tool.environ) as child:
            return _counted(child.succeed(), rows)


class _Said(Struct):
    rows: int


def _counted(ended: Ended, rows: int) -> Ended:
    try:
        said = msgspec.json.decode(ended.out.splitlines()[-1], type=_Said).rows
    except (IndexError, msgspec.MsgspecError):
        raise BenchFailed("a client did not say how many rows it asked") from None
    if said != rows:
        raise BenchFailed(f"a client asked {said} of {rows} rows")
    return ended
