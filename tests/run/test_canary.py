"""``--canary N``: rows from all over the input run first, and the others wait for their verdict."""

from __future__ import annotations

import asyncio
import json
import signal

import pytest
from desk import Desk
from faultreplies import Recipe, answer, error, held
from watching import Watch


def failing(*numbers: int) -> Recipe:
    """Those of the rows ``say N`` fail, and no other."""
    bad = {f"say {number}" for number in numbers}
    return lambda call: error(400) if call.prompt in bad else answer()


def sent(desk: Desk) -> list[int]:
    """The numbers of the rows in the order in which the server saw them."""
    return [int(call.prompt.split()[1]) for call in desk.server.calls]


async def test_the_canary_is_from_all_over_the_input_and_nothing_else_is_sent_before_it(
    desk: Desk,
) -> None:
    desk.prompts(100)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.jsonl", "--canary", "5", "--concurrency", "50") as job:
        await watch.requests(5)
        await asyncio.sleep(0)
        assert sorted(sent(desk)) == [1, 21, 41, 61, 81]
        assert desk.server.peak == 5
        watch.recipe = answer()
        release.set()
        done = await job.ended()
    assert done.code == 0, done
    assert "the canary has passed: 0 of its 5 rows failed" in done.stderr
    assert len(desk.server.calls) == len(desk.results()) == 100


async def test_a_canary_that_fails_stops_the_job_and_keeps_what_was_done(desk: Desk) -> None:
    desk.prompts(100)
    desk.server.replies = failing(21, 41)
    run = ("in.jsonl", "--canary", "5", "--halt-on", "failed>30%", "--concurrency", "1")
    done = await desk.run(*run, "--summary", "sum.json")
    assert done.code == 4, done
    why = "the canary broke failed>30%: 2 of its 5 rows failed (40%)"
    assert f"stopped early ({why}): " in done.last
    assert done.last.endswith("-> in.results.jsonl (exit 4)")
    assert sent(desk) == [1, 21, 41], "the third of them was enough"
    assert set(desk.results()) == {"r1", "r21", "r41"}
    assert desk.summary()["stopped"] == {"cause": "halt", "message": why}
    assert desk.summary()["not_run"] == 97

    desk.server.replies = None
    again = await desk.run(*run)
    assert again.code == 0, again
    assert len(desk.results()) == 100
    assert sorted(sent(desk)[3:]) == sorted(set(range(1, 101)) - {1}), "one was done, two failed"


async def test_without_a_rule_five_percent_of_the_canary_may_fail(desk: Desk) -> None:
    desk.prompts(60)
    desk.server.replies = failing(1)
    done = await desk.run("in.jsonl", "--canary", "20")
    assert done.code == 1, done
    assert "the canary has passed: 1 of its 20 rows failed" in done.stderr
    desk.prompts(60, "b.jsonl")
    desk.server.replies = failing(1, 4)
    done = await desk.run("b.jsonl", "--canary", "20")
    assert done.code == 4, done
    assert "the canary broke failed>5%: 2 of its 20 rows failed (10%)" in done.last


async def test_rows_of_an_earlier_run_are_counted_and_not_asked_again(desk: Desk) -> None:
    desk.write(*({"id": f"r{n}", "prompt": f"say {n}"} for n in range(1, 10)), "broken")
    assert (await desk.run("in.jsonl")).code == 1
    calls = len(desk.server.calls)
    done = await desk.run("in.jsonl", "--canary", "10", "--halt-on", "failed>=10%")
    assert done.code == 4, done
    assert "1 of its 10 rows failed (10%)" in done.last
    done = await desk.run("in.jsonl", "--canary", "10", "--halt-on", "failed>10%")
    assert done.code == 1, done
    assert len(desk.server.calls) == calls


async def test_several_files_are_one_input_and_lines_keep_their_names(desk: Desk) -> None:
    for name, start in (("a.jsonl", 0), ("b.jsonl", 10)):
        desk.write(*({"prompt": f"say {start + n}"} for n in range(10)), name=name)
    done = await desk.run("a.jsonl", "b.jsonl", "-o", "out.jsonl", "--canary", "2")
    assert done.code == 0, done
    assert sorted(sent(desk)[:2]) == [0, 10]
    assert set(desk.results("out.jsonl")) == {
        f"{name}:{n}" for name in ("a.jsonl", "b.jsonl") for n in range(1, 11)
    }


@pytest.mark.parametrize("kind", ["csv", "parquet"])
async def test_tables_have_canaries(desk: Desk, kind: str) -> None:
    path = desk.folder / f"in.{kind}"
    if kind == "csv":
        path.write_text("n\n" + "".join(f"{n}\n" for n in range(1, 31)))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pyarrow.table({"n": list(range(1, 31))}), path)
    args = (path.name, "--template", "say {{n}}", "--canary", "3", "-o", "out.csv")
    desk.server.replies = failing(11)
    done = await desk.run(*args, "--concurrency", "1")
    assert done.code == 4, done
    assert sent(desk) == [1, 11]
    desk.server.replies = None
    done = await desk.run(*args)
    assert done.code == 0, done
    assert set(sent(desk)) == set(range(1, 31))
    rows = (desk.folder / "out.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["n", *(str(n) for n in range(1, 31))]


async def test_a_limit_is_the_input_of_its_canary(desk: Desk) -> None:
    desk.prompts(100)
    done = await desk.run("in.jsonl", "--canary", "2", "--limit", "10")
    assert done.code == 0, done
    assert sorted(sent(desk)[:2]) == [1, 6]
    assert set(sent(desk)) == set(range(1, 11))


async def test_a_canary_larger_than_the_input_is_the_whole_of_it(desk: Desk) -> None:
    desk.prompts(4)
    desk.server.replies = failing(4)
    done = await desk.run("in.jsonl", "--canary", "1000")
    assert done.code == 4, done
    assert "1 of its 4 rows failed (25%)" in done.last
    desk.server.replies = None
    assert (await desk.run("in.jsonl", "--canary", "1000")).code == 0


async def test_a_file_in_the_inputs_order_is_in_it_in_the_end(desk: Desk) -> None:
    desk.prompts(50)
    desk.server.replies = lambda call: answer(delay=0.01 if call.prompt == "say 3" else 0.0)
    done = await desk.run("in.jsonl", "--canary", "7", "--order", "input")
    assert done.code == 0, done
    assert set(sent(desk)[:7]) == {1, 8, 15, 22, 29, 36, 43}
    assert [line["id"] for line in desk.lines()] == [f"r{n}" for n in range(1, 51)]


async def test_a_file_is_in_order_where_some_of_the_canary_was_done_before(desk: Desk) -> None:
    desk.prompts(20)
    desk.server.replies = failing(6, 11, 3)
    assert (await desk.run("in.jsonl")).code == 1
    desk.server.replies = None
    done = await desk.run("in.jsonl", "--canary", "4", "--order", "input")
    assert done.code == 0, done
    assert [line["id"] for line in desk.lines()] == [f"r{n}" for n in range(1, 21)]


async def test_of_a_stream_in_the_inputs_order_the_first_rows_are_the_canary(desk: Desk) -> None:
    desk.prompts(30)
    run = ("in.jsonl", "-o", "-", "--order", "input", "--canary", "5")
    done = await desk.run(*run)
    assert done.code == 0, done
    assert set(sent(desk)[:5]) == {1, 2, 3, 4, 5}
    ids = [json.loads(line)["id"] for line in done.stdout.splitlines()]
    assert ids == [f"r{n}" for n in range(1, 31)]


async def test_of_standard_input_the_first_rows_are_the_canary(desk: Desk) -> None:
    lines = "".join(json.dumps({"prompt": f"say {n}"}) + "\n" for n in range(1, 21))
    desk.server.replies = failing(2)
    done = await desk.run("-", "--canary", "3", "--concurrency", "1", stdin=lines.encode())
    assert done.code == 4, done
    assert sent(desk) == [1, 2]
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
async def test_rows_that_are_no_rows_fail_the_canary(desk: Desk, packed: bool) -> None:
    path = desk.write(*["broken"] * 10)
    if packed:
        import gzip

        path.with_suffix(".jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
    done = await desk.run("in.jsonl.gz" if packed else "in.jsonl", "--canary", "3")
    assert done.code == 4, done
    assert desk.server.calls == []


async def test_an_interrupt_while_the_others_wait_lets_the_canary_finish(desk: Desk) -> None:
    desk.prompts(50)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.jsonl", "--canary", "4", "--grace", "50s") as job:
        await watch.requests(4)
        job.send(signal.SIGINT)
        await job.heard("interrupted: stopping; 4 rows in flight")
        release.set()
        done = await job.ended()
    assert done.code == 130, done
    assert len(desk.results()) == len(desk.server.calls) == 4


async def test_waiting_for_the_verdict_is_no_waiting_for_the_source(desk: Desk) -> None:
    desk.prompts(6)
    desk.server.replies = lambda call: answer(delay=0.05)
    done = await desk.run("in.jsonl", "--canary", "2", "--summary", "sum.json")
    assert done.code == 0, done
    summary = desk.summary()
    assert summary["time"]["provider"] > 0.2
    assert summary["time"]["source"] < summary["time"]["provider"] / 4


@pytest.mark.parametrize("value", ["0", "-3", "2.5", "five"])
async def test_a_canary_is_a_number_of_rows(desk: Desk, value: str) -> None:
    desk.prompts(1)
    done = await desk.run("in.jsonl", "--canary", value)
    assert done.code == 2, done
    assert "--canary" in done.last


async def test_a_file_that_shrinks_while_the_canary_runs_is_named(desk: Desk) -> None:
    path = desk.prompts(20)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.jsonl", "--canary", "2") as job:
        await watch.requests(2)
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:12]))
        release.set()
        done = await job.ended()
    assert done.code == 3, done
    assert "there were 20 rows, and then 12" in done.stderr
    assert len(desk.results()) == 12
