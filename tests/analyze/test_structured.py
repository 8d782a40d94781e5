"""Answers as data: checked by a schema, asked for again once, merged with where they are from."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from analyst import Ask
from study import Study, assert_tiles, prose

EVENT = {
    "type": "object",
    "properties": {"year": {"type": "integer"}, "who": {"type": "string"}},
    "required": ["year", "who"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {"events": {"type": "array", "items": EVENT}},
    "required": ["events"],
}
SENTENCE = re.compile(r"In year (\d+) the (\w+) met the \w+ near the \w+\.")
BAD = "In year 1120 "


def shown(ask: Ask) -> str:
    """The chunk that it is about, also where it is asked again."""
    text: str = ask.call.body["messages"][1]["content"]
    return text


def again(ask: Ask) -> bool:
    return len(ask.call.body["messages"]) > 2


def events(text: str) -> list[dict[str, Any]]:
    return [{"year": int(year), "who": who} for year, who in SENTENCE.findall(text)]


def good(ask: Ask) -> str:
    return json.dumps({"events": events(shown(ask))})


def fenced(ask: Ask) -> str:
    return f"Here it is:\n```json\n{good(ask)}\n```\n"


@pytest.fixture
def study(study: Study) -> Study:
    (study.folder / "schema.json").write_text(json.dumps(SCHEMA))
    study.document()
    study.model.say = good
    return study


AS_DATA = ("--schema", "schema.json")


def merged(study: Study) -> dict[int, dict[str, Any]]:
    """Every event of the document by its year, with the chunks it was shown in."""
    text = prose()
    found: dict[int, dict[str, Any]] = {}
    for row in study.chunks():
        chunk = row["chunk"]
        part = text[chunk["start"] - chunk.get("overlap", 0) : chunk["end"]]
        for event in events(part):
            entry = found.setdefault(event["year"], {**event, "sources": []})
            span = {"start": chunk["start"], "end": chunk["end"]}
            entry["sources"].append({"chunk": chunk["number"], "document": "big.txt", **span})
    return found


@pytest.mark.parametrize("say", [good, fenced], ids=lambda say: say.__name__)
async def test_records_are_merged_with_all_places_that_they_are_from(
    study: Study, say: Callable[[Ask], str]
) -> None:
    study.model.say = say
    done = await study.read(*AS_DATA, "--overlap", "40")
    assert done.code == 0, done
    assert_tiles(study.chunks(), prose())
    assert study.folds() == []
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    wanted = merged(study)
    assert {row["year"]: row for row in rows} == wanted
    assert len(rows) == len(events(prose())), "each once, also where two chunks overlap"
    assert any(len(row["sources"]) == 2 for row in rows)
    assert [row["year"] for row in rows] == list(wanted)
    for row in study.chunks():
        assert isinstance(row["output"]["events"], list)


async def test_fields_in_short_are_a_schema_too(study: Study) -> None:
    study.model.say = lambda ask: json.dumps({"year": 1120, "who": "Ada"})
    done = await study.read("--schema", "year:int, who:str")
    assert done.code == 0, done
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (row["year"], row["who"]) == (1120, "Ada")
    assert len(row["sources"]) == len(study.chunks())
    wrong = await study.read("--schema", "year:itn", "--results", "other.jsonl")
    assert wrong.code == 2
    assert 'year: "itn" is no type; did you mean int?' in wrong.last


async def test_a_report_named_csv_is_a_table(study: Study) -> None:
    done = await study.read(*AS_DATA, "-o", "events.csv")
    assert (done.code, done.stdout) == (0, "")
    data = (study.folder / "events.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(data, newline="")))
    assert {int(row["year"]) for row in rows} == {event["year"] for event in events(prose())}
    for row in rows:
        assert row["who"]
        assert re.match(r"big\.txt chars \d+-\d+", row["sources"])
    same = await study.read(*AS_DATA, "--report-format", "csv")
    assert same.stdout.replace("\r\n", "\n") == data.replace("\r\n", "\n")


async def test_an_answer_that_does_not_fit_is_asked_for_once_again(study: Study) -> None:
    def say(ask: Ask) -> str:
        if BAD in shown(ask) and not again(ask):
            return json.dumps({"events": [{"year": "many", "who": "all"}]})
        return good(ask)

    study.model.say = say
    done = await study.read(*AS_DATA)
    assert done.code == 0, done
    asks = [ask for ask in study.model.asks if BAD in shown(ask)]
    assert {again(ask) for ask in asks} == {False, True}
    assert len([ask for ask in asks if again(ask)]) == len([ask for ask in asks if not again(ask)])
    assert any('"many" is not of type "integer"' in ask.prompt for ask in asks)
    assert len(done.stdout.splitlines()) == len(events(prose()))
    assert {row["status"] for row in study.lines()} == {"ok"}


@pytest.mark.parametrize(
    "answer", ["I'd rather not.", '{"events": [{"year": 1}]}', '{"events": [', ""]
)
async def test_an_answer_that_never_fits_is_invalid_output_and_is_asked_for_by_the_next_run(
    study: Study, answer: str
) -> None:
    study.model.say = lambda ask: answer if BAD in shown(ask) else good(ask)
    done = await study.read(*AS_DATA, "-o", "events.jsonl", "--overlap", "0")
    assert done.code == 1, done
    (failed,) = [row for row in study.chunks() if row["status"] != "ok"]
    assert (failed["status"], failed["output"]) == ("invalid_output", answer)
    assert failed["error"]["message"]
    assert "1 invalid_output" in done.last
    assert f"chunk {failed['chunk']['number']}" in done.stderr
    partial = (study.folder / "events.jsonl").read_text().splitlines()
    missing = len(events(prose())) - len(partial)
    assert 0 < missing < 20
    study.model.forget()

    study.model.say = good
    mended = await study.read(*AS_DATA, "-o", "events.jsonl", "--overlap", "0")
    assert mended.code == 0, mended
    (asked,) = study.model.forget()
    assert BAD in shown(asked)
    assert len((study.folder / "events.jsonl").read_text().splitlines()) == len(events(prose()))


async def test_no_map_and_no_report_where_nothing_fits(study: Study) -> None:
    study.model.say = lambda ask: "no"
    (study.folder / "events.jsonl").write_text("older\n")
    done = await study.read(*AS_DATA, "-o", "events.jsonl")
    assert done.code == 1, done
    assert (study.folder / "events.jsonl").read_text() == "older\n"
    assert "none was written: no chunk could be analysed" in done.stderr


async def test_lists_of_several_names_are_told_apart(study: Study) -> None:
    schema = {"type": "object"}
    (study.folder / "schema.json").write_text(json.dumps(schema))

    def say(ask: Ask) -> str:
        found = events(shown(ask))
        return json.dumps({"events": found, "names": sorted({event["who"] for event in found})})

    study.model.say = say
    done = await study.read(*AS_DATA)
    assert done.code == 0, done
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    names = [row["value"] for row in rows if row["list"] == "names"]
    assert len(names) == len(set(names)) == len({event["who"] for event in events(prose())})
    for row in rows:
        numbers = [source["chunk"] for source in row["sources"]]
        assert all(one < other for one, other in pairwise(numbers))


async def test_a_killed_run_of_data_goes_on_as_well(study: Study) -> None:
    calm = Study.beside(study)
    calm.document()
    (calm.folder / "schema.json").write_text(json.dumps(SCHEMA))
    calm.model.say = good
    assert (await calm.read(*AS_DATA, "-o", "e.jsonl")).code == 0
    study.model.forget()
    study.model.hold(lambda ask: BAD in shown(ask))
    async with study.reading(*AS_DATA, "-o", "e.jsonl") as job:
        await study.model.seen(lambda ask: ask.held)
        job.send(9)
        await job.ended()
    done_before = {row["id"] for row in study.lines()}
    study.model.mend()
    study.model.forget()
    assert (await study.read(*AS_DATA, "-o", "e.jsonl")).code == 0
    assert len(study.model.asks) == len(study.chunks()) - len(done_before)
    assert (study.folder / "e.jsonl").read_bytes() == (calm.folder / "e.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("content", "args", "message"),
    [
        ("{", (), "schema.json"),
        ('{"type": "thing"}', (), "schema.json"),
        ("[]", (), "schema.json"),
        ('{"$ref": "http://127.0.0.1:9/x"}', (), "schema.json"),
        ("{}", ("--quotes",), "--quotes: with --schema"),
        ("{}", ("--fold", "concat"), "--fold concat: with --schema"),
        ("{}", ("--report-format", "markdown"), "--report-format markdown: with --schema"),
        ("{}", ("--schema", "no.json"), "no.json"),
    ],
)
async def test_a_schema_that_can_not_work_is_refused_before_anything_is_sent(
    study: Study, content: str, args: tuple[str, ...], message: str
) -> None:
    (study.folder / "schema.json").write_text(content)
    done = await study.read(*AS_DATA, *args)
    assert done.code == 2, done
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert study.model.asks == []


async def test_csv_and_jsonl_need_a_schema(study: Study) -> None:
    done = await study.read("--report-format", "csv")
    assert done.code == 2
    assert "--report-format csv: is for data, which a --schema brings" in done.stderr
