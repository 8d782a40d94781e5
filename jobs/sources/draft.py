"""A row in the making."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from ..model import Endpoint, Rejected, Request
from .fingerprint import fingerprint, of_rejected
from .invalid import Invalid, unsendable


class Draft(Struct, gc=False):
    """What is known of a row so far; it ends as a Request, or as a Rejected that keeps it.

    ``id`` is empty as long as the row named none. ``content`` becomes the request's ``input``;
    ``own`` are the row's parameters, ``params`` the same laid over the job's; ``extra`` likewise of
    what is added to the body. ``source`` is the input's path. ``handed_back`` is what stands under
    the result's metadata, where that is all of the row.
    """

    endpoint: Endpoint
    model: str
    source: str
    id: str = ""
    messages: Any = ()
    content: Any = None
    own: dict[str, Any] = {}
    params: Mapping[str, Any] = {}
    extra: Mapping[str, Any] = {}
    metadata: dict[str, Any] = {}
    handed_back: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"Draft({self.id!r}, {self.endpoint}, {self.model!r})"

    def check_odd(self) -> None:
        """Raises :class:`Invalid` where NaN or a lone surrogate would be sent.

        Metadata may hold them: it is only handed back.
        """
        sent = {"model": self.model, "input": self.content, **self.params, **self.extra}
        reason = unsendable(list(self.messages), "messages")
        for name, value in sent.items():
            reason = reason or unsendable(name, "a parameter's name") or unsendable(value, name)
        if reason:
            raise Invalid(reason)

    def request(self, target: str, line: int, read_at: float) -> Request:
        body = self.params
        if self.extra:  # all of the body but how it is sent
            body = {**body, **self.extra}
            body.pop("stream_options", None)
        return Request(
            id=self.id,
            line=line,
            path=self.source,
            endpoint=self.endpoint,
            model=self.model,
            fingerprint=fingerprint(
                target, self.endpoint, self.model, self.messages, self.content, body
            ),
            messages=self.messages,
            input=self.content,
            params=self.params,
            extra=self.extra,
            metadata=self.metadata if self.handed_back is None else self.handed_back,
            read_at=read_at,
        )

    def rejected(self, text: bytes, line: int, reason: str, read_at: float) -> Rejected:
        return Rejected(
            id=self.id,
            line=line,
            path=self.source,
            reason=reason,
            metadata=self.metadata if self.handed_back is None else self.handed_back,
            read_at=read_at,
            fingerprint=of_rejected(text, reason),
        )
