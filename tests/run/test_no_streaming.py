"""Where streaming itself is what fails, rows are asked for in one piece."""

from __future__ import annotations

from desk import Desk
from faultreplies import Call, Recipe, answer, error, truncated


async def test_a_server_that_refuses_to_stream_is_asked_in_one_piece(desk: Desk) -> None:
    refusal = error(400, "This model does not support streaming.")
    desk.server.replies = lambda call: refusal if call.streams else answer()
    desk.prompts(10)
    done = await desk.run("in.jsonl", "--concurrency", "1")
    assert done.code == 0, done
    assert {result["status"] for result in desk.results().values()} == {"ok"}
    streamed = [call.streams for call in desk.server.calls]
    assert streamed == [True] * streamed.count(True) + 10 * [False]
    assert streamed.count(True) <= 2, "the first, and a row that took its turn meanwhile"


async def test_a_server_that_cuts_every_stream_is_asked_in_one_piece(desk: Desk) -> None:
    desk.server.replies = lambda call: truncated() if call.streams else answer()
    desk.prompts(30)
    done = await desk.run("in.jsonl", "--concurrency", "1")
    assert done.code == 0, done
    assert {result["status"] for result in desk.results().values()} == {"ok"}
    streamed = [call.streams for call in desk.server.calls]
    assert streamed == [True] * streamed.count(True) + 30 * [False], "later rows are asked whole"
    assert streamed.count(True) <= 3 * 4, "of the rows that take turns while one backs off"


async def test_a_row_whose_stream_alone_breaks_leaves_the_others_streaming(desk: Desk) -> None:
    def recipe(call: Call) -> Recipe:
        return truncated() if call.streams and call.prompt == "say 2" else answer()

    desk.server.replies = recipe
    desk.prompts(4)
    done = await desk.run("in.jsonl", "--concurrency", "1", "--retries", "1")
    assert done.code == 0, done
    asked = [(call.prompt, call.streams) for call in desk.server.calls]
    assert asked.count(("say 2", False)) == 1
    assert {prompt for prompt, streams in asked if not streams} == {"say 2"}
