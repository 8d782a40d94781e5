"""Running the same command again goes on: done rows are left alone, everything else runs."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from desk import Desk
from faultreplies import answer, error, held, truncated
from watching import Watch

OUT = "in.results.jsonl"
ABC = [{"id": name, "prompt": f"say {name}"} for name in "abc"]


def asked(desk: Desk) -> list[str]:
    """The prompts sent since this was asked last."""
    prompts = sorted(call.prompt for call in desk.server.calls)
    desk.server.calls.clear()
    return prompts


async def finished(desk: Desk, *rows: Any, args: tuple[str, ...] = ()) -> bytes:
    """A job that is done; its output."""
    desk.write(*(rows or ABC))
    done = await desk.run("in.jsonl", *args)
    assert done.code == 0, done
    asked(desk)
    return (desk.folder / OUT).read_bytes()


async def test_what_is_done_is_not_sent_again(desk: Desk) -> None:
    before = await finished(desk)
    done = await desk.run("in.jsonl")
    assert done.code == 0
    assert done.last.startswith("llmbatch: nothing left to do (3 done before) in ")
    assert asked(desk) == []
    assert (desk.folder / OUT).read_bytes() == before


async def test_what_shapes_the_answer_makes_every_row_run_again(desk: Desk) -> None:
    await finished(desk)
    here, elsewhere = desk.server.url, desk.server.url.replace("127.0.0.1", "localhost")
    for change in (
        ("-m", "another"),
        ("-m", "m", "--system", "Be brief."),
        ("-m", "m", "--temperature", "0.5"),
        ("-m", "m", "--max-tokens", "9"),
        ("-m", "m", "--param", "seed=1"),
        ("-m", "m", "--base-url", elsewhere),
    ):
        done = await desk.run("in.jsonl", "--base-url", here, *change, route=False)
        assert asked(desk) == ["say a", "say b", "say c"], change
        assert done.code == 0
        assert "3 older lines were superseded" in done.stderr
        assert set(desk.results()) == {"a", "b", "c"}


async def test_what_does_not_shape_the_answer_changes_nothing(desk: Desk) -> None:
    await finished(desk)
    for same in (
        ("--no-stream", "--concurrency", "2", "--rpm", "100000", "--timeout", "9s"),
        ("--order", "input", "--retries", "1", "--quiet"),
    ):
        assert (await desk.run("in.jsonl", *same)).code == 0
        assert asked(desk) == [], same


async def test_exactly_the_rows_that_changed_run_again(desk: Desk) -> None:
    await finished(desk)
    a, _, c = ABC
    desk.write(a, {"id": "b", "prompt": "say something else"}, {**c, "temperature": 0})
    assert (await desk.run("in.jsonl")).code == 0
    assert asked(desk) == ["say c", "say something else"]
    assert desk.results()["b"]["output"] == "You said: say something else"
    assert len(desk.lines()) == 3


async def test_a_change_of_metadata_alone_is_no_change(desk: Desk) -> None:
    await finished(desk)
    desk.write(*({**row, "tag": "new"} for row in ABC))
    assert (await desk.run("in.jsonl")).code == 0
    assert asked(desk) == []


async def test_rows_may_be_inserted_removed_and_put_in_another_order(desk: Desk) -> None:
    await finished(desk)
    a, _, c = ABC
    desk.write(c, {"id": "d", "prompt": "say d"}, "", a)
    done = await desk.run("in.jsonl")
    assert done.code == 0
    assert asked(desk) == ["say d"]
    assert set(desk.results()) == {"a", "b", "c", "d"}, "the answer of b was paid for, and stays"
    assert "1 ok (2 done before)" in done.last


async def test_with_the_inputs_order_the_output_follows_the_input(desk: Desk) -> None:
    await finished(desk)
    a, b, c = ABC
    desk.write(c, {"id": "d", "prompt": "say d"}, b, a)
    assert (await desk.run("in.jsonl", "--order", "input")).code == 0
    assert asked(desk) == ["say d"]
    assert [line["id"] for line in desk.lines()] == ["c", "d", "b", "a"]


async def test_results_of_rows_that_the_input_no_longer_has_are_kept_and_counted(
    desk: Desk,
) -> None:
    before = await finished(desk)
    desk.write({"id": "b", "prompt": "say b, please"})
    done = await desk.run("in.jsonl")
    assert asked(desk) == ["say b, please"]
    assert set(desk.results()) == {"a", "b", "c"}
    assert "keeps 2 results of rows that this run did not read" in done.stderr
    kept = [line for line in before.splitlines() if b'"id":"b"' not in line]
    assert (desk.folder / OUT).read_bytes().splitlines()[:2] == kept


async def test_rows_that_ended_in_error_or_halfway_run_again(desk: Desk) -> None:
    desk.write(*ABC)
    broken = {"say a": error(400), "say b": truncated()}
    Watch(desk.server, lambda call: broken.get(call.prompt, answer()))
    done = await desk.run("in.jsonl", "--retries", "0")
    assert done.code == 1
    statuses = {key: row["status"] for key, row in desk.results().items()}
    assert statuses == {"a": "error", "b": "partial", "c": "ok"}
    asked(desk)
    desk.server.replies = answer()
    done = await desk.run("in.jsonl")
    assert done.code == 0
    assert asked(desk) == ["say a", "say b"]
    assert {row["status"] for row in desk.results().values()} == {"ok"}
    assert "2 older lines were superseded" in done.stderr


async def test_a_row_that_fails_again_is_there_once_and_is_the_new_one(desk: Desk) -> None:
    desk.write(*ABC)
    desk.server.replies = error(400, "the first time")
    assert (await desk.run("in.jsonl")).code == 1
    desk.server.replies = error(400, "the second time")
    assert (await desk.run("in.jsonl")).code == 1
    assert len(desk.lines()) == 3
    assert all("the second time" in row["error"]["message"] for row in desk.lines())


async def test_a_length_limit_is_an_end_like_any_other(desk: Desk) -> None:
    desk.server.replies = answer("too long", finish="length")
    await finished(desk)
    assert (await desk.run("in.jsonl")).code == 0
    assert asked(desk) == []
    assert {row["status"] for row in desk.lines()} == {"truncated"}


async def test_invalid_rows_are_not_sent_and_still_count_as_failed(desk: Desk) -> None:
    desk.write(ABC[0], '{"id": "bad", "prompt": 1}', ABC[2])
    assert (await desk.run("in.jsonl")).code == 1
    asked(desk)
    before = (desk.folder / OUT).read_bytes()
    done = await desk.run("in.jsonl")
    assert done.code == 1, "it is as it was: a row of this input has no answer"
    assert "nothing left to do (3 done before)" in done.last
    assert asked(desk) == []
    assert (desk.folder / OUT).read_bytes() == before
    assert (await desk.run("in.jsonl", "--max-failed", "1")).code == 0
    desk.write(*ABC[::2], {"id": "bad", "prompt": "say it"})
    assert (await desk.run("in.jsonl")).code == 0
    assert asked(desk) == ["say it"]
    assert desk.results()["bad"]["status"] == "ok"


async def test_a_torn_last_line_is_dropped_and_its_row_runs_again(desk: Desk) -> None:
    before = await finished(desk)
    *whole, last = before.splitlines(keepends=True)
    (desk.folder / OUT).write_bytes(b"".join(whole) + last[: len(last) // 2])
    assert (await desk.run("in.jsonl")).code == 0
    assert asked(desk) == [f"say {json.loads(last)['id']}"]
    assert len(desk.results()) == 3
    assert (desk.folder / OUT).read_bytes().startswith(b"".join(whole))


async def test_two_runs_at_once_do_not_mix(desk: Desk) -> None:
    desk.write(*ABC)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.jsonl") as first:
        await watch.requests(3)
        second = await desk.run("in.jsonl")
        assert second.code == 6
        assert second.stderr.startswith(f"llmbatch: error: {desk.folder / OUT}: another run")
        assert f"process {first.pid}" in second.stderr
        assert "wait for its end, or name another output (-o)" in second.stderr
        assert len(desk.server.calls) == 3
        release.set()
        assert (await first.ended()).code == 0
    assert len(desk.results()) == 3
    assert (await desk.run("in.jsonl")).code == 0, "the lock is gone with its holder"


async def test_starting_over_needs_force(desk: Desk) -> None:
    before = await finished(desk)
    done = await desk.run("in.jsonl", "--fresh")
    assert done.code == 2
    assert f"{desk.folder / OUT}: --fresh would overwrite" in done.stderr
    assert "--force" in done.stderr
    assert (desk.folder / OUT).read_bytes() == before
    assert asked(desk) == []

    assert (await desk.run("in.jsonl", "--fresh", "--force")).code == 0
    assert asked(desk) == ["say a", "say b", "say c"]
    assert len(desk.results()) == 3


async def test_starting_over_is_no_question_where_nothing_is(desk: Desk) -> None:
    desk.write(*ABC)
    assert (await desk.run("in.jsonl", "--fresh")).code == 0
    assert len(desk.results()) == 3


@pytest.mark.parametrize(
    "content",
    [b"Dear diary,\nnobody may overwrite this.\n", b'{"id": 1, "prompt": "say a"}\n', b"notes"],
    ids=["text", "jsonl", "unended"],
)
async def test_a_file_that_is_not_ours_is_left_alone(desk: Desk, content: bytes) -> None:
    desk.write(*ABC)
    (desk.folder / "mine.txt").write_bytes(content)
    done = await desk.run("in.jsonl", "-o", "mine.txt")
    assert done.code == 6
    assert "no line of it is a result" in done.stderr
    assert (desk.folder / "mine.txt").read_bytes() == content
    assert asked(desk) == []


async def test_an_output_in_the_other_format_is_left_alone(desk: Desk) -> None:
    before = await finished(desk)
    done = await desk.run("in.jsonl", "--format", "openai-batch")
    assert done.code == 2
    assert "holds lines in --format jsonl, and this run writes openai-batch" in done.stderr
    assert (desk.folder / OUT).read_bytes() == before
    assert asked(desk) == []


async def test_an_output_that_is_a_link_stays_one(desk: Desk) -> None:
    desk.write(*ABC)
    (desk.folder / "disk").mkdir()
    link = desk.folder / OUT
    link.symlink_to("disk/real.jsonl")
    desk.server.replies = [error(400), answer(), answer()]
    assert (await desk.run("in.jsonl", "--concurrency", "1")).code == 1
    assert (await desk.run("in.jsonl")).code == 0, "and its superseded line is dropped"
    assert link.is_symlink()
    assert len(desk.results()) == len(desk.results("disk/real.jsonl")) == 3
    there = sorted(path.name for path in (desk.folder / "disk").iterdir())
    assert there == ["real.jsonl", "real.jsonl.manifest.json"]


async def test_two_names_of_one_output_are_one_output(desk: Desk) -> None:
    desk.write(*ABC)
    (desk.folder / "link.jsonl").symlink_to("real.jsonl")
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.jsonl", "-o", "real.jsonl") as first:
        await watch.requests(3)
        assert (await desk.run("in.jsonl", "-o", "link.jsonl")).code == 6
        release.set()
        assert (await first.ended()).code == 0


async def test_batch_lines_are_resumed_too(desk: Desk) -> None:
    desk.write(*ABC)
    batch = ("--format", "openai-batch")
    Watch(desk.server, lambda call: error(400) if call.prompt == "say b" else answer())
    assert (await desk.run("in.jsonl", *batch)).code == 1
    asked(desk)
    desk.server.replies = answer()
    assert (await desk.run("in.jsonl", *batch)).code == 0
    assert asked(desk) == ["say b"]
    assert sorted(line["custom_id"] for line in desk.lines()) == ["a", "b", "c"]


async def test_a_limit_can_be_raised_step_by_step(desk: Desk) -> None:
    desk.write(*ABC)
    for limit, wanted in (("1", ["say a"]), ("2", ["say b"]), ("9", ["say c"])):
        assert (await desk.run("in.jsonl", "--limit", limit)).code == 0
        assert asked(desk) == wanted
    assert len(desk.results()) == 3


async def test_rows_of_standard_input_are_resumed_into_a_file(desk: Desk) -> None:
    rows = b"".join(json.dumps(row).encode() + b"\n" for row in ABC)
    for wanted in (["say a", "say b", "say c"], []):
        assert (await desk.run("-", "-o", "out.jsonl", stdin=rows)).code == 0
        assert asked(desk) == wanted
    assert len(desk.results("out.jsonl")) == 3
