"""A quota that nobody told llmbatch of: does it learn it from the headers?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from ..child import BenchFailed
from ..lab import Lab, check_results
from ..moods import QUOTA
from ..report import Figure, at_most
from ..seen import Seen
from ..serving import serving
from ..windows import MINUTE, fewest_within, most_within, rate

METHOD = (
    f"`llmbatch run` with no limit given (concurrency auto, the default) over 600 rows, against "
    f"servers whose quota is {QUOTA} requests a minute, told in every answer's headers; answers "
    "take 500 ms on average. One counts with a token bucket that starts full, one in fixed minutes "
    "(20 s of the first are over when the run begins), one in the last 60 s; the fourth is the "
    "bucket in Anthropic's events and headers. All four at the same time. A 429 has a Retry-After "
    "and is not counted by the quota. The use after the first minute is the requests that were let "
    "in from 60 s after the first to the last, divided by what the quota adds in that time; where "
    "that is less than 20 s, the requests of the whole run are divided instead."
)
SERVERS: Sequence[tuple[str, str, str]] = (
    ("token bucket", "bucket", "openai"),
    ("fixed window", "fixed", "openai"),
    ("sliding window", "sliding", "openai"),
    ("Anthropic's headers", "bucket", "anthropic"),
)
REFUSED = 0.02
USE = 0.95
SHORTEST = 20.0
"""Seconds after the first minute that can be judged."""
SETTLED = 10.0
"""Seconds after the first request from which sliding minutes are shown."""


def measure(lab: Lab) -> Iterator[Figure]:
    rows = 450 if lab.quick else 600
    with ExitStack() as stack:
        runs = []
        for _, kind, headers in SERVERS:
            server = stack.enter_context(serving("quota", kind, headers))
            flags = ["--concurrency", "auto"]
            url = server.url(delay=0.5)
            if headers == "anthropic":
                flags += ["--model", "anthropic/m"]
                url = server.root(delay=0.5)
            output = lab.fresh_output(f"{kind}-{headers}")
            child = stack.enter_context(lab.start(lab.rows(rows), output, url, *flags, seconds=400))
            runs.append((server, output, child))
        for (name, _, _), (server, output, child) in zip(SERVERS, runs, strict=True):
            child.succeed()
            check_results(output, rows)
            yield from _judge(name, server.seen(), rows)


def _judge(name: str, seen: Seen, rows: int) -> Iterator[Figure]:
    sent, refused, served = len(seen.arrivals), len(seen.refused), seen.served
    if len(served) < rows:
        raise BenchFailed(f"{name}: {rows} rows are done, but only {len(served)} were answered")
    share = refused / sent
    shown = f"{refused} of {sent} ({share:.1%})"
    yield at_most(f"{name}: answered 429", share, REFUSED, shown, f"{REFUSED:.0%}")
    first, last = served[0], served[-1]
    begin = first + MINUTE if last - first >= MINUTE + SHORTEST else first
    use = rate(served, begin) * MINUTE / QUOTA
    what = "after the first minute" if begin > first else "in all"
    shown = f"{use:.1%} ({rows} rows in {last - first:.0f} s)"
    yield Figure(f"{name}: use {what}", shown, f"at least {USE:.0%}", use >= USE)
    if last - first > SETTLED + MINUTE:
        fewest = fewest_within(served, MINUTE, first + SETTLED) / QUOTA
        most = most_within(served, MINUTE) / QUOTA
        yield Figure(f"{name}: use of a minute", f"{fewest:.1%} to {most:.1%}")
