"""The manifest as a value and a file: what it keeps, and what it never writes over."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampleresults import sample

from llmbatch.jobs.config import AnalyzeConfig, JobConfig, ProviderConfig
from llmbatch.jobs.errors import ConfigError, SinkError
from llmbatch.jobs.manifest import inputs as inputs_module
from llmbatch.jobs.manifest.account import Account
from llmbatch.jobs.manifest.inputs import Inputs, hashed
from llmbatch.jobs.manifest.manifest import (
    BrokenManifest,
    Carried,
    InputFacts,
    Manifest,
    carried,
    encoded,
    find_manifest,
    manifest_path,
    read_manifest,
    write_manifest,
)
from llmbatch.jobs.manifest.masks import masked_config
from llmbatch.jobs.model import Usage

NOW = "2026-11-22T10:31:07.123Z"


def manifest(output: str | Path = "o.jsonl", **fields: Any) -> Manifest:
    values: dict[str, Any] = {
        "llmbatch": "0.1.0",
        "python": "3.14.0",
        "job": "run",
        "state": "finished",
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "started_at": NOW,
        "written_at": NOW,
        "output": str(output),
    }
    return Manifest(**(values | fields))


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    written = manifest(
        tmp_path / "o.jsonl",
        rows={"ok": 2},
        inputs=[InputFacts(path="a \udcff b", rows=2), InputFacts(path="-", rereadable=False)],
        spent_usd=0.25,
    )
    write_manifest(written)
    assert (tmp_path / "o.jsonl.manifest.json").read_bytes() == encoded(written)
    found = read_manifest(tmp_path / "o.jsonl")
    assert found is not None
    assert (found.rows, found.spent_usd, found.inputs[1]) == ({"ok": 2}, 0.25, written.inputs[1])
    assert found.inputs[0].path == "a \\udcff b", "no JSON holds half a character"


def test_it_stands_beside_what_a_link_points_to(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "link.jsonl").symlink_to("disk/real.jsonl")
    assert manifest_path(tmp_path / "link.jsonl") == tmp_path / "disk/real.jsonl.manifest.json"


def test_there_may_be_none(tmp_path: Path) -> None:
    assert find_manifest(tmp_path / "o.jsonl") is None
    assert read_manifest(tmp_path / "o.jsonl") is None


@pytest.mark.parametrize("data", [b"", b"\0" * 100, encoded(manifest())[:-200]])
def test_a_damaged_one_is_known_for_ours(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "o.jsonl.manifest.json").write_bytes(data)
    assert read_manifest(tmp_path / "o.jsonl") is None
    with pytest.raises(BrokenManifest, match="is damaged"):
        find_manifest(tmp_path / "o.jsonl")


@pytest.mark.parametrize(
    "data", [b"{}", b'{"files": []}', b"[1]", b"hello", b'{"manifest": "x/1"}']
)
def test_a_foreign_file_is_refused_and_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "o.jsonl.manifest.json"
    path.write_bytes(data)
    assert read_manifest(tmp_path / "o.jsonl") is None
    with pytest.raises(ConfigError, match=r"manifest\.json: is no manifest of llmbatch.*move it"):
        find_manifest(tmp_path / "o.jsonl")
    assert path.read_bytes() == data


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "o.jsonl.manifest.json")
    with pytest.raises(ConfigError, match="is no manifest of llmbatch"):
        find_manifest(tmp_path / "o.jsonl")


def test_a_later_version_may_say_more(tmp_path: Path) -> None:
    values = {**msgspec.to_builtins(manifest()), "manifest": "llmbatch/2", "weather": "fine"}
    (tmp_path / "o.jsonl.manifest.json").write_text(json.dumps(values))
    found = read_manifest(tmp_path / "o.jsonl")
    assert found is not None
    assert found.manifest == "llmbatch/2"


def test_one_that_cannot_be_written_is_said_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"nowhere/o\.jsonl\.manifest\.json: can't write.*No such"):
        write_manifest(manifest(tmp_path / "nowhere" / "o.jsonl"))


def test_a_run_whose_process_is_gone_ended_unclean() -> None:
    assert not manifest().ended_unclean
    assert not manifest(state="running").ended_unclean, "it is this process"
    assert manifest(state="running", pid=2**22 + 1).ended_unclean
    assert manifest(state="tidying", host="elsewhere").ended_unclean


def account(*costs: float | None) -> Account:
    lines = Account()
    for cost in costs:
        lines.add(sample(cost_usd=cost, usage=Usage(10, 20)))
    return lines


def test_an_account_sums_lines_and_takes_them_out_again() -> None:
    lines = account(0.5, None)
    lines.add(sample(status="error", usage=None))
    assert (lines.rows, lines.usd, lines.tokens) == ({"ok": 2, "error": 1}, 0.5, 60)
    assert lines.unpriced == 1, "only a line with tokens could have had a price"
    lines.add(sample(cost_usd=0.5, usage=Usage(10, 20)), -1)
    assert (lines.rows["ok"], lines.usd, lines.tokens) == (1, None, 30)


def test_no_price_is_not_free() -> None:
    assert account(None, None).usd is None
    assert carried(None, account(None)) == Carried(None, 30, 1)


def test_answers_that_were_shared_for_nothing_make_no_cost_known() -> None:
    lines = account(None, None)
    lines.add(sample(cost_usd=0.0, usage=Usage()))
    assert (lines.usd, lines.unpriced) == (None, 2)
    assert carried(None, lines) == Carried(None, 60, 2)
    lines.add(sample(cost_usd=0.5, usage=Usage(10, 20)))
    assert (lines.usd, lines.unpriced) == (0.5, 2)


def test_lines_that_a_killed_run_added_are_carried_on() -> None:
    before = manifest(
        state="running", spent_usd=1.0, spent_tokens=100, lines_usd=0.5, lines_tokens=30
    )
    assert carried(before, account(0.5, 0.25)) == Carried(1.25, 130)


def test_a_run_that_was_killed_while_it_tidied_added_nothing() -> None:
    before = manifest(state="tidying", spent_usd=1.0, spent_tokens=99, lines_usd=3.0)
    assert carried(before, account(0.25)) == Carried(1.0, 99)


@pytest.mark.parametrize("state", ["finished", "tidying"])
def test_no_manifest_makes_lines_cheaper_than_they_were(state: str) -> None:
    before = manifest(state=state, spent_usd=-9.0, lines_usd=7.0, lines_tokens=100)
    assert carried(before, account(0.5, 0.25)) == Carried(0.75, account(0.5, 0.25).tokens)


@given(st.floats(0, 100), st.integers(0, 1000), st.floats(0, 100), st.integers(0, 1000))
def test_what_was_spent_never_becomes_less(
    spent: float, tokens: int, lines: float, line_tokens: int
) -> None:
    before = manifest(
        spent_usd=spent, spent_tokens=tokens, lines_usd=lines, lines_tokens=line_tokens
    )
    found = carried(before, account(0.25))
    assert found.usd is not None
    assert found.usd >= spent
    assert found.tokens >= tokens


SECRET = "sk-not-for-files"


def test_no_secret_is_kept() -> None:
    config = AnalyzeConfig(
        model="lab/m",
        system="Be brief.",
        params={
            "access_token": SECRET,
            "extra_headers": {"Authorization": SECRET},
            "extra_body": {"api_keys": [SECRET], "credentials": {"user": {"value": SECRET}}},
            "tools": [
                {"type": "mcp", "authorization": SECRET},
                {"server_url": f"https://u:{SECRET}@lab/mcp"},
                {"server_url": f"https://lab/mcp?code={SECRET}"},
                {"parameters": {"properties": {"token": {"type": "string"}}}},
            ],
            "max_tokens": 7,
        },
        providers={
            "lab": ProviderConfig(
                base_url=f"http://u:{SECRET}@lab/v1?key={SECRET}",
                api_key_env=SECRET,
                api_key_cmd=f"vault --token {SECRET}",
                headers={"X-Team": SECRET},
            )
        },
    )
    kept = masked_config(config, JobConfig)
    assert SECRET not in json.dumps(kept)
    assert "vault" not in json.dumps(kept)
    assert (kept["system"], kept["params"]["max_tokens"]) == ("Be brief.", 7)
    schema = kept["params"]["tools"][3]["parameters"]
    assert schema == {"properties": {"token": {"type": "string"}}}, "the name of a field"
    assert list(kept["providers"]["lab"]["headers"]) == ["X-Team"]
    assert "documents" not in kept, "those are settings of another command"
    assert msgspec.convert(kept, JobConfig).system == "Be brief."


async def test_large_inputs_are_hashed_while_the_job_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.txt"
    path.write_bytes(b"x" * 100)
    go_on = threading.Event()

    def slow(path: str) -> tuple[int, str]:
        go_on.wait()
        return hashed(path)

    monkeypatch.setattr(inputs_module, "AT_ONCE", 99)
    monkeypatch.setattr(inputs_module, "hashed", slow)
    inputs = Inputs([(str(path), True), ("-", False)], {str(path): 7})
    first, second = inputs.facts
    assert (first.bytes, first.rows, first.blake2b, second.rereadable) == (100, 7, None, False)
    go_on.set()
    await inputs.hashed()
    assert inputs.facts[0].blake2b == hashed(str(path))[1]


def test_a_file_is_hashed_as_it_is_stored(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 3_000_001)
    size, digest = hashed(str(tmp_path / "a"))
    assert (size, len(digest)) == (3_000_001, 64)
    (tmp_path / "a").write_bytes(b"x" * 3_000_000 + b"y")
    assert hashed(str(tmp_path / "a"))[1] != digest
