"""Run many LLM prompts, or analyse documents: what the command does, for Python programs.

The names below are the public API; importing them is cheap, what they need comes with first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analysis import run_analysis as run_analysis
    from .analysis import run_analysis_async as run_analysis_async
    from .config import AnalyzeConfig as AnalyzeConfig
    from .config import JobConfig as JobConfig
    from .config import PriceConfig as PriceConfig
    from .config import ProviderConfig as ProviderConfig
    from .drain import Drain as Drain
    from .drain import Stop as Stop
    from .job import run_job as run_job
    from .job import run_job_async as run_job_async
    from .model import Result as Result
    from .planning.analysis import plan_analysis as plan_analysis
    from .planning.run import plan_run as plan_run
    from .results import read_results as read_results
    from .settings import load as load
    from .summary import Summary as Summary
    from .verification.verification import verify as verify

_HOMES = {
    "AnalyzeConfig": "config",
    "Drain": "drain",
    "JobConfig": "config",
    "PriceConfig": "config",
    "ProviderConfig": "config",
    "Result": "model",
    "Stop": "drain",
    "Summary": "summary",
    "load": "settings",
    "plan_analysis": "planning.analysis",
    "plan_run": "planning.run",
    "read_results": "results",
    "run_analysis": "analysis",
    "run_analysis_async": "analysis",
    "run_job": "job",
    "run_job_async": "job",
    "verify": "verification.verification",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    from importlib import import_module

    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
