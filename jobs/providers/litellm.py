"""Everything that LiteLLM knows: Bedrock, Vertex, Cohere and the rest of the long tail.

An optional extra. It takes seconds to import and some ten milliseconds a request, so nothing of it
is touched before the first request, and what has a wire format of its own here never goes this way.
"""

from __future__ import annotations

import asyncio
import os
import re
import weakref
from collections.abc import AsyncGenerator, Callable, Mapping
from importlib.util import find_spec
from typing import Any

from ..dialects import LITELLM
from ..errors import BadRequest, ConfigError, ProviderError, Stalled, TimedOut
from ..keys import Key
from ..model import Delta, Quota, Request
from ..ports import Hear
from .failures import Failures
from .litellmfaults import release, translate
from .litellmlibrary import imported
from .litellmreader import UNPROVEN, Original, Reading, headers_of
from .litellmreader import whole as read_whole
from .quota import no_quota

_SECRET_NAME = re.compile("key|token|secret|password|credential|auth|cookie", re.IGNORECASE)
_SHORTEST_SECRET = 8
_TAKES = LITELLM.takes["chat"]
_users: weakref.WeakSet[LiteLLM] = weakref.WeakSet()
"""LiteLLM keeps one pool of connections for the process; the last one out closes it."""


class LiteLLM:
    """One route through LiteLLM. Times in seconds; ``quota`` reads the limits in a head.

    Without ``key`` and ``base_url`` LiteLLM takes both from the variables that it knows.
    """

    __slots__ = (
        "__weakref__",
        "_drop",
        "_failures",
        "_fixed",
        "_library",
        "_loading",
        "_quota",
        "_stall",
        "_timeout",
        "name",
    )

    def __init__(
        self,
        name: str = "litellm",
        *,
        key: Key | None = None,
        base_url: str | None = None,
        headers: Mapping[str, str] | None = None,
        quota: Callable[[Mapping[str, str]], Quota | None] = no_quota,
        timeout: float = 600.0,
        stall_timeout: float = 30.0,
        drop: bool = False,
    ) -> None:
        """Raises :class:`ConfigError` where the package is missing; nothing is imported yet."""
        if find_spec("litellm") is None:
            raise ConfigError(
                "models that begin with litellm/ need the package litellm; run: pip install litellm"
            )
        self.name = name
        self._timeout = timeout
        self._stall = stall_timeout
        self._quota = quota
        self._drop = drop
        self._fixed = _fixed(key, base_url, headers)
        self._failures = Failures(name, _secrets(key, headers), shape=LITELLM.shape)
        self._library: Any = None
        self._loading = asyncio.Lock()

    def __repr__(self) -> str:
        return f"LiteLLM({self.name!r}, loaded={self._library is not None})"

    async def start(self) -> None:
        """Import the library, once."""
        if self._library is None:
            await self._load()

    async def stream(
        self, request: Request, *, whole: bool = False, hear: Hear | None = None
    ) -> AsyncGenerator[Delta, None]:
        """One attempt; see :class:`..ports.Provider`.

        Where LiteLLM can't tell whether a stream was cut, the answer is asked for in one piece.
        """
        whole = whole or request.model.startswith(UNPROVEN)
        values = self._values(request, whole=whole)
        library = self._library or await self._load()
        deadline = asyncio.get_running_loop().time() + self._timeout
        original = Original()
        if whole:
            values["logger_fn"] = original
        answer = await self._head(library.acompletion(**values), deadline)
        if hear is not None and (quota := self._quota(headers_of(answer))) is not None:
            hear(quota)
        if whole:
            yield self._whole(answer, original, request.model)
            return
        reading = Reading(answer, self._failures)
        try:
            while (chunk := await self._next(answer, reading, deadline)) is not None:
                delta = self._read(reading, chunk)
                if delta is not None:
                    yield delta
            yield reading.end(_cost(library, request.model, reading.usage))
        finally:
            await answer.aclose()

    async def aclose(self) -> None:
        """Close LiteLLM's connections, unless another route still uses them. Safe to call twice."""
        library, self._library = self._library, None
        _users.discard(self)
        if library is not None and not _users:
            await library.close_litellm_async_clients()
            library.in_memory_llm_clients_cache.flush_cache()

    def _values(self, request: Request, *, whole: bool) -> dict[str, Any]:
        """The arguments of ``acompletion``; raises :class:`BadRequest` before anything is sent."""
        if request.endpoint != "chat":
            raise self._refusal(f"through LiteLLM there is chat alone, not {request.endpoint}")
        # LiteLLM takes some four hundred more words here, addresses and files with keys among them.
        strangers = sorted(request.params.keys() - _TAKES)
        if strangers:
            raise self._refusal(
                f"{', '.join(strangers)}: not passed on to LiteLLM; "
                "what belongs into the body of the request goes into extra_body"
            )
        values = {**request.params, **self._fixed}
        values |= {
            "model": request.model,
            "messages": [dict(message) for message in request.messages],
            "stream": not whole,
            "timeout": self._timeout,
            "num_retries": 0,
            "max_retries": 0,
            "drop_params": self._drop,
        }
        asked = values.pop("stream_options", {})
        if not whole and asked is not None:
            values["stream_options"] = {"include_usage": True, **asked}
        if request.extra:
            values["extra_body"] = dict(request.extra)
        return values

    def _refusal(self, text: str) -> BadRequest:
        return BadRequest(self._failures.clean(text), provider=self.name)

    async def _load(self) -> Any:
        async with self._loading:  # the rows that come meanwhile wait for the same import
            if self._library is None:
                try:
                    self._library = await asyncio.to_thread(imported)
                except Exception as exc:  # noqa: BLE001 - a package of others may fail in any way
                    failure = translate(exc, self._failures, begun=False)
                else:
                    _users.add(self)
                    return self._library
                raise failure
        return self._library

    async def _head(self, asking: Any, deadline: float) -> Any:
        """The answer, or the head of its stream."""
        try:
            async with asyncio.timeout_at(deadline) as limit:
                return await asking
        except Exception as exc:  # noqa: BLE001 - the boundary: whatever LiteLLM raises ends here
            late = isinstance(exc, TimeoutError) and limit.expired()
            failure = self._late() if late else translate(exc, self._failures, begun=False)
            await release(exc)
        raise failure

    async def _next(self, stream: Any, reading: Reading, deadline: float) -> Any:
        """The next chunk; None at the end."""
        until = deadline
        if reading.flowing:
            until = min(deadline, asyncio.get_running_loop().time() + self._stall)
        try:
            async with asyncio.timeout_at(until) as limit:
                return await anext(stream, None)
        except Exception as exc:  # noqa: BLE001 - the boundary: whatever LiteLLM raises ends here
            if reading.finished:
                return None  # all that is missing is the usage
            late = isinstance(exc, TimeoutError) and limit.expired()
            if not late:
                failure = translate(exc, self._failures, begun=reading.began)
            else:
                failure = self._late() if until == deadline else self._silent()
            await release(exc)
        raise failure

    def _whole(self, answer: Any, original: Original, model: str) -> Delta:
        try:
            cost = _cost(self._library, model, getattr(answer, "usage", None))
            return read_whole(answer, original, cost, self._failures)
        except ProviderError:
            raise
        except Exception as exc:  # noqa: BLE001 - a shape that nobody foresaw is one row's trouble
            failure = translate(exc, self._failures, begun=True)
        raise failure

    def _read(self, reading: Reading, chunk: Any) -> Delta | None:
        try:
            return reading.add(chunk)
        except Exception as exc:  # noqa: BLE001 - a shape that nobody foresaw is one row's trouble
            failure = translate(exc, self._failures, begun=True)
        raise failure

    def _late(self) -> TimedOut:
        return TimedOut(f"no complete answer within {self._timeout:g} s", provider=self.name)

    def _silent(self) -> Stalled:
        text = f"nothing came for {self._stall:g} s in the middle of the answer"
        return Stalled(text, provider=self.name, http_status=200)


def _fixed(
    key: Key | None, base_url: str | None, headers: Mapping[str, str] | None
) -> dict[str, Any]:
    fixed: dict[str, Any] = {}
    if key is not None:
        fixed["api_key"] = key.reveal()
    if base_url:
        fixed["api_base"] = base_url
    if headers:
        fixed["extra_headers"] = dict(headers)
    return fixed


def _secrets(key: Key | None, headers: Mapping[str, str] | None) -> list[str]:
    """Everything that a message must not repeat: LiteLLM finds its keys in variables by itself."""
    named = [*os.environ.items(), *(headers or {}).items()]
    found = [value for name, value in named if _SECRET_NAME.search(name)]
    found += [value.split()[-1] for value in found if value.split()]  # "Bearer KEY"
    secrets = [value for value in found if len(value) >= _SHORTEST_SECRET]
    return secrets if key is None else [*secrets, key.reveal()]


def _cost(library: Any, model: str, usage: Any) -> float | None:
    """USD by the prices in LiteLLM's package; None where it knows none."""
    if usage is None:
        return None
    try:
        asked, answered = library.cost_per_token(model=model, usage_object=usage)
        cost = float(asked + answered)
    except Exception:  # noqa: BLE001 - an unknown model, or a price of an odd shape
        return None
    return cost if cost > 0 else None
