"""Who would be asked: the routes of a job, found without their keys."""

from __future__ import annotations

from collections.abc import Mapping

from ..clock import SystemClock
from ..config import JobConfig
from ..drain import Drain
from ..errors import ConfigError
from ..lanes import fit_of
from ..manifest import Manifest
from ..prices.book import PriceBook
from ..providers.registry import locate
from ..sources.parameters import job_params


class Outline:
    """Stands for a pipeline where nothing is sent. Raises ConfigError as that does."""

    def __init__(self, config: JobConfig, environ: Mapping[str, str]) -> None:
        self.config = config
        self.routes = tuple(located.route for located in locate(config, environ))
        self.first = self.routes[0]
        self.prices = PriceBook(config, self.routes)
        self.drain = Drain()
        self.clock = SystemClock()

    def check_fallbacks(self) -> None:
        config = self.config
        params, _ = job_params(config.params, config.endpoint)
        for route in self.routes[1:]:
            if problem := fit_of(route, config).problem(config.endpoint, params):
                raise ConfigError(f"fallback {route.label}: {problem}")

    def __repr__(self) -> str:
        return f"<Outline {', '.join(route.label for route in self.routes)}>"


def running(manifest: Manifest | None) -> int | None:
    """The process that is at the output, by its manifest."""
    if manifest is None or manifest.state not in ("running", "tidying") or not manifest.alive:
        return None
    return manifest.pid
