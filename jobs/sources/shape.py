"""What the keys of a row make it: rows of one file mostly have the same, and are sorted once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from .invalid import Invalid
from .keys import SKIP
from .parameters import DECIDED, Kind

MOST = 256
"""Shapes that are remembered."""

_HANDED_BACK = ("metadata", "custom_id")
_FLAT: frozenset[type] = frozenset({bool, int, float, str})
_NAMED = ("model", "system", "extra_body")


class Shape(Struct, frozen=True):
    """The keys of a row by what they are.

    ``params`` are request parameters with their kinds, ``strangers`` go back as metadata; ``back``
    says that there are others to be handed back, ``decided`` that what the job decides is among the
    parameters. ``model``, ``system`` and ``extra_body`` say that such a key is the request's,
    ``flat`` that there is but an id, a prompt, and parameters without lists and objects.
    """

    params: Sequence[tuple[str, Kind]]
    strangers: Sequence[str]
    back: bool
    decided: bool
    model: bool
    system: bool
    extra_body: bool
    flat: bool

    @property
    def bare(self) -> bool:
        """Nothing but parameters and a system prompt shapes what is asked beside the content."""
        return not (self.model or self.extra_body or self.decided)

    def sort(self, row: Mapping[str, Any], own: dict[str, Any]) -> Invalid | None:
        """Put the parameters into ``own``; returns the first wrong type."""
        wrong: Invalid | None = None
        for name, kind in self.params:
            value = row[name]
            if value is not None:
                own[name] = value
                if type(value) not in kind.types or kind.items is not None:
                    wrong = wrong or _wrong(kind, name, value)
        return wrong

    def metadata(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """What is handed back: the strangers, and a row's own ``metadata``.

        So is an id that ``custom_id`` outranks.
        """
        found = {name: row[name] for name in self.strangers}
        if not self.back:
            return found
        given = row.get("metadata")
        if type(given) is dict:
            for key, value in given.items():
                found.setdefault(key, value)
        elif given is not None:
            found["metadata"] = given
        if row.get("custom_id") is not None and row.get("id") is not None:
            found["id"] = row["id"]
        return found


class Shapes:
    """The shapes of rows whose keys have these ``places``; see :mod:`.keys`."""

    __slots__ = ("_known", "_places")

    def __init__(self, places: Mapping[str, Kind]) -> None:
        self._places = places
        self._known: dict[tuple[str, ...], Shape] = {}

    def of(self, row: Mapping[str, Any]) -> Shape:
        """Looked up, or found out."""
        keys = tuple(row)
        shape = self._known.get(keys)
        if shape is None:
            shape = self._find(keys)
            if len(self._known) < MOST:
                self._known[keys] = shape
        return shape

    def _find(self, keys: Sequence[str]) -> Shape:
        places = self._places
        kinds = [(key, places[key]) for key in keys if key in places]
        params = [(key, kind) for key, kind in kinds if kind is not SKIP]
        model, system, extra_body = (name in keys and name in places for name in _NAMED)
        return Shape(
            params=params,
            strangers=[key for key in keys if key not in places],
            back=any(name in keys for name in _HANDED_BACK),
            decided=any(name in DECIDED for name, _ in params),
            model=model,
            system=system,
            extra_body=extra_body,
            flat="prompt" in keys and all(_is_flat(key, places.get(key)) for key in keys),
        )

    def __repr__(self) -> str:
        return f"Shapes({len(self._known)} known)"


def _is_flat(key: str, kind: Kind | None) -> bool:
    if key in ("id", "prompt"):
        return kind is SKIP
    return kind is not None and kind is not SKIP and key not in DECIDED and kind.types <= _FLAT


def _wrong(kind: Kind, key: str, value: object) -> Invalid | None:
    try:
        kind.check(key, value)
    except Invalid as invalid:
        return invalid
    return None
