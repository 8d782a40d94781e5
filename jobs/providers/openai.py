"""OpenAI's wire format: chat completions, completions, embeddings, responses."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from msgspec import structs

from ..dialects import Dialect
from ..model import Request
from ..providers import chat, completions, embeddings, responses, responseswords
from .failures import Failures
from .wire import Prepared


class OpenAIWire:
    """For every OpenAI-compatible server; what differs between them stands in the dialect."""

    __slots__ = ("_asks_usage", "_failures", "_path", "_query", "_renames")

    def __init__(self, failures: Failures, dialect: Dialect) -> None:
        self._failures = failures
        self._path = dialect.path
        self._query = f"?{urlencode(dialect.query)}" if dialect.query else ""
        self._renames = dialect.renames
        self._asks_usage = dialect.asks_usage

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._failures.provider!r})"

    def prepare(self, request: Request, stream: bool) -> Prepared:
        """The request in the words of its endpoint."""
        failures, endpoint = self._failures, request.endpoint
        if self._renames and not self._renames.keys().isdisjoint(request.params):
            request = structs.replace(request, params=renamed(request.params, self._renames))
        if endpoint == "chat":
            values = chat.body(request, stream, self._asks_usage)
            return Prepared(self._at(chat.PATH, request), values, chat.ChatReader(failures))
        if endpoint == "responses":
            values = responses.body(request, stream)
            reader = responses.ResponsesReader(failures)
            return Prepared(self._at(responses.PATH, request), values, reader)
        if endpoint == "embeddings":
            values = embeddings.body(request)
            vectors = embeddings.EmbeddingsReader(failures, embeddings.count_of(request.input))
            return Prepared(self._at(embeddings.PATH, request), values, vectors)
        values = completions.body(request, stream, self._asks_usage)
        return Prepared(self._at(completions.PATH, request), values, chat.ChatReader(failures))

    def _at(self, path: str, request: Request) -> str:
        """What follows the base URL. A row may bring any name for its model."""
        if not self._path:
            return path + self._query
        model = quote(request.model, safe="")
        if model in (".", ".."):  # a URL has them mean a folder, encoded or not
            raise self._failures.unsendable(f'the model "{model}" can\'t stand in a URL')
        return self._path.replace("{model}", model) + path + self._query


class ResponsesWire(OpenAIWire):
    """OpenAI's Responses for rows in the words of chat completions; its own rows as they are."""

    __slots__ = ()

    def prepare(self, request: Request, stream: bool) -> Prepared:
        """Raises :class:`..errors.BadRequest` where Responses has no words for it."""
        if request.endpoint == "chat":
            request = responseswords.reworded(request, self._failures)
        return super().prepare(request, stream)


def renamed(params: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """``params`` in the provider's own words; what already is in them wins over a translation."""
    own = {name: value for name, value in params.items() if name not in names}
    for name, word in names.items():
        if name in params:
            own.setdefault(word, params[name])
    return own
