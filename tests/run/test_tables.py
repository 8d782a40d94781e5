"""Tables in and out: columns of the input beside what was answered, resumed like any output."""

from __future__ import annotations

import asyncio
import csv
import datetime as dt
import io
import json
import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from desk import Desk, Here
from faultreplies import answer, error, held
from msgspec import structs
from watching import Watch, dying_at

from llmbatch.jobs import JobConfig, Summary, run_job_async
from llmbatch.jobs.errors import ConfigError, SourceError

ENDING = ["status", "finish_reason", "llm_model", "input_tokens", "output_tokens", "cost_usd",
          "latency_s", "error"]  # fmt: skip
PEOPLE = 'id,name,zip,note\na,Ada,00123,"two\nlines"\nb,"Bo, Jr.",,\nc,Čapek,7,"say ""hi"""\n'
HELLO = ("--template", "Greet {{name}}")


def table(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """Its rows; the header has every name once."""
    reader = csv.DictReader(io.StringIO(path.read_bytes().decode(), newline=""),
                            delimiter=delimiter, strict=True)  # fmt: skip
    rows = list(reader)
    assert reader.fieldnames is not None
    assert len(set(reader.fieldnames)) == len(reader.fieldnames)
    assert all(None not in row and None not in row.values() for row in rows)
    return rows


def people(desk: Desk, text: str = PEOPLE, name: str = "in.csv") -> None:
    (desk.folder / name).write_bytes(text.encode())


async def run_here(desk: Desk, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Summary:
    """The job in this process, for what ends before anything is sent."""
    monkeypatch.chdir(desk.folder)
    first = JobConfig(
        inputs=("in.csv",), template="Greet {{name}}", model="m", base_url=desk.server.url
    )
    return await run_job_async(structs.replace(first, **settings), environ={})


def asked(desk: Desk) -> list[str]:
    prompts = sorted(call.prompt for call in desk.server.calls)
    desk.server.calls.clear()
    return prompts


async def test_a_csv_becomes_results(here: Here) -> None:
    people(here)
    assert (await here.run("in.csv", *HELLO)).code == 0
    results = here.results("in.results.jsonl")
    assert results["a"]["metadata"] == {"name": "Ada", "zip": "00123", "note": "two\nlines"}
    assert [row["line"] for row in results.values()] == [2, 4, 5]


async def test_the_table_has_the_columns_of_the_input_and_then_the_others(desk: Desk) -> None:
    people(desk)
    desk.server.replies = lambda call: answer(f"Hello,\n{call.prompt[6:]}!")
    done = await desk.run("in.csv", *HELLO, "-o", "out.csv")
    assert done.code == 0, done
    rows = table(desk.folder / "out.csv")
    given = list(csv.DictReader(io.StringIO(PEOPLE, newline="")))
    assert list(rows[0]) == ["id", "name", "zip", "note", "output", *ENDING]
    assert [{key: row[key] for key in given[0]} for row in rows] == given
    assert rows[1]["output"] == "Hello,\nBo, Jr.!"
    assert (rows[0]["status"], rows[0]["finish_reason"], rows[0]["error"]) == ("ok", "stop", "")
    assert int(rows[0]["input_tokens"]) > 0
    assert float(rows[0]["latency_s"]) > 0
    assert (desk.folder / "out.csv.jsonl").exists()


async def test_a_table_is_in_the_order_of_the_input(desk: Desk) -> None:
    people(desk, "n\n" + "".join(f"{n}\n" for n in range(30)))
    release = asyncio.Event()
    first = held(release)
    watch = Watch(desk.server, lambda call: (first if call.prompt == "n 0" else answer())(call))
    args = ("in.csv", "--template", "n {{n}}", "-o", "out.tsv", "--concurrency", "4")
    async with desk.running(*args) as job:
        await watch.requests(20)
        release.set()
        assert (await job.ended()).code == 0
    assert [row["n"] for row in table(desk.folder / "out.tsv", "\t")] == [str(n) for n in range(30)]


async def test_the_same_command_resumes_and_makes_the_same_table(here: Here) -> None:
    people(here)
    here.server.replies = lambda call: error(400) if "Bo" in call.prompt else answer()
    assert (await here.run("in.csv", *HELLO, "-o", "out.csv")).code == 1
    asked(here)
    failed = table(here.folder / "out.csv")[1]
    assert (failed["status"], failed["output"]) == ("error", "")
    assert failed["error"].startswith("bad_request: ")
    here.server.replies = None
    assert (await here.run("in.csv", *HELLO, "-o", "out.csv")).code == 0
    assert asked(here) == ["Greet Bo, Jr."]
    before = (here.folder / "out.csv").read_bytes()
    assert [row["status"] for row in table(here.folder / "out.csv")] == ["ok"] * 3
    (here.folder / "out.csv").unlink()
    assert (await here.run("in.csv", *HELLO, "-o", "out.csv")).code == 0
    assert asked(here) == []
    assert (here.folder / "out.csv").read_bytes() == before


async def test_columns_are_those_of_the_input_as_it_is_now(here: Here) -> None:
    people(here)
    assert (await here.run("in.csv", *HELLO, "-o", "out.csv")).code == 0
    asked(here)
    people(here, 'new,id,name,zip\n1,c,Čapek,8\n2,b,"Bo, Jr.",\n3,d,Dan,\n')
    (here.folder / "out.parquet.jsonl").write_bytes((here.folder / "out.csv.jsonl").read_bytes())
    for form in ("csv", "parquet"):
        assert (await here.run("in.csv", *HELLO, "-o", f"out.{form}")).code == 0
        assert asked(here) == ["Greet Dan"]
    rows = table(here.folder / "out.csv")
    assert list(rows[0])[:6] == ["new", "id", "name", "zip", "note", "output"]
    assert [[row["new"], row["id"], row["zip"]] for row in rows] == [
        ["1", "c", "8"], ["2", "b", ""], ["3", "d", ""], ["", "a", "00123"]]  # fmt: skip
    assert rows[3]["note"] == "two\nlines", "what the input has no more is kept as it was"
    found = pq.read_table(here.folder / "out.parquet").select(["new", "id", "output"]).to_pylist()
    assert [[row["new"] or "", row["id"]] for row in found] == [
        [row["new"], row["id"]] for row in rows]  # fmt: skip


async def test_a_pattern_does_not_take_the_results_of_a_table_for_input(here: Here) -> None:
    here.prompts(2)
    for _ in range(2):
        assert (await here.run("*.jsonl", "-o", "out.csv")).code == 0
    assert len(table(here.folder / "out.csv")) == len(here.server.calls) == 2


async def test_a_table_can_be_the_input_of_another_job(here: Here) -> None:
    people(here)
    assert (await here.run("in.csv", *HELLO, "-o", "out.csv")).code == 0
    here.server.calls.clear()
    route = ("--base-url", here.server.url, "-m", "other")
    again = ("--template", "Shorten {{output}}", "-o", "short.csv")
    assert (await here.run("out.csv", *again, *route, route=False)).code == 0
    assert {call.body["model"] for call in here.server.calls} == {"other"}
    row = table(here.folder / "short.csv")[0]
    assert (row["llm_model"], row["llm_llm_model"]) == ("m", "other")


async def test_rows_that_ask_the_same_keep_their_own_columns(here: Here) -> None:
    people(here, "id,name,note\na,Ada,x\nb,Ada,y\n")
    assert (await here.run("in.csv", *HELLO, "-o", "OUT.CSV")).code == 0
    assert [(r["id"], r["note"]) for r in table(here.folder / "OUT.CSV")] == [
        ("a", "x"), ("b", "y")]  # fmt: skip
    assert asked(here) == ["Greet Ada"]


async def test_a_run_that_was_killed_goes_on_and_loses_nothing(desk: Desk) -> None:
    people(desk, "id,n\n" + "".join(f"r{n},{n}\n" for n in range(12)))
    args = ("in.csv", "--template", "n {{n}}", "-o", "out.csv", "--concurrency", "2")
    stuck = held(asyncio.Event())
    watch = Watch(
        desk.server,
        lambda call: (stuck if call.prompt in ("n 6", "n 7") else answer())(call),
    )
    journal = desk.folder / "out.csv.jsonl"
    async with desk.running(*args) as job:
        await watch.requests(8)
        job.send(signal.SIGKILL)
        await job.ended()
    assert not (desk.folder / "out.csv").exists()
    done = journal.read_bytes().count(b"\n")
    assert 1 <= done <= 6
    journal.write_bytes(journal.read_bytes() + b'{"id":"r9","li')  # torn by the kill
    desk.server.replies = None
    asked(desk)
    again = await desk.run(*args)
    assert again.code == 0, again
    assert len(asked(desk)) == 12 - done
    rows = table(desk.folder / "out.csv")
    assert [row["n"] for row in rows] == [str(n) for n in range(12)]
    assert {row["status"] for row in rows} == {"ok"}


async def test_a_kill_while_the_table_is_written_leaves_the_old_one_or_the_new(
    desk: Desk, tmp_path: Path
) -> None:
    people(desk)
    place = desk.folder / "out.csv"
    old = b"the table of an earlier run\n"
    assert (await desk.run("in.csv", *HELLO, "-o", "out.csv")).code == 0
    new = place.read_bytes()
    seen = set()
    for step in range(40):
        place.write_bytes(old)
        hook = tmp_path.with_name(f"{tmp_path.name}-hook")
        environ = dying_at(step, "out.csv.llmbatch-tmp", hook)
        done = await desk.run("in.csv", *HELLO, "-o", "out.csv", env=environ)
        seen.add(place.read_bytes())
        if done.code != -signal.SIGKILL:
            assert done.code == 0, done
            break
        assert place.read_bytes() in (old, new)
    else:
        pytest.fail("it is killed for ever")
    assert step > 0, "no kill came while it was written"
    assert seen <= {old, new}
    assert place.read_bytes() == new
    assert [path.name for path in desk.folder.iterdir() if "tmp" in path.name] == []
    asked(desk)


async def test_a_run_that_stops_early_leaves_a_table_of_what_is_done(here: Here) -> None:
    people(here, "n\n" + "".join(f"{n}\n" for n in range(9)))
    here.server.replies = lambda call: error(401) if call.prompt == "n 4" else answer()
    args = ("in.csv", "--template", "n {{n}}", "-o", "out.csv", "--concurrency", "1")
    assert (await here.run(*args)).code == 4
    rows = table(here.folder / "out.csv")
    assert [row["n"] for row in rows if row["status"] == "ok"][:4] == ["0", "1", "2", "3"]
    here.server.replies = None
    assert (await here.run(*args)).code == 0
    assert [row["n"] for row in table(here.folder / "out.csv")] == [str(n) for n in range(9)]


async def test_a_table_of_somebody_else_is_overwritten_only_by_force(here: Here) -> None:
    people(here)
    people(here, "my own\n", "out.csv")
    assert (await here.run("in.csv", *HELLO, "-o", "out.csv", "--fresh", "--force")).code == 0
    assert len(table(here.folder / "out.csv")) == 3


async def test_columns_of_the_input_keep_their_names(here: Here) -> None:
    people(here, "name,status,output,llm_status\nAda,new,x,y\n")
    assert (await here.run("in.csv", *HELLO, "--format", "csv")).code == 0
    (row,) = table(here.folder / "in.results.csv")
    assert (row["status"], row["output"], row["llm_status"]) == ("new", "x", "y")
    assert (row["llm_output"], row["llm_llm_status"]) == ("You said: Greet Ada", "ok")


async def test_rows_that_are_no_rows_stand_in_the_table_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(desk, 'id,prompt\na,hi\nb\nc,"x"y\nd,hi,there\n')
    assert (await desk.run("in.csv", "-o", "out.csv")).code == 1
    rows = table(desk.folder / "out.csv")
    assert [(row["id"], row["status"]) for row in rows] == [
        ("a", "ok"), ("b", "invalid"), ("", "invalid"), ("d", "invalid")]  # fmt: skip
    assert "has 1 cell" in rows[1]["error"]
    with pytest.raises(SourceError, match=r"in\.csv:3: has 1 cell, and the header names 2 columns"):
        await run_here(desk, monkeypatch, template=None, output="new.csv", strict=True)
    assert not (desk.folder / "new.csv").exists()


SCHEMA = "name:str, score:int, tags:str[], ok:bool?"
VALUE = {"name": "Ada", "score": 7, "tags": ["x", "y"], "ok": None}


async def test_data_have_a_column_a_property(here: Here) -> None:
    people(here)
    here.server.replies = lambda call: answer(
        "no data" if "Bo" in call.prompt or "can't" in call.prompt else json.dumps(VALUE)
    )
    done = await here.run("in.csv", *HELLO, "--schema", SCHEMA, "-o", "out.csv")
    assert done.code == 1
    good, bad, _ = table(here.folder / "out.csv")
    assert list(good)[4:] == ["llm_name", "score", "tags", "ok", *ENDING]
    assert [good[name] for name in list(good)[4:8]] == ["Ada", "7", '["x","y"]', ""]
    assert (bad["status"], bad["score"]) == ("invalid_output", "")
    assert bad["error"].startswith("invalid_output: ")
    assert here.results("out.csv.jsonl")["b"]["output"] == "no data"


async def test_selected_columns_are_the_only_ones_of_the_answer(here: Here) -> None:
    people(here)
    here.server.replies = answer(json.dumps(VALUE))
    select = ("--select", "first=$.tags[0]", "--select", "$.score", "--select", "$")
    done = await here.run("in.csv", *HELLO, "--schema", SCHEMA, "-o", "out.csv", *select)
    assert done.code == 0, done
    row = table(here.folder / "out.csv")[0]
    assert list(row)[4:] == ["first", "score", "output", *ENDING]
    assert (row["first"], row["score"], json.loads(row["output"])) == ("x", "7", VALUE)


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"output": "o.csv", "select": ("$.a",)}, "describe them with --schema"),
        ({"schema": SCHEMA, "select": ("$.name",)}, "names columns of a table"),
        ({"schema": SCHEMA, "output": "o.csv", "select": ("$.naem",)}, "did you mean name?"),
        ({"schema": SCHEMA, "output": "o.csv", "select": ("x=$..a",)}, "character 4: after the $"),
        ({"schema": SCHEMA, "output": "o.csv", "select": ("name",)}, "write it as in name=$."),
        ({"output": "-", "format": "parquet"}, "--format parquet needs a file"),
        ({"output": "no/such/o.csv"}, "the folder no/such does not exist"),
        ({"output": "o.csv.gz"}, "o.csv.gz: .gz is not written: name a .csv"),
        ({"output": "o.xlsx"}, "o.xlsx: .xlsx is not written"),
        ({"output": "in.csv"}, "in.csv is an input too"),
        ({"output": "mine.csv"}, "mine.csv: exists, and mine.csv.jsonl"),
        ({"output": "mine.csv", "fresh": True}, "mine.csv: exists, and mine.csv.jsonl"),
    ],
)
async def test_a_table_that_could_not_be_written_is_refused_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], wrong: str
) -> None:
    people(desk)
    people(desk, "my own\n", "mine.csv")
    with pytest.raises(ConfigError) as caught:
        await run_here(desk, monkeypatch, **settings)
    assert wrong in str(caught.value)
    assert (desk.folder / "mine.csv").read_text() == "my own\n"
    assert desk.server.calls == []


async def test_a_stream_has_its_header_first_and_no_journal(desk: Desk) -> None:
    args = ("-", *HELLO, "--input-format", "csv", "--format", "csv", "--order", "input")
    done = await desk.run(*args, stdin=PEOPLE.encode())
    assert done.code == 0, done
    rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    assert list(rows[0]) == ["id", "name", "zip", "note", "output", *ENDING]
    assert [row["output"] for row in rows][:2] == ["You said: Greet Ada", "You said: Greet Bo, Jr."]
    assert [path.name for path in desk.folder.glob("*.jsonl")] == []


async def test_an_input_that_breaks_off_leaves_a_table_of_what_is_done(desk: Desk) -> None:
    data = b"id,name\na,Ada\nb,\xff\n"
    args = ("-", *HELLO, "--input-format", "csv", "-o", "out.csv")
    done = await desk.run(*args, stdin=data)
    assert done.code == 3
    assert "standard input, line 3: is not UTF-8" in done.stderr
    assert [row["output"] for row in table(desk.folder / "out.csv")] == ["You said: Greet Ada"]


async def test_rows_of_different_shapes_lose_nothing(desk: Desk) -> None:
    rows = [{"id": "a", "prompt": "x", "n": 1, "sub": {"k": [1]}}, {"prompt": "y", "new": True}]
    desk.write(*rows, json.dumps("z"))
    assert (await desk.run("in.jsonl", "-o", "out.csv")).code == 0
    first, second, third = table(desk.folder / "out.csv")
    assert list(first)[:5] == ["id", "prompt", "n", "sub", "new"]
    assert (first["n"], first["sub"], first["new"]) == ("1", '{"k":[1]}', "")
    assert (second["new"], second["n"], third["prompt"]) == ("true", "", "z")
    done = await desk.run("in.jsonl", "-o", "-", "--format", "csv", "--order", "input")
    streamed = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    assert list(streamed[0])[:5] == ["id", "prompt", "n", "sub", "metadata"]
    assert json.loads(streamed[1]["metadata"]) == {"new": True}


async def test_parquet_goes_through_with_its_types(here: Here) -> None:
    source = pa.table({
        "id": pa.array([1, 2], pa.int32()),
        "name": ["Ada", None],
        "day": [dt.date(2026, 1, 31), None],
        "at": pa.array([1_700_000_000_123_456_789, None], pa.timestamp("ns")),
        "zone": pa.array([1_700_000_000_123_456, None], pa.timestamp("us", "UTC")),
        "price": [Decimal("12.50"), None],
        "time": [dt.time(12, 30, 15, 250000), None],
        "raw": [b"\x00\xff", None],
        "ok": [True, None],
        "who": [{"first": "A", "ages": [1]}, None],
        "kind": pa.array(["x", None]).dictionary_encode(),
    })  # fmt: skip
    pq.write_table(source, here.folder / "in.parquet")
    here.server.replies = answer(json.dumps(VALUE))
    args = ("--template", "Greet {{who}}", "--schema", SCHEMA)
    done = await here.run("in.parquet", *args, "-o", "out.parquet")
    assert done.code == 0, done
    found = pq.read_table(here.folder / "out.parquet")
    assert found.select(source.schema.names).equals(source)
    assert found.schema.field("score").type == pa.int64()
    assert found.schema.field("llm_ok").type == pa.bool_()
    assert found.schema.field("latency_s").type == pa.float64()
    for field in source.schema:
        assert found.schema.field(field.name).type == field.type
    assert found["tags"].to_pylist() == ['["x","y"]'] * 2


async def test_a_csv_becomes_parquet_of_texts_and_json_of_its_types(here: Here) -> None:
    people(here)
    assert (await here.run("in.csv", *HELLO, "-o", "out.parquet")).code == 0
    found = pq.read_table(here.folder / "out.parquet")
    assert found["zip"].to_pylist() == ["00123", "", "7"]
    assert found["input_tokens"].type == pa.int64()
    here.write({"prompt": "x", "n": 1, "f": 1.5, "b": True, "m": 1}, {"prompt": "y", "m": "z"})
    assert (await here.run("in.jsonl", "-o", "json.parquet")).code == 0
    found = pq.read_table(here.folder / "json.parquet")
    kinds = {name: str(found[name].type) for name in ("prompt", "n", "f", "b", "m")}
    assert kinds == {"prompt": "string", "n": "int64", "f": "double", "b": "bool", "m": "string"}
    assert found["m"].to_pylist() == ["1", "z"]


@pytest.mark.parametrize(
    ("data", "wrong"),
    [(b"a,b,a\n1,2,3\n", "in.csv:1: the columns 1 and 3 are all called a"),
     (b"", "in.csv:1: is empty"), (b"a,b\n", "in.csv: there is no row in it"),
     (b"a,b\n\xff,1\n", "in.csv:2: is not UTF-8")],
)  # fmt: skip
async def test_an_input_that_is_no_table_is_refused_before_anything_is_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, data: bytes, wrong: str
) -> None:
    (desk.folder / "in.csv").write_bytes(data)
    with pytest.raises(SourceError) as caught:
        await run_here(desk, monkeypatch, output="in.results.jsonl")
    assert wrong in str(caught.value)
    assert desk.server.calls == []


async def test_two_runs_do_not_write_one_table(desk: Desk) -> None:
    people(desk)
    release = asyncio.Event()
    watch = Watch(desk.server, held(release))
    async with desk.running("in.csv", *HELLO, "-o", "out.csv") as job:
        await watch.requests(1)
        other = await desk.run("in.csv", *HELLO, "-o", "out.csv")
        assert other.code == 6
        assert "out.csv.jsonl: another run" in other.last
        release.set()
        assert (await job.ended()).code == 0
    assert len(table(desk.folder / "out.csv")) == 3
