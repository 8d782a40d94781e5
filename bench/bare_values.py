"""What the bare loop reads, and what it says about itself; to import this takes no aiohttp."""

from __future__ import annotations

from msgspec import Struct


class Message(Struct):
    content: str | None = None


class Choice(Struct):
    delta: Message | None = None
    message: Message | None = None
    finish_reason: str | None = None


class Tokens(Struct):
    completion_tokens: int


class Chunk(Struct):
    choices: list[Choice]
    usage: Tokens | None = None


class Outcome(Struct, frozen=True):
    """Times of the loop alone, in seconds; ``reads``: pieces of body that aiohttp handed over."""

    rows: int
    wall: float
    cpu: float
    reads: int
