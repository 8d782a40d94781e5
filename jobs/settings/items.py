"""What a YAML file comes as: values that know their line. (Without the cost of a YAML parser.)"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

MAX_BYTES = 1024 * 1024
"""The longest file that is read."""


class Item(Struct, frozen=True):
    """A value and the line (1-based) of its key.

    ``value`` is a scalar, a list of plain values, or a dict of Items.
    """

    value: Any
    line: int

    @property
    def plain(self) -> Any:
        """The value without lines."""
        if isinstance(self.value, dict):
            return {key: item.plain for key, item in self.value.items()}
        return self.value
