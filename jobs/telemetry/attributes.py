"""Attributes as OTLP writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import KeyValue

Value = str | bool | int | float


def put(attributes: Any, key: str, value: Value) -> None:
    """Add an attribute to those of a message."""
    added: KeyValue = attributes.add()
    added.key = key
    if isinstance(value, str):
        added.value.string_value = value
    elif isinstance(value, bool):
        added.value.bool_value = value
    elif isinstance(value, int):
        added.value.int_value = max(-_LARGEST - 1, min(value, _LARGEST))
    else:
        added.value.double_value = value


def put_all(attributes: Any, values: Mapping[str, Value]) -> None:
    """Add several."""
    for key, value in values.items():
        put(attributes, key, value)


_LARGEST = (1 << 63) - 1
