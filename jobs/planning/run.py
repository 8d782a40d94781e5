"""The plan of ``run``: what it would do with its input, found out without doing it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..config import JobConfig
from ..manifest.manifest import Carried, carried
from ..pipeline import checked
from ..preparation import Preparation
from .changes import Changes
from .earlier import Earlier
from .forecast import Forecast
from .modelforecast import Experience
from .outline import Outline, last_manifest, running
from .plan import Changed, Plan, Rows
from .sorting import Sorted


def plan_run(config: JobConfig, environ: Mapping[str, str] | None = None) -> Plan:
    """What ``run_job(config)`` would do. It blocks; no key is read and nothing is written.

    Raises ConfigError, SourceError and SinkError as a run would before it sends anything.
    """
    environ = os.environ if environ is None else environ
    config = checked(config)
    outline = Outline(config, environ)
    routes, prices = outline.routes, outline.prices
    prepared = Preparation(config, routes)
    outline.check_fallbacks()
    earlier = Earlier() if config.fresh else Earlier.at(prepared.results, prepared.line_format)
    manifest, notes = last_manifest(prepared.output)
    rows = Sorted(prepared, earlier, Changes.since(manifest, prepared, environ))
    rows.read()
    experience = Experience(rows.samples, rows.answered)
    forecast = Forecast(list(rows.asks.values()), rows.order, experience, prices)
    spent = Carried() if config.fresh else carried(manifest, earlier.account)
    if config.fresh and not config.force and Path(prepared.results).is_file():
        notes = [*notes, f"{prepared.results} is there: --fresh takes --force as well to run"]
    return Plan(
        job="run",
        output=prepared.output,
        model=routes[0].label,
        inputs=[source.path for source in prepared.inputs],
        running=running(manifest),
        rows=_rows(rows, earlier),
        tokens=forecast.tokens(),
        cost=forecast.cost(),
        budget=forecast.cap(config, spent),
        time=forecast.time(routes[0], manifest),
        notes=notes,
    )


def _rows(found: Sorted, earlier: Earlier) -> Rows:
    changed = sorted(found.changed.items(), key=lambda item: (-item[1], item[0]))
    return Rows(
        total=found.total,
        new=found.new,
        changed=[Changed(why, rows) for why, rows in changed],
        again=dict(found.again),
        done=dict(found.done),
        invalid=found.invalid,
        first_invalid=found.first_invalid,
        duplicates=found.duplicates,
        requests=len(found.order),
        kept=earlier.strangers,
    )
