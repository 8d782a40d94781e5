"""``--otlp``: the trace of a job, as a collector gets it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from collector import Collector, Span
from faultreplies import Call, Recipe, answer, error, rate_limited
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics
from told import Told

from faultserver import FaultServer
from llmbatch.jobs.config import AnalyzeConfig
from llmbatch.jobs.telemetry import names

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
INTERNAL, CLIENT = 1, 3


def rows_of(collector: Collector) -> list[Span]:
    job = collector.spans[0]
    return [span for span in collector.spans if span.parent == job.id]


def tries_of(collector: Collector, row: Span) -> list[Span]:
    return [span for span in collector.spans if span.parent == row.id]


async def test_a_job_is_a_span_with_one_below_for_each_row_and_attempt(
    here: Told, collector: Collector
) -> None:
    here.prompts(3)
    assert await here.tell("in.jsonl", "--otlp", collector.url) == 0
    job, *others = collector.spans
    assert (job.name, job.kind, job.parent, job.failed) == ("llmbatch run", INTERNAL, "", False)
    assert job.attributes[names.EXIT_CODE] == 0
    assert job.attributes["llmbatch.rows.ok"] == 3
    assert job.attributes[names.OUTPUT] == "in.results.jsonl"
    rows = rows_of(collector)
    assert [(row.name, row.kind) for row in rows] == [("chat m", CLIENT)] * 3
    assert len({span.id for span in collector.spans}) == len(others) + 1 == 7
    assert {span.trace for span in others} == {job.trace}
    for row in rows:
        (attempt,) = tries_of(collector, row)
        assert (attempt.start, attempt.end) == (row.start, row.end)
        assert job.start - 1e6 <= row.start <= row.end <= job.end
    assert here.said == ""


async def test_a_row_carries_what_its_result_says(here: Told, collector: Collector) -> None:
    here.write({"id": "a", "prompt": "say it", "max_tokens": 7, "temperature": 0.5, "seed": 3})
    await here.tell("in.jsonl", "--otlp", collector.url, "--price-in", "1", "--price-out", "2")
    (row,) = rows_of(collector)
    result = here.results()["a"]
    metrics, usage = result["metrics"], result["usage"]
    assert row.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai-compatible",
        "gen_ai.request.model": "m",
        "gen_ai.request.stream": True,
        "gen_ai.request.max_tokens": 7,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.seed": 3,
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": metrics["ttft_s"],
        "gen_ai.usage.input_tokens": usage["input_tokens"],
        "gen_ai.usage.output_tokens": usage["output_tokens"],
        "llmbatch.cost_usd": result["cost_usd"],
        "llmbatch.queue.seconds": metrics["queue_s"],
        "llmbatch.limiter.seconds": metrics["limiter_s"],
        "llmbatch.chunk_gap.mean_seconds": metrics["itl_mean_s"],
        "llmbatch.chunk_gap.max_seconds": metrics["itl_max_s"],
        "llmbatch.attempts": 1,
        "llmbatch.status": "ok",
        "llmbatch.row.line": 1,
    }
    assert row.seconds == pytest.approx(metrics["latency_s"], abs=1e-9)
    assert row.start / 1e9 == pytest.approx(
        datetime.fromisoformat(metrics["started_at"]).timestamp(), abs=1e-6
    )


async def test_attempts_have_their_own_times_routes_and_errors(
    here: Told, collector: Collector
) -> None:
    def reply(call: Call) -> Recipe:
        if call.body["model"] == "m":
            return rate_limited(retry_after="0.01") if len(here.server.calls) == 1 else error(400)
        return answer("fine")

    here.server.replies = reply
    here.settings(providers={"spare": {"base_url": here.server.url}})
    here.prompts(1)
    assert await here.tell("in.jsonl", "--otlp", collector.url, "--fallback", "spare/n") == 0
    (row,) = rows_of(collector)
    tried = here.results()["r1"]["metrics"]["tried"]
    assert row.name == "chat n"
    assert row.attributes[names.FALLBACKS] == 1
    assert row.attributes[names.RETRIED] == ["rate_limited"]
    attempts = tries_of(collector, row)
    assert [
        (span.attributes[names.ROUTE], span.attributes.get("error.type"), span.failed)
        for span in attempts
    ] == [
        ("openai-compatible/m", "rate_limited", True),
        ("openai-compatible/m", "bad_request", True),
        ("spare/n", None, False),
    ]
    assert [span.attributes[names.ATTEMPT] for span in attempts] == [1, 2, 3]
    for span, told in zip(attempts, tried, strict=True):
        assert (span.start - row.start) / 1e9 == pytest.approx(told["at_s"], abs=1e-6)
        assert span.seconds == pytest.approx(told["took_s"], abs=1e-6)
    assert attempts[-1].end == pytest.approx(row.end, abs=2e3)


async def test_a_row_that_failed_says_how_and_not_why(here: Told, collector: Collector) -> None:
    here.server.replies = error(400, "can't take: say 1")
    here.prompts(1)
    assert await here.tell("in.jsonl", "--otlp", collector.url) == 1
    job, row, attempt = collector.spans
    for span in (row, attempt):
        assert (span.failed, span.attributes["error.type"], span.message) == (
            True,
            "bad_request",
            "",
        )
    assert row.attributes["http.response.status_code"] == 400
    assert (job.failed, job.attributes["error.type"]) == (True, "rows_failed")
    assert job.attributes[names.EXIT_CODE] == 1


async def test_a_parameter_beyond_every_float_costs_no_span(
    here: Told, collector: Collector
) -> None:
    huge = '{"id": "a", "prompt": "hi", "temperature": 1' + "0" * 400 + "}"
    here.write(huge, {"prompt": "ho"})
    assert await here.tell("in.jsonl", "--otlp", collector.url) == 0
    assert here.said == ""
    rows = [span.attributes for span in collector.spans if span.name == "chat m"]
    assert [row.get("gen_ai.request.temperature") for row in rows] == [None, None]


async def test_rows_that_nobody_was_asked_about_are_no_calls(
    here: Told, collector: Collector
) -> None:
    here.write({"id": "a", "prompt": "x"}, {"id": "b", "prompt": "x"}, "broken")
    assert await here.tell("in.jsonl", "--otlp", collector.url) == 1
    rows = {row.attributes[names.LINE]: row for row in rows_of(collector)}
    asked = {row.name for row in rows.values() if row.kind == CLIENT}
    assert asked == {"chat m"}
    same, invalid = (row for row in rows.values() if row.kind == INTERNAL)
    if same.failed:
        same, invalid = invalid, same
    assert (same.name, same.seconds, same.attributes[names.REUSED]) == ("llmbatch row", 0, "same")
    assert (invalid.seconds, invalid.attributes["error.type"]) == (0, "invalid_row")
    assert not [name for name in (*same.attributes, *invalid.attributes) if "gen_ai" in name]
    assert tries_of(collector, same) == tries_of(collector, invalid) == []


async def test_what_happens_to_the_job_are_events_of_its_span(
    here: Told, collector: Collector
) -> None:
    here.server.replies = [rate_limited(retry_after="0.01")]
    here.prompts(1)
    await here.tell("in.jsonl", "--otlp", collector.url)
    assert collector.spans[0].events == ("llmbatch.route_paused",)


async def test_chunks_and_folds_of_an_analysis_are_told_apart(
    here: Told, collector: Collector
) -> None:
    Path("doc.txt").write_text("\n\n".join(f"Paragraph {n} about things." * 20 for n in range(8)))
    config = AnalyzeConfig(
        documents=("doc.txt",), base_url=here.server.url, model="m", chunk_tokens=200,
        model_context=4000, report="r.md", otlp=collector.url,
    )  # fmt: skip
    assert await here.analyse(config) == 0, here.said
    assert collector.spans[0].name == "llmbatch analyze"
    rows = rows_of(collector)
    chunks = [row.attributes[names.CHUNK] for row in rows if names.CHUNK in row.attributes]
    assert sorted(chunks) == list(range(1, len(chunks) + 1))
    assert len(chunks) > 2
    folds = [row for row in rows if names.FOLD_LEVEL in row.attributes]
    assert folds
    assert len(chunks) + len(folds) == len(rows)


async def test_a_job_is_below_the_span_that_traceparent_names(
    here: Told, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", PARENT)
    here.prompts(1)
    await here.tell("in.jsonl", "--otlp", collector.url)
    job = collector.spans[0]
    assert (job.trace, job.parent) == (PARENT.split("-")[1], PARENT.split("-")[2])
    assert {span.trace for span in collector.spans} == {job.trace}


@pytest.mark.parametrize(
    "variables",
    [
        {"TRACEPARENT": PARENT[:-2] + "00"},
        {"OTEL_TRACES_SAMPLER": "always_off"},
        {"OTEL_TRACES_EXPORTER": "none"},
    ],
)
async def test_what_is_not_sampled_is_not_sent(
    here: Told, collector: Collector, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    here.prompts(1)
    assert await here.tell("in.jsonl", "--otlp", collector.url) == 0
    assert collector.bodies("/v1/traces") == []
    assert collector.points, "metrics are not sampled"


async def test_a_broken_traceparent_is_none(
    here: Told, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", "00-xyz")
    here.prompts(1)
    assert await here.tell("in.jsonl", "--otlp", collector.url) == 0
    assert collector.spans[0].parent == ""


async def test_the_resource_is_the_service_its_host_and_its_process(
    here: Told, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.prompts(1)
    await here.tell("in.jsonl", "--otlp", collector.url)
    told = collector.resource
    assert told["service.name"] == "llmbatch"
    assert {"service.version", "host.name", "process.pid"} <= told.keys()
    monkeypatch.setenv("OTEL_SERVICE_NAME", "nightly")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "team=search,host.name=there")
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "process")
    await here.tell("in.jsonl", "--otlp", collector.url, "--fresh", "--force")
    told = collector.resource
    assert (told["service.name"], told["team"], told["host.name"]) == ("nightly", "search", "there")
    assert not [name for name in told if name.startswith("process.command")]


def test_names_of_the_conventions_are_spelled_as_their_package_spells_them() -> None:
    known = {
        value
        for module in (gen_ai_attributes, gen_ai_metrics)
        for name, value in vars(module).items()
        if name.startswith("GEN_AI") and isinstance(value, str)
    }
    ours = [value for value in vars(names).values() if isinstance(value, str)]
    ours += names.REQUEST_NUMBERS.values()
    used = {value for value in ours if value.startswith("gen_ai")}
    assert len(used) > 20
    assert used <= known
    operations = {each.value for each in gen_ai_attributes.GenAiOperationNameValues}
    assert set(names.OPERATIONS.values()) <= operations
    providers = {each.value for each in gen_ai_attributes.GenAiProviderNameValues}
    assert set(names.PROVIDERS.values()) - {"moonshot_ai"} <= providers


async def test_metrics_follow_the_conventions(here: Told, collector: Collector) -> None:
    here.prompts(4)
    here.server.replies = lambda call: error(400) if "4" in call.prompt else answer("fine")
    await here.tell("in.jsonl", "--otlp", collector.url, "--price-in", "1", "--price-out", "2")
    points = collector.points
    who = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai-compatible",
        "gen_ai.request.model": "m",
    }
    durations = [point for point in points if point.name == names.DURATION]
    assert {(p.count, p.attributes.get("error.type")) for p in durations} == {
        (3, None),
        (1, "bad_request"),
    }
    assert durations[0].bounds == pytest.approx([0.01 * 2**n for n in range(14)])
    tokens = {
        point.attributes["gen_ai.token.type"]: point.value
        for point in points
        if point.name == names.TOKENS
    }
    usage = here.values["usage"]
    assert tokens == {"input": usage["input_tokens"], "output": usage["output_tokens"]}
    first = [point for point in points if point.name == names.FIRST_CHUNK]
    assert [(point.count, point.attributes) for point in first] == [(3, who)]
    (cost,) = (point.value for point in points if point.name == names.M_COST)
    assert cost == here.values["cost_usd"]
    rows = {p.attributes[names.STATUS]: p.value for p in points if p.name == names.M_ROWS}
    assert rows == here.values["rows"]


async def test_metrics_may_be_deltas(
    here: Told, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    here.prompts(3)
    await here.tell("in.jsonl", "--otlp", collector.url)
    assert [point.delta for point in collector.points if point.name == names.DURATION] == [True]


@pytest.mark.parametrize("whole", [False, True])
async def test_time_to_first_chunk_is_that_of_streams_alone(
    here: Told, collector: Collector, whole: bool, server: FaultServer
) -> None:
    here.prompts(1)
    await here.tell("in.jsonl", "--otlp", collector.url, *(["--no-stream"] if whole else []))
    (row,) = rows_of(collector)
    measured = {point.name for point in collector.points}
    for name, found in (
        (names.REQUEST_STREAM, row.attributes),
        (names.TIME_TO_FIRST_CHUNK, row.attributes),
        (names.FIRST_CHUNK, measured),
    ):
        assert (name in found) is not whole
