"""``--junit FILE``: a report that CI servers read."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from sampleresults import results, sample

from llmbatch.cli.junit import JUnit, check_junit_path
from llmbatch.jobs.errors import ConfigError, SinkError
from llmbatch.jobs.events import JobStarted, RowFinished
from llmbatch.jobs.model import Failure, Result
from llmbatch.jobs.summary import Tally

STARTED = JobStarted(5, "out.jsonl", "openai/m", 1, None, None)
ALLOWED = {
    "testsuite": (
        {"name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname",
         "id", "package", "file", "log", "url"},
        {"properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"name", "time", "classname", "group"}, {"skipped", "error", "failure"}),
    "failure": ({"type", "message"}, set()),
    "error": ({"type", "message"}, set()),
}  # fmt: skip
"""Attributes and children of each element in Jenkins's junit-10.xsd, of those that are written."""
REQUIRED = {
    "testsuite": {"name", "tests", "failures", "errors"},
    "testcase": {"name"},
    "property": {"name", "value"},
}
TIME = re.compile(r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]*)?")


def report(folder: Path, *rows: Result, path: str = "in.jsonl", wall: float = 1.5) -> ET.Element:
    """The report on these rows, which is valid."""
    place = folder / "report.xml"
    junit, tally = JUnit(str(place)), Tally()
    for event in (STARTED, *(RowFinished(row, path) for row in rows)):
        tally(event)
        junit(event)
    junit.conclude(tally.summary(wall=wall), 1)
    root = ET.fromstring(place.read_bytes())
    check(root)
    assert root.get("tests") == str(len(rows))
    for kind in ("failure", "error"):
        assert root.get(f"{kind}s") == str(len(root.findall(f"testcase/{kind}")))
    return root


def check(element: ET.Element) -> None:
    attributes, children = ALLOWED[element.tag]
    assert REQUIRED.get(element.tag, set()) <= set(element.attrib) <= attributes
    assert TIME.fullmatch(element.get("time", ""))
    for child in element:
        assert child.tag in children
        check(child)


def test_every_row_of_this_run_is_a_test_case(tmp_path: Path) -> None:
    rows = [
        sample(f"r{n}", status, line=n)
        for n, status in enumerate(["ok", "truncated", "refused", "error", "invalid", "partial"], 1)
    ]
    root = report(tmp_path, *rows)
    assert (root.get("failures"), root.get("errors"), root.get("skipped")) == ("1", "3", "0")
    assert root.get("name") == "llmbatch openai/m"
    assert root.get("time") == "1.500"
    cases = root.findall("testcase")
    assert [case.get("name") for case in cases] == [f"r{n}" for n in range(1, 7)]
    assert {case.get("classname") for case in cases} == {"in.jsonl"}
    assert [case.get("time") for case in cases][:2] == ["1.320", "1.320"]
    assert [child.tag for case in cases for child in case] == ["failure", "error", "error", "error"]
    failed = cases[3][0]
    assert failed.attrib == {
        "type": "overloaded", "message": "the server is in trouble (overloaded, HTTP 503)",
    }  # fmt: skip
    assert failed.text == "in.jsonl:4: error"


def test_what_a_provider_says_is_not_in_it(tmp_path: Path) -> None:
    row = sample("q", "error", error=Failure("bad_request", 400, "my secret prompt", False))
    report(tmp_path, row)
    assert b"secret" not in (tmp_path / "report.xml").read_bytes()
    assert b"an answer" not in (tmp_path / "report.xml").read_bytes()


@pytest.mark.parametrize(
    ("row_id", "shown"),
    [
        ('<&">', '<&">'),
        ("]]><x/>", "]]><x/>"),
        ("a\x00b\x1b", "a\\x00b\\x1b"),
        ("a\nb\t", "a\\nb\\t"),
        ("\ufffe\uffff\U0001ffff", "\\ufffe\\uffff\\u1ffff"),
        ("\ud800", "\\ud800"),
        ("Zürich 🐎", "Zürich 🐎"),
    ],
)
def test_ids_are_shown_as_xml_can_hold_them(tmp_path: Path, row_id: str, shown: str) -> None:
    root = report(tmp_path, sample(row_id), path=row_id)
    case = root.find("testcase")
    assert case is not None
    assert (case.get("name"), case.get("classname")) == (shown, shown)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(results())
def test_any_row_makes_a_valid_report(tmp_path: Path, row: Result) -> None:
    report(tmp_path, row, row)


@pytest.mark.parametrize("wall", [0.0004, 5.0, 86400.123])
def test_times_are_as_the_schema_has_them(tmp_path: Path, wall: float) -> None:
    report(tmp_path, wall=wall)


def test_an_older_report_goes_when_the_job_begins_and_a_new_one_is_there_whole(
    tmp_path: Path,
) -> None:
    place = tmp_path / "report.xml"
    place.write_text("older")
    junit = JUnit(str(place))
    assert place.read_text() == "older", "another run may be writing it: nothing is locked yet"
    junit(STARTED)
    assert not place.exists()
    junit(RowFinished(sample(), "in.jsonl"))
    assert [path.name for path in tmp_path.iterdir()] == []
    junit.conclude(Tally().summary(wall=1), 0)
    assert [path.name for path in tmp_path.iterdir()] == ["report.xml"]


def test_a_job_that_ended_before_its_first_row_has_an_empty_report(tmp_path: Path) -> None:
    junit = JUnit(str(tmp_path / "report.xml"))
    junit.conclude(Tally().summary(wall=1), 130)
    root = ET.fromstring((tmp_path / "report.xml").read_bytes())
    check(root)
    assert root.get("tests") == "0"


def test_a_disk_that_is_full_is_told_at_the_end(tmp_path: Path) -> None:
    junit = JUnit(str(tmp_path / "report.xml"))
    junit(STARTED)

    class Full:
        def write(self, data: bytes) -> Any:
            raise OSError(28, "No space left on device")

        def close(self) -> None: ...

    assert junit._cases is not None
    junit._cases.close()
    junit._cases = Full()  # type: ignore[assignment]
    junit(RowFinished(sample(), "in.jsonl"))
    with pytest.raises(SinkError, match="No space left on device; the results are safe"):
        junit.conclude(Tally().summary(wall=1), 0)


@pytest.mark.parametrize("path", ["gone/report.xml", ".", "report.xml/"])
def test_a_place_that_can_not_be_written_is_refused_before_the_job(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="--junit"):
        check_junit_path(path)
