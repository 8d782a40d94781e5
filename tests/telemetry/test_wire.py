"""Bytes that are written here are what OpenTelemetry's own library reads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from sampleresults import sample

from llmbatch.jobs.events import RowFinished
from llmbatch.jobs.telemetry.record import record_of
from llmbatch.jobs.telemetry.spans import Spans, Trace
from llmbatch.jobs.telemetry.wire import Attribute

VALUES = (
    some.text()
    | some.booleans()
    | some.integers(-(1 << 63), (1 << 63) - 1)
    | some.floats(allow_nan=False)
)
NAME = "an.attribute"


@given(some.lists(VALUES, max_size=5))
def test_attributes_are_read_as_they_were_written(values: list[str | bool | int | float]) -> None:
    data = b"".join(Attribute(9, f"{NAME}{n}").any(value) for n, value in enumerate(values))
    span = Span.FromString(data)
    assert [each.key for each in span.attributes] == [f"{NAME}{n}" for n in range(len(values))]
    found = [getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


@given(some.lists(some.text()))
def test_so_are_lists_of_texts(texts: list[str]) -> None:
    span = Span.FromString(Attribute(9, NAME).texts(texts))
    (attribute,) = span.attributes
    assert [each.string_value for each in attribute.value.array_value.values] == texts


@given(some.integers())
def test_a_number_beyond_64_bits_is_the_largest_that_there_is(value: int) -> None:
    (attribute,) = Span.FromString(Attribute(9, NAME).integer(value)).attributes
    assert attribute.value.int_value == max(-(1 << 63), min(value, (1 << 63) - 1))


@given(
    some.binary(min_size=16, max_size=16),
    some.binary(min_size=8, max_size=8),
    some.from_regex(r"[a-z]{1,5}=[a-z]{0,5}", fullmatch=True) | some.just(""),
    some.sampled_from([0, 1]),
)
def test_every_field_of_a_span_is_in_its_place(
    trace_id: bytes, above: bytes, state: str, flags: int
) -> None:
    spans = Spans(Trace(trace_id, above, None, state, flags))
    record = record_of(RowFinished(sample("a", line=3)), streams=True, content=False)
    row, attempt = map(Span.FromString, spans.of(record))
    for span in (row, attempt):
        assert span.trace_id == trace_id
        assert span.trace_state == state
        assert span.flags == flags | 0x100
        assert len(span.span_id) == 8
        assert span.kind == Span.SPAN_KIND_CLIENT
        assert span.end_time_unix_nano - span.start_time_unix_nano == 1_320_000_000
    assert (row.parent_span_id, attempt.parent_span_id) == (above, row.span_id)
    assert not row.FindInitializationErrors()
