"""How telemetry is asked for, and what is said where it can't be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from collector import Collector
from desk import Desk
from told import Told

from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.telemetry import endpoint
from llmbatch.jobs.telemetry.endpoint import otlp_target, wanted

SESAME = "http://me:sesame@gw.example:9091/x?token=sesame"


@pytest.mark.parametrize(
    ("words", "setting"),
    [
        (("--otlp", "in.jsonl"), "auto"),
        (("in.jsonl", "--otlp"), "auto"),
        (("--otlp", "-q", "in.jsonl"), "auto"),
        (("--otlp", "http://c:4318", "in.jsonl"), "http://c:4318"),
        (("--otlp=http://c:4318", "in.jsonl"), "http://c:4318"),
        (("--", "in.jsonl"), None),
    ],
)
def test_the_address_may_be_left_out_wherever_the_flag_stands(
    here: Told, words: tuple[str, ...], setting: str | None
) -> None:
    config = here.config(*words)
    assert (config.otlp, config.inputs) == (setting, ("in.jsonl",))


@pytest.mark.parametrize(
    ("setting", "variables", "url"),
    [
        ("auto", {}, "http://localhost:4318/v1/traces"),
        ("1", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1/"}, "http://c:1/v1/traces"),
        ("auto", {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/a"}, "https://c/a/v1/traces"),
        ("auto", {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/t"}, "http://c/t"),
        ("http://f:2", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1"}, "http://f:2/v1/traces"),
        ("http://f/v1/traces", {}, "http://f/v1/traces"),
        ("http://f/v1/metrics/", {}, "http://f/v1/traces"),
        ("http://f/a?key=1", {}, "http://f/a/v1/traces?key=1"),
        (
            "http://[::1]:4318",
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "http://[::1]:4318/v1/traces",
        ),
    ],
)
def test_the_address_is_that_of_the_flag_or_of_the_variables(
    setting: str, variables: dict[str, str], url: str
) -> None:
    target = otlp_target(setting, variables, "traces")
    assert target is not None
    assert target.url == url


def test_variables_of_one_signal_win_over_those_of_all() -> None:
    variables = {
        "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
        "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "4",
        "OTEL_EXPORTER_OTLP_HEADERS": "a=b%20c,d=e",
        "OTEL_EXPORTER_OTLP_METRICS_COMPRESSION": "gzip",
    }
    traces = otlp_target("auto", variables, "traces")
    metrics = otlp_target("auto", variables, "metrics")
    assert traces is not None
    assert metrics is not None
    assert (traces.timeout, traces.compression) == (3, "none")
    assert (metrics.timeout, metrics.compression) == (4, "gzip")
    assert traces.headers["a"] == "b c"
    assert "b c" not in repr(traces)


@pytest.mark.parametrize(
    ("setting", "variables", "words"),
    [
        ("localhost:4318", {}, "--otlp: is no address"),
        ("http://", {}, "--otlp: is no address"),
        ("http://a:b:c", {}, "--otlp: is no address"),
        ("auto", {"OTEL_EXPORTER_OTLP_ENDPOINT": "c:4317"}, "OTEL_EXPORTER_OTLP_ENDPOINT: is no"),
        ("auto", {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf alone is spoken here"),
        ("auto", {"OTEL_EXPORTER_OTLP_HEADERS": "a=sesame%0Ab"}, "a header that HTTP can't carry"),
        ("https://c", {"OTEL_EXPORTER_OTLP_CERTIFICATE": "gone.pem"}, "No such file"),
    ],
)
def test_what_can_not_be_right_is_refused(
    setting: str, variables: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as told:
        otlp_target(setting, variables, "traces")
    assert "sesame" not in str(told.value)


@pytest.mark.parametrize("word", sorted(endpoint.OFF))
def test_it_can_be_turned_off(word: str) -> None:
    assert not wanted(word, {})
    assert not wanted("auto", {"OTEL_SDK_DISABLED": "true"})
    assert wanted("auto", {"OTEL_SDK_DISABLED": "false"})


async def test_a_variable_alone_turns_nothing_on(
    here: Told, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    here.prompts(1)
    assert await here.tell("in.jsonl") == 0
    assert collector.requests == []
    monkeypatch.setenv("LLMBATCH_OTLP", "on")
    assert await here.tell("in.jsonl", "--fresh", "--force") == 0
    assert len(collector.spans) == 3


async def test_content_without_otlp_is_a_mistake(here: Told) -> None:
    here.prompts(1)
    with pytest.raises(ConfigError, match="add --otlp"):
        await here.tell("in.jsonl", "--otlp-content", "--prometheus", "x.prom")


async def test_a_missing_extra_says_what_to_install(
    here: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.prompts(1)
    monkeypatch.setitem(sys.modules, "llmbatch.jobs.telemetry.otlp", None)
    monkeypatch.setitem(sys.modules, "llmbatch.jobs.telemetry.textfile", None)
    for flags in (("--otlp",), ("--prometheus", "x.prom")):
        with pytest.raises(ConfigError, match=r"pip install 'llmbatch\[otel\]'"):
            await here.tell("in.jsonl", *flags)
    assert here.server.calls == []


async def test_without_the_packages_the_command_says_so(desk: Desk) -> None:
    desk.prompts(1)
    blocked = (
        "import sys\n"
        "sys.modules['opentelemetry'] = None\n"
        "from llmbatch.cli.main import main\n"
        "sys.exit(main(['run', 'in.jsonl', '--base-url', 'http://127.0.0.1:9', '--otlp']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", blocked],
        capture_output=True,
        text=True,
        check=False,
        cwd=desk.folder,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "llmbatch: error: --otlp: needs opentelemetry, which is not installed: "
        "pip install 'llmbatch[otel]'\n"
    )


def test_a_job_without_telemetry_imports_none_of_it(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from llmbatch.cli.main import main\n"
        "main(['run', 'in.jsonl', '--base-url', 'http://127.0.0.1:9', '-m', 'm'])\n"
        "heavy = {'opentelemetry', 'google.protobuf', 'prometheus_client'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)\n"
    )
    (tmp_path / "in.jsonl").write_text('"broken\n')
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "in.results.jsonl").exists()


async def test_secrets_in_addresses_are_masked_where_settings_are_shown(desk: Desk) -> None:
    desk.prompts(1)
    desk.settings(otlp=SESAME, pushgateway=SESAME)
    done = await desk.run("in.jsonl", "--otlp=off", route=False)
    show = subprocess.run(
        [sys.executable, "-m", "llmbatch.cli.main", "config", "show", "--json"],
        capture_output=True, text=True, check=False, cwd=desk.folder,
    )  # fmt: skip
    assert "sesame" not in show.stdout + done.stdout + done.stderr
    shown = json.loads(show.stdout)["settings"]
    assert shown["pushgateway"]["value"] == "http://***@gw.example:9091/x?***"


async def test_records_of_the_log_name_the_trace(desk: Desk, collector: Collector) -> None:
    desk.prompts(1)
    done = await desk.run("in.jsonl", "--otlp", collector.url, "--log-format", "json")
    assert done.code == 0, done
    told = {json.loads(line)["trace_id"] for line in done.stderr.splitlines()}
    assert told == {collector.spans[0].trace}


async def test_a_warning_is_a_record_of_its_own(desk: Desk, collector: Collector) -> None:
    collector.answer = 404
    desk.prompts(1)
    done = await desk.run("in.jsonl", "--otlp", collector.url, "--log-format", "json")
    assert done.code == 0, done
    records = [json.loads(line) for line in done.stderr.splitlines()]
    (warning,) = (each for each in records if each["event"] == "telemetry")
    assert warning["level"] == "warning"
    assert records[-1]["event"] == "summary"
