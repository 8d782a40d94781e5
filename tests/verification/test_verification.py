"""Whether an output is found to be well, and what is found where it is not."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from oldoutput import leave
from sampleresults import sample

from llmbatch.jobs.config import JobConfig, ProviderConfig
from llmbatch.jobs.drain import Stop
from llmbatch.jobs.errors import ConfigError, SourceError
from llmbatch.jobs.verification.findings import Findings
from llmbatch.jobs.verification.verification import Verification, verify

OUT = "in.results.jsonl"
NOTHING = JobConfig()


def write(*rows: Any, name: str = "in.jsonl") -> None:
    text = "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)
    data = text.encode()
    Path(name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)


def config(**fields: Any) -> JobConfig:
    values: dict[str, Any] = {"inputs": ("in.jsonl",), "model": "openai/gpt-4o-mini"}
    return JobConfig(**(values | fields))


def kinds(found: Verification) -> dict[str, int]:
    return {kind: problems.count for kind, problems in found.problems.items()}


@pytest.fixture(autouse=True)
def prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(*({"id": name, "prompt": f"say {name}"} for name in "abcd"))


def check(output: str = OUT, config: JobConfig = NOTHING) -> Verification:
    return verify(output, config, {})


def test_a_whole_output_is_well(prompts: None) -> None:
    leave(config(system="Be brief.", params={"max_tokens": 9}))
    found = check()
    assert found.well, found.problems
    assert (found.rows_in, found.lines, found.rows) == (4, 4, {"ok": 4})
    assert found.compared_with == "the manifest"


def test_invalid_rows_belong_to_a_well_output() -> None:
    write({"id": "a", "prompt": "x"}, "{broken")
    leave(config())
    found = check()
    assert found.well, found.problems
    assert (found.rows, found.failed) == ({"ok": 1, "invalid": 1}, 1)


def test_rows_that_failed_are_counted_and_valid() -> None:
    leave(config(), lambda result: structs.replace(result, status="error", usage=None))
    found = check()
    assert found.well
    assert found.failed == 4


def test_a_row_without_a_result_is_named_with_its_place() -> None:
    leave(config(), lambda result: None if result.id == "c" else result)
    found = check()
    assert kinds(found) == {"missing_row": 1}
    (missing,) = found.problems["missing_row"].first
    assert (missing.file, missing.line, missing.id) == ("in.jsonl", 3, "c")


def test_an_id_that_occurs_twice_is_named_with_both_lines() -> None:
    output = leave(config())
    lines = output.read_bytes().splitlines(keepends=True)
    output.write_bytes(b"".join([*lines, lines[1]]))
    found = check()
    assert kinds(found)["id_twice"] == 1
    (twice,) = found.problems["id_twice"].first
    assert (twice.line, twice.id, twice.message) == (5, "b", "is in line 2, too")


def test_a_torn_line_is_found() -> None:
    output = leave(config())
    output.write_bytes(output.read_bytes()[:-30])
    found = check()
    assert {"torn_line", "missing_row"} <= set(kinds(found))
    assert found.problems["torn_line"].first[0].line == 4


def test_a_line_that_is_no_result_is_found() -> None:
    output = leave(config(), tail=b"my diary\n\n")
    found = check()
    assert kinds(found) == {"unreadable_line": 1}
    assert found.problems["unreadable_line"].first[0].file == str(output)
    assert found.problems["unreadable_line"].first[0].line == 5


def test_a_result_that_no_row_asked_for_is_found() -> None:
    leave(config(), more=[sample("stranger")])
    assert kinds(check()) == {"unknown_id": 1}


def test_a_row_that_was_edited_since_is_found() -> None:
    leave(config())
    write(*({"id": name, "prompt": f"say {name}{'!' * (name == 'b')}"} for name in "abcd"))
    found = check()
    assert kinds(found) == {"fingerprint": 1, "manifest": 1}
    assert found.problems["fingerprint"].first[0].id == "b"
    assert "the input in.jsonl is not the one that was run" in (
        found.problems["manifest"].first[0].message
    )


def test_an_answer_to_another_request_is_found() -> None:
    leave(config(), lambda result: structs.replace(result, fingerprint="0" * 32))
    assert kinds(check()) == {"fingerprint": 4}


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"rows": {"ok": 3}}, "rows by status: it says {'ok': 3}, and there is {'ok': 4}"),
        ({"lines_tokens": 7}, "lines_tokens: it says 7"),
        ({"lines_usd": 7.5}, "lines_usd: it says 7.5"),
        ({"lines_usd": None}, "lines_usd: it says None"),
        ({"total": 9}, "rows of the input: it says 9, and there is 4"),
        ({"inputs": []}, "inputs: it says 0, and there is 1"),
        ({"state": "running"}, "ended without its end (killed?)"),
        ({"state": "stopped", "stopped": Stop("budget", "the cap")}, "stopped early: the cap"),
    ],
)
def test_a_manifest_that_says_otherwise_is_found(facts: dict[str, Any], said: str) -> None:
    leave(config(), **facts)
    found = check()
    assert kinds(found) == {"manifest": 1}
    assert said in found.problems["manifest"].first[0].message


def test_nothing_and_no_price_come_to_the_same() -> None:
    leave(config(), lambda result: structs.replace(result, cost_usd=None), lines_usd=0.0)
    assert check().well


def test_a_damaged_manifest_is_a_problem_and_a_missing_one_is_a_note() -> None:
    output = leave(config(), manifest=False)
    found = check(config=config())
    assert found.well
    assert found.compared_with == "the options"
    assert "there is no manifest" in found.notes[0]
    Path(f"{output}.manifest.json").write_bytes(b'{\n  "manifest": "llmbatch/1", "x')
    assert kinds(check(config=config())) == {"manifest": 1}


def test_without_a_manifest_the_options_have_to_be_those_of_the_run() -> None:
    leave(config(system="Be brief."), manifest=False)
    assert check(config=config(system="Be brief.")).well
    assert kinds(check(config=config())) == {"fingerprint": 4}


def test_a_secret_that_the_manifest_does_not_keep_is_taken_from_the_settings() -> None:
    providers = {"lab": ProviderConfig(base_url="http://lab/v1", headers={"X-Key": "s"})}
    own = config(model="lab/m", providers=providers, params={"access_token": "s"})
    leave(own)
    assert check(config=own).well


def test_a_secret_in_a_list_is_taken_from_the_settings_too() -> None:
    own = config(params={"tools": [{"type": "mcp", "authorization": "s"}, {"type": "other"}]})
    leave(own)
    assert check(config=own).well
    fewer = config(params={"tools": []})
    assert kinds(check(config=fewer)) == {"fingerprint": 4}, "nobody knows the secret any more"


def test_the_manifest_is_named_by_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(config(), lines_tokens=7)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    found = check(str(tmp_path / OUT), JobConfig(inputs=(str(tmp_path / "in.jsonl"),)))
    (one,) = found.problems["manifest"].first
    assert one.file == found.manifest == str(tmp_path / f"{OUT}.manifest.json")


def test_several_inputs_compressed_ones_and_other_names_for_them() -> None:
    write({"prompt": "x"}, {"prompt": "y"}, name="b.jsonl.gz")
    both = config(inputs=("in.jsonl", "b.jsonl.gz"), output="out.jsonl")
    leave(both)
    assert check("out.jsonl").well
    Path("moved").mkdir()
    Path("in.jsonl").rename("moved/in.jsonl")
    again = JobConfig(inputs=("moved/in.jsonl", "b.jsonl.gz"))
    assert check("out.jsonl", again).well


def test_a_batch_output_and_a_table_are_verified_too() -> None:
    leave(config(format="openai-batch", output="batch.jsonl"))
    assert check("batch.jsonl").well
    leave(config(format="csv", output="out.csv"))
    assert check("out.csv").well


def test_a_schema_is_part_of_what_was_asked(tmp_path: Path) -> None:
    Path("s.json").write_text('{"type": "object"}')
    leave(config(schema="s.json"))
    Path("s.json").unlink()
    assert check().well, "the manifest keeps its text"


@pytest.mark.parametrize("form", ["the limit", "blank lines"])
def test_what_a_run_leaves_out_is_left_out(form: str) -> None:
    if form == "the limit":
        leave(config(limit=2))
    else:
        write({"id": "a", "prompt": "x"}, "", {"id": "b", "prompt": "x"})
        leave(config())
    found = check()
    assert found.well, found.problems
    assert found.lines == 2


def test_what_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ConfigError, match="name what the rows came from with --input"):
        check("nothing.jsonl")
    with pytest.raises(SourceError, match=r"nothing\.jsonl: can't be read: No such file"):
        check("nothing.jsonl", config())
    leave(config(output="o.jsonl"))
    Path("in.jsonl").rename("moved.jsonl")
    with pytest.raises(SourceError, match=r"in\.jsonl: no such file.*say --input FILE"):
        check("o.jsonl")
    Path("moved.jsonl").rename("in.jsonl")
    with pytest.raises(SourceError, match="the table's own lines are not there"):
        check("nothing.csv", config())
    leave(config())
    write({"id": "a", "prompt": "x"}, {"id": "a", "prompt": "x"})
    with pytest.raises(SourceError, match="is already used"):
        check()


def test_the_results_of_an_analysis_are_not_verified_as_rows() -> None:
    leave(config(), job="analyze")
    with pytest.raises(ConfigError, match="holds the results of an analysis"):
        check()


def test_only_the_first_problems_of_a_kind_are_kept() -> None:
    findings = Findings()
    for number in range(1000):
        findings.add("fingerprint", "f", "differs", number)
    found = findings.by_kind()["fingerprint"]
    assert (found.count, len(found.first)) == (1000, 20)


def test_rows_without_a_result_are_counted_beyond_those_that_are_named() -> None:
    write(*({"id": f"r{n}", "prompt": "x"} for n in range(50)))
    leave(config(), lambda result: None if result.id != "r7" else result)
    found = check()
    assert kinds(found) == {"missing_row": 49}
    assert len(found.problems["missing_row"].first) == 20
