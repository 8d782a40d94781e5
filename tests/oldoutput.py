"""An output and its manifest as a run leaves them, made without running."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import structs
from sampleresults import sample

from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.manifest.account import Account
from llmbatch.jobs.manifest.inputs import hashed
from llmbatch.jobs.manifest.manifest import (
    InputFacts,
    Manifest,
    RouteFacts,
    SchemaFacts,
    write_manifest,
)
from llmbatch.jobs.model import Metrics, Rejected, Result, Row, Usage
from llmbatch.jobs.preparation import Preparation
from llmbatch.jobs.providers.registry import locate
from llmbatch.jobs.records import ENCODERS

NOW = "2026-11-22T10:31:07.123Z"
METRICS = Metrics(NOW, 0.1, 0.0, 0.2, 0.01, 0.02, 2.0, 10.0, 1, [])

USED = Usage(20, 10)

Change = Callable[[Result], Result | None]


def answered(row: Row, usage: Usage = USED) -> Result:
    """The result of a row that ended well, or of one that was none."""
    values: dict[str, Any] = {"line": row.line, "fingerprint": row.fingerprint}
    if isinstance(row, Rejected):
        return sample(row.id, "invalid", **values, usage=None, metrics=None, provider=None)
    return sample(
        row.id,
        **values,
        provider="openai",
        model=row.model,
        usage=usage,
        cost_usd=(usage.input_tokens + usage.output_tokens) / 1e6,
        metrics=METRICS,
    )


def rows_of(config: JobConfig) -> list[Row]:
    prepared = prepare(config)
    rows = [
        prepared.parser.parse(line, number, source.path, source.format)
        for source in prepared.inputs
        for lines in source.blocks()
        for number, line in lines
    ]
    return rows[: config.limit]


def prepare(config: JobConfig) -> Preparation:
    return Preparation(config, [located.route for located in locate(config, {})])


def leave(
    config: JobConfig,
    change: Change = lambda result: result,
    *,
    tail: bytes = b"",
    manifest: bool = True,
    more: Sequence[Result] = (),
    **facts: Any,
) -> Path:
    """Write the output of a job that did all its rows; ``change`` may alter or drop results."""
    prepared = prepare(config)
    results = [found for row in rows_of(config) if (found := change(answered(row))) is not None]
    results += more
    encode = ENCODERS[prepared.line_format]
    output = Path(prepared.results)
    output.write_bytes(b"".join(map(encode, results)) + tail)
    if manifest:
        write_manifest(manifest_of(prepared, results, **facts))
    return output


def manifest_of(prepared: Preparation, results: Sequence[Result], **facts: Any) -> Manifest:
    account = Account()
    for result in results:
        account.add(result)
    told = prepared.facts()
    inputs = []
    for source in prepared.inputs:
        size, digest = hashed(source.path)
        inputs.append(InputFacts(path=source.path, bytes=size, blake2b=digest))
    made = Manifest(
        llmbatch="0.1.0",
        python="3.14.0",
        job="run",
        state="finished",
        pid=1,
        host="here",
        started_at=NOW,
        written_at=NOW,
        output=told.output,
        format=told.format,
        config=told.config,
        schema=None if told.schema is None else SchemaFacts(text=told.schema, blake2b=""),
        routes=[
            RouteFacts(label=r.label, name=r.name, model=r.model, target=r.target)
            for r in told.routes
        ],
        inputs=inputs,
        total=len(rows_of(prepared.config)),
        rows=dict(account.rows),
        spent_usd=account.usd,
        spent_tokens=account.tokens,
        lines_usd=account.usd,
        lines_tokens=account.tokens,
    )
    return structs.replace(made, **facts)
