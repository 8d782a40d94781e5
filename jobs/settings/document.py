"""YAML text -> values that know their line. The safe loader alone, and nothing that expands."""

from __future__ import annotations

import re
from typing import Any

import yaml

from ..errors import ConfigError
from .items import MAX_BYTES, Item

MAX_DEPTH = 32

try:
    from yaml import CSafeLoader as _Base
except ImportError:  # PyYAML without libyaml
    from yaml import SafeLoader as _Base  # type: ignore[assignment]  # same interface


class _Loader(_Base):
    """YAML 1.1 without dates and merge keys, and with 1e3 as a number."""


_DROPPED = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _DROPPED]
    for first, resolvers in _Base.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)
_SCALARS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str")}


def parse(data: bytes, file: str) -> dict[str, Item]:
    """The mapping at the top of a YAML file; an empty file is an empty mapping.

    ``file`` is its name in messages. Raises :class:`ConfigError`. No message quotes a value of the
    file: one of them may be a key that stands in the wrong place.
    """
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{file}: larger than 1 MiB; is this the configuration?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{file}:{line}: not UTF-8 text") from None
    try:
        _check_events(text, file)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise _broken(error, file) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{file}:{line}: not valid YAML: a control character") from None
    if node is None or _is_null(node):
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(
            f"{file}:{node.start_mark.line + 1}: must hold settings, one a line, as name: value"
        )
    return _Builder(file).mapping(node)


def _check_events(text: str, file: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise ConfigError(f"{file}:{line}: aliases (*name) are not used here; use a profile")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise ConfigError(f"{file}:{line}: nested more than {MAX_DEPTH} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _broken(error: yaml.MarkedYAMLError, file: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    where = file if mark is None else f"{file}:{mark.line + 1}:{mark.column + 1}"
    problem = error.problem or error.context or "it ends too soon"
    hint = ""
    if "tab" in problem or "token" in problem:
        hint = " (indent with spaces, not tabs; quote values with special characters)"
    return ConfigError(f"{where}: not valid YAML: {problem}{hint}")


def _is_null(node: yaml.Node) -> bool:
    return node.tag == "tag:yaml.org,2002:null"


class _Builder:
    """Nodes -> Items. Keys are their own text, so that ``50256: -100`` and ``on: 1`` stay whole."""

    __slots__ = ("_file", "_scalars")

    def __init__(self, file: str) -> None:
        self._file = file
        self._scalars = yaml.constructor.SafeConstructor()

    def __repr__(self) -> str:
        return f"_Builder({self._file!r})"

    def mapping(self, node: yaml.MappingNode) -> dict[str, Item]:
        items: dict[str, Item] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError(f"{self._file}:{line}: a setting's name must be plain text")
            key = key_node.value
            if key in items:
                first = items[key].line
                raise ConfigError(
                    f"{self._file}:{line}: {key}: set twice, first in line {first}; keep one"
                )
            items[key] = Item(self._value(value_node), line)
        return items

    def _value(self, node: yaml.Node) -> Any:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self.mapping(node)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [Item(self._value(child), line).plain for child in node.value]
        if node.tag not in _SCALARS:
            raise ConfigError(f"{self._file}:{line}: remove the tag {node.tag}")
        try:
            return self._scalars.construct_object(node)
        except (ValueError, KeyError, yaml.YAMLError):
            raise ConfigError(f"{self._file}:{line}: not a value that its tag allows") from None
