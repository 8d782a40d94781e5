"""The composition root of ``analyze``: from an AnalyzeConfig to a report and a Summary."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import structs

from .analysisplan import AnalysisPlan
from .analysisreport import Reporting
from .chronicle import Chronicle
from .config import AnalyzeConfig
from .coverage import Analysis
from .drain import Drain
from .events import ChunkEnded, Event, SourceWaited
from .fold.folding import Folding, NoFolding
from .fold.notes import part_of_chunk
from .fold.part import Part
from .fold.tree import Tree
from .halts.halting import Halting
from .model import GOOD, Chunk, Quote, Request, Result, Row, Tidied
from .pipeline import Pipeline, checked, import_senders, refuse_in_loop, run_loop
from .ports import Live, Observer, TextHeard, Worker
from .reuseplan import ReusePlan
from .sinks.recall import RecallSink, open_results
from .sources.analysis import AnalysisSource, Chunks
from .sources.chunks.cut import Cut
from .summary import NOTHING, Summary, Tally
from .summaryfile import drop_old_summary
from .watching.flow import OwnFlow

OWN = re.compile(r"chunk-\d+|fold-\d+-\d+")
"""Ids whose results do not outlive the chunks that they are about."""

OWN_CHUNKS = re.compile(r"chunk-\d+")
"""The same where nothing is folded this time: folds that were paid are kept."""


def run_analysis(
    config: AnalyzeConfig,
    *,
    environ: Mapping[str, str] | None = None,
    observers: Sequence[Observer] = (),
    live: Live | None = None,
) -> Summary:
    """Analyse documents; see :func:`run_analysis_async`, which is for a running event loop."""
    refuse_in_loop("run_analysis")
    return run_loop(run_analysis_async(config, environ=environ, observers=observers, live=live))


async def run_analysis_async(
    config: AnalyzeConfig,
    *,
    environ: Mapping[str, str] | None = None,
    observers: Sequence[Observer] = (),
    heard: Sequence[TextHeard] = (),
    drain: Drain | None = None,
    tally: Tally | None = None,
    live: Live | None = None,
) -> Summary:
    """Cut documents into chunks, ask about each, fold the answers into one report, resume.

    ``live`` is shown the report while it is written, and is given all of it where the
    configuration names no file. The rest is as with :func:`.job.run_job_async`.
    """
    pipeline = Pipeline(checked(config), environ, drain)
    pipeline.check_fallbacks()
    return await _Analysis(pipeline, config, live).run(tally or Tally(), observers, heard)


class _Analysis:
    """One run: what was found out before it, and what it has come to so far."""

    def __init__(self, pipeline: Pipeline, config: AnalyzeConfig, live: Live | None) -> None:
        self.pipeline = pipeline
        self.config = config
        self.reuse = ReusePlan(config, pipeline.clock, pipeline.environ)
        self.plan = AnalysisPlan(pipeline, config)
        self.rules = pipeline.halt_rules()
        self.reporting = Reporting(self.plan.files, self.plan.task, live)
        self.quotes: Counter[str] = Counter()
        self.cuts: dict[str, Cut] = {}  # of rows on their way, where quotes are checked
        self.parts: dict[str, Part | None] = {}
        self.folding: Folding | NoFolding = NoFolding()
        if self.plan.mode == "summary":
            tree = Tree(self.plan.sizes.fold, self.plan.part_tokens)
            self.folding = Folding(
                tree, self.plan.requests.fold, self.reporting.draft, quotes=config.quotes
            )

    async def run(
        self, tally: Tally, observers: Sequence[Observer], heard: Sequence[TextHeard]
    ) -> Summary:
        config, pipeline, plan = self.config, self.pipeline, self.plan
        clock, drain = pipeline.clock, pipeline.drain
        if config.summary is not None:
            drop_old_summary(config.summary)
        import_senders()
        pipeline.prices.prepare()
        tally.bill.prices = pipeline.prices
        began, used = clock.now(), time.process_time()

        def observe(event: Event) -> None:
            if isinstance(event, SourceWaited):  # for documents, not for what folds are made of
                event, source.waited = SourceWaited(max(0, event.seconds - source.waited)), 0.0
            tally(event)
            for observer in observers:
                observer(event)
            halting(event)

        halting = Halting(self.rules, drain, observe)

        def around(worker: Worker) -> Worker:
            return self.reuse.cached(plan.around(observe)(worker))

        chunks = Chunks(plan.files.documents, plan.sizes.cut, plan.tokens, self._ask)
        source = AnalysisSource(chunks, self.folding, clock, observe)

        def open_sink() -> RecallSink:
            return open_results(
                plan.files.results,
                fresh=config.fresh,
                force=config.force,
                own=OWN if isinstance(self.folding, Folding) else OWN_CHUNKS,
                finish_row=self._finish_row,
                taken=lambda row, result, earlier: self._taken(row, result, earlier, observe),
            )

        def came_to(done: Tidied = NOTHING) -> Summary:
            cpu = time.process_time() - used
            return structs.replace(
                tally.summary(wall=clock.now() - began, cpu=cpu, stopped=drain.stop, tidied=done),
                analysis=self._came_to(tally),
            )

        chronicle = Chronicle(plan.facts(), observe)
        async with (
            self.reuse.open(observe),
            pipeline.asking(observe) as routes,
            pipeline.output(open_sink) as sink,
            tally.lag,
        ):
            tally.flow = OwnFlow([lane.gate for lane in routes.lanes])
            await chronicle.begin(sink, None)
            pipeline.budget(chronicle.carried, tally, observe)
            observe(pipeline.started(plan.files.results, None, plan.files.size))
            if isinstance(self.folding, Folding):
                heard = (self.folding.heard, *heard)
            async with chronicle.until_broken(came_to):
                async with chronicle.counting(pipeline.used, drain, pipeline.till):
                    await pipeline.pump(source, routes, sink, observe, around=around, heard=heard)
                done = Tidied() if drain.stop else await self._conclude(sink, tally, chronicle)
            await self.reuse.settle()
            summary = came_to(done)
            await chronicle.end(summary)
        return summary

    async def _conclude(self, sink: RecallSink, tally: Tally, chronicle: Chronicle) -> Tidied:
        """Write the report, then tidy the results; a report that fails costs no result."""
        try:
            analysis = self._came_to(tally)
            await self.reporting.write(sink, self.folding, self.plan.mode, analysis)
        finally:
            await chronicle.tidying()
            done = await sink.finish()
        return done

    def _came_to(self, tally: Tally) -> Analysis:
        folding = self.folding if isinstance(self.folding, Folding) else None
        last = folding.last if folding else None
        return Analysis(
            coverage=tally.covering.coverage(),
            report=self.reporting.written,
            unwritten=self.reporting.unwritten,
            folds=folding.folds if folding else 0,
            skipped=self.plan.files.skipped,
            quotes=dict(self.quotes),
            cut_folds=folding.cut if folding else 0,
            unfolded=len(folding.left()) if folding else 0,
            invented=last.invented if last else 0,
            uncited=last.uncited if last else 0,
            assumed=self.plan.sizes.assumed,
            context=self.plan.sizes.context,
        )

    def _ask(self, cut: Cut, chunk: Chunk, title: str) -> Request:
        request = self.plan.requests.chunk(cut, chunk, title)
        if self.config.quotes:
            self.cuts[request.id] = cut
        return request

    def _finish_row(self, row: Row, result: Result) -> Result:
        """A chunk's result with its quotes, each of them looked up in the document."""
        if not isinstance(row, Request) or not row.chunk:
            return result
        part, quotes = self._part(row.chunk, result, self.cuts.pop(row.id, None))
        self.parts[row.id] = part
        # A list, as one that was read back is: else a line that stands is written again.
        return structs.replace(result, quotes=list(quotes)) if self.config.quotes else result

    def _part(
        self, chunk: Chunk, result: Result, cut: Cut | None
    ) -> tuple[Part | None, tuple[Quote, ...]]:
        noted = self.config.quotes or isinstance(self.folding, Folding)
        if not noted or result.status not in GOOD or not isinstance(result.output, str):
            return None, ()
        return part_of_chunk(
            result.output,
            chunk,
            cut.text if cut else "",
            document_start=chunk.start - chunk.overlap,
            quotes=self.config.quotes,
        )

    def _taken(self, row: Row, result: Result, earlier: bool, observe: Observer) -> None:
        if not isinstance(row, Request):
            return
        if row.chunk:
            self.quotes.update(quote.found for quote in result.quotes or ())
            self.folding.add(row.chunk.number, self.parts.pop(row.id))
            why = result.error.message if result.error else ""
            observe(ChunkEnded(row.chunk, result.status, why, earlier))
        elif isinstance(self.folding, Folding):
            self.folding.taken(result)
