"""The plan of ``analyze``: documents are really cut, and folded with answers that are made up."""

from __future__ import annotations

import os
from array import array
from collections.abc import Mapping

from msgspec import UNSET

from ..analysisplan import AnalysisPlan
from ..config import AnalyzeConfig
from ..fold.folding import Folding, NoFolding
from ..fold.notes import part_of_chunk
from ..fold.part import Part
from ..fold.tree import Tree
from ..manifest.manifest import Carried, carried
from ..model import GOOD, Chunk, DocumentFacts, Request, Result
from ..pipeline import checked
from ..sources.analysis import Chunks as Cutting
from ..sources.chunks.cut import Cut
from ..tokens import TokenCounter
from .answers import EarlierAnswers
from .asks import Asks
from .earlier import Answered
from .estimates import GUESS, Sample
from .forecast import Forecast
from .longest import Longest
from .modelforecast import Experience
from .outline import Outline, last_manifest, running
from .plan import Chunks, Plan


def plan_analysis(config: AnalyzeConfig, environ: Mapping[str, str] | None = None) -> Plan:
    """What ``run_analysis(config)`` would do. It blocks; no key is read and nothing is written.

    Raises ConfigError, SourceError and SinkError as an analysis would.
    """
    environ = os.environ if environ is None else environ
    config = checked(config)
    outline = Outline(config, environ)
    outline.check_fallbacks()
    analysis = AnalysisPlan(outline, config)
    results = analysis.files.results
    manifest, notes = last_manifest(results)
    with EarlierAnswers.at(results, fresh=config.fresh) as earlier:
        rehearsal = _Rehearsal(outline, analysis, config, earlier)
        chunks = rehearsal.run()
        spent = Carried() if config.fresh else carried(manifest, earlier.account)
    order = array("H", [0]) * len(rehearsal.asks.counted)
    models = [rehearsal.asks] if order else []
    forecast = Forecast(models, order, rehearsal.experience(), outline.prices)
    return Plan(
        job="analyze",
        output=results,
        model=outline.first.label,
        inputs=[document.path for document in analysis.files.documents],
        running=running(manifest),
        chunks=chunks,
        tokens=forecast.tokens(),
        cost=forecast.cost(),
        budget=forecast.cap(config, spent),
        time=forecast.time(outline.first, manifest),
        notes=[
            *notes,
            *(
                f"the context of {name} is not known and was taken for {analysis.sizes.context:,} "
                "tokens: say it with --model-context"
                for name in analysis.sizes.assumed
            ),
        ],
    )


class _Rehearsal:
    """An analysis without its model: where there is no answer yet, one of the expected length."""

    def __init__(
        self, outline: Outline, plan: AnalysisPlan, config: AnalyzeConfig, earlier: EarlierAnswers
    ) -> None:
        self._plan = plan
        self._config = config
        self._earlier = earlier
        self._counter = TokenCounter()
        self._longest = Longest(outline.first.name)
        self._cuts: dict[str, Cut] = {}
        self.asks = Asks(outline.first.name, outline.first.model)
        self._samples: list[Sample] = []
        self._answered: list[Answered] = []
        self._folds_done = 0
        self._levels = 0
        self._folding: Folding | NoFolding = NoFolding()
        if plan.mode == "summary":
            tree = Tree(plan.sizes.fold, plan.part_tokens)
            self._folding = Folding(
                tree, plan.requests.fold, lambda _text: None, quotes=config.quotes
            )

    def run(self) -> Chunks:
        plan = self._plan
        cutting = Cutting(plan.files.documents, plan.sizes.cut, plan.tokens, self._ask)
        total = done = blank = tokens = 0
        for item in cutting.items():
            if isinstance(item, DocumentFacts):
                continue
            total += 1
            if isinstance(item, Chunk):
                blank += 1
                self._folding.empty(item.number)
                continue
            assert item.chunk is not UNSET  # noqa: S101 - it was made of one
            tokens += item.chunk.tokens
            result = self._result(item)
            done += result.provider is not None
            self._folding.add(item.chunk.number, self._part(item, item.chunk, result))
            self._fold()
        self._folding.counted(total)
        self._fold()
        return Chunks(
            documents=len(plan.files.documents),
            total=total,
            done=done,
            blank=blank,
            text_tokens=tokens,
            folds=self._folding.folds if isinstance(self._folding, Folding) else 0,
            folds_done=self._folds_done,
            fold_levels=self._levels,
            requests=len(self.asks.counted),
            skipped=plan.files.skipped,
        )

    def experience(self) -> Experience:
        model = self.asks.model
        return Experience({model: self._samples}, {model: self._answered})

    def _ask(self, cut: Cut, chunk: Chunk, title: str) -> Request:
        request = self._plan.requests.chunk(cut, chunk, title)
        if self._config.quotes:
            self._cuts[request.id] = cut
        return request

    def _fold(self) -> None:
        while isinstance(self._folding, Folding) and (row := self._folding.next()) is not None:
            assert row.fold is not UNSET  # noqa: S101 - it was made of one
            self._levels = max(self._levels, row.fold.level)
            result = self._result(row)
            self._folds_done += result.provider is not None
            self._folding.taken(result)

    def _result(self, row: Request) -> Result:
        """The answer that is there, or one that is made up: then the row is to be sent."""
        found = self._earlier.find(row)
        counted, cap = self._counter.count(row), self._longest.cap(row)
        if found is not None:
            self._learn(found, counted, cap)
            return found
        self.asks.add(counted, cap, self._longest(row, cap))
        said = [sample.said for sample in self._samples]
        words = round(sum(said) / len(said)) if said else min(cap or GUESS, GUESS)
        return _made_up(row, words)

    def _learn(self, found: Result, counted: int, cap: int) -> None:
        usage, metrics = found.usage, found.metrics
        if usage is None or metrics is None or found.fallbacks or metrics.attempts != 1:
            return
        if found.provider != self.asks.provider or found.model != self.asks.model:
            return
        cut = found.status == "truncated"
        self._samples.append(Sample(counted, usage.input_tokens, usage.output_tokens, cap, cut))
        self._answered.append(
            Answered(self.asks.provider, self.asks.model, usage, cut, metrics.latency_s)
        )

    def _part(self, row: Request, chunk: Chunk, result: Result) -> Part | None:
        cut = self._cuts.pop(row.id, None)
        if result.status not in GOOD or not isinstance(result.output, str):
            return None
        part, _ = part_of_chunk(
            result.output,
            chunk,
            cut.text if cut else "",
            document_start=chunk.start - chunk.overlap,
            quotes=self._config.quotes,
        )
        return part

    def __repr__(self) -> str:
        return f"<_Rehearsal, {len(self.asks.counted)} requests so far>"


def _made_up(row: Request, tokens: int) -> Result:
    """An answer of about so many tokens, which has no provider."""
    return Result(
        id=row.id,
        line=row.line,
        fingerprint=row.fingerprint,
        status="ok",
        output="word " * max(1, tokens),
        finish_reason="stop",
        provider=None,
        model=row.model,
        fallbacks=0,
        usage=None,
        cost_usd=None,
        metrics=None,
        error=None,
        metadata={},
        chunk=row.chunk,
        fold=row.fold,
    )
