"""The most tokens that one attempt at a request can use: known before it is sent. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from ..contexts import context_of, most_of_an_answer
from ..errors import Unbounded
from ..model import Request
from ..tokens import TokenCounter, counts_exactly

MESSAGE = 8
TEMPLATE = 64
"""What templates add: around each message, and once (gpt-oss, Llama and Qwen put a system prompt of
20 to 70 tokens in front where there is none)."""

TOOL = 1024
"""What a provider adds for a tool beside its definition: Anthropic's documentation names up to 735
for a tool of its own, and up to 530 for the system prompt of all of them."""

IMAGE = 10_000
IMAGE_OF_4O_MINI = 50_000
"""More than any provider counts for the largest image; GPT-4o mini, which counts 33 times as much
as GPT-4o, has up to 48,169."""

DEFAULT_ANSWER = {"anthropic": 4096}
"""What :mod:`..providers` asks for where a row does not, as the wire format wants a limit."""

_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_IMAGES = frozenset({"image", "image_url", "input_image"})
_INLINE = frozenset({"inline_data", "inlineData"})
_ELSEWHERE = frozenset(
    {"file", "input_file", "document", "video", "video_url", "file_id", "file_url", "file_data"}
    | {"fileData", "container_upload", "item_reference"}
)
_STORED = frozenset(
    {"previous_response_id", "conversation", "prompt", "cached_content", "cachedContent"}
    | {"data_sources", "mcp_servers", "search_parameters", "search_settings", "web_search_options"}
    | {"container", "compound_custom"}
)
_UNREAD = frozenset(
    {"user", "service_tier", "reasoning_effort", "verbosity", "safety_identifier", "stop"}
    | {"prompt_cache_key", "prompt_cache_retention", "logit_bias", "metadata", "stop_sequences"}
    | {"stream_options", "cache_control", "thinking", "reasoning", "include", "modalities"}
    | {"generation_config", "generationConfig", "safety_settings", "safetySettings", "prediction"}
)
_NO_LIMIT = (
    "how long an answer of {label} can get is not known, so that it can't be kept within the "
    "budget: set --max-tokens, or max_tokens in the row"
)
_NO_INPUT = (
    "how much {label} will read for this row ({what}) is not known before it is sent, so that it "
    "can't be kept within the budget"
)


class WorstCase(Struct, frozen=True):
    """Tokens at most."""

    input: int
    output: int

    @property
    def tokens(self) -> int:
        return self.input + self.output


def worst_case(request: Request, provider: str, counter: TokenCounter) -> WorstCase:
    """What one attempt can use. Raises :class:`..errors.Unbounded` where nobody can say.

    No vocabulary has more tokens for a text than that has bytes in UTF-8, so that bytes bound what
    is read, with something for each message and for the model's template. Where the model's own
    vocabulary is here, the exact count and a twentieth bound it, too. An image counts as
    the largest; what is read from elsewhere (a file, a stored conversation, a search) as the
    model's whole context, which a provider's own tools may fill more than once: that is the limit
    of what is guaranteed. An answer is as long as the request allows, else as the model can.
    """
    label = f"{provider}/{request.model}"
    context = context_of(provider, request.model)
    reading = _Reading(request)
    size = reading.tokens
    if reading.elsewhere:
        if context is None:
            raise Unbounded(_NO_INPUT.format(label=label, what=reading.elsewhere))
        size += context
    elif reading.plain and counts_exactly(request.model):
        exact = counter.count(structs.replace(request, params={}, extra={}))
        size = min(size, exact + exact // 20 + 16 + reading.parameters)
    return WorstCase(size, _answer(request, provider))


def _answer(request: Request, provider: str) -> int:
    if request.endpoint == "embeddings":
        return 0
    longest = _allowed(request)
    if longest is None:
        longest = _default(request, provider) or most_of_an_answer(provider, request.model)
    if longest is None:
        raise Unbounded(_NO_LIMIT.format(label=f"{provider}/{request.model}"))
    several = _parameter(request, "best_of")
    predicted = _size(_parameter(request, "prediction"))
    return longest * max(1, several if isinstance(several, int) else 1) + predicted


def _allowed(request: Request) -> int | None:
    """The longest answer that the request allows, by whatever name; 0 and less are no limit."""
    configs = (_parameter(request, "generation_config"), _parameter(request, "generationConfig"))
    inner = (
        config.get(name)
        for config in configs
        if isinstance(config, Mapping)
        for name in ("max_output_tokens", "maxOutputTokens")
    )
    limits = [*(_parameter(request, name) for name in _LIMITS), *inner]
    return max((n for n in limits if type(n) is int and n > 0), default=None)


def _default(request: Request, provider: str) -> int | None:
    default = DEFAULT_ANSWER.get(provider)
    thinking = _parameter(request, "thinking")
    budget = thinking.get("budget_tokens") if isinstance(thinking, Mapping) else None
    return default and default + (budget if type(budget) is int else 0)


def _parameter(request: Request, name: str) -> Any:
    return request.extra.get(name, request.params.get(name))


class _Reading:
    """What the model is given to read: ``tokens`` at most, of which ``parameters`` are no messages.

    ``elsewhere`` names what is not in the request itself; ``plain`` says that all of it is text.
    """

    def __init__(self, request: Request) -> None:
        self.elsewhere = ""
        self.plain = True
        self._image = IMAGE_OF_4O_MINI if "4o-mini" in request.model else IMAGE
        self._ids = request.endpoint in ("completions", "embeddings")
        self._parts = True
        chat = request.endpoint == "chat"
        said = self._weigh(request.messages if chat else request.input)
        self._parts = False  # a schema may have properties of any name
        self.parameters = 0
        for source in (request.params, request.extra):
            for name, value in source.items():
                self._parameter(name, value)
        self.tokens = TEMPLATE + said + self.parameters

    def _parameter(self, name: str, value: Any) -> None:
        if name in _STORED and value:
            self.elsewhere = name
        if name in ("tools", "functions") and isinstance(value, Sequence):
            self.parameters += TOOL * len(value)
            for tool in value:
                kind = tool.get("type", "function") if isinstance(tool, Mapping) else "function"
                if kind not in ("function", "custom"):
                    self.elsewhere = f"the tool {kind}"
        if name not in _UNREAD and not isinstance(value, int | float | None):
            self.parameters += self._weigh(value)

    def _weigh(self, whole: Any) -> int:
        total, stack = 0, [whole]
        while stack:
            value = stack.pop()
            if isinstance(value, str):
                total += _size(value)
            elif isinstance(value, Mapping):
                total += self._weigh_part(value, stack) if self._parts else 4 * len(value)
                if not self._parts:
                    stack.extend((*value, *value.values()))
            elif isinstance(value, Sequence):
                total += len(value)
                if self._ids and value and isinstance(value[0], int):
                    continue  # a token each
                stack.extend(value)
            elif value is not None:
                total += len(str(value))
        return total

    def _weigh_part(self, value: Mapping[str, Any], stack: list[Any]) -> int:
        kind = value.get("type")
        inline = next((value[name] for name in _INLINE if name in value), None)
        mime = str(inline.get("mime_type", inline.get("mimeType"))) if inline else ""
        if kind in _IMAGES or "image_url" in value or mime.startswith("image/"):
            self.plain = False
            return self._image
        if found := _ELSEWHERE.intersection((str(kind), *value)):
            self.elsewhere = min(found)
        if "role" not in value:
            stack.extend(value.values())
            self.plain = self.plain and kind in ("text", "input_text", "output_text")
            return 4 * len(value) + sum(map(_size, value))
        if not value.keys() <= {"role", "content", "name"}:
            self.plain = False
        stack.extend(item for name, item in value.items() if name != "role")
        return MESSAGE

    def __repr__(self) -> str:
        return f"<_Reading {self.tokens} tokens>"


def _size(value: Any) -> int:
    """Bytes of a text in UTF-8, of anything else as it is written."""
    if value is None:
        return 0
    text = value if isinstance(value, str) else str(value)
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
