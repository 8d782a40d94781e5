"""`llmbatch report` as a person sees it: text, JSON, one page of HTML; nothing foreign gets out."""

from __future__ import annotations

import gzip
import json
import os
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from resultsfiles import FAILED, row, tried, write

from llmbatch.cli.main import main
from llmbatch.cli.report import report
from llmbatch.jobs.manifest.manifest import MARK, manifest_path

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</style></title><script>alert(1)</script>",
    "\"onload='alert(1)'",
    "\x1b[31mred\x07",
    "\u202eright to left",
    "\u0645\u0631\u062d\u0628\u0627",
    "&lt;already&gt;",
    "x" * 5000,
    "::error::not a command",
)


def invoke(*args: str | Path) -> Result:
    return CliRunner().invoke(report, [str(arg) for arg in args], catch_exceptions=False)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A small job with some of everything."""
    rows = [row(f"r{n}", times={"started_at": f"2026-11-22T10:00:{n:02}.000Z"}) for n in range(20)]
    more = [
        row("again", times=tried((0, 1, "rate_limited"), (2, 1.5, None))),
        row("bad", "error", model="n", cost_usd=None),
        row("cut", "truncated"),
        row("never", "invalid", times=None, provider=None, model=None, usage=None, cost_usd=None),
    ]
    return write(tmp_path / "r.jsonl", rows + more)


class Page(HTMLParser):
    """The elements of a page; every one that is opened has to be closed."""

    EMPTY = frozenset({"meta", "br", "rect", "line"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY or (tag == "rect" and not self.get_starttag_text().endswith("/>")):  # type: ignore[union-attr]
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def page(*args: str | Path) -> tuple[str, Page]:
    text = invoke(*args, "--format", "html").stdout
    return text, Page(text)


def test_the_text_is_a_table_of_eighty_columns(results: Path) -> None:
    text = invoke(results).stdout
    assert "rows        21 ok, 1 error, 1 invalid, 1 truncated\n" in text
    assert "cost        $0.0220\ncost        unknown for 1 row\n" in text
    assert re.search(r"latency     p50 \S+ \w+, p95 \S+ \w+, p99 \S+ \w+\n", text)
    assert "         1        0  overloaded: the server is in trouble (HTTP 503 1x)" in text
    assert "         0        1  rate_limited" in text
    assert "        21  again (ok)\n" in text
    assert max(map(len, text.splitlines())) <= 80


def test_two_files_are_compared_figure_by_figure(results: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "o.jsonl", [row(f"r{n}", "refused") for n in range(5)])
    text = invoke(results, other).stdout
    assert re.search(r"failed, share +8\.33% +100\.00% x 12 worse\n", text)
    assert "A and B     5 rows in both, 19 only in A, 0 only in B\n" in text
    assert "ended otherwise: 5 ok -> refused\n" in text
    found = json.loads(invoke(results, other, "--format", "json").stdout)
    assert [each["lines"] for each in found["reports"]] == [24, 5]
    assert found["comparison"]["matches"][0]["broken"] == 5


def test_one_name_in_two_folders_is_two_files(results: Path, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    other = write(tmp_path / "b" / "r.jsonl", [row("r1")])
    text = invoke(results, other).stdout
    assert str(results) in text.replace("\n            ", "")
    assert str(other) in text.replace("\n            ", "")


def test_the_page_is_whole_and_needs_nothing_else(results: Path, tmp_path: Path) -> None:
    text, found = page(results)
    names = {tag for tag, _ in found.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "image", "foreignobject", "a"}
    assert not re.search(r"\b(src|href|style|on\w+)=|url\(|@import|https?://", text)
    assert names >= {"svg", "table", "title", "desc"}
    policy = next(a["content"] for t, a in found.tags if a.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_every_picture_says_what_it_shows(results: Path) -> None:
    text, _ = page(results)
    outermost = re.findall(r'<svg role="img".*?</desc>', text)
    assert len(outermost) > 15
    for picture in outermost:
        tree = ET.fromstring(f"{picture}</svg>")
        assert tree.findtext("title")
    for title in ("Throughput", "In flight", "Time to first token", "Between tokens", "Latency"):
        assert f"<figcaption>{title}</figcaption>" in text


def test_the_name_of_the_file_says_what_it_becomes(results: Path, tmp_path: Path) -> None:
    for name, begin in (("r.html", "<!DOCTYPE html>"), ("r.json", "{\n"), ("r.txt", "file ")):
        assert invoke(results, "-o", tmp_path / name).stdout == ""
        assert (tmp_path / name).read_text().startswith(begin)
    invoke(results, "-o", tmp_path / "r.html", "--format", "text")
    assert (tmp_path / "r.html").read_text().startswith("file ")


def hostile(path: Path) -> Path:
    rows: list[Any] = []
    for words in HOSTILE:
        times = tried((0, 1, words[:900]), (2, 1, None), started_at="2026-11-22T10:00:00Z")
        failed = {**FAILED, "type": words[:900]}
        rows.append(row(words, "error", times=times, provider=words[:900], error=failed))
    rows.append(json.dumps(row("\ud800", times={"started_at": "<b>"})).encode() + b"\n")
    return write(path, rows)


def test_what_comes_out_of_a_file_stays_text_on_the_page(tmp_path: Path) -> None:
    path = hostile(tmp_path / "<script>x.jsonl")
    for args in ([path], [path, path]):
        text, found = page(*args)
        assert not {tag for tag, _ in found.tags} & {"script", "img"}
        assert not any(key.startswith("on") for _, attrs in found.tags for key in attrs)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert any(said == HOSTILE[0] for said in found.said)
        assert "\\x1b[31mred\\x07" in text


def test_what_comes_out_of_a_file_can_not_drive_the_terminal(tmp_path: Path) -> None:
    path = hostile(tmp_path / "h.jsonl")
    for args in ([path], [path, path]):
        text = invoke(*args).stdout
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800]", text)


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_prompts_answers_and_messages_stay_out_of_it(tmp_path: Path, form: str) -> None:
    secret = "a secret word"
    failed = {**FAILED, "message": secret}
    path = write(
        tmp_path / "r.jsonl",
        [
            row("a", output=secret, reasoning=secret, metadata={"note": secret}),
            row("b", "error", error=failed),
            row("c", "invalid", error={**failed, "type": "invalid_row"}, times=None),
        ],
    )
    for args in ([path], [path, path]):
        assert secret not in invoke(*args, "--format", form).stdout


@pytest.mark.parametrize("form", ["text", "html"])
@pytest.mark.parametrize("rows", [[], [row("a")], [row("a", times=None)], [row("a", "refused")]])
def test_few_rows_are_no_trouble(tmp_path: Path, form: str, rows: list[Any]) -> None:
    path = write(tmp_path / "r.jsonl", rows)
    assert invoke(path, "--format", form).exit_code == 0
    assert invoke(path, path, "--format", form).exit_code == 0


@pytest.mark.parametrize("form", ["text", "html"])
@pytest.mark.parametrize(
    "summary",
    [
        {"time": {"provider": 10**400, "limit": -1}},
        {"bound": {"by": ["<b>"], "why": None}},
        {"bound": 1, "time": 1},
    ],
)
def test_a_summary_that_no_run_has_written_is_no_trouble(
    results: Path, form: str, summary: dict[str, Any]
) -> None:
    rows = {"ok": 21, "error": 1, "truncated": 1, "invalid": 1}
    values = {
        "manifest": MARK, "llmbatch": "1", "python": "3", "job": "run", "state": "finished",
        "pid": 1, "host": "h", "started_at": "s", "written_at": "w", "output": str(results),
        "rows": rows, "summary": summary,
    }  # fmt: skip
    manifest_path(results).write_text(json.dumps(values))
    shown = invoke(results, "--format", form)
    assert shown.exit_code == 0
    assert "None" not in shown.stdout
    assert str(10**400)[:20] not in shown.stdout


def test_results_are_not_written_over(results: Path, tmp_path: Path) -> None:
    before = results.read_bytes()
    packed, linked, plain = (tmp_path / name for name in ("r.jsonl.gz", "link.html", "plain"))
    packed.write_bytes(gzip.compress(before))
    linked.symlink_to(results)
    plain.write_bytes(before)
    for target in (results, packed, linked, plain, tmp_path / "r.jsonl.manifest.json"):
        assert main(["report", str(results), "-o", str(target)]) == 2
    assert results.read_bytes() == before


def test_an_older_report_is_replaced_whole_or_not_at_all(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "r.html"
    target.write_text("the older one")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert main(["report", str(results), "-o", str(target)]) == 6
    assert target.read_text() == "the older one"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["r.html", "r.jsonl"]


@pytest.mark.parametrize(
    ("args", "code", "why"),
    [
        (["none.jsonl"], 3, "no such file"),
        (["."], 3, "is a folder"),
        (["r.jsonl", "-o", "none/r.html"], 2, "the folder none does not exist"),
        (["r.jsonl", "-o", "."], 2, "is a folder"),
        (["r.jsonl", "-o", "/dev/full"], 6, "No space left on device"),
        (["r.jsonl", "--format", "pdf"], 2, "is not one of"),
        (["-", "-"], 2, "only once"),
        ([], 2, "Missing argument"),
    ],
)
def test_what_goes_wrong_is_said_in_one_line(
    results: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    args: list[str],
    code: int,
    why: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", *args]) == code
    said = capsys.readouterr()
    assert why in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
