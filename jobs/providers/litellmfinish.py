"""How an answer through LiteLLM ended, by the provider's own word. Pure.

LiteLLM makes "stop" of most words, those for answers that broke off among them.
"""

from __future__ import annotations

from typing import Any

from ..model import Status
from .chat import BROKEN_OFF
from .failures import Failures
from .wire import STATUSES, loads

_REFUSALS = frozenset({"refusal", "refused"})
_BROKEN_OFF = frozenset(
    {
        *BROKEN_OFF,
        *("network_error", "error_limit", "user_cancel"),  # Zhipu's; Cohere's
        # Gemini's, as in geminireader
        *("finish_reason_unspecified", "malformed_function_call", "malformed_response", "other"),
        *("unexpected_tool_call", "too_many_tool_calls", "missing_thought_signature"),
        *("no_image", "image_other"),
    }
)
"""Finish reasons, in lower case, of answers that are none."""


def status_of(own: str, mapped: str, failures: Failures) -> Status:
    """What ``own`` means here; ``mapped`` is LiteLLM's word for it. Raises for a broken answer."""
    if own.lower() in _BROKEN_OFF:
        text = f'the answer ended with finish_reason "{own}"'
        raise failures.reported({"message": text, "code": BROKEN_OFF.get(own)})
    if own.lower() in _REFUSALS:
        return "refused"
    return STATUSES.get(own.lower()) or STATUSES.get(mapped) or "ok"


def native_finish(choice: Any) -> str:
    """The provider's own word in a whole answer, where LiteLLM kept it."""
    fields = getattr(choice, "provider_specific_fields", None)
    own = fields.get("native_finish_reason") if isinstance(fields, dict) else None
    return own if isinstance(own, str) else str(choice.finish_reason)


def gemini_finish(data: str) -> str:
    """The finish in one event of Gemini's stream; empty where there is none."""
    value = loads(data.encode("utf-8", "replace"))
    candidates = value.get("candidates") if isinstance(value, dict) else None
    first = candidates[0] if isinstance(candidates, list) and candidates else None
    finish = first.get("finishReason") if isinstance(first, dict) else None
    return finish if isinstance(finish, str) else ""
