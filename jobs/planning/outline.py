"""Who would be asked: the routes of a job, found without their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..clock import SystemClock
from ..config import JobConfig
from ..drain import Drain
from ..errors import ConfigError
from ..lanes import fit_of
from ..manifest.manifest import BrokenManifest, Manifest, find_manifest
from ..prices.book import PriceBook
from ..providers.registry import locate
from ..sinks.opening import is_stream
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


def last_manifest(output: str) -> tuple[Manifest | None, Sequence[str]]:
    """That of an output, and what is to be said of it.

    Raises ConfigError as a run does where another file is in its place.
    """
    if is_stream(output):
        return None, ()
    try:
        return find_manifest(output), ()
    except BrokenManifest as error:
        return None, [f"{error}: why rows changed, and what was spent beside lines, is not known"]


def running(manifest: Manifest | None) -> int | None:
    """The process that is at the output, by its manifest."""
    if manifest is None or manifest.state not in ("running", "tidying") or not manifest.alive:
        return None
    return manifest.pid
