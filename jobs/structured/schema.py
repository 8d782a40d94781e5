"""A JSON Schema, and what is wrong with a value by it: the only home of jsonschema-rs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from ..errors import ConfigError
from .problems import describe, path, shortened
from .shortform import expand, is_short
from .strictjson import NotJson, decode

NO_EXTRA = (
    "--schema needs the package jsonschema-rs; run: pip install 'llmbatch[schema]' "
    "(or: pip install jsonschema-rs)"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_HALF = "half a surrogate pair (an escape \\ud800 to \\udfff)"

PROBLEMS = 3
"""How many problems of a value are told at once."""

_FEW = 1000
"""Nodes of a value whose problems are told in detail. The validator makes all of them before it
gives the first, 25 µs each; of a larger value it is asked for 2 µs each."""


class Schema:
    """A JSON Schema that compiles; ``value`` is the schema, ``text`` its compact JSON.

    Draft 2020-12 unless its ``$schema`` says otherwise; ``format`` is checked. References lead
    inside the schema alone: nothing is ever fetched.
    """

    __slots__ = ("_validator", "text", "value")

    def __init__(self, value: Any, *, where: str = "schema") -> None:
        """``where`` names it in errors. Raises ConfigError where it is no schema."""
        if not isinstance(value, dict | bool):
            raise ConfigError(
                f"{where}: a JSON Schema is an object (or true), not {_kind(value)}; "
                'for a list of texts: {"type": "array", "items": {"type": "string"}}'
            )
        if value is False:
            raise ConfigError(f"{where}: is false, and no answer can fit that")
        self.value = value
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        if _SURROGATE.search(text):
            raise ConfigError(f"{where}: a text has {_HALF}, which is no character")
        self.text = text
        self._validator = _compiled(value, where)

    @classmethod
    def of(cls, setting: str) -> Self:
        """What ``--schema`` names: a file where there is one of that name, else fields in short.

        Raises ConfigError.
        """
        if _exists(setting):
            return cls.load(setting)
        if setting.lstrip().startswith("{"):
            raise ConfigError("--schema: a JSON Schema is read from a file: name one that holds it")
        if is_short(setting) and not setting.lower().endswith(".json"):
            return cls(expand(setting), where="--schema")
        raise ConfigError(
            f"--schema: there is no file {shortened(setting)}; fields are written as in "
            "'name:str, score:int'"
        )

    @classmethod
    def load(cls, file: str | Path) -> Self:
        """Read it from a JSON file. Raises ConfigError, which names the file and the place."""
        try:
            text = Path(file).read_text(encoding="utf-8-sig")
        except OSError as error:
            raise ConfigError(f"{file}: can't read the schema: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ConfigError(f"{file}: is not UTF-8 (byte {error.start})") from None
        try:
            value = decode(text)
        except NotJson as error:
            line = "" if error.line is None else f":{error.line}"
            what = str(error) if text.strip() else "the file is empty"
            raise ConfigError(f"{file}{line}: is not JSON: {what}") from None
        return cls(value, where=str(file))

    def check(self, value: Any) -> str | None:
        """None where ``value`` fits; else the first problems in one line of bounded length.

        Each begins with the path of its place: ``$.items[3].name: 5 is not of type "string"``.
        """
        import jsonschema_rs

        try:
            if self._validator.is_valid(value):
                return None
            if not _few(value):
                return _in_short(self._validator.evaluate(value).errors()[0])
            errors = list(self._validator.iter_errors(value))
        except UnicodeEncodeError:
            return f"a text has {_HALF}, which is no character"
        except (ValueError, jsonschema_rs.ReferencingError) as error:  # what it can't take in
            return shortened(str(error))
        said = "; ".join(describe(error) for error in errors[:PROBLEMS])
        more = len(errors) - PROBLEMS
        return f"{said}; and {more} more" if more > 0 else said

    def __repr__(self) -> str:
        return f"<Schema {shortened(self.text)}>"


def _in_short(error: Mapping[str, Any]) -> str:
    """The same of an entry of the validator's list output, which has a JSON pointer."""
    steps = [
        int(step) if step.isdecimal() else step.replace("~1", "/").replace("~0", "~")
        for step in error["instanceLocation"].split("/")[1:]
    ]
    return f"{shortened(path(steps))}: {shortened(error['error'])}"


def _few(value: Any) -> bool:
    """Whether a value has few nodes; looks at no more than those."""
    nodes, stack = 0, [value]
    while stack:
        item = stack.pop()
        nodes += 1
        if isinstance(item, dict | list):
            if nodes + len(stack) + len(item) > _FEW:
                return False
            stack.extend(item.values() if isinstance(item, dict) else item)
    return True


def _compiled(value: Any, where: str) -> Any:
    try:
        import jsonschema_rs
    except ImportError:
        raise ConfigError(NO_EXTRA) from None

    asked: list[str] = []

    def refuse(uri: str) -> Any:
        asked.append(uri)
        raise ValueError("refused")

    try:
        return jsonschema_rs.validator_for(
            value,
            retriever=refuse,
            base_uri="json-schema:///",  # so that a file's name is asked for like any address
            validate_formats=True,
        )
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        draft = value.get("$schema") if isinstance(value, dict) else None
        if "Unknown meta-schema" in str(error) or asked[:1] == [draft]:
            raise ConfigError(
                f"{where}: its $schema is {shortened(str(draft))}, and known are drafts 2020-12, "
                "2019-09, 7, 6 and 4 (https://json-schema.org/draft/2020-12/schema): name one of "
                "them, or leave it out"
            ) from None
        if asked:
            uri = shortened(asked[0].removeprefix("json-schema:///"))
            raise ConfigError(
                f"{where}: refers to {uri}, and nothing is fetched: copy it into the schema's "
                '$defs and refer to it as "#/$defs/NAME"'
            ) from None
        said = describe(error) if hasattr(error, "instance_path") else shortened(str(error))
        raise ConfigError(f"{where}: is not a valid JSON Schema: {said}") from None


def _exists(file: str) -> bool:
    """A text that can't be a path is none."""
    try:
        return Path(file).exists()
    except (OSError, ValueError):
        return False


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    return (
        "a list" if isinstance(value, list) else "a text" if isinstance(value, str) else "a number"
    )
