"""Why a row that was done would run again: what the last run was told, against what this one is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

import msgspec
from msgspec import structs

from ..config import JobConfig
from ..errors import ConfigError
from ..manifest import Manifest
from ..masks import MASK
from ..model import Row
from ..preparation import Preparation, row_parser
from ..providers.registry import Route, locate
from ..sinks.resume import key
from ..sources.formats import Format
from ..sources.rows import RowParser

UNKNOWN = ("unknown",)
"""The output has no manifest, or one that can't be made rows with any more."""

ROW = ("row",)
VERSION = ("version",)


class Changes:
    """Reads rows as the last run did, so that it is known whether they or the settings changed.

    ``settings`` are those that differ: ``model``, ``server``, ``system``, ``template``,
    ``endpoint``, ``parameters``, ``schema``.
    """

    __slots__ = ("_parser", "settings")

    def __init__(self, parser: RowParser | None, settings: Sequence[str]) -> None:
        self._parser = parser
        self.settings = tuple(settings)

    @classmethod
    def since(
        cls, manifest: Manifest | None, prepared: Preparation, environ: Mapping[str, str]
    ) -> Self:
        """``manifest`` is that of the output, None where there is none."""
        if manifest is None or manifest.job != "run" or not manifest.routes:
            return cls(None, ())
        new = prepared.config
        try:
            old = msgspec.convert(_unmasked(manifest.config, msgspec.to_builtins(new)), JobConfig)
            parser = earlier_parser(manifest, old, prepared, environ)
        except (msgspec.ValidationError, ConfigError, ValueError):
            return cls(None, ())
        schema = None if manifest.schema is None else manifest.schema.text
        now = None if prepared.schema is None else prepared.schema.text
        route, first = manifest.routes[0], prepared.routes[0]
        pairs = {
            "model": ((route.name, route.model), (first.name, first.model)),
            "server": (route.target, first.target),
            "system": (old.system, new.system),
            "template": (old.template, new.template),
            "endpoint": (old.endpoint, new.endpoint),
            "parameters": (_sorted(old.params), _sorted(new.params)),
            "schema": (schema, now),
        }
        return cls(parser, [name for name, (then, now) in pairs.items() if then != now])

    def why(
        self, line: bytes, row: Row, form: Format, before: int
    ) -> tuple[tuple[str, ...], Row | None]:
        """The settings that made another request of it, and the one that it was.

        ``row``, and None, where it is the row itself. ``before`` is the hash of the fingerprint
        that it had.
        """
        if self._parser is None:
            return UNKNOWN, None
        then = self._parser.parse(line, row.line, row.path, form)
        if key(then.fingerprint) != before:
            return ROW, None
        return self.settings or VERSION, then

    def __repr__(self) -> str:
        return f"<Changes: {', '.join(self.settings) or 'none'}>"


def earlier_parser(
    manifest: Manifest, old: JobConfig, prepared: Preparation, environ: Mapping[str, str]
) -> RowParser:
    """How the run that wrote the manifest made rows of the lines of these inputs.

    Raises ConfigError where its settings can't be understood any more.
    """
    schema = None
    if manifest.schema is not None:
        from ..structured.schema import Schema

        schema = Schema(json.loads(manifest.schema.text))
    routes = earlier_routes(manifest, old, environ)
    return row_parser(old, routes, schema, several=len(prepared.inputs) > 1)


def earlier_routes(
    manifest: Manifest, old: JobConfig, environ: Mapping[str, str]
) -> Sequence[Route]:
    """The routes of that run, at the addresses that they had then."""
    located = [located.route for located in locate(old, environ)]
    return [
        structs.replace(route, name=then.name, model=then.model, target=then.target)
        for route, then in zip(located, manifest.routes, strict=False)
    ]


def _unmasked(then: Any, now: Any) -> Any:
    """What was left out of a manifest is taken for what is set now: nobody can know better."""
    if then == MASK:
        return now
    if isinstance(then, Mapping):
        values = now if isinstance(now, Mapping) else {}
        return {name: _unmasked(value, values.get(name)) for name, value in then.items()}
    return then


def _sorted(params: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(params.items())
