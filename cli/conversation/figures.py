"""What an answer came to, in one line."""

from __future__ import annotations

from llmbatch.jobs.model import Result


def metrics_line(result: Result, *, who: bool = True) -> str:
    """Who answered, tokens, time to first token, speed and cost: as far as they are known."""
    parts = [f"{result.provider}/{result.model}"] if who and result.model is not None else []
    usage, metrics = result.usage, result.metrics
    if usage is not None:
        parts.append(f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out")
    if metrics is not None:
        if metrics.ttft_s is not None:
            parts.append(f"first token {seconds(metrics.ttft_s)}")
        if metrics.output_tokens_per_s is not None:
            parts.append(f"{metrics.output_tokens_per_s:,.1f} tokens/s")
        parts.append(seconds(metrics.latency_s))
        if metrics.attempts > 1:
            parts.append(f"{metrics.attempts} attempts")
    if result.cost_usd is not None:
        parts.append(dollars(result.cost_usd))
    return ", ".join(parts)


def seconds(value: float) -> str:
    """As a person reads it: ``0.042 s``, ``3.21 s``, ``75 s``."""
    digits = 3 if value < 0.1 else 2 if value < 10 else 0
    return f"{value:.{digits}f} s"


def dollars(value: float) -> str:
    """USD with three digits that count."""
    return (
        f"${value:.2f}" if value >= 1 or value == 0 else f"${float(f'{value:.3g}'):f}".rstrip("0")
    )


def reason(result: Result) -> str:
    """Why it did not end well, in words."""
    if result.error is not None:
        return result.error.message
    words = {
        "refused": "the model refused to answer",
        "filtered": "the provider filtered the answer",
        "truncated": "the answer is cut at its limit: raise --max-tokens",
    }
    return words.get(result.status, result.status)
