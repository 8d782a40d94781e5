"""JSON as its standard has it: no NaN, no infinity, no key twice, and no bottomless nesting."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

DEPTH = 100
"""How deeply a value may be nested; every reader and writer of JSON here copes with more."""

_SHOWN = 40
_SPACE = re.compile(r"[ \t\r\n]*")


class NotJson(ValueError):
    """What is wrong, in words for a user. ``line`` and ``column`` count from 1 within the text."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


def decode(text: str) -> Any:
    """The one value in ``text``. Raises :class:`NotJson`; linear in its length."""
    start = _white(text, 0)
    value, end = value_at(text, start)
    if (rest := _white(text, end)) < len(text):
        raise _at("more text follows the end of the value", text, rest)
    return value


def value_at(text: str, start: int) -> tuple[Any, int]:
    """The value that begins at ``start`` exactly, and where it ends. Raises :class:`NotJson`."""
    try:
        value, end = _decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        wrong = error.msg[0].lower() + error.msg[1:]
        raise NotJson(wrong, error.lineno, error.colno) from None
    except RecursionError:
        raise _too_deep() from None
    except NotJson:
        raise
    except ValueError:  # Python's own limit for the length of a whole number
        raise NotJson("a number has too many digits") from None
    # What can't be deep need not be walked.
    if text.count("[", start, end) + text.count("{", start, end) > DEPTH and _deep(value):
        raise _too_deep()
    return value, end


def _white(text: str, start: int) -> int:
    """Where what is not white space begins, from ``start`` on."""
    found = _SPACE.match(text, start)
    return start if found is None else found.end()


def _at(message: str, text: str, position: int) -> NotJson:
    line = text.count("\n", 0, position) + 1
    return NotJson(message, line, position - text.rfind("\n", 0, position))


def _too_deep() -> NotJson:
    return NotJson(f"lists and objects are nested more than {DEPTH} levels deep")


def _deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise NotJson(f"the key {json.dumps(twice[:_SHOWN])} stands twice in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise NotJson(f"{name} is no JSON value: give a number, or null")


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise NotJson(f"the number {digits[:_SHOWN]} is too large")
    return value


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
