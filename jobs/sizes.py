"""How large chunks, answers and folds may be, so that nothing has to be cut to fit. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from .config import AnalyzeConfig
from .contexts import context_of, longest_answer
from .errors import ConfigError
from .sources.chunks.cut import Sizes
from .tokens import counts_exactly

ASSUMED = 8192
"""The context of a model of which nothing is known, in tokens."""

CHUNK = 4000
FOLD = 16_000
"""What a chunk and a fold take at most where nobody says otherwise: models read that much well."""

ANSWERS = (128, 8192)
LEAST = 64
SPARE = 0.95
"""The share of a context that is planned with; a chat's own marks are counted about."""

SLACK = 1.25
"""Tokens of another vocabulary for one of ``cl100k_base``. SmolLM2 has 1.02 to 1.14 for English
prose and code, 1.4 for German, 1.2 for Chinese and 1.6 for Russian, which it was not made for;
larger vocabularies have fewer. Where it is not enough, ``--chunk-tokens`` has to say less."""

_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
HEAD = 16
"""Tokens that stand above each part of a fold, and more."""


class Asked(Protocol):
    """A route, as far as sizes go; see :class:`.providers.registry.Route`."""

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def embedded(self) -> str | None: ...


class Plan(Struct, frozen=True, kw_only=True):
    """In tokens: ``cut`` for the chunker, ``answer`` for every row, ``fold`` for a fold's parts.

    ``context`` is the smallest context among the routes. ``assumed`` names the routes whose context
    is not known, so that :data:`ASSUMED` was taken.
    """

    cut: Sizes
    answer: int
    fold: int
    context: int
    assumed: tuple[str, ...] = ()


class _Window(Struct, frozen=True):
    """A route's context; ``slack`` are its tokens for one of ours, ``fixed`` says that it is so."""

    label: str
    tokens: int
    known: bool
    fixed: bool
    slack: float

    def room(self, answer: int, overhead: int) -> int:
        """Tokens of ours that are left for text."""
        return math.floor((self.tokens * SPARE - answer) / self.slack) - overhead


class _Needs(Struct, frozen=True):
    """What beside the text goes into a context: ``answer`` and the prompts' own tokens."""

    answer: int
    map: int
    fold: int

    @property
    def parts(self) -> int:
        """What a fold has to take, so that two answers with their labels fit."""
        return 2 * (math.ceil(self.answer * 1.25) + HEAD)


def plan_sizes(config: AnalyzeConfig, routes: Sequence[Asked], overhead: tuple[int, int]) -> Plan:
    """What fits every route. ``overhead`` are the tokens of a map's and of a fold's own prompt.

    Raises ConfigError with the numbers that do not go together, and those that would.
    """
    windows = [_window(config, route) for route in routes]
    given = _given_answer(config.params)
    needs = _Needs(given or _answer(windows, routes), *overhead)
    chunk = _chunk(config, windows, needs)
    return Plan(
        cut=Sizes(
            chunk=chunk,
            overlap=_overlap(config, chunk),
            context=_beside(config, chunk),
        ),
        answer=needs.answer,
        fold=_fold(config, windows, needs),
        context=min(window.tokens for window in windows),
        assumed=tuple(window.label for window in windows if not window.known),
    )


def _window(config: AnalyzeConfig, route: Asked) -> _Window:
    tokens, asked = context_of(route.name, route.model), config.model_context
    fixed = route.embedded is not None  # its server is started with that much
    tokens = min(tokens, asked or tokens) if fixed and tokens else asked or tokens
    exact = counts_exactly(route.model)
    return _Window(
        route.label, tokens or ASSUMED, tokens is not None, fixed, 1.0 if exact else SLACK
    )


def _given_answer(params: Mapping[str, Any]) -> int | None:
    extra = params.get("extra_body")
    for body in (extra if isinstance(extra, Mapping) else {}, params):
        for name in _LIMITS:
            value = body.get(name)
            if isinstance(value, int) and value > 0:
                return value
    return None


def _answer(windows: Sequence[_Window], routes: Sequence[Asked]) -> int:
    least, most = ANSWERS
    limits = [longest_answer(route.name, route.model) or most for route in routes]
    fitting = min(window.tokens for window in windows) // 8
    return min(max(least, fitting), most, *limits)


def _beside(config: AnalyzeConfig, chunk: int) -> int:
    """Tokens of neighbouring text."""
    return chunk // 4 if config.context == "previous" else 0


def _chunk(config: AnalyzeConfig, windows: Sequence[_Window], needs: _Needs) -> int:
    asked = config.chunk_tokens
    if asked is not None and asked < needs.map:
        raise ConfigError(
            f"--chunk-tokens {asked} is less than the prompt around a chunk, which has up to "
            f"{needs.map} tokens: every request would be more prompt than text. Take at least "
            f"{needs.map}, or a shorter prompt (--map-prompt)"
        )
    tight = min(windows, key=lambda window: window.room(needs.answer, needs.map))
    largest = _largest_chunk(config, tight.room(needs.answer, needs.map))
    if largest < LEAST:
        raise ConfigError(_no_room(tight, needs, largest))
    if asked is None:
        return min(CHUNK, largest)
    for window in (window for window in windows if window.known):
        fits = _largest_chunk(config, window.room(needs.answer, needs.map))
        if asked > fits:
            raise ConfigError(
                f"--chunk-tokens {asked} does not fit {window.label}, which has a context of "
                f"{window.tokens} tokens; beside the prompt ({needs.map}), the answer "
                f"({needs.answer}) and some room to spare the largest is {fits}"
            )
    return asked


def _largest_chunk(config: AnalyzeConfig, room: int) -> int:
    """The largest chunk that has room together with its neighbouring text."""
    largest = room * 4 // 5 if config.context == "previous" else room
    while largest + 1 + _beside(config, largest + 1) <= room:
        largest += 1
    return largest


def _overlap(config: AnalyzeConfig, chunk: int) -> int:
    if config.overlap is None:
        return min(100, chunk // 10)
    if config.overlap > chunk // 2:
        raise ConfigError(
            f"--overlap {config.overlap} must be at most half of a chunk, which has {chunk} tokens "
            f"({'--chunk-tokens' if config.chunk_tokens else 'fitted to the model'}): more would "
            "send, and pay for, every text many times"
        )
    return config.overlap


def _fold(config: AnalyzeConfig, windows: Sequence[_Window], needs: _Needs) -> int:
    tight = min(windows, key=lambda window: window.room(needs.answer, needs.fold))
    room = tight.room(needs.answer, needs.fold)
    folds = config.fold == "summary" and config.schema is None
    if folds and room < needs.parts:
        raise ConfigError(_no_fold(tight, needs))
    return max(min(FOLD, room), needs.parts)


def _no_room(window: _Window, needs: _Needs, largest: int) -> str:
    left = "nothing" if largest < 1 else f"{largest} tokens"
    return (
        f"{_context(window)} leaves {left} for text beside the prompt ({needs.map} tokens) and the "
        f"answer ({needs.answer}): {_ways_out(window)}"
    )


def _no_fold(window: _Window, needs: _Needs) -> str:
    def too_long(answer: int) -> bool:
        less = _Needs(answer, needs.map, needs.fold)
        return window.room(answer, needs.fold) < less.parts

    fits = bisect_left(range(1, needs.answer + 1), True, key=too_long)
    hint = f"--max-tokens {fits} would do; or " if fits >= ANSWERS[0] // 2 else ""
    return (
        f"{_context(window)} can't take a fold of two answers of {needs.answer} tokens each "
        f"({needs.parts} with their labels), its prompt ({needs.fold}) and an answer: "
        f"{hint}{_ways_out(window)}; or join the answers as they are with --fold concat"
    )


def _context(window: _Window) -> str:
    if window.known:
        return f"the context of {window.label} ({window.tokens} tokens)"
    return f"the context of {window.label}, not known and taken for {window.tokens} tokens,"


def _ways_out(window: _Window) -> str:
    if window.fixed:
        return "lower --max-tokens, or make the prompt shorter"
    return (
        "lower --max-tokens, make the prompt shorter, or say with --model-context how much "
        f"{window.label} can take, if it is more"
    )
