"""Text comes in order and whole, in blocks that part nothing, with exact facts at its end."""

from __future__ import annotations

import gzip
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from llmbatch.jobs.errors import SourceError
from llmbatch.jobs.model import DocumentFacts
from llmbatch.jobs.sources.documents.encoding import SAMPLE
from llmbatch.jobs.sources.documents.forms import File
from llmbatch.jobs.sources.documents.stream import Stream
from llmbatch.jobs.sources.documents.text import BLOCK, Decoded, TextReading

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1252", "gb18030"]


def read(
    path: Path, given: str | None = None, block: int = BLOCK
) -> tuple[list[str], DocumentFacts]:
    with Stream(str(path)) as stream:
        reading = TextReading(
            Decoded(stream, given, block=block), str(path), path.name, "prose", "text"
        )
        texts = [piece.text for piece in reading.blocks()]
        size = path.stat().st_size - reading.first_byte
        assert sum(reading.width(text) for text in texts) == size == reading.facts().bytes
        return texts, reading.facts()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(min_size=1), encoding=st.sampled_from(ENCODINGS), block=st.integers(1, 9))
@example(text="a\r\n\r\r\n\n\r", encoding="utf-8", block=1)
@example(text="😀\r\n😀", encoding="utf-16", block=1)
def test_the_blocks_are_the_text(tmp_path: Path, text: str, encoding: str, block: int) -> None:
    data = text.encode(encoding, "ignore")
    text = data.decode(encoding)
    if not text or (b"\0" in data and not encoding.startswith(("utf-16", "utf-32"))):
        return
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    texts, facts = read(path, encoding, block)
    assert "".join(texts) == text
    assert all(texts)
    assert not any(a.endswith("\r") and b.startswith("\n") for a, b in zip(texts, texts[1:]))  # noqa: B905, RUF007
    assert (facts.characters, facts.undecodable) == (len(text), 0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(min_size=1)
    .map(lambda b: b.replace(b"\0", b"\xff"))
    .filter(lambda b: b != b"\xef\xbb\xbf"),  # a mark alone is a file without text
    block=st.integers(1, 9),
)
def test_any_bytes_are_kept(tmp_path: Path, data: bytes, block: int) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    texts, facts = read(path, "utf-8", block)
    mark = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    assert "".join(texts).encode("utf-8", "surrogateescape") == data[mark:]
    assert facts.undecodable == sum("\udc80" <= c <= "\udcff" for c in "".join(texts))


def test_bytes_that_are_no_text_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf" + "é".encode() * BLOCK + b"\xff\xfe" + b"x" * SAMPLE + b"\xff")
    _, facts = read(path)
    assert (facts.encoding, facts.encoding_from) == ("utf-8", "bom")
    assert (facts.undecodable, facts.first_undecodable) == (3, 3 + 2 * BLOCK)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "shift_jis"])
def test_the_nuls_that_a_crash_leaves_in_a_log_are_counted_as_lost(
    tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "a.log"
    lines = b"it was well\n" * (SAMPLE // 9)
    path.write_bytes(b"now\0" + lines + bytes(4096) + lines)
    texts, facts = read(path, encoding)
    assert "".join(texts).count("\udc00") == facts.undecodable == 4097
    assert facts.first_undecodable == 3
    assert "\0" not in "".join(texts)


def test_more_nuls_than_that_far_behind_the_sample_are_named_with_their_byte(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"x" * (2 * SAMPLE + 9) + bytes(1 << 16))
    with pytest.raises(SourceError, match=rf"a\.log: there is a NUL at byte {2 * SAMPLE + 10:,}"):
        read(path)


def test_an_empty_text_is_an_error(tmp_path: Path) -> None:
    for name, data in (("a.txt", b""), ("b.txt", b"\xef\xbb\xbf")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(SourceError, match=rf"{name}: there is no text in it"):
            read(tmp_path / name)


def test_what_is_appended_while_it_is_read_is_left_for_the_next_time(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"line\n" * SAMPLE)
    with File(str(path)).open() as reading:
        blocks = reading.blocks()
        next(blocks)
        with path.open("ab") as file:
            file.write(b"more")
        assert sum(len(block.text) for block in blocks) == 5 * SAMPLE - BLOCK
        assert reading.facts().bytes == 5 * SAMPLE


@pytest.mark.parametrize("change", ["shorter", "other", "longer and other"])
def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path, change: str) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"line\n" * SAMPLE)
    os.utime(path, (1, 1))
    with File(str(path)).open() as reading:
        blocks = reading.blocks()
        next(blocks)
        if change == "shorter":
            os.truncate(path, SAMPLE + BLOCK)
        else:
            with path.open("r+b") as file:
                file.write(b"other" * (SAMPLE + (change != "other")))
        with pytest.raises(SourceError, match=r"a\.log: it changed while it was read: it had"):
            list(blocks)


def test_a_file_that_is_replaced_while_it_is_read_is_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"line\n" * SAMPLE)
    with File(str(path)).open() as reading:
        (tmp_path / "b").write_bytes(b"new")
        (tmp_path / "b").replace(path)
        assert sum(len(block.text) for block in reading.blocks()) == 5 * SAMPLE


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_a_terminal_is_read_to_its_first_end() -> None:
    master, slave = os.openpty()
    try:
        os.write(master, b"typed\n\x04more\n\x04")
        with Stream(os.ttyname(slave)) as stream:
            assert stream.fill(100) == b"typed\n"
            assert stream.read(100) == b""
    finally:
        os.close(master)
        os.close(slave)


def test_compressed_text_is_read_through(tmp_path: Path) -> None:
    path = tmp_path / "a.md.gz"
    path.write_bytes(gzip.compress(b"# Title\r\n" * SAMPLE))
    with File(str(path)).open() as reading:
        assert (reading.title, reading.kind) == ("a.md.gz", "markdown")
        assert "".join(block.text for block in reading.blocks()) == "# Title\r\n" * SAMPLE


def test_compressed_text_that_is_cut_short_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(os.urandom(SAMPLE).hex().encode())[: SAMPLE // 2])
    with pytest.raises(SourceError, match=r"the \.gz data ends too early"), File(str(path)).open():
        pass
