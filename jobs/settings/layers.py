"""Each layer of settings as leaves: a path such as ``("params", "top_p")`` -> value and origin.

Laying one layer over another is then no more than ``dict.update``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from ..dialects import KNOWN
from ..errors import ConfigError
from ..halts.rule import BadRule, Rule
from .fields import (
    JOB,
    LISTS,
    MAPPINGS,
    PARAMS,
    PRICE,
    PROVIDER,
    SCALARS,
    Wrong,
    convert,
    near,
    param,
    shown,
)
from .items import Item

Path = tuple[str, ...]


class Leaf(Struct, frozen=True):
    """One setting; ``origin`` is what messages and `config show` call its place."""

    value: Any
    origin: str


Leaves = dict[Path, Leaf]

PREFIX = "LLMBATCH_"
_OWN = ("CONFIG", "PROFILE", "DEBUG", "MODELS", "PUSHGATEWAY_AUTH")  # read elsewhere
_ENV_PARAMS = ("max_tokens", "temperature")
_ENV_LISTS = ("fallbacks", "halt_on")  # separated by commas
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110, section 5.6.2


class FileLayer:
    """Settings of a YAML file, or of one profile in it."""

    __slots__ = ("_file", "_prefix", "_suffix")

    def __init__(self, file: str, profile: str | None = None) -> None:
        self._file = file
        self._prefix = "" if profile is None else f"profiles.{profile}."
        self._suffix = "" if profile is None else f" (profile {profile})"

    def __repr__(self) -> str:
        return f"FileLayer({self._file!r}{self._suffix})"

    def leaves(self, items: Mapping[str, Item]) -> Leaves:
        """Raises :class:`ConfigError` with file, line and key of the first mistake."""
        return {
            path: Leaf(value, f"{self._file}:{line}{self._suffix}")
            for path, value, line in self._walk(items)
        }

    def _walk(self, items: Mapping[str, Item]) -> Iterator[tuple[Path, Any, int]]:
        for name, item in items.items():
            if name not in JOB:
                raise self._mistake(item.line, name, _unknown(name, self._prefix))
            if name == "params":
                yield from self._params(item)
            elif name == "providers":
                yield from self._providers(item)
            elif name == "prices":
                yield from self._prices(item)
            elif name in LISTS:
                yield (name,), self._checked(item.line, name, _texts, name, item.plain), item.line
            else:
                yield (name,), self._field((name,), item, JOB[name]), item.line

    def _params(self, item: Item) -> Iterator[tuple[Path, Any, int]]:
        for name, child in self._mapping("params", item).items():
            value = self._checked(child.line, f"params.{name}", param, name, child.plain)
            yield ("params", name), value, child.line

    def _providers(self, item: Item) -> Iterator[tuple[Path, Any, int]]:
        for name, entry in self._mapping("providers", item).items():
            key = f"providers.{name}"
            if name == "local":
                raise self._mistake(
                    entry.line, key, "is the model on this machine, not a server; name it otherwise"
                )
            if not _NAME.fullmatch(name):
                raise self._mistake(entry.line, key, "a name has letters, digits, . _ and - alone")
            yield ("providers", name), None, entry.line
            for field, child in self._mapping(key, entry).items():
                path = ("providers", name, field)
                if field not in PROVIDER:
                    raise self._mistake(child.line, ".".join(path), _unknown_of_provider(field))
                if field == "headers":
                    yield from self._headers(path, child)
                else:
                    yield path, self._field(path, child, PROVIDER[field]), child.line

    def _prices(self, item: Item) -> Iterator[tuple[Path, Any, int]]:
        for name, entry in self._mapping("prices", item).items():
            key = f"prices.{name}"
            price = self._mapping(key, entry)
            for field, child in price.items():
                path = ("prices", name, field)
                if field not in PRICE:
                    message = "unknown key" + near(field, PRICE)
                    raise self._mistake(child.line, ".".join(path), message)
                yield path, self._field(path, child, PRICE[field]), child.line
            if missing := [field for field in ("input", "output") if field not in price]:
                message = f"{' and '.join(missing)} missing: USD for a million tokens"
                raise self._mistake(entry.line, key, message)

    def _headers(self, path: Path, item: Item) -> Iterator[tuple[Path, Any, int]]:
        for name, child in self._mapping(".".join(path), item).items():
            key = ".".join((*path, name))
            if not _HEADER.fullmatch(name):
                raise self._mistake(child.line, key, "is not a header's name")
            value = child.value
            if not isinstance(value, str):  # never shown: headers carry secrets
                raise self._mistake(child.line, key, "must be text; put it in quotes")
            if not all(char.isprintable() and ord(char) < 256 for char in value):
                raise self._mistake(child.line, key, "holds a character that no header can carry")
            yield (*path, name.lower()), value, child.line

    def _mapping(self, key: str, item: Item) -> Mapping[str, Item]:
        if item.value is None:
            return {}
        if not isinstance(item.value, dict):
            raise self._mistake(item.line, key, "must be a mapping, with name: value lines below")
        return item.value

    def _field(self, path: Path, item: Item, annotation: Any) -> Any:
        return self._checked(item.line, ".".join(path), convert, path[-1], item.plain, annotation)

    def _checked(self, line: int, key: str, check: Any, *args: Any) -> Any:
        try:
            return check(*args)
        except Wrong as error:
            raise self._mistake(line, key, str(error)) from None

    def _mistake(self, line: int, key: str, message: str) -> ConfigError:
        return ConfigError(f"{self._file}:{line}: {self._prefix}{key}: {message}")


def env_leaves(environ: Mapping[str, str]) -> Leaves:
    """``LLMBATCH_*``; an empty variable counts as not set.

    A name that is nearly one of ours is refused as a slip; others belong to somebody else.
    """
    known = {name.upper(): name for name in (*SCALARS, *_ENV_PARAMS, *_ENV_LISTS)}
    leaves: Leaves = {}
    for variable in sorted(environ):
        name = variable.removeprefix(PREFIX)
        value = environ[variable]
        if name == variable or not value.strip() or name in _OWN:
            continue
        if name not in known:
            hint = near(name, (*known, *_OWN), 0.8)
            if hint:
                hint = hint.replace("mean ", f"mean {PREFIX}")
                raise ConfigError(f"{variable}: unknown variable{hint} Unset it if not")
            continue
        field = known[name]
        path = ("params", field) if field in _ENV_PARAMS else (field,)
        if field in _ENV_LISTS:
            words = tuple(word.strip() for word in value.split(",") if word.strip())
            leaves[path] = Leaf(_flat(path, words, variable), variable)
            continue
        leaves[path] = Leaf(_flat(path, value, variable), variable)
    return leaves


def flag_leaves(flags: Mapping[str, Any]) -> Leaves:
    """Flags that were given, by the names of the settings; ``params`` is a mapping."""
    leaves: Leaves = {}
    for name, value in flags.items():
        if name == "params":
            for key, each in value.items():
                path = ("params", key)
                flag = _flag(key) if key in _ENV_PARAMS else f"--param {key}"
                leaves[path] = Leaf(_flat(path, each, flag), flag)
            continue
        if name not in JOB or name in MAPPINGS:
            raise ConfigError(f"{name}: not a setting that a flag can hold")
        flag = _FLAGS.get(name) or _flag(name, value)
        if name in _GUARDS and value == "":  # a script's variable that was never set
            raise ConfigError(f"{flag}: is empty; leave it out to go without")
        leaves[(name,)] = Leaf(_flat((name,), value, flag), flag)
    return leaves


_GUARDS = frozenset({"max_cost", "max_tokens_total", "canary", "schema"})
"""What a job is guarded by: to be taken out by leaving it out, never by an accident."""

_FLAGS = {
    "inputs": "command line",
    "documents": "command line",
    "fallbacks": "--fallback",
    "halt_on": "--halt-on",
    "report": "--output",
}
"""What a flag is called that has not the name of its field."""


def _flag(name: str, value: Any = None) -> str:
    return ("--no-" if value is False else "--") + name.replace("_", "-")


def _flat(path: Path, value: Any, origin: str) -> Any:
    try:
        if path[0] == "params":
            return param(path[1], value)
        if path[0] in LISTS:
            return _texts(path[0], value)
        return convert(path[0], value, JOB[path[0]])
    except Wrong as error:
        raise ConfigError(f"{origin}: {error}") from None


def _texts(name: str, value: Any) -> tuple[str, ...]:
    """One text, or a list of them."""
    if value is None and name not in ("inputs", "documents"):
        return ()
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
        raise Wrong(f"must be {LISTS[name]}, got {shown(value)}")
    if name == "halt_on":
        _check_rules(texts)
    return tuple(texts)


def _check_rules(texts: Iterable[str]) -> None:
    try:
        for text in texts:
            Rule.parse(text)
    except BadRule as error:
        raise Wrong(str(error)) from None


def _unknown(name: str, prefix: str) -> str:
    if name in PARAMS:
        return "unknown key; a request parameter stands under params:"
    if name == "profiles":
        return "a profile holds no profiles"
    if "api_key" in name.lower().replace("-", "_"):
        return (
            "a key does not stand here; set the provider's variable, such as OPENAI_API_KEY, or "
            "providers.NAME.api_key_env, api_key_file or api_key_cmd"
        )
    return "unknown key" + near(name, (*JOB, "profiles") if not prefix else JOB)


def _unknown_of_provider(name: str) -> str:
    if name.lower().replace("-", "_") in ("api_key", "key", "token", "apikey"):
        return "a key does not stand in the file; use api_key_env, api_key_file or api_key_cmd"
    return "unknown key" + near(name, PROVIDER)


def builtin_leaves(leaves: Leaves) -> Leaves:
    """What an entry for a provider that is known by itself may leave out."""
    added: Leaves = {}
    for path in leaves:
        known = KNOWN.get(path[1]) if len(path) == 2 and path[0] == "providers" else None
        if known is None or known.base_url is None or (*path, "base_url") in leaves:
            continue
        added[(*path, "base_url")] = Leaf(known.base_url, "built in")
        if not any((*path, field) in leaves for field in PROVIDER if field.startswith("api_key")):
            added[(*path, "api_key_env")] = Leaf(next(iter(known.key_env), None), "built in")
    return added
