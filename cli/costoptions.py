"""The options of what a job may cost, and of when it stops by itself."""

from __future__ import annotations

from .options import option

COST = "Cost"
PACE = "Limits and patience"

BUDGET = (
    option(
        COST,
        "--max-cost",
        metavar="USD",
        help="Stop, with exit code 5, before the job and its earlier runs cost more than this.",
    ),
    option(
        COST,
        "--max-tokens-total",
        metavar="N",
        help="The same for tokens, input and output together.",
    ),
    option(
        COST,
        "--price-in",
        metavar="USD",
        help="Price of a million input tokens, for models whose price is not known.",
    ),
    option(COST, "--price-out", metavar="USD", help="The same for output tokens."),
)
"""Prices, and how much may be spent."""

COSTS = (
    *BUDGET,
    option(
        COST,
        "--cache",
        is_flag=False,
        flag_value="auto",
        metavar="[=DIR]",
        help="Keep answers for other jobs, and take those that are there "
        "(without DIR: in the user's cache folder).",
    ),
    option(COST, "--cache-size", metavar="SIZE", help="Most that the cache holds (default: 1GB)."),
)
"""What a job may cost."""

DEDUPE = option(
    COST,
    "--dedupe/--no-dedupe",
    help="Send rows that ask the same only once (default: --dedupe).",
)

CANARY = option(
    PACE,
    "--canary",
    metavar="N",
    help="Run N rows from all over the input first, and stop if too many of them fail.",
)

HALT_ON = option(
    PACE,
    "--halt-on",
    "halt_on",
    multiple=True,
    metavar="RULE",
    help="Stop, with exit code 4, when the latest rows break this rule, such as failed>5%, "
    "refused>2%, cost_per_row>0.01 or p95_latency>30s; may be repeated "
    "(default: none; for a canary failed>5%).",
)
