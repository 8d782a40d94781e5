"""Which models a conversation can be held with: those that the configuration names."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import JobConfig
from ..dialects import KNOWN
from ..embedded.weights import CATALOGUE, find, runnable, shelf
from ..providers.registry import DEFAULT_MODEL


def offered(config: JobConfig, environ: Mapping[str, str]) -> tuple[str, ...]:
    """As ``--model`` takes them: the first model, its fallbacks, models that have a price of their
    own, and those that are on this machine. Others can be asked as well.
    """
    named = [config.model or DEFAULT_MODEL, *config.fallbacks]
    priced = [name for name in config.prices if "*" not in name and _provider_of(name, config)]
    return tuple(dict.fromkeys([*named, *priced, *_on_this_machine(environ)]))


def _provider_of(name: str, config: JobConfig) -> bool:
    prefix, slash, model = name.partition("/")
    return bool(slash and model) and (prefix in config.providers or prefix in KNOWN)


def _on_this_machine(environ: Mapping[str, str]) -> list[str]:
    if not runnable():
        return []
    own = [path.stem for path in shelf(environ)]
    return [f"local/{name}" for name in [*CATALOGUE, *own] if find(name, environ)]
