"""How many tokens a request's input has: exactly for OpenAI's vocabularies, else about."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import msgspec

from .model import Request

PRIMING = 3
PER_MESSAGE = 4
PER_NAME = 1
"""OpenAI's cookbook, "How to count tokens with tiktoken": every answer is primed with 3 tokens, a
message costs 3 and one for its role, a name one more."""

IMAGE = 765
IMAGE_LOW = 85
"""A flat figure for each part that is not text (image, audio, file): what OpenAI's vision guide
gives for a 1024 x 1024 image to GPT-4o, and for any image with ``detail: low``."""

_SENT_AS_TEXT = ("tools", "functions", "response_format", "instructions", "text")

_O200K = re.compile(r"gpt-(?!4(?![.o\d])|3\.?5)|chatgpt-|o\d(-|$)")
_CL100K = re.compile(r"gpt-4(?![.o\d])|gpt-3\.?5|text-embedding-")
_WIDE = re.compile(
    "[\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef"
    "\U0001f000-\U0003ffff]+"
)
_LATIN = re.compile("[\u00c0-\u024f\u1e00-\u1eff\u2010-\u201f]+")

_LONE = re.compile("[\ud800-\udfff]")

_WHOLE = 2**31 - 1
_DEPTH = 8


def encoding_of(model: str) -> str:
    """The vocabulary of a model by its name; ``cl100k_base`` where the name says nothing.

    Of those that are here, it is the one which takes the most tokens for a text, so the nearest to
    the smaller ones of other models; and it is read in half the time.
    """
    return _known_encoding(model) or "cl100k_base"


def counts_exactly(model: str) -> bool:
    """Whether the model's own vocabulary is here."""
    return _known_encoding(model) is not None


@lru_cache(256)
def _known_encoding(model: str) -> str | None:
    name = model.rpartition("/")[2].removeprefix("ft:").lower()
    if name.startswith("gpt-oss"):
        return "o200k_harmony"
    if name.startswith("qwen3.5"):
        return "qwen3.5"
    if _CL100K.match(name):
        return "cl100k_base"
    return "o200k_base" if _O200K.match(name) else None


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has, by its scripts: 4 characters each in Latin script and
    ASCII, 1 in Chinese, Japanese and Korean (and for an emoji), 2 in every other.

    For prose that is between 0.6 and 2 times what ``o200k_base`` counts, for code, JSON and long
    numbers between 0.5 and 1.2 times; for punctuation alone it is up to 4 times too low.
    """
    latin = len(text.encode("ascii", "ignore"))
    if latin == len(text):
        return math.ceil(latin / 4)
    wide = len(text) - len(_WIDE.sub("", text))
    latin += len(text) - len(_LATIN.sub("", text))
    return math.ceil(latin / 4 + wide + (len(text) - latin - wide) / 2)


class TokenCounter:
    """Counts input tokens; linear in the length of the text (1 MB takes about 10 ms).

    Exact for text in OpenAI's vocabularies (and Qwen 3.5's), through toktok, which is imported and
    reads its vocabulary (0.5 s) when first used. Tool definitions are counted as their JSON, which
    is more than OpenAI counts. Where toktok can't be imported, :func:`estimate_tokens` counts.
    """

    __slots__ = ("_count",)

    def __init__(self) -> None:
        self._count: Callable[[str, str], int] | None = None

    def count(self, request: Request) -> int:
        """Tokens of the messages or the input, overhead included."""
        texts: list[str] = []
        tokens = 0
        if request.endpoint == "chat":
            tokens = PRIMING
            for message in request.messages:
                tokens += _message(message, texts)
        elif request.input is not None:
            tokens = _content(request.input, texts)
        for key in _SENT_AS_TEXT:
            if value := request.params.get(key):
                texts.append(value if isinstance(value, str) else _json(value))
        encoding = encoding_of(request.model)
        count = self._count or self._open()
        for text in texts:
            tokens += count(text, encoding)
        return tokens

    def text(self, text: str, model: str) -> int:
        """Tokens of one text as ``model`` reads it."""
        return (self._count or self._open())(text, encoding_of(model))

    def _open(self) -> Callable[[str, str], int]:
        try:
            from toktok import truncate
        except ImportError:
            self._count = _estimate
            return _estimate

        # truncate() returns the count of the whole text too; batch_count() starts a thread for
        # each call, which makes a short text 60 times as expensive.
        def exact(text: str, encoding: str) -> int:
            try:
                total: int = truncate(text, _WHOLE, encoding)[1]
            except UnicodeEncodeError:  # a lone surrogate
                return exact(text.encode("utf-8", "replace").decode(), encoding)
            return total

        self._count = exact
        return exact

    def __repr__(self) -> str:
        how = "not used yet" if self._count is None else self._count.__name__.strip("_")
        return f"<TokenCounter: {how}>"


_Truncate = Callable[[str, int, str], tuple[str, int]]


class TextCounter:
    """Counts and measures texts in one model's vocabulary, which is read when first used.

    Exact and linear as in :class:`TokenCounter`; :func:`estimate_tokens` where toktok can't be
    imported. A lone surrogate counts as the U+FFFD that is sent in its place.
    """

    __slots__ = ("_encoding", "_truncate")

    def __init__(self, model: str) -> None:
        self._encoding = encoding_of(model)
        self._truncate: _Truncate | None = None

    def __repr__(self) -> str:
        return f"TextCounter({self._encoding})"

    def count(self, text: str) -> int:
        return self._measure(text, _WHOLE)[1]

    def prefix(self, text: str, tokens: int) -> tuple[int, int]:
        """How many characters of ``text`` its first ``tokens`` tokens are, and its whole count.

        Counted by itself, such a prefix may have a token more, or a few; count it to be sure.
        """
        start, whole = self._measure(text, tokens)
        if whole <= tokens:
            return len(text), whole
        if self._encoding == "qwen3.5" and not text.startswith(start):
            # That is a prefix of the text's NFC form. Counting what has to be normalised first,
            # too, finds the same place in the text as it stands.
            lengths = range(1, len(text) + 1)
            return bisect_right(lengths, tokens, key=lambda n: self.count(text[:n])), whole
        return len(start), whole

    def _measure(self, text: str, tokens: int) -> tuple[str, int]:
        truncate = self._truncate or self._open()
        try:
            return truncate(text, max(0, tokens), self._encoding)
        except UnicodeEncodeError:  # a lone surrogate
            return truncate(_LONE.sub("\ufffd", text), max(0, tokens), self._encoding)

    def _open(self) -> _Truncate:
        found: _Truncate = _estimated_prefix
        with suppress(ImportError):
            from toktok import truncate

            found = truncate
        self._truncate = found
        return found


def _estimated_prefix(text: str, tokens: int, encoding: str) -> tuple[str, int]:  # noqa: ARG001
    """Stands where toktok's truncate() does."""
    whole = estimate_tokens(text)
    if whole <= tokens:
        return text, whole
    if text.isascii():
        return text[: 4 * tokens], whole
    lengths = range(1, len(text) + 1)
    return text[: bisect_right(lengths, tokens, key=lambda n: estimate_tokens(text[:n]))], whole


def _estimate(text: str, encoding: str) -> int:  # noqa: ARG001 - stands where exact() does
    return estimate_tokens(text)


def _message(message: Mapping[str, Any], texts: list[str]) -> int:
    """Collect a message's texts; returns the tokens that are not text."""
    tokens = PER_MESSAGE + _content(message.get("content"), texts)
    if isinstance(name := message.get("name"), str):
        texts.append(name)
        tokens += PER_NAME
    for key in ("tool_calls", "function_call"):
        if calls := message.get(key):
            texts.append(_json(calls))
    return tokens


def _content(value: Any, texts: list[str], depth: int = 0) -> int:
    """Collect the texts in a string, content part, list of parts, or item of ``responses``."""
    if isinstance(value, str):
        texts.append(value)
        return 0
    if isinstance(value, int):  # a token id
        return 1
    if isinstance(value, Mapping):
        if "role" in value:
            return _message(value, texts)
        for key in ("text", "refusal", "output", "arguments"):
            if isinstance(value.get(key), str):
                texts.append(value[key])
                return 0
        return IMAGE_LOW if _detail(value) == "low" else IMAGE
    if isinstance(value, Sequence):
        if depth < _DEPTH:
            return sum(_content(part, texts, depth + 1) for part in value)
        texts.append(_json(value))
    return 0


def _detail(part: Mapping[str, Any]) -> Any:
    image = part.get("image_url")
    return image.get("detail") if isinstance(image, Mapping) else part.get("detail")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
