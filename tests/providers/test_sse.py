"""The SSE parser, against a slow reader of the standard that sees the whole stream at once."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.providers import sse
from llmbatch.jobs.providers.sse import LONGEST_TAIL, SseParser


def reference(stream: bytes) -> list[bytes]:
    """The standard's algorithm, as it reads, on the whole stream: the data of each event."""
    stream = stream.removeprefix(b"\xef\xbb\xbf")
    *lines, _unfinished = re.split(rb"\r\n|\n|\r", stream)
    events, data = [], b""
    for line in lines:
        if line == b"":
            if data:
                events.append(data[:-1])
            data = b""
        elif b":" in line:
            field, value = line.split(b":", 1)
            value = value[1:] if value[:1] == b" " else value
            data += value + b"\n" if field == b"data" else b""
        else:
            data += b"\n" if line == b"data" else b""
    return events


def parse(*reads: bytes) -> list[bytes]:
    parser = SseParser()
    return [event for read in reads for event in parser.feed(read)]


STREAMS = {
    "ordinary": b'data: {"a": 1}\n\ndata: {"b": 2}\n\ndata: [DONE]\n\n',
    "crlf": b"data: one\r\n\r\ndata: two\r\n\r\n",
    "cr": b"data: one\r\rdata: two\r\r",
    "mixed line ends": b"data: one\r\n\ndata: two\n\rdata: three\r\r\ndata: four\n\r\n",
    "bom": b"\xef\xbb\xbfdata: one\n\n",
    "bom in the middle": b"data: one\n\n\xef\xbb\xbfdata: two\n\n",
    "comments": b": hello\n\n:\n\ndata: one\n: between\ndata: two\n\n: bye\n\n",
    "names": b"event: ping\n\nevent: a\nevent: b\ndata: x\n\ndata: y\n\n",
    "named events": b"event: a\ndata: x\n\nevent:  b\ndata: y\ndata: z\n\nevent: c\ndata: \n\n",
    "several data lines": b"data: one\ndata: two\ndata:\ndata: four\n\n",
    "empty data": b"data\n\ndata:\n\ndata: \n\n",
    "one space only": b"data:  two spaces\n\ndata:none\n\n",
    "other fields": b"id: 1\nretry: 5\ndata: x\nnonsense\nda ta: y\n\n",
    "blank lines": b"\n\n\n\ndata: x\n\n\n\n\ndata: y\n\n",
    "cut off": b"data: one\n\ndata: two\n",
    "characters": "data: żółć 😀\r\n\r\ndata: 漢字\n\n".encode(),
    "a long line": b"data: " + b"x" * (LONGEST_TAIL + 10) + b"\n\ndata: y\n\n",
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_a_stream_is_read_as_the_standard_says(stream: bytes) -> None:
    assert parse(stream) == reference(stream)


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
def test_it_does_not_matter_where_a_read_ends(stream: bytes) -> None:
    expected = reference(stream)
    places = range(len(stream)) if len(stream) < 200 else range(0, len(stream), 97)
    for place in places:
        assert parse(stream[:place], stream[place:]) == expected, place
    assert parse(*(bytes([byte]) for byte in stream)) == expected


LINES = st.sampled_from(
    [
        b"data: x",
        b"data:",
        b"data",
        b"event: e",
        b": c",
        b"",
        b"",
        b"",
        b"id: 3",
        b"data:  \xc3\xa9",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@settings(max_examples=400, deadline=None)
@given(st.booleans(), st.lists(st.tuples(LINES, ENDS), max_size=12), st.data())
def test_any_stream_split_anywhere_is_read_as_the_standard_says(
    bom: bool, parts: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    stream = b"\xef\xbb\xbf" * bom + b"".join(line + end for line, end in parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    bounds = [0, *cuts, len(stream)]
    reads = [stream[a:b] for a, b in itertools.pairwise(bounds)]
    assert parse(*reads) == reference(stream)


def test_the_last_event_without_its_blank_line_is_not_dispatched() -> None:
    assert parse(b"data: one\n\ndata: [DONE]") == [b"one"]
    assert parse(b"data: one\n\ndata: [DONE]\n") == [b"one"]


def test_events_come_with_the_read_that_completes_them() -> None:
    parser = SseParser()
    assert parser.feed(b"data: one\n") == []
    assert parser.feed(b"\ndata: t") == [b"one"]
    assert parser.feed(b"wo\r\n\r") == [b"two"]
    assert parser.feed(b"\ndata: three\n\n") == [b"three"]


@pytest.mark.parametrize("line", [b"data: ", b": ", b"", b"data: x\ndata: "])
def test_a_hostile_line_costs_no_more_than_its_length(line: bytes) -> None:
    # Quadratic work would take minutes here and run into the test's timeout.
    ten_megabytes = line + b"y" * 10_000_000 + b"\n\n"
    reads = [ten_megabytes[i : i + 500] for i in range(0, len(ten_megabytes), 500)]
    assert parse(*reads) == reference(ten_megabytes)


def test_a_megabyte_line_in_reads_of_one_byte_is_read() -> None:
    stream = b"data: " + b"y" * 1_000_000 + b"\n\n"
    assert parse(*(bytes([byte]) for byte in stream)) == reference(stream)


def test_many_small_events_in_one_read_cost_no_more_than_their_length() -> None:
    assert len(parse(b"data: x\n\n" * 500_000)) == 500_000
    assert len(parse(b"data: x\r\r" * 200_000)) == 200_000


@pytest.mark.parametrize("opening", [b"data: ", b": ", b"data: x\r", b"data: x\ndata: "])
def test_an_event_without_an_end_is_given_up(
    opening: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "LARGEST_EVENT", 50_000)
    parser = sse.SseParser()
    parser.feed(opening)
    for _ in range(9):
        assert parser.feed(b"x" * 5_000) == []
    with pytest.raises(sse.EventTooLarge):
        parser.feed(b"x" * 10_000)


def test_any_number_of_events_and_comments_may_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LARGEST_EVENT", 50_000)
    parser = sse.SseParser()
    count = 0
    for _ in range(50):
        for piece in (b": ping\r\r", b"data: " + b"x" * 9_000, b"\n\n", b": ping\n\n"):
            count += len(parser.feed(piece))
    assert count == 50
