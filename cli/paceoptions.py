"""The options of how fast a job is, and how patient."""

from __future__ import annotations

from .costoptions import PACE
from .options import option

PROCESSES = option(
    PACE,
    "--processes",
    metavar="N|auto",
    help="Spread the rows over N processes, one for each core with auto; limits, budgets and "
    "--concurrency hold for all of them together (default: 1).",
)
"""How many cores."""

RATES = (
    option(
        PACE,
        "--rpm",
        metavar="N",
        help="Most requests a minute (default: what the server says of its limits).",
    ),
    option(
        PACE,
        "--tpm",
        metavar="N",
        help="Most tokens a minute, input and output (default: what the server says).",
    ),
)

SHARED_LIMIT = option(
    PACE,
    "--shared-limit",
    metavar="NAME",
    help="Share --rpm and --tpm with every llmbatch of this host that names the same NAME.",
)

PATIENCE = (
    option(
        PACE,
        "--retries",
        metavar="N",
        help="How often a failed request is tried again (default: 5).",
    ),
    option(
        PACE,
        "--max-wait",
        metavar="TIME",
        help="Longest pause before a retry; a server that asks for more fails the row. "
        "TIME is seconds, or 30s, 2m, 1h (default: 120 s).",
    ),
    option(
        PACE,
        "--timeout",
        metavar="TIME",
        help="Longest a whole request may take (default: 600 s).",
    ),
    option(
        PACE,
        "--stall-timeout",
        metavar="TIME",
        help="Longest silence within an answer (default: 30 s).",
    ),
)
"""With a single request."""

LIMITS = (
    *RATES,
    option(
        PACE,
        "--concurrency",
        metavar="N|auto",
        help="Most requests in flight at once; auto finds out how many the server can take "
        "(default: auto; local models 4).",
    ),
    option(PACE, "--max-concurrency", metavar="N", help="How far auto may go (default: 256)."),
    SHARED_LIMIT,
    *PATIENCE,
    option(
        PACE,
        "--max-outage",
        metavar="TIME",
        help="How long to wait for a server that does not answer; then the job stops with exit "
        "code 4, and the same command goes on (default: 10m).",
    ),
    option(
        PACE,
        "--grace",
        metavar="TIME",
        help="After an interrupt, how long rows in flight may still finish (default: 10 s).",
    ),
)
"""How fast, and how patient."""
