"""What each key of a plain row is."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..model import Endpoint
from .content import CONTENT
from .parameters import KNOWN, Kind

SKIP = Kind("not a parameter", frozenset())
"""The kind of the row's own keys."""

_ALWAYS = frozenset({"id", "custom_id", "metadata"})
_RESERVED = _ALWAYS | {"model", "system", "extra_body"}
_DATA = frozenset({"n", "store", "user"})
"""Parameters that are data where they are columns: counts, shops and people."""


def key_places(endpoint: Endpoint, fields: Collection[str] | None) -> Mapping[str, Kind]:
    """A parameter's kind, SKIP for the row's own; what is absent is metadata.

    ``fields`` are those that a template names, whose rows are data else.
    """
    places = dict(KNOWN[endpoint])
    if fields is None:
        return places | dict.fromkeys(_RESERVED | CONTENT[endpoint], SKIP)
    places |= dict.fromkeys(_RESERVED, SKIP)
    return {name: kind for name, kind in places.items() if name in _ALWAYS or name not in fields}


def column_places(places: Mapping[str, Kind]) -> Mapping[str, Kind]:
    """The same of a table's columns."""
    return {name: kind for name, kind in places.items() if name not in _DATA}
