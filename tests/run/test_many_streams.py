"""Many slow streams at once: all of them are open together, and each comes to its own end."""

import asyncio

from desk import Desk
from faultreplies import Call, Reply, stalled

MANY = 300


async def test_streams_that_are_all_open_at_once_end_whole(desk: Desk) -> None:
    """Each one stops after three events until the last one has come as far."""
    everybody = asyncio.Event()
    slow = stalled(everybody, delay=0.02)

    def reply(call: Call) -> Reply:
        if len(desk.server.calls) == MANY:
            everybody.set()
        answer: Reply = slow(call)
        return answer

    desk.server.replies = reply
    desk.prompts(MANY)
    done = await desk.run("in.jsonl", "--concurrency", str(MANY), "--summary", "sum.json")
    assert done.code == 0, done.stderr
    assert desk.server.peak == MANY
    results = desk.results()
    assert len(results) == MANY
    assert {line["status"] for line in results.values()} == {"ok"}
    for name, line in results.items():
        assert line["output"] == f"You said: say {name[1:]}"
    lag = desk.summary()["loop_lag"]
    assert 0 <= lag["p50_s"] <= lag["p99_s"] <= lag["max_s"]
