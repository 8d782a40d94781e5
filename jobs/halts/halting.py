"""A job's rules and its canary, as one observer."""

from __future__ import annotations

from collections.abc import Sequence

from ..clock import SystemClock
from ..drain import Drain
from ..events import Event, SourceWaited
from ..ports import Clock, Observer
from .canary import Canary
from .rule import DEFAULT, Rule
from .watch import Watch


class Halting:
    """Watches the rows of a job, and before that those of its canary of so many rows.

    ``canary`` is None where there is none. The rules are those of the canary, too.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        drain: Drain,
        observe: Observer,
        *,
        canary: int | None = None,
        clock: Clock | None = None,
    ) -> None:
        if canary and not rules:
            rules = (DEFAULT,)
        self._watch = Watch(rules, drain) if rules else None
        self.canary: Canary | None = None
        if canary:
            clock = clock or SystemClock()
            self.canary = Canary(rules, canary, drain=drain, clock=clock, observe=observe)

    @property
    def watches(self) -> bool:
        """Whether there is any rule: else it need not be told of events."""
        return self._watch is not None

    def __call__(self, event: Event) -> None:
        watch, canary = self._watch, self.canary
        if watch is None:
            return
        if canary is None or not canary.open:
            watch(event)
        else:
            watch.add(event)
            canary(event)

    def corrected(self, event: Event) -> Event:
        """Of a wait for the source the part that was not one for the canary."""
        if isinstance(event, SourceWaited) and self.canary is not None and self.canary.waited:
            waited, self.canary.waited = self.canary.waited, 0.0
            return SourceWaited(max(0.0, event.seconds - waited))
        return event

    def __repr__(self) -> str:
        return f"<Halting {self._watch!r}, {self.canary!r}>"
