"""Keeps the manifest of a run: at its start, before its output is tidied, at its end."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from .budget.ledger import UNIT, Amount
from .budget.till import Till
from .drain import Drain, Stop
from .errors import LlmbatchError, SinkError
from .events import Noted
from .manifest.account import Account
from .manifest.inputs import Inputs
from .manifest.manifest import (
    BrokenManifest,
    Carried,
    Manifest,
    RouteFacts,
    SchemaFacts,
    State,
    carried,
    find_manifest,
    utc_now,
    versions,
    write_manifest,
)
from .ports import Observer
from .providers.registry import Route
from .sinks.file import FileSink
from .summary import Summary

NOTED_EVERY = 2.0
"""Seconds after which what was used up of a budget is written down."""

CUT_OFF = (
    "the last run of this output ended without its end (killed?): what was in flight then may have "
    "been billed and is {}"
)


class Facts(Struct, frozen=True, kw_only=True):
    """What a job is told to do, as its manifest says it; ``config`` without secrets.

    ``files`` are its inputs or documents, and whether each can be read twice. ``rewrites``: its end
    may rewrite the output although it began without a line.
    """

    job: Literal["run", "analyze"]
    output: str
    format: str
    config: Mapping[str, Any]
    routes: Sequence[Route]
    files: Sequence[tuple[str, bool]]
    schema: str | None = None
    fresh: bool = False
    rewrites: bool = False


class Chronicle:
    """One run's manifest. For what is no file (standard output, a pipe) there is none.

    ``rows`` are those of each input, by its path, as far as they were counted. ``earlier`` is the
    manifest that was there, ``carried`` what earlier runs spent. ``spent`` may be set to what all
    runs spent up to now; else it is what the lines say.
    """

    def __init__(self, facts: Facts, observe: Observer) -> None:
        self._facts = facts
        self._observe = observe
        self._sink: FileSink | None = None
        self._notes: list[str] = []
        self._manifest: Manifest | None = None
        self._inputs = Inputs((), {})
        self._writing = threading.Lock()
        self._cut = False
        self._tidies = facts.rewrites
        self._before: tuple[float | None, int] = (None, 0)
        self.rows: Counter[str] = Counter()
        self.earlier: Manifest | None = None
        self.carried = Carried()
        self.spent: Carried | None = None

    async def begin(self, sink: object, total: int | None) -> None:
        """The output is held: write who holds it, and read what was before.

        Raises ConfigError where the place of the manifest is taken, SinkError.
        """
        if isinstance(sink, FileSink):
            self._sink = sink
            await asyncio.to_thread(self._begin, sink.index.account, total)
            self._say()

    @property
    def lasting(self) -> bool:
        """Whether a later run can go on with the output."""
        return self._sink is not None

    async def tidying(self) -> None:
        """Every row has its result, and lines may go from now on."""
        self._settle()
        if self._tidies:
            await self._write("tidying")

    async def end(self, summary: Summary, problem: str | None = None) -> None:
        """The job has its end; ``problem`` is what broke it off. What fails here is only said."""
        self._settle()
        stopped = Stop("fatal", problem) if problem else summary.stopped
        if stopped is None:
            await self._inputs.hashed()
        await self._write(
            "stopped" if stopped else "finished",
            stopped=stopped,
            ended_at=utc_now(),
            total=summary.total,
            not_run=summary.not_run,
            limits=summary.routes,
            summary=msgspec.to_builtins(summary),
        )

    @asynccontextmanager
    async def until_broken(self, summary: Callable[[], Summary]) -> AsyncGenerator[None, None]:
        """What is raised inside, as by an output that fails, is the job's end."""
        try:
            yield
        except LlmbatchError as error:
            await self.end(summary(), str(error))
            raise

    @asynccontextmanager
    async def counting(
        self, used: Callable[[], Carried | None], drain: Drain, till: Till | None
    ) -> AsyncGenerator[None, None]:
        """Rows are asked inside, and ``used`` says what all runs used up of a budget, at worst.

        It is written down every few seconds, and where ``drain`` is cut: what is in no line would
        be lost. What may be spent out of the ``till`` is written before it does.
        """
        wake = asyncio.Event()
        over = False

        def cut() -> None:
            if over or used() is None:
                return
            self.spent = used()
            manifest = self._as_of_now("stopped", stopped=drain.stop, ended_at=utc_now())
            with self._writing, suppress(SinkError):  # a write that is under way comes before
                self._cut = True
                if manifest is not None:
                    write_manifest(manifest)

        async def note(till: Till) -> None:
            noted: tuple[Carried | None, Amount] | None = None
            while not over:
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), NOTED_EVERY)
                wake.clear()
                if over:
                    return
                self.spent, lease = used(), till.lease
                if (self.spent, lease) != noted:
                    noted = self.spent, lease
                    money = None if self.spent is None or self.spent.usd is None else lease.money
                    await self._write(
                        "running",
                        leased_usd=None if money is None else money / UNIT,
                        leased_tokens=lease.tokens,
                    )
                till.written(lease)

        drain.before_cut(cut)
        beat = None
        if till is not None and self._manifest is not None:
            till.write_down(wake.set)
            beat = asyncio.create_task(note(till))
        try:
            yield
        finally:
            over = True
            wake.set()
            if beat is not None:
                await beat
            self.spent = used()

    def _begin(self, lines: Account, total: int | None) -> None:
        facts = self._facts
        self.earlier = self._find()
        self.carried = carried(self.earlier, lines)
        if self.earlier is not None and self.earlier.state in ("running", "tidying"):
            # It has no end, and the output is ours now.
            leased = self.earlier.leased_tokens is not None
            how = "counted at its worst" if leased else "not counted"
            self._notes.append(CUT_OFF.format(how))
        self._before = (lines.usd, lines.tokens)
        self._tidies = self._tidies or bool(lines.rows)
        self._inputs = Inputs(facts.files, self.rows)
        llmbatch, python = versions()
        now = utc_now()
        self._manifest = Manifest(
            llmbatch=llmbatch,
            python=python,
            job=facts.job,
            state="running",
            pid=os.getpid(),
            host=socket.gethostname(),
            started_at=now,
            written_at=now,
            runs=1 if self.earlier is None else self.earlier.runs + 1,
            output=facts.output,
            format=facts.format,
            config=facts.config,
            routes=[
                RouteFacts(label=r.label, name=r.name, model=r.model, target=r.target)
                for r in facts.routes
            ],
            schema=None if facts.schema is None else SchemaFacts.of(facts.schema),
            inputs=self._inputs.facts,
            total=total,
            **self._amounts(lines),
        )
        write_manifest(self._manifest)

    async def _write(self, state: State, **more: Any) -> None:
        if (manifest := self._as_of_now(state, **more)) is None:
            return
        try:
            await asyncio.to_thread(self._put, manifest)
        except SinkError as error:
            self._notes.append(f"{error}; the results are safe")
        self._say()

    def _put(self, manifest: Manifest) -> None:
        with self._writing:
            if not self._cut:
                write_manifest(manifest)

    def _as_of_now(self, state: State, **more: Any) -> Manifest | None:
        if self._manifest is None or self._sink is None:
            return None
        no_lease = {"leased_usd": None, "leased_tokens": None}
        figures = {**self._amounts(self._sink.index.account), **no_lease, **more}
        figures |= {"state": state, "written_at": utc_now(), "inputs": self._inputs.facts}
        self._manifest = structs.replace(self._manifest, **figures)
        return self._manifest

    def _say(self) -> None:
        for note in self._notes:
            self._observe(Noted(note))
        self._notes.clear()

    def _amounts(self, lines: Account) -> dict[str, Any]:
        spent = self.spent or self.carried
        return {
            "rows": {status: number for status, number in lines.rows.items() if number},
            "spent_usd": _rounded(spent.usd),
            "spent_tokens": spent.tokens,
            "lines_usd": _rounded(lines.usd),
            "lines_tokens": lines.tokens,
            "unpriced": lines.unpriced,
        }

    def _settle(self) -> None:
        """What was spent, as far as lines say: before this run, and by those that it added."""
        if self.spent is None and self._sink is not None:
            usd, tokens = self._before
            lines = self._sink.index.account
            more = None if lines.usd is None else lines.usd - (usd or 0.0)
            known = (self.carried.usd, more)
            self.spent = Carried(
                None if known == (None, None) else (self.carried.usd or 0.0) + (more or 0.0),
                self.carried.tokens + lines.tokens - tokens,
            )

    def _find(self) -> Manifest | None:
        try:
            found = find_manifest(self._facts.output)
        except BrokenManifest as error:
            self._notes.append(
                f"{error}: it is written anew, and what earlier runs spent is what the lines of "
                "the output say"
            )
            return None
        return None if self._facts.fresh else found

    def __repr__(self) -> str:
        return f"<Chronicle of {self._facts.output}, {self._manifest and self._manifest.state}>"


def _rounded(usd: float | None) -> float | None:
    return None if usd is None else round(usd, 12)
