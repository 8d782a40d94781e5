"""The values that flow through a job, all frozen: Request, Delta, Usage, Timing, Result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from .metrics import Metrics as Metrics
from .metrics import Try as Try

Endpoint = Literal["chat", "completions", "embeddings", "responses"]
"""What is asked of the provider; ``chat`` is ``/chat/completions`` in OpenAI's words."""

Status = Literal[
    "ok", "truncated", "refused", "filtered", "partial", "invalid", "error", "invalid_output"
]
"""How a row ended. Proof, not hope: a stream without its finish is never ``ok``, nor is an answer
that does not fit the schema which was asked for."""

FINAL: frozenset[str] = frozenset({"ok", "truncated", "refused", "filtered", "invalid"})
"""Statuses that a resumed job leaves alone; the others run again."""

GOOD: frozenset[str] = frozenset({"ok", "truncated"})
"""Statuses that do not count as failed."""


class Chunk(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A piece of a document, and where it stands in it.

    ``number`` counts from 1 over all documents of the job. ``start`` and ``end`` are characters of
    the document's text, ``byte_start`` and ``byte_end`` the bytes that they are stored in (of the
    text in UTF-8, where it was taken out of a PDF, DOCX or HTML file); these spans tile the
    document. ``overlap`` is how many characters before ``start`` are sent as well, ``tokens`` what
    both have together. ``page`` and ``last_page`` count from 1 and are set where there are pages.
    ``headings`` is the path of headings above ``start``, the outermost first.
    """

    document: str
    number: int
    start: int
    end: int
    byte_start: int
    byte_end: int
    tokens: int
    overlap: int = 0
    page: int | None = None
    last_page: int | None = None
    headings: tuple[str, ...] = ()


class Fold(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which partial reports a row folds: ``number`` counts from 1 within its ``level``, from 1 too.

    ``first_chunk`` and ``last_chunk`` are the numbers of the chunks that it stands for. Citation
    ``[i]`` in its output means chunk ``sources[i - 1]``. ``final`` makes it the report.
    """

    level: int
    number: int
    first_chunk: int
    last_chunk: int
    sources: tuple[int, ...] = ()
    final: bool = False


class Quote(Struct, frozen=True, omit_defaults=True):
    """Words that the model says it took from the document, and whether they are there.

    ``folded`` is found after white space and case were folded. ``start`` and ``end`` are
    characters of the document; None where it is ``missing``.
    """

    text: str
    found: Literal["exact", "folded", "missing"]
    start: int | None = None
    end: int | None = None


class DocumentFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What reading a document to its end has shown.

    ``bytes`` and ``characters`` are of its text, as in :class:`Chunk`. ``encoding`` is its name in
    Python, None where the format has none; ``encoding_from`` says how it is known.
    ``undecodable`` counts bytes that are none in that encoding: each is kept as U+FFFD, the first
    one is at byte ``first_undecodable``. ``empty_pages`` have no text.
    """

    path: str
    title: str
    format: str
    bytes: int
    characters: int
    encoding: str | None = None
    encoding_from: Literal["bom", "content", "declared", "guessed", "given"] | None = None
    undecodable: int = 0
    first_undecodable: int | None = None
    pages: int | None = None
    empty_pages: int = 0


class Request(Struct, frozen=True, kw_only=True):
    """One row, ready to be sent.

    ``messages`` is the chat history (endpoint ``chat``); ``input`` is the prompt of
    ``completions``, the input of ``embeddings`` or ``responses``. ``params`` are request
    parameters in OpenAI's words (``max_tokens``, ``temperature``, ``tools``, ...); ``extra`` are
    parts of the body that are sent as they stand, whatever the provider. ``model`` is the name the
    server knows. ``line`` is 1-based within ``path``. ``fingerprint`` covers everything that shapes
    the answer.
    ``read_at`` is the clock's time (seconds) at which the row was read. ``chunk`` or ``fold`` is
    set on the rows of an analysis.
    """

    id: str
    line: int
    path: str
    endpoint: Endpoint
    model: str
    fingerprint: str
    messages: Sequence[Mapping[str, Any]] = ()
    input: Any = None
    params: Mapping[str, Any] = {}
    extra: Mapping[str, Any] = {}
    metadata: Mapping[str, Any] = {}
    read_at: float = 0.0
    chunk: Chunk | UnsetType = UNSET
    fold: Fold | UnsetType = UNSET

    @property
    def max_tokens(self) -> int | None:
        """The longest answer this request allows, in tokens, where it says so."""
        for key in ("max_completion_tokens", "max_tokens", "max_output_tokens"):
            value = self.extra.get(key, self.params.get(key))
            if isinstance(value, int):
                return value
        return None


class Rejected(Struct, frozen=True, kw_only=True):
    """A row that can't be sent; it becomes a result with ``status: "invalid"``.

    ``error_type`` is ``invalid_row``, or ``duplicate_id``.
    """

    id: str
    line: int
    path: str
    reason: str
    error_type: str = "invalid_row"
    metadata: Mapping[str, Any] = {}
    read_at: float = 0.0
    fingerprint: str = ""


Row = Request | Rejected


class Usage(Struct, frozen=True, gc=False):
    """Tokens of one request as the provider counted them.

    ``cached_tokens`` are part of ``input_tokens``, ``reasoning_tokens`` of ``output_tokens``.
    ``cache_write_tokens`` are part of ``input_tokens`` too: what the provider put into its cache,
    where it says so and asks a price of its own for it, ``cache_write_1h_tokens`` the part of those
    that it keeps for an hour.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int | UnsetType = UNSET
    cache_write_1h_tokens: int | UnsetType = UNSET

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            _sum(self.cache_write_tokens, other.cache_write_tokens),
            _sum(self.cache_write_1h_tokens, other.cache_write_1h_tokens),
        )


def _sum(one: int | UnsetType, other: int | UnsetType) -> int | UnsetType:
    if one is UNSET:
        return other
    return one if other is UNSET else one + other


class Quota(Struct, frozen=True):
    """What a server says of its limits in an answer's headers; None is what it does not say.

    ``rpm`` and ``tpm`` are requests and tokens a minute. ``requests_left`` and ``tokens_left`` are
    what may still be sent, and ``requests_reset`` and ``tokens_reset`` the seconds until the server
    calls its quota full again.
    """

    rpm: float | None = None
    tpm: float | None = None
    requests_left: int | None = None
    tokens_left: int | None = None
    requests_reset: float | None = None
    tokens_reset: float | None = None


class Delta(Struct, frozen=True):
    """What one read of a stream adds. A provider that does not stream yields one of them.

    ``tool_calls`` are OpenAI's tool-call deltas, to be joined by ``index``. ``logprobs`` are the
    items of ``logprobs.content``. ``value`` is an output that is not text (an embedding).
    ``finish_reason`` is the provider's own word; ``status`` is what it means here. The attempt is
    complete only when a delta with a ``status`` arrived. ``cost_usd`` is the provider's own figure
    for the whole request where it sends one (OpenRouter's ``usage.cost``). So many ``chunks`` of
    the stream brought its text, all at the same moment.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    logprobs: Sequence[Any] = ()
    value: Any = None
    finish_reason: str | None = None
    status: Status | None = None
    usage: Usage | None = None
    cost_usd: float | None = None
    chunks: int = 1


class Failure(Struct, frozen=True):
    """Why a row did not end well; ``type`` as in :mod:`.errors`."""

    type: str
    http_status: int | None
    message: str
    retryable: bool


class Result(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """How one row ended; its fields, in this order, are the line in the output file."""

    id: str
    line: int
    fingerprint: str
    status: Status
    output: Any
    finish_reason: str | None
    provider: str | None
    model: str | None
    fallbacks: int
    usage: Usage | None
    cost_usd: float | None
    metrics: Metrics | None
    error: Failure | None
    metadata: Mapping[str, Any]
    tool_calls: Sequence[Any] | UnsetType = UNSET
    logprobs: Sequence[Any] | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET
    endpoint: Endpoint | UnsetType = UNSET
    chunk: Chunk | UnsetType = UNSET
    fold: Fold | UnsetType = UNSET
    quotes: Sequence[Quote] | UnsetType = UNSET


class Tidied(Struct, frozen=True):
    """What became of an output's older lines at its end: ``dropped`` were superseded.

    ``strangers`` are kept results of ids that the input does not have, ``unreadable`` are kept
    lines that are no results.
    """

    dropped: int = 0
    strangers: int = 0
    unreadable: int = 0
