"""What the user names becomes inputs, or an error that says what to do."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from llmbatch.jobs.errors import ConfigError, SourceError
from llmbatch.jobs.sources.inputs import Input, default_output, expand

Write = Callable[..., str]


def every_line(source: Input) -> list[tuple[int, bytes]]:
    return [numbered for block in source.blocks() for numbered in block]


def error_of(*patterns: str) -> str:
    with pytest.raises(SourceError) as caught:
        expand(patterns)
    return str(caught.value)


def test_files_globs_and_standard_input_keep_their_order(write: Write) -> None:
    for name in ("b.jsonl", "a.jsonl", "z.txt"):
        write(name, "x")
    paths = [source.path for source in expand(["z.txt", "-", "*.jsonl"])]
    assert paths == ["z.txt", "-", "a.jsonl", "b.jsonl"]


def test_a_file_named_twice_is_read_once(write: Write) -> None:
    write("a.jsonl", "x")
    assert [source.path for source in expand(["a.jsonl", "./a.jsonl", "a.*"])] == ["a.jsonl"]


def test_a_file_whose_name_looks_like_a_glob_is_a_file(write: Write) -> None:
    write("a[1].jsonl", "x")
    assert [source.path for source in expand(["a[1].jsonl"])] == ["a[1].jsonl"]


def test_a_glob_reaches_into_folders_and_skips_the_folders_themselves(write: Write) -> None:
    Path("d/e.jsonl").mkdir(parents=True)
    write("d/e.jsonl/f.jsonl", "x")
    assert [source.path for source in expand(["**/*.jsonl"])] == ["d/e.jsonl/f.jsonl"]


def test_a_glob_leaves_out_the_results_of_earlier_runs_unless_it_names_them(write: Write) -> None:
    write("a.jsonl", "x")
    write("a.results.jsonl", "x")
    assert [source.path for source in expand(["*.jsonl"])] == ["a.jsonl"]
    assert [source.path for source in expand(["*.results.jsonl"])] == ["a.results.jsonl"]


@pytest.mark.parametrize(
    ("name", "form", "compression"),
    [
        ("a.jsonl", "jsonl", ""),
        ("a.ndjson", "jsonl", ""),
        ("a.json", "jsonl", ""),
        ("a.txt", "text", ""),
        ("a.txt.gz", "text", ".gz"),
        ("a.jsonl.zst", "jsonl", ".zst"),
        ("a.log", "jsonl", ""),
        ("a", "jsonl", ""),
        ("a.gz", "jsonl", ".gz"),
    ],
)
def test_the_suffix_tells_the_format(write: Write, name: str, form: str, compression: str) -> None:
    (source,) = expand([write(name, "x")])
    assert (source.format.name, source.compression, source.rereadable) == (form, compression, True)


def test_a_folder_is_refused_with_what_to_write_instead(write: Write) -> None:
    Path("data").mkdir()
    assert error_of("data/") == "data/: is a folder: name its files, as in data/*.jsonl"


def test_a_missing_file_is_named() -> None:
    assert error_of("nope.jsonl") == "nope.jsonl: no such file: check the name and the folder"


def test_a_glob_without_a_match_is_named(write: Write) -> None:
    assert error_of("*.jsonl") == "*.jsonl: no file matches: check the pattern"


def test_no_input_at_all_is_wrong_usage() -> None:
    with pytest.raises(ConfigError, match="no input: name a file, a glob, or - for standard input"):
        expand([])


def test_what_the_system_refuses_to_open_says_why(write: Write) -> None:
    Path("loop").symlink_to("loop")
    assert error_of("loop").startswith("loop: can't be read: Too many levels of symbolic links")
    assert error_of("a\0b") == "a\0b: can't be read: embedded null byte"


@pytest.mark.skipif(sys.platform == "win32", reason="modes are a matter of POSIX")
def test_an_unreadable_file_says_so(write: Write) -> None:
    Path(write("secret.jsonl", "x")).chmod(0)
    if os.geteuid() != 0:
        assert "no permission to read it" in error_of("secret.jsonl")
        return
    # The super-user may read anything, so a process without its rights has to try.
    script = (
        "import os, sys\n"
        "from llmbatch.jobs.sources.inputs import expand\n"
        "from llmbatch.jobs.errors import ConfigError, SourceError\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: expand(['secret.jsonl'])\n"
        "except SourceError as error: print(error)\n"
    )
    for folder in (Path.cwd(), *Path.cwd().parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o001)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == ("secret.jsonl: no permission to read it: check its owner and mode\n"), (
        done.stderr
    )


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("d/prompts.jsonl", "d/prompts.results.jsonl"),
        ("prompts.jsonl.gz", "prompts.results.jsonl"),
        ("prompts.txt.zst", "prompts.results.jsonl"),
        ("v1.2.log", "v1.2.log.results.jsonl"),
        ("prompts", "prompts.results.jsonl"),
    ],
)
def test_the_output_stands_beside_its_input(write: Write, name: str, output: str) -> None:
    Path("d").mkdir()
    assert default_output(expand([write(name, "x")])) == output


def test_a_pipe_answers_on_standard_output_and_several_inputs_need_a_name(write: Write) -> None:
    os.mkfifo("pipe")
    write("a.jsonl", "x")
    assert default_output(expand(["-"])) == "-"
    assert default_output(expand(["pipe"])) == "-"
    assert default_output(expand(["-", "a.jsonl"])) is None


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".zst", zstd.compress)])
def test_compressed_files_are_read_through(
    write: Write, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    Path("a.jsonl" + suffix).write_bytes(pack(b'"one"\n') + pack(b'\n"two"'))
    (source,) = expand(["a.jsonl" + suffix])
    assert every_line(source) == [(1, b'"one"'), (3, b'"two"')]


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".zst", zstd.compress)])
def test_compressed_data_that_is_cut_short_names_the_file_and_the_line(
    write: Write, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    whole = pack(b'"first"\n"second"\n') + pack(os.urandom(9_000).hex().encode())
    name = "a.jsonl" + suffix
    Path(name).write_bytes(whole[:-4_000])
    (source,) = expand([name])
    with pytest.raises(SourceError) as caught:
        every_line(source)
    assert str(caught.value) == (
        f"{name}:3: the {suffix} data ends too early: the file was cut short"
    )


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".zst", zstd.compress)])
@pytest.mark.parametrize("content", ["other", "garbled"])
def test_damaged_compressed_data_names_the_file(
    write: Write, suffix: str, pack: Callable[[bytes], bytes], content: str
) -> None:
    tail = os.urandom(9_000).hex().encode()
    checked = {zstd.CompressionParameter.checksum_flag: 1}  # as the zstd command does
    good = pack(tail) if suffix == ".gz" else zstd.compress(tail, options=checked)
    garbled = good[:-5_000] + bytes(200) + good[-4_800:]
    name = "a.jsonl" + suffix
    Path(name).write_bytes(garbled if content == "garbled" else b'{"prompt": "plain text"}\n')
    (source,) = expand([name])
    with pytest.raises(SourceError) as caught:
        every_line(source)
    assert str(caught.value).startswith(f"{name}:")
    assert f"the {suffix} data is damaged (" in str(caught.value)


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        (gzip.compress(b'"x"'), "it is gzip data: give the file a name that ends in .gz"),
        (zstd.compress(b'"x"'), "it is zstd data: give the file a name that ends in .zst"),
        ('"x"\n'.encode("utf-16"), "it is UTF-16 text: save it as UTF-8"),
    ],
    ids=["gzip", "zstd", "utf-16"],
)
def test_data_of_another_kind_is_recognised(write: Write, data: bytes, advice: str) -> None:
    Path("a.jsonl").write_bytes(data)
    (source,) = expand(["a.jsonl"])
    with pytest.raises(SourceError) as caught:
        every_line(source)
    assert str(caught.value).startswith(f"a.jsonl:1: {advice}")


def test_a_file_that_went_away_is_an_error_of_the_source(write: Write) -> None:
    (source,) = expand([write("a.jsonl", "x")])
    Path("a.jsonl").unlink()
    with pytest.raises(SourceError, match=r"^a\.jsonl: can't be read: No such file or directory$"):
        every_line(source)
