"""What may be a secret in a configuration, and what is shown in its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from ..config import JobConfig
from ..keys import safe_program, safe_variable

MASK = "***"
_SECRET = re.compile(
    r"auth|bearer|signature|key|token|secret|passw|cookie|credential|session", re.IGNORECASE
)
_URL_SECRET = re.compile(r"(?<=//).*(?=@)|(?<=[?#]).*")
_TELLING_URL = re.compile(r"\w+://\S*[@?#]")


def masked(key: str, value: Any) -> Any:
    """The value of a dotted setting, without what may be a secret."""
    name = key.rpartition(".")[2]
    if key.startswith("params."):
        return inside(value, secret=_SECRET.search(name) is not None)
    if not isinstance(value, str):
        return inside(value)
    if key.startswith("providers.") and ".headers." in key:
        return MASK if _SECRET.search(key.partition(".headers.")[2]) else value
    if name == "api_key_env":
        return safe_variable(value)
    if name == "api_key_cmd":
        return safe_program(value)
    if name == "base_url":
        return _URL_SECRET.sub(MASK, value) if "://" in value else MASK
    if name in ("otlp", "pushgateway"):
        return (
            value if value.isalnum() else _URL_SECRET.sub(MASK, value) if "://" in value else MASK
        )
    return value


def inside(value: Any, *, secret: bool = False, schema: bool = False) -> Any:
    """Headers and the like within a request parameter.

    All texts below a name that is one of a secret go, and addresses that hold more than a place.
    The names below ``properties`` of a JSON Schema are those of fields, and no secrets stand there.
    """
    if isinstance(value, Mapping):
        return {
            key: inside(
                item,
                secret=secret or (not schema and _SECRET.search(key) is not None),
                schema=key == "properties",
            )
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [inside(item, secret=secret) for item in value]
    if isinstance(value, str) and (secret or _TELLING_URL.match(value)):
        return MASK
    return value


def masked_config(config: JobConfig, kind: type[JobConfig]) -> dict[str, Any]:
    """The settings of ``kind`` as plain data that may be kept in a file.

    No header's value stands in it, whatever its name, and nothing of a command for a key.
    """
    plain = msgspec.to_builtins(config)
    found: dict[str, Any] = {}
    for name in kind.__struct_fields__:
        value = plain[name]
        if name == "params":
            found[name] = {key: masked(f"params.{key}", item) for key, item in value.items()}
        elif name == "providers":
            found[name] = {key: _provider(entry) for key, entry in value.items()}
        else:
            found[name] = masked(name, value) if isinstance(value, str) else value
    return found


def _provider(entry: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: masked(name, value) for name, value in entry.items() if name != "headers"}
    if shown["api_key_cmd"] is not None:
        shown["api_key_cmd"] = MASK
    return {**shown, "headers": dict.fromkeys(entry["headers"], MASK)}
