"""``--prometheus FILE`` and ``--pushgateway URL``: figures that agree with the summary."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from collector import Collector, samples
from command import without_rights
from desk import Desk
from faultreplies import Call, Recipe, answer, error, held, rate_limited
from told import Told

from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.telemetry import textfile
from llmbatch.jobs.telemetry.labels import LONGEST, label
from llmbatch.jobs.telemetry.reading import MOST

PROM = ("--prometheus", "x.prom")
PRICES = ("--price-in", "0.15", "--price-out", "0.6")


def figures(name: str = "x.prom") -> dict[str, float]:
    return samples(Path(name).read_text())


def agrees(found: Mapping[str, float], values: Mapping[str, Any]) -> None:
    """Every figure that a summary has, to the digit."""
    for status, count in values["rows"].items():
        assert found[f"llmbatch_rows_total{{status={status}}}"] == count
    for status, count in values["skipped"].items():
        assert found[f"llmbatch_rows_skipped_total{{status={status}}}"] == count
    for kind, count in values["failures"].items():
        assert found[f"llmbatch_failures_total{{type={kind}}}"] == count
    for kind, count in values["retries"].items():
        assert found[f"llmbatch_retries_total{{type={kind}}}"] == count
    usage = values["usage"]
    assert found["llmbatch_tokens_total{type=input}"] == usage["input_tokens"]
    assert found["llmbatch_tokens_total{type=output}"] == usage["output_tokens"]
    assert found["llmbatch_cached_input_tokens_total"] == usage["cached_tokens"]
    assert found["llmbatch_reasoning_output_tokens_total"] == usage["reasoning_tokens"]
    assert found.get("llmbatch_cost_usd_total") == values["cost_usd"]
    assert found["llmbatch_attempts_total"] == values["attempts"]
    assert found["llmbatch_fallbacks_total"] == values["fallbacks"]
    assert found["llmbatch_duration_seconds"] == values["wall_s"]
    assert found["llmbatch_exit_code"] == values["exit_code"]
    assert found["llmbatch_rows_expected"] == values["total"]
    assert found["llmbatch_rows_left"] == values["not_run"]
    assert found["llmbatch_running"] == 0
    assert total(found, "llmbatch_model_rows_total") == sum(
        count for status, count in values["rows"].items() if status != "invalid"
    ) - sum(values["reused"].values())
    assert total(found, "llmbatch_model_tokens_total") == sum(
        usage[name] for name in ("input_tokens", "output_tokens")
    )
    for route, told in values["routes"].items():
        assert found[f"llmbatch_route_limited_seconds_total{{route={route}}}"] == told["limited_s"]


def total(found: Mapping[str, float], name: str) -> float:
    return sum(value for key, value in found.items() if key.startswith(f"{name}{{"))


async def test_the_figures_are_those_of_the_summary_to_the_digit(
    here: Told, collector: Collector
) -> None:
    def reply(call: Call) -> Recipe:
        if len(here.server.calls) == 1:
            return rate_limited(retry_after="0.01")
        if "5" in call.prompt:
            return error(400)
        finish = "length" if "7" in call.prompt else "stop"
        return answer(finish=finish, usage={"prompt_tokens": 7, "completion_tokens": 3})

    rows = [{"id": f"r{n}", "prompt": f"say {n}"} for n in range(20)]
    here.write(*rows, {"id": "again", "prompt": "say 1"}, "broken")
    here.server.replies = reply
    flags = ("in.jsonl", *PROM, "--pushgateway", collector.url, *PRICES, "--max-failed", "5")
    code = await here.tell(*flags)
    assert code == 0
    assert here.values["rows"] == {"ok": 17, "error": 2, "truncated": 2, "invalid": 1}
    agrees(figures(), here.values)
    pushed = collector.pushed
    agrees(pushed, here.values)
    buckets = "llmbatch_request_duration_seconds_count"
    assert total(figures(), buckets) == 18, "rows that have an answer, and were asked"
    await here.tell(*flags)
    assert here.values["skipped"]
    agrees(figures(), here.values)


async def test_figures_of_an_earlier_run_are_not_taken_for_new_ones(here: Told) -> None:
    here.prompts(2)
    await here.tell("in.jsonl", *PROM)
    first = figures()
    await here.tell("in.jsonl", *PROM)
    assert "llmbatch_rows_total{status=ok}" not in figures()
    assert figures()["llmbatch_rows_skipped_total{status=ok}"] == 2
    assert figures()["llmbatch_start_timestamp_seconds"] > first["llmbatch_start_timestamp_seconds"]


async def test_figures_are_there_and_move_while_the_job_runs(
    here: Told, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("textfile.TextFile", "pushgateway.Pushgateway"):
        monkeypatch.setattr(f"llmbatch.jobs.telemetry.{kind}.every", 0.02)
    free = asyncio.Event()
    here.server.replies = [answer("a"), held(free)]
    here.prompts(2)
    flags = ("in.jsonl", *PROM, "--pushgateway", collector.url, "--concurrency", "1")
    flags = (*flags, "--rpm", "600")
    job = asyncio.create_task(here.tell(*flags))
    done = "llmbatch_rows_total{status=ok}"
    while not (Path("x.prom").exists() and figures().get(done)):
        await asyncio.sleep(0.01)
    now = figures()
    assert (now[done], now["llmbatch_running"], now["llmbatch_rows_left"]) == (1, 1, 1)
    assert "llmbatch_exit_code" not in now
    route = "openai-compatible/m"
    assert now[f"llmbatch_route_requests_per_minute_limit{{route={route}}}"] == 600
    assert now[f"llmbatch_route_limit_used_ratio{{limit=requests,route={route}}}"] > 0
    while figures()["llmbatch_in_flight"] != 1:
        await asyncio.sleep(0.01)
    while not collector.pushed.get(done):
        await asyncio.sleep(0.01)
    free.set()
    assert await job == 0
    agrees(figures(), here.values)
    agrees(collector.pushed, here.values)


async def test_the_file_is_never_there_by_half(here: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads at any moment reads all of one version."""
    monkeypatch.setattr(textfile.TextFile, "every", 0.001)
    here.prompts(100)
    job = asyncio.create_task(here.tell("in.jsonl", *PROM, "--concurrency", "4"))
    seen = set()
    while not job.done():
        await asyncio.sleep(0)
        if Path("x.prom").exists():
            found = figures()
            seen.add(total(found, "llmbatch_rows_total"))
            assert "llmbatch_start_timestamp_seconds" in found
            assert "llmbatch_tokens_total{type=input}" in found
    assert await job == 0
    assert len(seen) > 1
    assert [p.name for p in Path().iterdir() if "prom" in p.name] == ["x.prom"]


async def test_the_collector_may_read_the_file_whatever_the_umask_says(here: Told) -> None:
    here.prompts(1)
    before = os.umask(0o077)
    try:
        await here.tell("in.jsonl", *PROM)
    finally:
        os.umask(before)
    assert stat.S_IMODE(Path("x.prom").stat().st_mode) == 0o644
    Path("x.prom").chmod(0o640)
    await here.tell("in.jsonl", *PROM)
    assert stat.S_IMODE(Path("x.prom").stat().st_mode) == 0o640, "who set it meant it"


async def test_two_jobs_on_one_file_leave_it_whole(
    here: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(textfile.TextFile, "every", 0.001)
    here.prompts(30)
    here.prompts(30, name="b.jsonl")
    other = Told(here.folder, here.server)
    both = await asyncio.gather(
        here.tell("in.jsonl", *PROM, "--concurrency", "2"),
        other.tell("b.jsonl", *PROM, "--concurrency", "2"),
    )
    assert both == [0, 0]
    assert here.said == other.said == ""
    assert figures()["llmbatch_running"] in (0, 1)
    assert [p.name for p in Path().iterdir() if "prom" in p.name] == ["x.prom"]


async def test_two_jobs_of_one_host_have_series_of_their_own(here: Told) -> None:
    here.prompts(1)
    here.prompts(1, name="b.jsonl")
    await here.tell("in.jsonl", *PROM)
    await here.tell("b.jsonl", "--prometheus", "y.prom")
    one, other = (Path(name).read_text() for name in ("x.prom", "y.prom"))
    assert f'output="{here.folder}/in.results.jsonl"' in one
    assert f'output="{here.folder}/b.results.jsonl"' in other


async def test_hostile_names_are_labels_and_nothing_else(here: Told) -> None:
    models = ['a"} 1\nllmbatch_evil 1', "back\\slash", "x" * 5000, "\u202eleft"]
    rows = [{"id": f"{n}", "prompt": "x", "model": model} for n, model in enumerate(models)]
    here.write(*rows)
    await here.tell("in.jsonl", *PROM)
    found = figures()
    assert "llmbatch_evil" not in found
    assert total(found, "llmbatch_model_rows_total") == 4
    text = Path("x.prom").read_text()
    assert 'a\\"} 1\\nllmbatch_evil 1' in text
    assert "x" * (LONGEST - 1) + "…" in text
    assert "x" * LONGEST not in text
    assert label("half \ud800") == "half \\ud800"


async def test_however_many_models_rows_name_labels_are_bounded(here: Told) -> None:
    here.write(*({"prompt": "x", "model": f"m{n}"} for n in range(MOST + 20)))
    await here.tell("in.jsonl", *PROM)
    found = figures()
    series = [key for key in found if key.startswith("llmbatch_model_rows_total")]
    assert len(series) == MOST + 1
    assert total(found, "llmbatch_model_rows_total") == MOST + 20


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("x.txt", "must end in .prom: the collector reads no other files"),
        ("gone/x.prom", "--prometheus gone/x.prom: the folder gone does not exist"),
        ("folder.prom", "is a folder; name a file"),
    ],
)
async def test_a_place_that_can_not_be_written_is_refused_before_anything_is_sent(
    here: Told, path: str, words: str
) -> None:
    Path("folder.prom").mkdir()
    here.prompts(1)
    with pytest.raises(ConfigError, match=words.replace(".", r"\.")):
        await here.tell("in.jsonl", "--prometheus", path)
    assert here.server.calls == []


@pytest.mark.parametrize("taken", ["in.prom", "out.prom", "sum.prom"])
async def test_a_file_of_the_job_is_not_replaced_by_figures(here: Told, taken: str) -> None:
    here.prompts(1, name="in.prom")
    flags = ("--input-format", "jsonl", "-o", "out.prom", "--summary", "sum.prom")
    with pytest.raises(ConfigError, match=r"--prometheus .*prom: is the|is an input"):
        await here.tell("in.prom", *flags, "--prometheus", taken)
    assert here.server.calls == []


async def test_a_folder_without_permission_is_refused(desk: Desk) -> None:
    desk.prompts(1)
    (desk.folder / "closed").mkdir(mode=0o500)
    done = await desk.run("in.jsonl", "--prometheus", "closed/x.prom", preexec_fn=without_rights)
    assert done.code == 2
    assert "--prometheus closed/x.prom: no permission to write into closed" in done.stderr


async def test_a_full_disk_costs_a_line_and_not_the_job(here: Told, small_disk: Path) -> None:
    here.prompts(2)
    full = small_disk / "full"
    with full.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    assert await here.tell("in.jsonl", "--prometheus", small_disk / "x.prom") == 0
    assert here.said == (
        f"telemetry: the file {small_disk}/x.prom did not take the figures: "
        "No space left on device\n"
    )
    Path("full.prom").symlink_to("/dev/full")
    assert await here.tell("in.jsonl", "--prometheus", "full.prom") == 0
    assert "No space left on device" in here.said


async def test_a_push_replaces_the_group_of_its_host_and_output(
    here: Told, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "a host/é")
    here.prompts(1)
    await here.tell("in.jsonl", "--pushgateway", f"{collector.url}/prefix/")
    assert {line.split()[0] for line, _, _ in collector.requests} == {"PUT"}
    assert all(
        line.split()[1].startswith("/prefix/metrics/job/") for line, _, _ in collector.requests
    )
    assert collector.groups[-1] == {
        "job": "llmbatch",
        "instance": "a host/é",
        "output": f"{here.folder}/in.results.jsonl",
    }
    await here.tell("in.jsonl", "--pushgateway", f"{collector.url}/metrics/job/nightly/team/a")
    assert collector.groups[-1] == {"job": "nightly", "team": "a"}


async def test_the_password_of_a_gateway_may_be_a_variable(
    here: Told, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMBATCH_PUSHGATEWAY_AUTH", "me:open sesame")
    here.prompts(1)
    assert await here.tell("in.jsonl", "--pushgateway", collector.url) == 0
    wanted = "Basic " + base64.b64encode(b"me:open sesame").decode()
    assert {headers["Authorization"] for _, headers, _ in collector.requests} == {wanted}
    assert "sesame" not in Path("in.results.jsonl.manifest.json").read_text()
    monkeypatch.setenv("LLMBATCH_PUSHGATEWAY_AUTH", "sesame")
    with pytest.raises(ConfigError, match=r"write it as USER:PASSWORD$"):
        await here.tell("in.jsonl", "--pushgateway", collector.url)
