"""Why a row that was done would run again: what the last run was told, against what this one is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from ..errors import ConfigError
from ..manifest.manifest import Manifest
from ..model import Row
from ..preparation import Preparation
from ..rereading import earlier_config, earlier_parser
from ..sinks.outputlines import key
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
            old = earlier_config(manifest, new)
            parser = earlier_parser(manifest, old, environ, several=len(prepared.inputs) > 1)
        except ConfigError:
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


def _sorted(params: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(params.items())
