"""What the job says about every row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from ..fitting import Fit
from ..model import Endpoint


class AnswerForm(Struct, frozen=True, kw_only=True):
    """What rows are told of the form of their answer.

    ``params`` are the provider's own request for it, for rows that bring none; ``words`` stand in
    the system message. ``mark`` stands for the whole of it in the fingerprint.
    """

    mark: str
    params: Mapping[str, Any] = {}
    words: str | None = None


class RowDefaults(Struct, frozen=True, kw_only=True):
    """What the job says about every row; ``target`` names the route in the fingerprint.

    ``resolve_model`` turns the model that a row names into the name to send, or raises ValueError
    with the reason for the row. ``fit`` says what the first route takes of a request. ``form`` is
    that of the answers, which are data then: only chat rows have one.
    """

    model: str
    system: str | None = None
    template: str | None = None
    endpoint: Endpoint = "chat"
    params: Mapping[str, Any] = {}
    target: str = ""
    resolve_model: Callable[[str], str] | None = None
    fit: Fit | None = None
    form: AnswerForm | None = None
