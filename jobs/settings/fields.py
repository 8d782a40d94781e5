"""One value for one field: what it may be, and what to say when it is not.

The types of :class:`..config.AnalyzeConfig`, which holds the settings of every command, are the
only source of what is allowed.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import inspect, structs

from ..config import AnalyzeConfig, PriceConfig, ProviderConfig

JOB: Mapping[str, Any] = {field.name: field.type for field in structs.fields(AnalyzeConfig)}
PROVIDER: Mapping[str, Any] = {field.name: field.type for field in structs.fields(ProviderConfig)}
PRICE: Mapping[str, Any] = {field.name: field.type for field in structs.fields(PriceConfig)}
MAPPINGS = frozenset({"params", "providers", "prices"})
LISTS: Mapping[str, str] = {
    "inputs": "a path or a list of paths",
    "documents": "a path or a list of paths",
    "fallbacks": "a model or a list of models",
    "halt_on": "a rule or a list of rules",
    "select": "a column or a list of columns",
}
"""Fields that hold several texts, and what they must be."""
SCALARS = tuple(name for name in JOB if name not in MAPPINGS and name not in LISTS)

PARAMS: Mapping[str, Any] = {
    "temperature": float,
    "top_p": float,
    "presence_penalty": float,
    "frequency_penalty": float,
    "max_tokens": int,
    "max_completion_tokens": int,
    "max_output_tokens": int,
    "seed": int,
    "top_logprobs": int,
    "logprobs": bool | int,
    "stop": str | list,
    "logit_bias": dict,
    "tools": list,
    "response_format": dict,
}
"""Types of OpenAI's own request parameters; others are the server's business."""

_LOWEST = {"max_tokens": 1, "max_completion_tokens": 1, "max_output_tokens": 1, "temperature": 0}
_TAKEN = {
    "model": "set model itself",
    "stream": "set stream itself",
    "stream_options": "usage is always asked for",
    "messages": "the input's rows hold them",
    "prompt": "the input's rows hold it",
    "input": "the input's rows hold it",
}
_TIMES = frozenset({"max_wait", "timeout", "stall_timeout", "max_outage", "grace"})
_TIME = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*(ms|s|m|h)?\s*", re.IGNORECASE | re.ASCII)
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_WORDS = {"true": True, "yes": True, "on": True, "1": True}
_WORDS |= {"false": False, "no": False, "off": False, "0": False}


class Wrong(ValueError):
    """A value that does not fit; the text begins with "must be" or says what to do."""


def convert(name: str, value: Any, annotation: Any) -> Any:
    """The value as the field's type. Text is read as a number where one is wanted.

    Nothing (null, or empty text) unsets a field that may be unset. Raises :class:`Wrong`.
    """
    kind = inspect.type_info(annotation)
    if isinstance(kind, inspect.UnionType):
        if value is None or value == "":
            return None
        parts = [part for part in kind.types if not isinstance(part, inspect.NoneType)]
        words = [part for part in parts if isinstance(part, inspect.LiteralType)]
        kind = parts[0]
        if words and len(parts) > 1 and isinstance(value, str) and not _is_number(value):
            return _word(value, str(words[0].values[0]))
    match kind:
        case inspect.BoolType():
            return _boolean(value)
        case inspect.FloatType() | inspect.IntType():
            number = _time(value) if name in _TIMES else _number(value)
            return _within(number, value, kind)
        case inspect.LiteralType():
            return _choice(value, [str(choice) for choice in kind.values])
        case inspect.StrType(pattern=None):
            return _text(value)
        case inspect.StrType() if name == "max_failed":
            return _share(value, kind.pattern or "")
        case inspect.StrType() if name == "cache_size":
            return _size(value, kind.pattern or "")
        case inspect.StrType():
            return _name(value, kind.pattern or "")
        case _:
            raise AssertionError(f"no rule for {name}")


def param(name: str, value: Any) -> Any:
    """A request parameter's value. Raises :class:`Wrong`."""
    if name in _TAKEN:
        raise Wrong(f"can't be set here; {_TAKEN[name]}")
    if name == "n" and value not in (None, 1):
        raise Wrong("must be 1: one row is one answer")
    wanted = PARAMS.get(name)
    if value is None:
        return None
    if wanted in (int, float):
        number = _number(value)
        if wanted is int:
            number = _whole(number, value)
        if number < _LOWEST.get(name, -math.inf):
            raise Wrong(f"must be {_LOWEST[name]} or more, got {shown(value)}")
        return number
    if wanted is not None and not isinstance(value, wanted):
        raise Wrong(f"must be {_a(wanted)}, got {shown(value)}")
    if not _finite(value):
        raise Wrong("must hold no NaN or infinity: JSON has none")
    return value


def near(name: str, names: Iterable[str], cutoff: float = 0.6) -> str:
    """``; did you mean X?``, or nothing."""
    found = difflib.get_close_matches(name, list(names), 1, cutoff)
    return f"; did you mean {found[0]}?" if found else ""


def shown(value: Any) -> str:
    """A value for a message, short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= 60 else f'"{value[:57]}..."'
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, (list, tuple)) else str(value)[:60]


def _a(wanted: Any) -> str:
    names = {
        bool | int: "true, false or a number",
        str | list: "text or a list of texts",
        dict: "a mapping",
        list: "a list",
    }
    return names[wanted]


def _boolean(value: Any) -> bool:
    word = _WORDS.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(word, bool):
        raise Wrong(f"must be true or false, got {shown(value)}")
    return word


def _number(value: Any) -> float:
    number: Any = value
    if isinstance(value, str):
        try:
            number = int(value) if re.fullmatch(r"\s*[-+]?[0-9]{1,18}\s*", value) else float(value)
        except ValueError:
            number = None
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not _finite(number):
        raise Wrong(f"must be a number, got {shown(value)}")
    return number


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except Wrong:
        return False
    return True


def _time(value: Any) -> float:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        return float(match[1]) * _SECONDS[(match[2] or "s").lower()]
    try:
        return _number(value)
    except Wrong:
        raise Wrong(f"must be a time such as 30, 30s or 2m, got {shown(value)}") from None


def _within(number: float, value: Any, kind: inspect.FloatType | inspect.IntType) -> float:
    number = _whole(number, value) if isinstance(kind, inspect.IntType) else float(number)
    if kind.gt is not None and number <= kind.gt:
        raise Wrong(f"must be above {kind.gt:g}, got {shown(value)}")
    if kind.ge is not None and number < kind.ge:
        raise Wrong(f"must be {kind.ge:g} or more, got {shown(value)}")
    return number


def _whole(number: float, value: Any) -> int:
    if number != int(number):
        raise Wrong(f"must be a whole number, got {shown(value)}")
    return int(number)


def _choice(value: Any, choices: list[str]) -> str:
    if value not in choices:
        listed = ", ".join(choices[:-1]) + f" or {choices[-1]}"
        hint = near(value, choices) if isinstance(value, str) else ""
        raise Wrong(f"must be {listed}, got {shown(value)}{hint}")
    return str(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        quotes = "" if value is None or isinstance(value, (dict, list)) else "; put it in quotes"
        raise Wrong(f"must be text, got {shown(value)}{quotes}")
    return value


def _word(value: str, word: str) -> str:
    """The one word that may stand where a number is wanted."""
    if value.strip().lower() != word:
        raise Wrong(f"must be a number or {word}, got {shown(value)}")
    return word


def _name(value: Any, pattern: str) -> str:
    text = _text(value)
    if re.fullmatch(pattern.strip("^$"), text) is None:
        raise Wrong(f"must be a name of letters, digits, . _ and - alone, got {shown(value)}")
    return text


def _share(value: Any, pattern: str) -> str:
    """``max_failed``: a number is as good as its text."""
    text = str(value).strip() if isinstance(value, (str, int, float)) else ""
    if isinstance(value, bool) or re.fullmatch(pattern.strip("^$"), text) is None:
        raise Wrong(f"must be a count such as 3 or a share such as 5%, got {shown(value)}")
    return text


def _size(value: Any, pattern: str) -> str:
    """A number of bytes, with a unit or without."""
    text = str(value).strip() if isinstance(value, (str, int)) else ""
    if isinstance(value, bool) or re.fullmatch(pattern.strip("^$"), text) is None:
        raise Wrong(f"must be a size such as 500MB or 2GB, got {shown(value)}")
    return text


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return all(map(_finite, value.values()))
    return all(map(_finite, value)) if isinstance(value, (list, tuple)) else True
