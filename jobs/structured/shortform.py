"""A schema in short: ``name:str, score:int, tags:str[], note:str?, mood:good|bad``. Pure."""

from __future__ import annotations

import difflib
import re
from typing import Any

from ..errors import ConfigError

TYPES = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
}
_SAME = {
    "string": "str", "text": "str", "integer": "int", "number": "float", "double": "float",
    "boolean": "bool",
}  # fmt: skip
_NAME = re.compile(r"\w[\w-]*")
_TYPE = re.compile(r"(?P<words>[^?\[\]]*?)\s*(?P<list>\[\])?\s*(?P<open>\?)?")
_EXAMPLE = "'name:str, score:int'"


def is_short(text: str) -> bool:
    """Whether a text that is no file's name is meant as fields."""
    return ":" in text or "," in text


def expand(text: str) -> dict[str, Any]:
    """The JSON Schema of an object with these fields, and no others.

    Types are those of :data:`TYPES` and words between bars, one of which it is to be; ``[]`` makes
    a list, ``?`` lets it be null or missing. Raises ConfigError, which names the place.
    """
    fields: dict[str, Any] = {}
    needed = []
    start = 0
    for piece in text.split(","):
        at = start + 1 + len(piece) - len(piece.lstrip())
        start += len(piece) + 1
        name, schema, may_lack = _field(piece.strip(), at)
        if name in fields:
            raise _wrong(at, f"the field {name} is named twice")
        fields[name] = schema
        if not may_lack:
            needed.append(name)
    return {
        "type": "object",
        "properties": fields,
        "required": needed,
        "additionalProperties": False,
    }


def _field(piece: str, at: int) -> tuple[str, dict[str, Any], bool]:
    if not piece:
        raise _wrong(at, f"a field is missing: write them as in {_EXAMPLE}")
    name, colon, kind = (part.strip() for part in piece.partition(":"))
    if name.endswith("?"):
        raise _wrong(at, f"write the ? behind the type: {name[:-1].strip()}:{kind or 'str'}?")
    if _NAME.fullmatch(name) is None:
        raise _wrong(at, f"{_shown(name)} is no field's name: letters, digits, _ and - are")
    if not colon or not kind:
        raise _wrong(at, f"{name} has no type: write {name}:str, or {_types()}")
    found = _TYPE.fullmatch(kind)
    if found is None:
        raise _wrong(at, f"{_shown(kind)} is no type: [] and ? come last, as in {name}:str[]?")
    schema = _type(found["words"], name, at)
    if found["list"]:
        schema = {"type": "array", "items": schema}
    return name, _or_null(schema) if found["open"] else schema, bool(found["open"])


def _type(words: str, name: str, at: int) -> dict[str, Any]:
    if "|" in words:
        return _choice([word.strip() for word in words.split("|")], name, at)
    known = TYPES.get(_SAME.get(words.lower(), words.lower()))
    if known is not None:
        return dict(known)
    near = difflib.get_close_matches(words.lower(), [*TYPES, *_SAME], 1)
    hint = f"; did you mean {near[0]}?" if near else ";"
    raise _wrong(at, f"{name}: {_shown(words)} is no type{hint} types are {_types()}")


def _choice(words: list[str], name: str, at: int) -> dict[str, Any]:
    if "" in words:
        raise _wrong(at, f"{name}: a word is missing beside the |")
    if len(set(words)) < len(words):
        raise _wrong(at, f"{name}: a word stands twice between the |")
    if types := [word for word in words if word in TYPES]:
        raise _wrong(at, f"{name}: {types[0]} is a type; between | stand words, as in good|bad")
    return {"type": "string", "enum": words}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def _types() -> str:
    return f"{', '.join(TYPES)}, or words such as good|bad"


def _shown(text: str) -> str:
    return f'"{text if len(text) <= 40 else text[:39] + "…"}"'


def _wrong(at: int, message: str) -> ConfigError:
    return ConfigError(f"--schema, character {at}: {message}")
