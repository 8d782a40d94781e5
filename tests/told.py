"""A job of this process with its telemetry, for tests of what leaves it."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

from desk import Here

from faultserver import FaultServer
from llmbatch.cli.exits import exit_of
from llmbatch.cli.options import settings_from
from llmbatch.cli.progress import Silent
from llmbatch.cli.run import run
from llmbatch.cli.telemetry import telling
from llmbatch.jobs.config import AnalyzeConfig, JobConfig
from llmbatch.jobs.job import run_job_async
from llmbatch.jobs.summary import Summary, Tally
from llmbatch.jobs.summaryfile import summary_values


class Told(Here):
    """``said`` is what a job said beside its last line; ``values`` are its summary's."""

    def __init__(self, folder: Path, server: FaultServer) -> None:
        super().__init__(folder, server)
        self.said = ""
        self.values: dict[str, Any] = {}

    def config(self, *args: str | Path) -> JobConfig:
        """The settings that a command line makes."""
        with run.make_context("run", [str(arg) for arg in args]) as ctx:
            return settings_from(ctx).config

    async def tell(self, *args: str | Path, route: bool = True) -> int:
        """Run a job with telemetry; the exit code."""
        config = self.config(*args, *self._route(route))
        tally, heard = Tally(), io.StringIO()
        told = telling(config, "run", tally, Silent(tally, heard))
        observers = [] if told is None else [told]
        summary = await run_job_async(config, environ={}, tally=tally, observers=observers)
        return await self._conclude(told, summary, exit_of(summary, config.max_failed), heard)

    async def analyse(self, config: AnalyzeConfig) -> int:
        """The same for an analysis."""
        from llmbatch.jobs.analysis import run_analysis_async

        tally, heard = Tally(), io.StringIO()
        told = telling(config, "analyze", tally, Silent(tally, heard))
        assert told is not None
        summary = await run_analysis_async(config, environ={}, tally=tally, observers=[told])
        return await self._conclude(told, summary, exit_of(summary, "0"), heard)

    async def _conclude(self, told: Any, summary: Summary, code: int, heard: io.StringIO) -> int:
        if told is not None:  # in a thread, as it blocks, and collectors are on this loop
            await asyncio.to_thread(told.conclude, summary, code)
        self.said = heard.getvalue()
        self.values = summary_values(summary, code)
        return code
