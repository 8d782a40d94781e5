"""``--otlp``, ``--prometheus`` and ``--pushgateway``: what tells others of a job."""

from __future__ import annotations

import os
import socket
from importlib.metadata import version
from typing import TYPE_CHECKING

from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.events import Event
from llmbatch.jobs.summary import Summary, Tally

from .logjson import EVERYWHERE
from .progress import Silent

if TYPE_CHECKING:
    from llmbatch.jobs.telemetry.courier import Courier
    from llmbatch.jobs.telemetry.otlp import Otlp
    from llmbatch.jobs.telemetry.telemetry import Telemetry


class Telling:
    """The report that has telemetry made; what went wrong with it is told at the end.

    It changes no exit code.
    """

    def __init__(self, telemetry: Telemetry, progress: Silent) -> None:
        self._telemetry = telemetry
        self._progress = progress

    def __call__(self, event: Event) -> None:
        self._telemetry(event)

    @property
    def rows(self) -> bool:
        """Whether spans are made of rows, which say what was asked."""
        return self._telemetry.rows

    def hurry(self) -> None:
        """The job is ended at once."""
        self._telemetry.hurry()

    def conclude(self, summary: Summary, code: int) -> None:
        for problem in self._telemetry.conclude(summary, code):
            self._progress.warn("telemetry", problem)

    def __repr__(self) -> str:
        return f"<Telling {self._telemetry!r}>"


def telling(config: JobConfig, command: str, tally: Tally, progress: Silent) -> Telling | None:
    """The telemetry of a command that is asked for; None where it is none, after all.

    Raises ConfigError.
    """
    from llmbatch.jobs.telemetry.endpoint import wanted

    if config.otlp_content and config.otlp is None:
        raise ConfigError("--otlp-content: says what --otlp sends: add --otlp")
    otlp = config.otlp if wanted(config.otlp, os.environ) else None
    if otlp is config.prometheus is config.pushgateway is None:
        return None
    try:
        return _telling(config, otlp, command, tally, progress)
    except ImportError as error:
        flag = "--otlp" if otlp else "--prometheus" if config.prometheus else "--pushgateway"
        missing = error.name or "a package"
        raise ConfigError(
            f"{flag}: needs {missing.partition('.')[0]}, which is not installed: "
            "pip install 'llmbatch[otel]'"
        ) from None


def _telling(
    config: JobConfig, setting: str | None, command: str, tally: Tally, progress: Silent
) -> Telling:
    from llmbatch.jobs.telemetry.telemetry import Telemetry

    ours = version("llmbatch")
    couriers = _couriers(config, ours)
    otlp = None if setting is None else _otlp(config, setting, command, ours)
    telemetry = Telemetry(tally, command, streams=config.stream, couriers=couriers, otlp=otlp)
    return Telling(telemetry, progress)


def _couriers(config: JobConfig, ours: str) -> list[Courier]:
    from llmbatch.jobs.telemetry.courier import Courier

    couriers = []
    if config.prometheus is not None:
        from llmbatch.jobs.telemetry.textfile import TextFile, check_textfile

        check_textfile(config.prometheus)
        couriers.append(Courier(TextFile(config.prometheus, ours)))
    if config.pushgateway is not None:
        from llmbatch.jobs.telemetry.pushgateway import Pushgateway, gateway_target

        target = gateway_target(config.pushgateway, os.environ)
        couriers.append(Courier(Pushgateway(target, socket.gethostname(), ours)))
    return couriers


def _otlp(config: JobConfig, setting: str, command: str, ours: str) -> Otlp:
    from llmbatch.jobs.telemetry.otlp import Otlp

    otlp = Otlp(
        setting,
        command,
        ours,
        os.environ,
        streams=config.stream,
        content=config.otlp_content,
    )
    if otlp.trace_id is not None:
        EVERYWHERE["trace_id"] = otlp.trace_id
    return otlp
