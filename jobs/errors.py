"""Everything that can go wrong, in one tree.

    LlmbatchError
      ConfigError                  wrong usage or configuration; nothing was sent
      SourceError                  the input can't be read (path, line)
      SinkError                    the output can't be written; stops the job
        OutputLocked               another run holds it
      BudgetReached                what a conversation may use up is used up
      ProviderError                one attempt failed (provider, http_status)
        TransientError             may succeed when tried again (retry_after)
          RateLimited                429
          Overloaded                 5xx, 408, 409, 529: the server's own trouble
          ConnectionFailed           no connection (refused, DNS, TLS)
            Unanswered                 closed before the answer began: it may be worked on
            OutOfConnections           this machine can open no more: its files, or its ports
          StreamBroken               the stream ended, or was cut, before its finish
          Stalled                    no byte for the stall timeout
          TimedOut                   the whole request took longer than its timeout
          MalformedResponse          the answer is not what the wire format promises
          ErrorInStream              the server reported an error after HTTP 200
        PermanentError             the same request will fail again
          BadRequest                 400, 422 and other 4xx
            NoStreaming                the server refuses to stream, and may answer in one piece
          ContextTooLong             the prompt does not fit the model
          Refused                    403 for this request: not allowed
          NotFound                   404: no such model or URL
          TooLarge                   larger than the whole token budget
          Unpriced                   a model without a price, where a budget in money has to hold
          Unbounded                  nobody can say how many tokens it may use up, likewise
          InvalidOutput              an answer that does not fit the schema it was asked for
          EmptyAnswer                an answer without text where only text is one
        FatalError                 every other request will fail too
          AuthFailed                 401, or 403 about the key
          QuotaExhausted             insufficient_quota, 402: waiting does not help
          Untrusted                  the server's TLS certificate is not trusted
          NeverBounded               of no row can anybody say how many tokens it may use up

Each class's ``type`` is the word that stands in a result's ``error.type``.
"""

from __future__ import annotations

from typing import ClassVar


class LlmbatchError(Exception):
    """Anything this project raises on purpose; ``str()`` is fit to be shown to a user."""


class ConfigError(LlmbatchError):
    """Usage or configuration is wrong, and nothing was sent. The message says what to do."""


class SourceError(LlmbatchError):
    """The input can't be read. ``path`` and ``line`` (1-based) say where, when they are known.

    A path of ``-`` is shown as standard input.
    """

    def __init__(self, message: str, *, path: str | None = None, line: int | None = None) -> None:
        where = "" if path is None else "standard input" if path == "-" else path
        where += "" if line is None else f":{line}" if path != "-" else f", line {line}"
        super().__init__(f"{where}: {message}" if where else message)
        self.path = path
        self.line = line


class SinkError(LlmbatchError):
    """The output can't be written: disk full, no permission, a closed pipe."""


class OutputLocked(SinkError):
    """Another run holds the output."""


class BudgetReached(LlmbatchError):
    """The next question may use up more than the budget has left: it was not sent."""


class ProviderError(LlmbatchError):
    """One attempt failed.

    ``http_status`` is None where no status line arrived; ``provider`` is the route's name.
    The message never holds a key (the HTTP layer takes them out).
    """

    type: ClassVar[str] = "provider_error"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, provider: str = "", http_status: int | None = None) -> None:
        super().__init__(message)
        self.provider = provider
        self.http_status = http_status


class TransientError(ProviderError):
    """May succeed when tried again; ``retry_after`` is the server's own wish in seconds, or None.

    ``should_retry`` is the server's word (``x-should-retry``) and wins where it is not None.
    """

    type = "transient"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        http_status: int | None = None,
        retry_after: float | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message, provider=provider, http_status=http_status)
        self.retry_after = retry_after
        self.should_retry = should_retry


class RateLimited(TransientError):
    """HTTP 429 that waiting can cure."""

    type = "rate_limited"


class Overloaded(TransientError):
    """HTTP 5xx, 408 or 409: the server's own trouble."""

    type = "overloaded"


class ConnectionFailed(TransientError):
    """No connection (refused, DNS, TLS), or it was reset before the answer began."""

    type = "connection_failed"


class Unanswered(ConnectionFailed):
    """Closed before the answer began: the request had gone out, and may be worked on."""


class OutOfConnections(ConnectionFailed):
    """This machine can open no more connections, which says nothing about the server."""

    type = "out_of_connections"


class StreamBroken(TransientError):
    """The stream ended or was cut before its finish."""

    type = "stream_broken"


class Stalled(TransientError):
    """No byte arrived for the stall timeout."""

    type = "stalled"


class TimedOut(TransientError):
    """The whole request took longer than its timeout."""

    type = "timeout"


class MalformedResponse(TransientError):
    """The answer is not what the wire format promises: HTML, broken JSON, a wrong shape."""

    type = "malformed_response"


class ErrorInStream(TransientError):
    """The server reported an error inside a stream that had begun with HTTP 200."""

    type = "error_in_stream"


class PermanentError(ProviderError):
    """The same request will fail again; another route may still answer it."""

    type = "permanent"


class BadRequest(PermanentError):
    """HTTP 400, 422 or another 4xx."""

    type = "bad_request"


class NoStreaming(BadRequest):
    """The server refuses ``stream``; the same request may succeed without it."""


class ContextTooLong(PermanentError):
    """The prompt does not fit the model's context."""

    type = "context_too_long"


class Refused(PermanentError):
    """The provider refuses this request (403, content policy)."""

    type = "refused"


class NotFound(PermanentError):
    """HTTP 404: no such model, or a wrong base URL."""

    type = "not_found"


class TooLarge(PermanentError):
    """The request alone is larger than the whole tokens-a-minute budget."""

    type = "too_large"


class Unpriced(PermanentError):
    """A budget has to hold, and nobody knows what this model costs: nothing was sent."""

    type = "unpriced"


class Unbounded(PermanentError):
    """A budget has to hold, and nobody knows how much this request may use: nothing was sent."""

    type = "unbounded"


class InvalidOutput(PermanentError):
    """The answer is there and does not fit the schema which was asked for."""

    type = "invalid_output"


class EmptyAnswer(PermanentError):
    """The answer ended, and has no text where only text is an answer."""

    type = "empty_answer"


class FatalError(ProviderError):
    """Every other request on this route will fail too: the route stops."""

    type = "fatal"


class AuthFailed(FatalError):
    """The key is missing, wrong or not allowed."""

    type = "auth_failed"


class QuotaExhausted(FatalError):
    """The account is out of credit or quota; waiting does not help."""

    type = "quota_exhausted"


class Untrusted(FatalError):
    """The server's TLS certificate is not trusted: nothing was sent, and no waiting cures it."""

    type = "untrusted"


class NeverBounded(FatalError):
    """A budget has to hold, and nobody knows of any row how much it may use: nothing was sent."""

    type = "unbounded"
