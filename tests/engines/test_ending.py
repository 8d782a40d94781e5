"""A worker that gets no answers asks for the end of the job; others may know better."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmbatch.jobs.clock import SystemClock
from llmbatch.jobs.drain import Cause, Drain
from llmbatch.jobs.engines.processes import Crew, ProcessEngine
from llmbatch.jobs.workers.messages import Ending
from llmbatch.jobs.workers.rows import Place


class Says:
    """A worker, and its line, of which nothing comes but this."""

    number = pid = 1

    def __init__(self, *messages: Any) -> None:
        self.channel = self
        self._messages = list(messages)

    async def get(self) -> Any:
        return self._messages.pop(0) if self._messages else None


@pytest.mark.parametrize(
    ("cause", "ago", "ends"),
    [
        ("outage", 3.0, False),
        ("outage", 300.0, True),
        ("outage", None, True),
        ("fatal", 3.0, True),
    ],
)
def test_an_outage_of_one_worker_ends_the_job_only_where_no_other_gets_answers(
    cause: Cause, ago: float | None, ends: bool
) -> None:
    drain, clock = Drain(), SystemClock()
    crew = Crew(
        size=2,
        setup=lambda number: b"",
        sources={},
        default_id=lambda raw: "",
        max_outage=60.0,
    )
    engine = ProcessEngine(crew, drain=drain, clock=clock, observer=lambda event: None)
    asks: Any = Says(Ending(cause, "no answer"))
    other: Any = Says()
    places = [Place(asks), Place(other)]
    engine._places = {place.hand: place for place in places}
    places[0].answered = clock.now()  # its own answers are no witness
    if ago is not None:
        places[1].answered = clock.now() - ago
    asyncio.run(engine._attend(places[0]))
    assert (drain.stop is not None) == ends
