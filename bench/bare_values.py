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
    """OpenAI's."""

    choices: list[Choice]
    usage: Tokens | None = None


class Vector(Struct):
    embedding: list[float]


class Asked(Struct):
    prompt_tokens: int


class Vectors(Struct):
    """OpenAI's embeddings."""

    data: list[Vector]
    usage: Asked


class Block(Struct):
    text: str | None = None
    stop_reason: str | None = None


class Spent(Struct):
    output_tokens: int


class Event(Struct):
    """Anthropic's."""

    delta: Block | None = None
    usage: Spent | None = None


class Part(Struct):
    text: str = ""


class Content(Struct):
    parts: list[Part] = []


class Candidate(Struct, rename="camel"):
    content: Content | None = None
    finish_reason: str | None = None


class Counted(Struct, rename="camel"):
    candidates_token_count: int = 0


class Response(Struct, rename="camel"):
    """Gemini's."""

    candidates: list[Candidate]
    usage_metadata: Counted | None = None


class Outcome(Struct, frozen=True):
    """Times of the loop alone, in seconds; ``reads``: pieces of body that aiohttp handed over."""

    rows: int
    wall: float
    cpu: float
    reads: int
