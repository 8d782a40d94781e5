"""What a manifest says of an input: its size, and the hash of its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from .manifest import InputFacts

BLOCK = 1 << 20


def input_facts(path: str, rereadable: bool, rows: Mapping[str, int]) -> InputFacts:
    """``rows`` are those of each path, as far as they were counted."""
    if not rereadable:
        return InputFacts(path=path, rereadable=False)
    try:
        size, digest = hashed(path)
    except OSError:  # whoever reads it says so
        return InputFacts(path=path, rows=rows.get(path))
    return InputFacts(path=path, bytes=size, blake2b=digest, rows=rows.get(path))


def hashed(path: str) -> tuple[int, str]:
    """Bytes and hash of a file; a gigabyte takes about a second. Raises OSError."""
    digest, size = blake2b(digest_size=32), 0
    block = bytearray(BLOCK)
    view = memoryview(block)
    with Path(path).open("rb", buffering=0) as file:
        while read := file.readinto(block):
            digest.update(view[:read])
            size += read
    return size, digest.hexdigest()
