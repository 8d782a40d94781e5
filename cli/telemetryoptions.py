"""The options of who else is told of a job: OpenTelemetry and Prometheus."""

from __future__ import annotations

from .options import FILE, OTLP, option

TELEMETRY = "Telemetry"

TELLING = (
    option(
        TELEMETRY,
        OTLP,
        is_flag=False,
        flag_value="auto",
        metavar="[URL]",
        help="Send a trace and metrics to an OpenTelemetry collector (OTLP over HTTP; without URL: "
        "where the OTEL_* variables say, or http://localhost:4318).",
    ),
    option(
        TELEMETRY,
        "--otlp-content/--no-otlp-content",
        help="Send prompts, answers and ids along with it (default: --no-otlp-content).",
    ),
    option(
        TELEMETRY,
        "--prometheus",
        type=FILE,
        help="Keep figures in this .prom file for the node exporter's textfile collector.",
    ),
    option(
        TELEMETRY,
        "--pushgateway",
        metavar="URL",
        help="Push figures to this Prometheus Pushgateway.",
    ),
)
