"""Lines come out numbered, whatever the blocks they arrive in."""

from __future__ import annotations

import io
import os
import threading
import tracemalloc
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.sources.lines import LONG, LineReader, NotLines


class Trickle(io.RawIOBase):
    """A stream that hands out its pieces one by one, as a pipe does."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = [piece for piece in pieces if piece]

    def read(self, size: int = -1) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""


def read(*pieces: bytes) -> list[tuple[int, bytes]]:
    reader = LineReader(cast(BinaryIO, Trickle(list(pieces))))
    return [numbered for block in reader for numbered in block]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([b"\n", b"\r\n", b"\r", b"a", b"{}", b" ", b"\xff\xc3", b"xyz"])))
def test_any_cut_gives_the_same_lines(tokens: list[bytes]) -> None:
    whole = b"".join(tokens)
    expected = [
        (number, line.removesuffix(b"\r"))
        for number, line in enumerate(whole.split(b"\n"), 1)
        if line.strip()
    ]
    assert read(whole) == expected
    assert read(*tokens) == expected
    assert read(*(bytes([byte]) for byte in whole)) == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([b"", b" ", b"a", b"b" * LONG, b"c" * LONG + b"\r"])))
def test_long_lines_are_cut_like_short_ones(lines: list[bytes]) -> None:
    whole = b"\n".join([b"first" * LONG, *lines])
    expected = [
        (number, line.removesuffix(b"\r"))
        for number, line in enumerate(whole.split(b"\n"), 1)
        if line.strip()
    ]
    assert read(whole) == expected


def test_blank_lines_are_counted_and_are_no_rows() -> None:
    assert read(b"\n  \n\r\na\n\t\nb") == [(4, b"a"), (6, b"b")]


def test_the_last_line_needs_no_end() -> None:
    assert read(b"a\nb") == read(b"a\nb\n") == [(1, b"a"), (2, b"b")]


@pytest.mark.parametrize("cut", range(5))
def test_a_byte_order_mark_at_the_start_is_dropped(cut: int) -> None:
    text = b"\xef\xbb\xbfa\n"
    assert read(text[:cut], text[cut:]) == [(1, b"a")]


def test_nothing_gives_nothing() -> None:
    assert read() == read(b"\xef\xbb\xbf") == read(b"\n\n") == []


def test_a_slow_pipe_gives_each_line_as_it_comes() -> None:
    ours, theirs = os.pipe()
    with open(ours, "rb", buffering=0) as stream, open(theirs, "wb", buffering=0) as writer:
        blocks = iter(LineReader(cast(BinaryIO, stream)))
        for number in (1, 2, 3):
            writer.write(b'{"n": 1}\n')
            assert next(blocks) == [(number, b'{"n": 1}')]


def test_a_pipe_that_somebody_made_non_blocking_is_waited_for() -> None:
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    with open(ours, "rb", buffering=0) as stream:
        assert stream.read(1) is None  # nothing there yet, and no end either
        writer = threading.Thread(target=lambda: (os.write(theirs, b"late\n"), os.close(theirs)))
        blocks = iter(LineReader(cast(BinaryIO, stream)))
        writer.start()
        assert list(blocks) == [[(1, b"late")]]
        writer.join()


def test_a_line_of_50_megabytes_comes_whole_and_costs_little_more_than_itself() -> None:
    line = b'{"prompt": "' + b"x" * 50_000_000 + b'"}'
    stream = io.BytesIO(b"a\n" + line + b"\nb\n")
    tracemalloc.start()
    try:
        sizes = [(n, len(text)) for block in LineReader(stream) for n, text in block]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sizes == [(1, 1), (2, len(line)), (3, 1)]
    assert peak < 4 * len(line)


def test_memory_does_not_depend_on_the_number_of_lines() -> None:
    def peak(rows: int) -> int:
        pieces = Trickle([b'{"prompt": "Hello"}\n' * 1000] * (rows // 1000))
        tracemalloc.start()
        try:
            assert sum(len(block) for block in LineReader(cast(BinaryIO, pieces))) == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(100_000) < 1.5 * peak(5_000)


def test_a_file_without_lines_is_refused_before_memory_runs_out() -> None:
    reader = LineReader(io.BytesIO(b"a\n" + b"x" * 4_000_000), block=1000, longest=1 << 20)
    with pytest.raises(NotLines, match="the line is longer than 1 MB"):
        list(reader)
    assert reader.reached == 2
