"""Two servers as the routes of one job, and which of them answered a row."""

from __future__ import annotations

from typing import Any

from desk import Desk
from faultreplies import Recipe, answer

from faultserver import FaultServer


def by_prompt(**recipes: Recipe) -> Recipe:
    """The recipe that the prompt names; a good answer to any other prompt."""
    return lambda call: recipes.get(call.prompt, answer())


def who(result: dict[str, Any]) -> tuple[Any, ...]:
    return result["status"], result["provider"], result["model"], result["fallbacks"]


def beside(desk: Desk, second: FaultServer, *fallbacks: str, **more: Any) -> None:
    """Settings with the server as ``lab`` and a second one as ``spare``."""
    providers = {"lab": {"base_url": desk.server.url}, "spare": {"base_url": second.url}}
    desk.settings(model="lab/m", fallbacks=fallbacks or ["spare/n"], providers=providers, **more)
