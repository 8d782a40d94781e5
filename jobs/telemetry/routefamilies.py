"""What happened to the routes of a job, as families of metrics."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from ..summary import Summary
from .families import Families
from .labels import label
from .reading import Reading


def now(reading: Reading, made: Families) -> Iterator[Metric]:
    """What is under way, and the limits: those in force, or in the end the learned ones."""
    pulse, routes = reading.pulse, reading.summary.routes
    limits: dict[str, tuple[float | None, float | None]] = {
        route: (each.rpm, each.tpm) for route, each in routes.items()
    }
    if pulse is not None:
        yield made.one("llmbatch_in_flight", "Requests that are in flight.", pulse.in_flight)
        limits |= {each.route: (each.rpm, each.tpm) for each in pulse.limits}
        used = {
            (label(each.route), kind): value
            for each in pulse.limits
            for kind, value in (("requests", each.rpm_used), ("tokens", each.tpm_used))
            if value is not None
        }
        yield made.gauge(
            "llmbatch_route_limit_used_ratio",
            "Which part of a limit the last minute took.",
            ("route", "limit"),
            used.items(),
        )
    for name, text, values in (
        (
            "llmbatch_route_concurrency_limit",
            "Most requests that may be in flight.",
            {route: each.concurrency for route, each in routes.items()},
        ),
        (
            "llmbatch_route_requests_per_minute_limit",
            "Requests that a minute may have.",
            {route: each[0] for route, each in limits.items()},
        ),
        (
            "llmbatch_route_tokens_per_minute_limit",
            "Tokens that a minute may have.",
            {route: each[1] for route, each in limits.items()},
        ),
    ):
        known = {(label(route),): value for route, value in values.items() if value is not None}
        yield made.gauge(name, text, ("route",), known.items())


def routes(summary: Summary, made: Families) -> Iterator[Metric]:
    """How long limits and outages held rows up."""
    told = summary.routes
    for name, text, sums in (
        (
            "llmbatch_route_limited_seconds",
            "How long a limit held rows that were ready.",
            {route: each.limited_s for route, each in told.items()},
        ),
        (
            "llmbatch_route_outages",
            "How often the route did not answer.",
            {route: each.outages for route, each in told.items()},
        ),
        (
            "llmbatch_route_outage_seconds",
            "For how long.",
            {route: each.outage_s for route, each in told.items()},
        ),
    ):
        yield made.counts(name, text, "route", sums)
