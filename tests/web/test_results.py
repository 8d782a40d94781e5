"""Results over HTTP: those of the folder and nothing else, filtered, searched, sorted, followed."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from command import command
from faultreplies import answer
from msgspec import structs
from pageserver import Page, page
from sampleresults import sample

from faultserver import FaultServer
from llmbatch.jobs.model import Result
from llmbatch.jobs.records import encode, encode_batch

FILE = "a.results.jsonl"
BIDI = "‮txt.exe"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Page]:
    async with page(tmp_path) as opened:
        yield opened


def row(number: int, status: Any = "ok", **fields: Any) -> Result:
    result = sample(f"q{number}", status, line=number, **fields)
    metrics = structs.replace(result.metrics, latency_s=float(number), ttft_s=number / 10)
    return structs.replace(result, metrics=metrics)


def write(folder: Path, rows: Sequence[Result], name: str = FILE) -> Path:
    path = folder / name
    path.write_bytes(b"".join(map(encode, rows)))
    return path


async def ids(server: Page, **query: Any) -> list[str]:
    return [each["id"] for each in (await rows_of(server, **query))["rows"]]


async def rows_of(server: Page, **query: Any) -> dict[str, Any]:
    """What holds for all of the file: as the page does, it is asked until everything is read."""
    while True:
        reply = await server.get("/api/rows", file=FILE, **query)
        assert reply.status == 200, reply.text
        told: dict[str, Any] = reply.json
        if told["indexed_bytes"] == told["bytes"]:
            return told


async def test_the_folders_results_are_listed(server: Page, tmp_path: Path) -> None:
    write(tmp_path, [row(1)])
    (tmp_path / "deep" / "er").mkdir(parents=True)
    write(tmp_path / "deep" / "er", [row(1)], "ß x#?.jsonl")
    write(tmp_path, [row(1)], ".hidden.jsonl")
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "no result"}\n')
    (tmp_path / "empty.jsonl").touch()
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "link.jsonl").symlink_to(tmp_path / FILE)
    files = (await server.get("/api/files")).json["files"]
    assert {each["file"] for each in files} == {FILE, "deep/er/ß x#?.jsonl"}
    reply = await server.get("/api/rows", file="deep/er/ß x#?.jsonl")
    assert reply.json["matched"] == 1


async def test_nothing_but_results_below_the_folder_can_be_read(
    server: Page, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = write(tmp_path_factory.mktemp("outside"), [row(1)])
    (tmp_path / "notes.txt").write_text("private")
    (tmp_path / "prompts.jsonl").write_text('{"prompt": "private"}\n')
    (tmp_path / "out").symlink_to(outside.parent)
    (tmp_path / "out.jsonl").symlink_to(outside)
    (tmp_path / ".git").mkdir()
    write(tmp_path / ".git", [row(1)])
    os.mkfifo(tmp_path / "pipe.jsonl")
    names = [
        "/etc/passwd", "../outside0/" + FILE, str(outside), "out/" + FILE, "out.jsonl", "notes.txt",
        "prompts.jsonl", "pipe.jsonl", ".git/" + FILE, "./" + FILE, "", ".", "..", "a/../" + FILE,
        "out//" + FILE, "a\0b", "x" * 5000, "deep/" * 3000 + "x", "..\\" + FILE, "%2e%2e/x",
    ]  # fmt: skip
    for path in ("/api/rows", "/api/row", "/api/report", "/api/job"):
        for name in names:
            reply = await server.get(path, file=name, at=0)
            assert reply.status in (400, 404), (path, name)
            assert "private" not in reply.text
            assert "root:" not in reply.text


async def test_rows_are_filtered(server: Page, tmp_path: Path) -> None:
    rows = [row(1), row(2, "error"), row(3, "truncated", cost_usd=0.5), row(4, cost_usd=0.1)]
    write(tmp_path, rows)
    assert await ids(server) == ["q1", "q2", "q3", "q4"]
    assert await ids(server, status="ok,truncated") == ["q1", "q3", "q4"]
    assert await ids(server, min_latency="2", max_latency="3") == ["q2", "q3"]
    assert await ids(server, min_cost="0") == ["q3", "q4"]
    assert await ids(server, max_cost="0.1") == ["q4"]
    assert await ids(server, status="error", min_cost="0") == []
    told = (await server.get("/api/rows", file=FILE, status="error")).json
    assert (told["matched"], told["total"]) == (1, 4)
    assert told["statuses"] == {"ok": 2, "truncated": 1, "error": 1}
    assert told["rows"][0]["error"] == "overloaded"


async def test_rows_are_sorted_and_those_without_a_figure_come_last(
    server: Page, tmp_path: Path
) -> None:
    write(tmp_path, [row(2, cost_usd=0.2), row(1), row(3, cost_usd=0.1)])
    assert await ids(server, sort="latency") == ["q1", "q2", "q3"]
    assert await ids(server, sort="-latency") == ["q3", "q2", "q1"]
    assert await ids(server, sort="cost") == ["q3", "q2", "q1"]
    assert await ids(server, sort="-cost") == ["q2", "q3", "q1"]
    assert await ids(server, sort="-file") == ["q3", "q1", "q2"]
    assert await ids(server, sort="-ttft", **{"from": 1, "count": 1}) == ["q2"]


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ('He said "no"', 'SAID "NO"'),
        ("a\\b\tc", "a\\b\tC"),
        ("Grüße", "GRÜSSE".replace("SS", "ß")),
        ("日本語", "本"),
        ("\U0001f600 smile", "\U0001f600"),
        ("two\nlines", "two\nlines"),
        ("<img onerror=x>", "<IMG"),
        ("a/b", "/"),
        (BIDI, BIDI[:2]),
        ("x" * 300_000 + "end", "xend"),
    ],
)
@pytest.mark.parametrize("escaped", [False, True])
async def test_text_is_found_however_json_writes_it(
    server: Page, tmp_path: Path, said: str, asked: str, escaped: bool
) -> None:
    lines = [json.loads(encode(row(n, output=said if n == 7 else "other"))) for n in range(1, 10)]
    text = "".join(json.dumps(line, ensure_ascii=escaped) + "\n" for line in lines)
    (tmp_path / FILE).write_text(text)
    assert await ids(server, q=asked) == ["q7"]
    assert await ids(server, q=asked, status="error") == []


async def test_what_is_no_text_is_not_searched(server: Page, tmp_path: Path) -> None:
    write(tmp_path, [row(1), row(2, "error")])
    assert await ids(server, q="fingerprint") == []
    assert await ids(server, q="latency_s") == []
    assert await ids(server, q="q2") == ["q2"]
    assert await ids(server, q="the server is overloaded") == ["q2"]
    assert await ids(server, q="The Server", case="1") == []


async def test_a_search_holds_for_all_of_a_file_of_many_blocks(
    server: Page, tmp_path: Path
) -> None:
    path = write(tmp_path, [row(n, output=f"answer {n} " + "." * 500) for n in range(1, 8001)])
    assert path.stat().st_size > 4 << 20
    assert await ids(server, q="answer 7999 ") == ["q7999"]
    told = await rows_of(server, q="answer", count=3)
    assert (told["matched"], len(told["rows"])) == (8000, 3)
    assert told["indexed_bytes"] == told["bytes"]


async def test_a_file_that_grows_is_followed(server: Page, tmp_path: Path) -> None:
    path = write(tmp_path, [row(1), row(2)])
    assert await ids(server, sort="-latency", q="answer") == ["q2", "q1"]
    with path.open("ab") as file:
        file.write(encode(row(3)) + encode(row(4))[:50])  # the last line is being written
        file.flush()
        assert await ids(server, sort="-latency", q="answer") == ["q3", "q2", "q1"]
        told = (await server.get("/api/rows", file=FILE)).json
        assert (told["total"], told["unreadable"]) == (3, 0)
        assert told["indexed_bytes"] == told["bytes"]  # nothing more to come by asking again
        file.write(encode(row(4))[50:])
    assert await ids(server, sort="-latency", q="answer") == ["q4", "q3", "q2", "q1"]


async def test_a_file_that_was_written_anew_is_read_anew(server: Page, tmp_path: Path) -> None:
    path = write(tmp_path, [row(1, output="x" * 50), row(2)])
    at = (await server.get("/api/rows", file=FILE)).json["rows"][1]["at"]
    write(tmp_path, [row(5), row(6), row(7)], "new").replace(path)
    assert await ids(server) == ["q5", "q6", "q7"]
    assert (await server.get("/api/row", file=FILE, at=at)).status == 409
    path.write_bytes(encode(row(8)))  # the same file, shorter
    assert await ids(server) == ["q8"]
    path.write_bytes(encode(row(9)) * 3)  # the same file, longer, and all of it changed
    assert await ids(server) == ["q9"] * 3


async def test_lines_that_are_no_results_are_counted(server: Page, tmp_path: Path) -> None:
    good = encode(row(1))
    bad = [b"[]\n", b'{"id": 1}\n', b"\xff\xfe\n", b"[" * 200_000 + b"\n", b"\0" * 300_000 + b"\n"]
    (tmp_path / FILE).write_bytes(good + b"".join(bad) + b"\n  \n" + encode(row(2)))
    told = (await server.get("/api/rows", file=FILE)).json
    assert [each["id"] for each in told["rows"]] == ["q1", "q2"]
    assert (told["total"], told["unreadable"]) == (2, 5)
    assert await ids(server, q="answer") == ["q1", "q2"]


async def test_lines_of_openai_batch_are_rows_too(server: Page, tmp_path: Path) -> None:
    lines = [encode_batch(row(1, output="One")), encode_batch(row(2, "error"))]
    (tmp_path / FILE).write_bytes(b"".join(lines))
    first, second = (await server.get("/api/rows", file=FILE)).json["rows"]
    assert (first["id"], first["text"], first["status"]) == ("q1", "One", "ok")
    assert (second["id"], second["status"]) == ("q2", "error")
    assert await ids(server, q="one") == ["q1"]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "good"}, {"sort": "colour"}, {"sort": "--cost"}, {"min_cost": "much"},
        {"max_latency": "nan"}, {"from": "-1"}, {"from": "1.5"}, {"count": "x"},
        {"from": "9" * 30}, {"from": "٣"},
    ],
)  # fmt: skip
async def test_a_wrong_question_is_answered_by_what_is_wrong(
    server: Page, tmp_path: Path, query: dict[str, str]
) -> None:
    write(tmp_path, [row(1)])
    reply = await server.get("/api/rows", file=FILE, **query)
    assert reply.status == 400
    assert next(iter(query)) in reply.json["error"]


async def test_one_row_is_the_whole_line(server: Page, tmp_path: Path) -> None:
    long = "a" * 3_000_000
    lines = [encode(row(1, output=long)), b'{"id":"nan","fingerprint":"f","status":"ok","x":NaN}\n']
    lines.append(b'{"id":"h","fingerprint":"f","status":"ok","output":"\\ud800"}\n')
    (tmp_path / FILE).write_bytes(b"".join(lines))
    rows = (await server.get("/api/rows", file=FILE)).json["rows"]
    assert len(rows[0]["text"]) == 300
    whole = await server.get("/api/row", file=FILE, at=rows[0]["at"])
    assert whole.json["result"]["output"] == long
    assert whole.json["request"] is None
    assert "manifest" in whole.json["why"]
    for each in rows[1:]:
        assert (await server.get("/api/row", file=FILE, at=each["at"])).status == 200
    for at in (1, 10**15, "x", -1):
        assert (await server.get("/api/row", file=FILE, at=at)).status in (400, 404, 409)


async def test_a_row_is_shown_with_what_it_asked(server: Page, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"prompt": "One"}\n\n{"prompt": "Two", "top_p": 0.5}\n')
    async with FaultServer() as model:
        model.replies = answer("Yes")
        done = await command(
            "run", "in.jsonl", "--model", "m", "--base-url", model.url, "--system", "Be {brief}.",
            "-o", "out.jsonl", "--param", "seed=7", cwd=tmp_path,
        )  # fmt: skip
    assert done.code == 0, done
    rows = (await server.get("/api/rows", file="out.jsonl", sort="output_tokens")).json["rows"]
    at = {each["line"]: each["at"] for each in rows}
    told = (await server.get("/api/row", file="out.jsonl", at=at[3])).json
    assert told["request"]["messages"][-1] == {"role": "user", "content": "Two"}
    assert told["request"]["messages"][0]["content"] == "Be {brief}."
    assert (told["request"]["top_p"], told["request"]["seed"]) == (0.5, 7)

    manifest = (await server.get("/api/job", file="out.jsonl")).json["manifest"]
    assert (manifest["state"], manifest["rows"]) == ("finished", {"ok": 2})
    assert manifest["summary"]["rows"]["ok"] == 2
    report = (await server.get("/api/report", file="out.jsonl")).json
    assert "figures" in str(report)
    again = await server.get("/api/report", file="out.jsonl")
    assert again.json == report

    (tmp_path / "in.jsonl").write_text('{"prompt": "One"}\n\n{"prompt": "Other"}\n')
    told = (await server.get("/api/row", file="out.jsonl", at=at[3])).json
    assert told["request"] is None
    assert "changed" in told["why"]
    assert "Other" not in str(told)
    (tmp_path / "in.jsonl").unlink()
    told = (await server.get("/api/row", file="out.jsonl", at=at[3])).json
    assert told["why"] == "the input is not there any more: in.jsonl"


async def test_a_manifest_that_names_a_strangers_file_gives_nothing_of_it_away(
    server: Page, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("home") / "secret.jsonl"
    secret.write_text('{"prompt": "private"}\n')
    (tmp_path / "in.jsonl").write_text('{"prompt": "One"}\n')
    async with FaultServer() as model:
        done = await command(
            "run", "in.jsonl", "--model", "m", "--base-url", model.url, cwd=tmp_path
        )
    assert done.code == 0, done
    beside = tmp_path / "in.results.jsonl.manifest.json"
    for path in (str(secret), f"../{secret.parent.name}/{secret.name}", "/dev/zero", "/etc/passwd"):
        manifest = json.loads(beside.read_text())
        manifest["inputs"][0]["path"] = path
        beside.write_text(json.dumps(manifest))
        reply = await server.get("/api/row", file="in.results.jsonl", at=0)
        assert reply.json["request"] is None
        assert "private" not in reply.text
        assert "root:" not in reply.text


async def test_a_report_runs_nothing_that_lies_among_the_results(
    server: Page, tmp_path: Path
) -> None:
    write(tmp_path, [row(1)])
    for name in ("json", "msgspec", "click"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w')\nraise SystemExit(1)\n")
    reply = await server.get("/api/report", file=FILE)
    assert (reply.status, list(tmp_path.glob("ran"))) == (200, []), reply.text
    assert reply.json["lines"] == 1
