"""What a person at a terminal is told while an answer does not come."""

from __future__ import annotations

from collections.abc import Callable

from llmbatch.jobs.events import (
    AttemptFailed,
    BreakerOpened,
    Event,
    Noted,
    ParamsDropped,
    RoutePaused,
    RouteStopped,
)

from .figures import seconds


class Notes:
    """An observer that says why it takes longer, a line each time."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def __call__(self, event: Event) -> None:
        text = note(event)
        if text is not None:
            self._say(text)

    def __repr__(self) -> str:
        return f"<Notes to {self._say!r}>"


def note(event: Event) -> str | None:
    """The event in words; None where nobody waits for it."""
    match event:
        case Noted(text):
            return text
        case AttemptFailed(error=error, wait=float(wait)):
            when = f"in {seconds(wait)}" if wait >= 0.1 else "at once"
            return f"{error}: trying again {when}"
        case RoutePaused(route, wait):
            return f"{route} wants a pause of {seconds(wait)}"
        case BreakerOpened(route, why, cooldown):
            return f"{route} does not answer ({why}): trying it again in {seconds(cooldown)}"
        case RouteStopped(route, why):
            return f"{route} is out: {why}"
        case ParamsDropped(route, names):
            return f"left out for {route}: {', '.join(names)}"
    return None
