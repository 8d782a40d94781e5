"""Answers out of order, servers that fail and come back, other models: the report is the same."""

from __future__ import annotations

import json
import os
import threading
from random import Random
from typing import Any

import pytest
from analyst import Analyst, Ask
from faultreplies import Call, answer, error, rate_limited
from study import RESULTS, Study, prose

from faultserver import FaultServer

REPORT = ("-o", "report.md")


async def calm_report(study: Study) -> bytes:
    calm = Study.beside(study)
    calm.document()
    assert (await calm.read(*REPORT, "--concurrency", "1")).code == 0
    study.model.forget()
    return (calm.folder / "report.md").read_bytes()


@pytest.mark.parametrize("seed", range(3))
async def test_the_order_of_the_answers_does_not_matter(study: Study, seed: int) -> None:
    report = await calm_report(study)
    random = Random(seed)
    study.document()

    def late(call: Call) -> Any:
        return answer(study.model.say(Ask(call)), chunks=2, delay=random.random() / 50)

    study.model.fail(lambda ask: True, late)
    done = await study.read(*REPORT, "--concurrency", "12")
    assert done.code == 0, done
    assert (study.folder / "report.md").read_bytes() == report
    in_file = [row["id"] for row in study.lines() if row.get("chunk")]
    assert in_file != sorted(in_file, key=lambda name: int(name[6:])), "they came in another order"


async def test_errors_that_pass_cost_attempts_and_nothing_else(study: Study) -> None:
    report = await calm_report(study)
    study.document()
    seen: set[str] = set()

    def first_fails(call: Call) -> Any:
        ask = Ask(call)
        if ask.digest in seen:
            return answer(study.model.say(ask))
        seen.add(ask.digest)
        return error(503) if len(seen) % 2 else rate_limited(retry_after="0")

    study.model.fail(lambda ask: True, first_fails)
    done = await study.read(*REPORT, "--concurrency", "2")
    assert done.code == 0, done
    assert (study.folder / "report.md").read_bytes() == report
    assert set(study.model.counts().values()) == {2}


async def test_a_server_that_goes_away_in_the_map_is_waited_for(study: Study) -> None:
    report = await calm_report(study)
    study.document()
    study.model.hold(lambda ask: ask.kind == "map")
    async with study.reading(*REPORT, "--concurrency", "6") as job:
        await study.model.seen(lambda ask: ask.held, 6)
        await study.server.go_away()
        await job.heard("m does not answer (")
        study.model.mend()
        await study.server.come_back()
        done = await job.ended()
    assert done.code == 0, done
    assert (study.folder / "report.md").read_bytes() == report


async def test_what_a_fallback_answered_is_not_asked_again(study: Study) -> None:
    async with FaultServer() as other:
        helper = Analyst(other)
        study.document()
        study.settings(providers={"spare": {"base_url": other.url}})
        study.model.fail(lambda ask: "In year 1120 " in ask.text, error(404, "Not here"))
        done = await study.read(*REPORT, "--fallback", "spare/m2")
        assert done.code == 0, done
        assert helper.asks
        fallen = [row for row in study.lines() if row["fallbacks"]]
        assert {row["provider"] for row in fallen} == {"spare"}
        first = study.model.forget(), helper.forget()
        again = await study.read(*REPORT, "--fallback", "spare/m2")
        assert (again.code, study.model.asks, helper.asks) == (0, [], [])
        assert len(first[0]) == len(study.lines())


async def test_the_summary_has_the_coverage(study: Study) -> None:
    study.document()
    study.model.fail(lambda ask: "In year 1120 " in ask.text and ask.kind == "map", error(400))
    done = await study.read(*REPORT, "--summary", "sum.json", "--overlap", "0")
    assert done.code == 1
    summary = json.loads((study.folder / "sum.json").read_text())
    assert summary["exit_code"] == 1
    analysis = summary["analysis"]
    coverage = analysis["coverage"]
    chunks = study.chunks()
    (gap,) = coverage["gaps"]
    failed = next(row["chunk"] for row in chunks if row["status"] == "error")
    assert gap["chunk"]["number"] == failed["number"]
    assert coverage["chunks"] == len(chunks)
    assert coverage["bytes"] == len(prose())
    lost = failed["byte_end"] - failed["byte_start"]
    assert coverage["analysed_bytes"] == len(prose()) - lost
    assert analysis["report"] == "report.md"
    assert analysis["folds"] == len(study.folds())


async def test_a_report_may_go_to_a_pipe_with_a_name(study: Study) -> None:
    study.document()
    pipe = study.folder / "pipe"
    os.mkfifo(pipe)
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.append(pipe.read_text()), daemon=True)
    reader.start()
    done = await study.read("-o", "pipe")
    assert done.code == 0, done
    reader.join(60)
    assert said[0].startswith("# Analysis of big.txt")
    assert study.files() == {"big.txt", RESULTS, "pipe"}


async def test_rate_limits_hold_in_map_and_fold(study: Study) -> None:
    study.document()
    done = await study.read(*REPORT, "--rpm", "6000", "--tpm", "1000000")
    assert done.code == 0, done
    study.model.forget()
    (study.folder / RESULTS).unlink()
    done = await study.read(*REPORT, "--tpm", "100")
    assert done.code == 1, done
    assert study.model.asks == []
    assert "none was written: no chunk could be analysed" in done.stderr


async def test_answers_without_streaming_make_the_same_report(study: Study) -> None:
    report = await calm_report(study)
    study.document()
    study.model.say = lambda ask: Ask.answer(as_streamed(ask))
    done = await study.read(*REPORT, "--no-stream")
    assert done.code == 0, done
    assert not any(ask.call.streams for ask in study.model.asks)
    assert (study.folder / "report.md").read_bytes() == report


def as_streamed(ask: Ask) -> Ask:
    """The same request as it would be with a stream."""
    body = {**ask.call.body, "stream": True, "stream_options": {"include_usage": True}}
    call = ask.call
    return Ask(Call(call.at, call.path, call.endpoint, call.headers, body, call.peer, call.target))
