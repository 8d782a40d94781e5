"""Whether a manifest says of an output what is true of it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from ..manifest.account import Account
from ..manifest.inputs import hashed
from ..manifest.manifest import InputFacts, Manifest
from ..sources.inputs import Input
from .findings import Findings


def compare(
    manifest: Manifest,
    path: str,
    inputs: Sequence[Input],
    rows: int,
    lines: Account,
    findings: Findings,
) -> None:
    """Note what does not agree: how it ended, the inputs, counts by status, tokens and USD.

    ``path`` is where the manifest is.
    """
    check = _Check(path, findings)
    check.end(manifest)
    check.inputs(manifest, inputs, rows)
    counts = {status: number for status, number in lines.rows.items() if number}
    check.same("rows by status", dict(sorted(manifest.rows.items())), dict(sorted(counts.items())))
    if manifest.format != "openai-batch":  # whose lines say nothing of that
        check.same("lines_tokens", manifest.lines_tokens, lines.tokens)
        check.money(manifest.lines_usd, lines.usd)


class _Check:
    def __init__(self, path: str, findings: Findings) -> None:
        self._path = path
        self._findings = findings

    def say(self, message: str) -> None:
        self._findings.add("manifest", self._path, message)

    def same(self, what: str, told: object, found: object) -> None:
        if told != found:
            self.say(f"{what}: it says {told}, and there is {found}")

    def end(self, manifest: Manifest) -> None:
        if manifest.state == "stopped":
            why = "" if manifest.stopped is None else f": {manifest.stopped.message}"
            self.say(f"the last run stopped early{why}")
        elif manifest.state != "finished":
            alive = manifest.alive
            self.say(
                f"process {manifest.pid} is at it now: wait for its end"
                if alive
                else "the last run ended without its end (killed?)"
            )

    def inputs(self, manifest: Manifest, inputs: Sequence[Input], rows: int) -> None:
        told = manifest.inputs
        if len(told) != len(inputs):
            self.same("inputs", len(told), len(inputs))
            return
        for facts, source in zip(told, inputs, strict=True):
            self._input(facts, source)
        if manifest.total is not None:
            self.same("rows of the input", manifest.total, rows)

    def _input(self, facts: InputFacts, source: Input) -> None:
        if facts.blake2b is None or not source.rereadable:
            return
        try:
            size, digest = hashed(source.path)
        except OSError:  # it was there a moment ago
            return
        if digest == facts.blake2b:
            return
        name = source.path if _same(facts.path, source.path) else f"{facts.path} ({source.path})"
        self.say(
            f"the input {name} is not the one that was run: "
            f"it had {facts.bytes or 0:,} bytes, and has {size:,} now"
            + ("" if size != facts.bytes else " of other content")
        )

    def money(self, told: float | None, found: float | None) -> None:
        if not math.isclose(told or 0.0, found or 0.0, rel_tol=1e-9, abs_tol=1e-9):
            shown = None if found is None else round(found, 12)
            self.say(f"lines_usd: it says {told}, and the lines say {shown}")

    def __repr__(self) -> str:
        return f"<_Check of {self._path}>"


def _same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
