"""What a manifest says of an input: its size, and the hash of its bytes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from msgspec import structs

from .manifest import InputFacts

BLOCK = 1 << 20
AT_ONCE = 64 << 20
"""Bytes that are hashed before the job begins: some 0.1 s."""


class Inputs:
    """The inputs of a job. What is not hashed in a moment is hashed beside the job.

    ``files`` are paths, and whether each can be read twice; ``rows`` those of each path, as far as
    they were counted. It blocks for as long as :data:`AT_ONCE` bytes take.
    """

    __slots__ = ("_facts", "_thread")

    def __init__(self, files: Sequence[tuple[str, bool]], rows: Mapping[str, int]) -> None:
        self._facts = [_sized(path, again, rows) for path, again in files]
        self._thread: threading.Thread | None = None
        if sum(facts.bytes or 0 for facts in self._facts) <= AT_ONCE:
            self._hash()
        else:  # of its own, and a daemon: no job waits for it that is told to stop
            self._thread = threading.Thread(target=self._hash, name="llmbatch-hash", daemon=True)
            self._thread.start()

    @property
    def facts(self) -> Sequence[InputFacts]:
        """As far as they are known by now."""
        return tuple(self._facts)

    async def hashed(self) -> None:
        """Wait until all of them are known."""
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _hash(self) -> None:
        for place, facts in enumerate(self._facts):
            with suppress(OSError):  # whoever reads it says so
                if facts.bytes is not None:
                    size, digest = hashed(facts.path)
                    self._facts[place] = structs.replace(facts, bytes=size, blake2b=digest)

    def __repr__(self) -> str:
        return f"<Inputs {[facts.path for facts in self._facts]}>"


def _sized(path: str, rereadable: bool, rows: Mapping[str, int]) -> InputFacts:
    if not rereadable:
        return InputFacts(path=path, rereadable=False)
    size = None
    with suppress(OSError):
        size = Path(path).stat().st_size
    return InputFacts(path=path, bytes=size, rows=rows.get(path))


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
