"""Results files that no run has made, line by line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

METRICS: dict[str, Any] = {
    "started_at": "2026-11-22T10:00:00.000Z", "queue_s": 0.5, "limiter_s": 0.25, "ttft_s": 0.25,
    "itl_mean_s": 0.01, "itl_max_s": 0.02, "latency_s": 1.0, "output_tokens_per_s": 80.0,
    "attempts": 1, "retried": [],
}  # fmt: skip
FAILED = {"type": "overloaded", "http_status": 503, "message": "no", "retryable": True}


def row(row_id: str, status: str = "ok", *, times: Any = (), **fields: Any) -> dict[str, Any]:
    """A result; ``times`` are what its metrics say otherwise, None for none at all."""
    metrics = None if times is None else {**METRICS, **dict(times)}
    values: dict[str, Any] = {
        "id": row_id, "line": 1, "fingerprint": "f", "status": status, "output": "an answer",
        "finish_reason": "stop", "provider": "lab", "model": "m", "fallbacks": 0,
        "usage": {"input_tokens": 10, "output_tokens": 20}, "cost_usd": 0.001, "metrics": metrics,
        "error": FAILED if status == "error" else None, "metadata": {},
    }  # fmt: skip
    return {**values, **fields}


def tried(*attempts: tuple[float, float, str | None], **more: Any) -> dict[str, Any]:
    """Times of a row with these attempts: (begin, length, error), in seconds."""
    return {
        "attempts": len(attempts),
        "latency_s": attempts[-1][0] + attempts[-1][1],
        "retried": [error for _, _, error in attempts[:-1]],
        "tried": [
            {"at_s": at, "took_s": took, "route": "lab/m", "error": error}
            for at, took, error in attempts
        ],
        **more,
    }


def write(path: Path, rows: Iterable[Any]) -> Path:
    """Bytes stand as they are, everything else is a line of JSON."""
    with path.open("wb") as file:
        for each in rows:
            file.write(each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n")
    return path
