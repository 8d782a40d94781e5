"""What a plan says of each row, by an output that is there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from oldoutput import answered, leave, rows_of
from sampleresults import sample

from llmbatch.jobs.config import JobConfig, PriceConfig
from llmbatch.jobs.errors import ConfigError, SinkError, SourceError
from llmbatch.jobs.model import Result, Usage
from llmbatch.jobs.planning.plan import Plan, Rows
from llmbatch.jobs.planning.run import plan_run


class Desk:
    """A folder with an input of ``r1`` to ``r<count>``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, *rows: Any, name: str = "in.jsonl") -> None:
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (self.folder / name).write_text("".join(f"{line}\n" for line in lines))

    def prompts(self, count: int) -> None:
        self.write(*({"id": f"r{n}", "prompt": f"say {n}"} for n in range(1, count + 1)))

    def config(self, **fields: Any) -> JobConfig:
        values: dict[str, Any] = {
            "inputs": ("in.jsonl",),
            "model": "openai/gpt-4o-mini",
            "params": {"max_tokens": 50},
            "prices": {"openai/*": PriceConfig(input=1, output=2)},
        }
        return JobConfig(**(values | fields))

    def plan(self, environ: Mapping[str, str] | None = None, **fields: Any) -> Plan:
        return plan_run(self.config(**fields), environ or {})

    def rows(self, **fields: Any) -> Rows:
        found = self.plan(**fields).rows
        assert found is not None
        return found


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path)


def why(rows: Rows) -> dict[tuple[str, ...], int]:
    return {tuple(changed.why): changed.rows for changed in rows.changed}


def test_a_first_run_has_only_new_rows(desk: Desk) -> None:
    desk.prompts(3)
    plan = desk.plan()
    assert plan.rows is not None
    assert (plan.rows.total, plan.rows.new, plan.rows.requests) == (3, 3, 3)
    assert (plan.tokens.input, plan.tokens.input_exact) == (3 * 10, True)
    assert (plan.tokens.output, plan.tokens.output_worst) == (150, 150)
    assert plan.cost.expected_usd == plan.cost.worst_usd == pytest.approx((30 + 300) / 1e6)


def test_nothing_is_written_and_no_key_is_needed(desk: Desk) -> None:
    desk.prompts(3)
    desk.plan()
    assert [path.name for path in desk.folder.iterdir()] == ["in.jsonl"]


def test_a_finished_job_has_nothing_to_send(desk: Desk) -> None:
    desk.prompts(3)
    leave(desk.config())
    rows = desk.rows()
    assert (rows.done, rows.requests, rows.new) == ({"ok": 3}, 0, 0)


def test_rows_that_failed_run_again_by_their_status(desk: Desk) -> None:
    desk.prompts(4)
    ends = {"r1": "error", "r2": "partial", "r3": "invalid_output"}

    def change(result: Result) -> Result:
        return structs.replace(result, status=ends.get(result.id, "refused"))

    leave(desk.config(), change)
    rows = desk.rows()
    assert rows.again == {"error": 1, "partial": 1, "invalid_output": 1}
    assert (rows.done, rows.requests) == ({"refused": 1}, 3)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"model": "openai/gpt-4o"}, ("model",)),
        ({"system": "Be brief."}, ("system",)),
        ({"params": {"max_tokens": 50, "temperature": 0}}, ("parameters",)),
        ({"base_url": "http://elsewhere/v1"}, ("server",)),
        ({"schema": "name:str"}, ("schema",)),
        ({"template": "Again: {{prompt}}"}, ("template",)),
        ({"model": "openai/gpt-4o", "system": "x"}, ("model", "system")),
    ],
)
def test_changed_settings_are_the_reason(
    desk: Desk, fields: dict[str, Any], reason: tuple[str, ...]
) -> None:
    desk.prompts(3)
    leave(desk.config())
    rows = desk.rows(**fields)
    assert why(rows) == {reason: 3}
    assert (rows.requests, rows.new) == (3, 0)


def test_a_setting_that_a_row_overrides_changes_nothing(desk: Desk) -> None:
    desk.write({"id": "a", "prompt": "x", "system": "own"}, {"id": "b", "prompt": "x"})
    leave(desk.config())
    rows = desk.rows(system="Be brief.")
    assert (why(rows), rows.done) == ({("system",): 1}, {"ok": 1})


def test_a_row_that_changed_itself_is_told_from_the_settings(desk: Desk) -> None:
    desk.prompts(3)
    leave(desk.config())
    desk.write(
        {"id": "r1", "prompt": "other"}, *({"id": f"r{n}", "prompt": f"say {n}"} for n in (2, 3))
    )
    assert why(desk.rows()) == {("row",): 1}
    assert why(desk.rows(system="Be brief.")) == {("row",): 1, ("system",): 2}


def test_without_a_manifest_nobody_can_say_why(desk: Desk) -> None:
    desk.prompts(2)
    leave(desk.config(), manifest=False)
    assert why(desk.rows(system="Be brief.")) == {("unknown",): 2}


def test_removed_rows_are_kept_and_reordered_ones_done(desk: Desk) -> None:
    desk.prompts(4)
    leave(desk.config())
    desk.write(
        *({"id": f"r{n}", "prompt": f"say {n}"} for n in (3, 2, 1)), {"id": "n", "prompt": "n"}
    )
    rows = desk.rows()
    assert (rows.done, rows.new, rows.kept) == ({"ok": 3}, 1, 1)


def test_rows_that_ask_the_same_are_sent_once(desk: Desk) -> None:
    desk.write(*({"id": name, "prompt": "same"} for name in "abc"), {"id": "d", "prompt": "other"})
    rows = desk.rows()
    assert (rows.new, rows.duplicates, rows.requests) == (4, 2, 2)
    assert desk.rows(dedupe=False).requests == 4


def test_a_row_whose_answer_another_row_has_is_not_sent(desk: Desk) -> None:
    desk.write({"id": "a", "prompt": "same"})
    leave(desk.config())
    desk.write({"id": "a", "prompt": "same"}, {"id": "b", "prompt": "same"})
    rows = desk.rows()
    assert (rows.new, rows.duplicates, rows.requests) == (1, 1, 0)


def test_invalid_rows_are_told_with_their_line_and_are_done_once_written(desk: Desk) -> None:
    desk.write({"id": "a", "prompt": "x"}, "{broken", "[1]")
    rows = desk.rows()
    assert (rows.invalid, rows.new) == (2, 1)
    assert rows.first_invalid[0].startswith("in.jsonl:2: not JSON")
    leave(desk.config())
    assert desk.rows().done == {"ok": 1, "invalid": 2}


def test_a_torn_last_line_is_a_row_to_run(desk: Desk) -> None:
    desk.prompts(2)
    output = leave(desk.config())
    output.write_bytes(output.read_bytes()[:-40])
    rows = desk.rows()
    assert (rows.done, rows.new) == ({"ok": 1}, 1)


def test_fresh_forgets_what_is_there(desk: Desk) -> None:
    desk.prompts(2)
    leave(desk.config())
    rows = desk.rows(fresh=True)
    assert (rows.new, rows.kept) == (2, 0)
    assert "--fresh takes --force" in desk.plan(fresh=True).notes[0]
    assert not desk.plan(fresh=True, force=True).notes


def test_a_limit_leaves_the_other_rows_out(desk: Desk) -> None:
    desk.prompts(5)
    assert desk.rows(limit=2).total == 2


def test_mistakes_are_those_of_a_run(desk: Desk) -> None:
    with pytest.raises(SourceError, match="no such file"):
        desk.plan()
    desk.write({"id": "a", "prompt": "x"}, {"id": "a", "prompt": "y"})
    with pytest.raises(SourceError, match=r"in\.jsonl:2: the id \"a\" is already used"):
        desk.plan()
    desk.write({"id": "a", "prompt": "x"}, "{broken")
    with pytest.raises(SourceError, match="1 of 2 rows is invalid, and --strict"):
        desk.plan(strict=True)
    desk.write()
    with pytest.raises(SourceError, match="there is no row in it"):
        desk.plan()
    desk.prompts(1)
    with pytest.raises(ConfigError, match="names no provider"):
        desk.plan(model="gpt")
    with pytest.raises(SinkError, match="the folder gone does not exist"):
        desk.plan(output="gone/out.jsonl")
    (desk.folder / "in.results.jsonl").write_text("my diary\n")
    with pytest.raises(SinkError, match="no line of it is a result"):
        desk.plan()


def test_a_manifest_is_looked_at_as_a_run_does(desk: Desk) -> None:
    desk.prompts(1)
    leave(desk.config())
    manifest = desk.folder / "in.results.jsonl.manifest.json"
    manifest.write_text('{"manifest": "llmbatch/1", "x')
    (note,) = desk.plan(system="Be brief.").notes
    assert f"{manifest}: is damaged" in note
    manifest.write_text("{}")
    with pytest.raises(ConfigError, match="is no manifest of llmbatch"):
        desk.plan()
    assert desk.rows(output="-").new == 1, "a stream has none"


def test_a_batch_output_is_read_too(desk: Desk) -> None:
    desk.prompts(2)
    leave(desk.config(format="openai-batch"))
    assert desk.rows(format="openai-batch").done == {"ok": 2}
    with pytest.raises(ConfigError, match="use the same format"):
        desk.plan()
    desk.write(*({"id": name, "prompt": "say 1"} for name in "ab"))
    rows = desk.rows(format="openai-batch")
    assert (rows.new, rows.duplicates, rows.requests) == (2, 1, 1), "no answer is taken out of it"


def test_what_answers_used_is_expected_of_the_others(desk: Desk) -> None:
    desk.prompts(40)
    answers = iter(range(100))

    def half(result: Result) -> Result | None:
        number = next(answers)
        if number >= 20:
            return None
        usage = Usage(18, 12, cached_tokens=9)
        return structs.replace(result, usage=usage)

    leave(desk.config(), half)
    plan = desk.plan(prices={"openai/*": PriceConfig(input=1, output=2, cached=0)})
    assert (plan.tokens.input, plan.tokens.output) == (20 * 18, 20 * 12)
    assert not plan.tokens.input_exact, "its server counts more than the text"
    assert plan.cost.expected_usd == pytest.approx(20 * (9 + 24) / 1e6)
    assert plan.cost.worst_usd == pytest.approx(20 * (18 + 100) / 1e6)


def test_rows_that_changed_tell_what_answers_were_like(desk: Desk) -> None:
    desk.prompts(20)
    leave(desk.config(), lambda result: structs.replace(result, usage=Usage(9, 7)))
    plan = desk.plan(system="Be brief.")
    assert plan.tokens.output == 20 * 7
    assert plan.tokens.output_basis == "20 answered rows"


def test_no_price_is_said_and_is_not_free(desk: Desk) -> None:
    desk.prompts(2)
    plan = desk.plan(model="own/m", prices={}, base_url="http://lab/v1")
    assert (plan.cost.expected_usd, plan.cost.worst_usd) == (None, None)
    assert "no price for openai-compatible/own/m" in plan.cost.unpriced[0]


def test_an_answer_without_a_known_limit_has_no_worst_case(desk: Desk) -> None:
    desk.prompts(2)
    plan = desk.plan(model="m", base_url="http://lab/v1", params={}, price_in=1.0, price_out=1.0)
    assert plan.tokens.output_worst is None
    assert plan.cost.worst_usd is None
    assert plan.cost.expected_usd is not None


def test_rows_with_models_of_their_own_have_their_own_prices(desk: Desk) -> None:
    desk.write({"prompt": "a"}, {"prompt": "a", "model": "gpt-4o"})
    prices = {
        "openai/gpt-4o": PriceConfig(input=100, output=100),
        "openai/gpt-4o-mini": PriceConfig(input=1, output=1),
    }
    plan = desk.plan(prices=prices, params={"max_tokens": 1})
    assert set(plan.cost.prices) == {"openai/gpt-4o", "openai/gpt-4o-mini"}
    assert plan.cost.expected_usd == pytest.approx((8 + 1) * 101 / 1e6)


def test_embeddings_have_no_answer_to_pay(desk: Desk) -> None:
    desk.write({"input": "a b c"})
    plan = desk.plan(endpoint="embeddings", model="openai/text-embedding-3-small", params={})
    assert (plan.tokens.output, plan.tokens.output_worst) == (0, 0)


def test_a_budget_says_what_it_would_leave_undone(desk: Desk) -> None:
    desk.prompts(10)
    each = (10 + 100) / 1e6
    budget = desk.plan(max_cost=4.5 * each).budget
    assert budget is not None
    assert (budget.left_undone, budget.spent_usd) == (6, None)
    tokens = desk.plan(max_tokens_total=60 * 3).budget
    assert tokens is not None
    assert tokens.left_undone == 7
    assert desk.plan().budget is None


def test_what_earlier_runs_spent_is_part_of_the_budget(desk: Desk) -> None:
    desk.prompts(2)
    leave(desk.config(), spent_usd=5.0, spent_tokens=1000)
    desk.prompts(4)
    budget = desk.plan(max_cost=5.0).budget
    assert budget is not None
    assert (budget.spent_usd, budget.left_undone) == (5.0, 2)


def test_limits_say_how_long_it_takes_at_least(desk: Desk) -> None:
    desk.prompts(30)
    time = desk.plan(rpm=10, tpm=100_000).time
    assert (time.rpm_s, time.expected_s) == (180, 180)
    assert time.tpm_s == pytest.approx(30 * 60 / 100_000 * 60, abs=0.01)
    assert desk.plan().time.expected_s is None


def test_what_answers_took_says_how_long_the_others_take(desk: Desk) -> None:
    desk.prompts(20)
    gone = {f"r{n}" for n in range(1, 9)}
    leave(desk.config(), lambda result: None if result.id in gone else result)
    time = desk.plan(concurrency=4).time
    assert (time.latency_s, time.concurrency) == (8 * 2.0 / 4, 4)


def test_several_inputs_and_tables_are_planned_too(desk: Desk) -> None:
    desk.write("id,word", "a,apple", "b,pear", name="in.csv")
    rows = desk.rows(inputs=("in.csv",), template="Say {{word}}", output="out.csv", format="csv")
    assert rows.new == 2
    leave(desk.config(inputs=("in.csv",), template="Say {{word}}", output="out.csv", format="csv"))
    rows = desk.rows(inputs=("in.csv",), template="Say {{word}}", output="out.csv", format="csv")
    assert rows.done == {"ok": 2}


def test_answers_that_were_not_asked_for_tell_nothing(desk: Desk) -> None:
    """What is out of a cache, of a fallback, or of several attempts is no measure of a request."""
    desk.prompts(3)
    row = rows_of(desk.config())[0]
    made = answered(row)
    assert made.metrics is not None
    leave(
        desk.config(),
        lambda result: (
            structs.replace(made, metrics=structs.replace(made.metrics, attempts=0))
            if result.id == "r1"
            else None
        ),
        more=[sample("else", usage=Usage(9, 9))],
    )
    assert desk.plan().tokens.output_basis.startswith("a guess")


def test_an_older_line_that_proves_a_row_done_counts(desk: Desk) -> None:
    """As in the output of a run that was stopped before it dropped what was superseded."""
    desk.prompts(2)
    late = structs.replace(answered(rows_of(desk.config())[0]), fingerprint="0" * 32)
    leave(desk.config(), more=[late])
    assert desk.rows().done == {"ok": 2}
