"""Who takes telemetry, on a real socket: an OTLP collector, and a Prometheus Pushgateway.

    async with Collector() as collector:
        ...                                # llmbatch run --otlp collector.url
        job, *others = collector.spans

``answer`` is the status of every answer; ``hangs`` keeps callers waiting until the end of the test.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Span:
    """A span as it came."""

    name: str
    kind: int
    trace: str
    id: str
    parent: str
    start: int
    end: int
    attributes: Mapping[str, Any]
    failed: bool
    message: str
    events: tuple[str, ...]

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / 1e9


@dataclass(frozen=True)
class Point:
    """A point of a metric; ``value`` is its number, or a histogram's sum."""

    name: str
    attributes: Mapping[str, Any]
    value: float
    count: int = 0
    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    delta: bool = False


@dataclass
class Collector:
    """Takes OTLP over HTTP, and pushes. ``requests`` are (path, headers, body)."""

    answer: int = 200
    hangs: bool = False
    refuses: int = 0
    requests: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)
    url: str = ""

    async def __aenter__(self) -> Collector:
        self._free = asyncio.Event()
        self._came = asyncio.Condition()
        app = web.Application(client_max_size=1 << 28)
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        self._site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await self._site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._free.set()
        await self._runner.cleanup()

    async def go_away(self) -> None:
        """Refuse every connection from now on."""
        self._address = self._runner.addresses[0]
        await self._site.stop()

    async def come_back(self) -> None:
        """Listen again, where it did before."""
        host, port = self._address
        self._site = web.TCPSite(self._runner, host, port, reuse_address=True)
        await self._site.start()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and body[:2] == b"\x1f\x8b":
            body = gzip.decompress(body)
        self.requests.append((f"{request.method} {request.raw_path}", dict(request.headers), body))
        async with self._came:
            self._came.notify_all()
        if self.hangs:
            await self._free.wait()
        answer = b""
        if self.refuses and request.path.endswith("traces"):
            told = ExportTraceServiceResponse()
            told.partial_success.rejected_spans = self.refuses
            answer = told.SerializeToString()
        return web.Response(status=self.answer, body=answer)

    async def called(self, path: str, times: int = 1) -> None:
        """Wait until so many requests came for a path."""
        async with asyncio.timeout(30), self._came:
            await self._came.wait_for(lambda: len(self.bodies(path)) >= times)

    def bodies(self, path: str) -> list[bytes]:
        return [body for line, _, body in self.requests if path in line]

    @property
    def spans(self) -> list[Span]:
        """All that came, the job's first, then by time."""
        found = [
            _span(span)
            for body in self.bodies("/v1/traces")
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]
        return sorted(found, key=lambda span: (not span.name.startswith("llmbatch r"), span.start))

    @property
    def resource(self) -> Mapping[str, Any]:
        body = self.bodies("/v1/traces")[-1]
        return _plain(
            ExportTraceServiceRequest.FromString(body).resource_spans[0].resource.attributes
        )

    @property
    def points(self) -> list[Point]:
        """Those of the last metrics that came."""
        request = ExportMetricsServiceRequest.FromString(self.bodies("/v1/metrics")[-1])
        return [
            point
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in _points(metric)
        ]

    @property
    def pushed(self) -> dict[str, float]:
        """The samples of the last push: see :func:`samples`."""
        return samples(self.requests[-1][2].decode())

    @property
    def groups(self) -> list[dict[str, str]]:
        """The groups that were pushed to."""
        return [_group(line.partition("/metrics")[2]) for line, _, _ in self.requests]

    @property
    def everything(self) -> bytes:
        """Every byte that came, headers too."""
        return b"".join(
            line.encode() + repr(headers).encode() + body for line, headers, body in self.requests
        )


def samples(text: str) -> dict[str, float]:
    """Samples of the text format by name and labels, ``output`` left out: ``name{a="b"}``."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = {name: value for name, value in sample.labels.items() if name != "output"}
            inside = ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
            key = f"{sample.name}{{{inside}}}" if inside else sample.name
            assert key not in found, f"{key} stands there twice"
            found[key] = sample.value
    return found


def _group(path: str) -> dict[str, str]:
    words = path.strip("/").split("/")
    group: dict[str, str] = {}
    for name, value in zip(words[::2], words[1::2], strict=True):
        bare, _, coded = name.partition("@")
        if coded:
            value = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
        group[bare] = value
    return group


def _span(span: Any) -> Span:
    return Span(
        name=span.name,
        kind=span.kind,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        attributes=_plain(span.attributes),
        failed=span.status.code == 2,
        message=span.status.message,
        events=tuple(event.name for event in span.events),
    )


def _points(metric: Any) -> Iterable[Point]:
    for point in metric.histogram.data_points:
        yield Point(
            metric.name,
            _plain(point.attributes),
            point.sum,
            point.count,
            tuple(point.explicit_bounds),
            tuple(point.bucket_counts),
            metric.histogram.aggregation_temporality == 1,
        )
    for kind in (metric.sum, metric.gauge):
        for point in kind.data_points:
            value = getattr(point, point.WhichOneof("value"))
            yield Point(metric.name, _plain(point.attributes), value)


def _plain(attributes: Iterable[Any]) -> dict[str, Any]:
    return {each.key: _value(each.value) for each in attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    found = getattr(value, kind)
    return [_value(each) for each in found.values] if kind == "array_value" else found
