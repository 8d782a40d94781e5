"""From a manifest back to how its run made rows of lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

import msgspec
from msgspec import structs

from .config import JobConfig
from .errors import ConfigError
from .manifest.manifest import Manifest
from .manifest.masks import MASK
from .preparation import row_parser
from .providers.registry import Route, locate
from .sources.rows import RowParser


def earlier_config(manifest: Manifest, now: JobConfig) -> JobConfig:
    """The configuration that it had; what was masked as a secret is taken for what is set now.

    Raises ConfigError where this version does not understand it.
    """
    try:
        return msgspec.convert(_unmasked(manifest.config, msgspec.to_builtins(now)), JobConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(f"the manifest's configuration can't be understood: {error}") from None


def earlier_parser(
    manifest: Manifest, old: JobConfig, environ: Mapping[str, str], *, several: bool
) -> RowParser:
    """How that run made rows of lines, of ``several`` inputs or of one.

    Raises ConfigError where its settings can't be understood any more.
    """
    schema = None
    if manifest.schema is not None:
        from .structured.schema import Schema

        try:
            schema = Schema(json.loads(manifest.schema.text))
        except ValueError as error:
            raise ConfigError(f"the manifest's schema is no JSON: {error}") from None
    return row_parser(old, _routes(manifest, old, environ), schema, several=several)


def _routes(manifest: Manifest, old: JobConfig, environ: Mapping[str, str]) -> list[Route]:
    """The routes of that run, at the addresses that they had then."""
    located = [located.route for located in locate(old, environ)]
    return [
        structs.replace(route, name=then.name, model=then.model, target=then.target)
        for route, then in zip(located, manifest.routes, strict=False)
    ]


def _unmasked(then: Any, now: Any) -> Any:
    """Nobody can know better than that a secret is the same."""
    if then == MASK:
        return now
    if isinstance(then, Mapping):
        values = now if isinstance(now, Mapping) else {}
        return {name: _unmasked(value, values.get(name)) for name, value in then.items()}
    if isinstance(then, list):
        items = now if isinstance(now, list | tuple) else ()
        return [_unmasked(value, item) for value, item in zip_longest(then, items[: len(then)])]
    return then
