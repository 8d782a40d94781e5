"""Images by their file: read into the row, or the reason why not."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbatch.jobs.clock import SystemClock
from llmbatch.jobs.model import Rejected, Request, Row
from llmbatch.jobs.sources.files import FileSource
from llmbatch.jobs.sources.images import LARGEST
from llmbatch.jobs.sources.inputs import expand
from llmbatch.jobs.sources.rows import RowDefaults, RowParser

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
IMAGES = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "image/gif": b"GIF89a" + b"\0" * 10,
    "image/webp": b"RIFF\x24\0\0\0WEBPVP8 ",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with an input's folder ``in`` and a home in it."""
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def data_url(data: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def row(url: Any, **image: Any) -> dict[str, Any]:
    part = {"type": "image_url", "image_url": {"url": url, **image}}
    content = [{"type": "text", "text": "What is it?"}, part]
    return {"messages": [{"role": "user", "content": content}]}


def parsed(value: Any, path: str = "in/rows.jsonl", **defaults: Any) -> Row:
    parser = RowParser(RowDefaults(**{"model": "m", **defaults}))
    return parser.parse(json.dumps(value).encode(), 1, path)


def url_of(found: Row) -> str:
    assert isinstance(found, Request), found
    url: str = found.messages[-1]["content"][1]["image_url"]["url"]
    return url


def reason(found: Row) -> str:
    assert isinstance(found, Rejected), found
    return found.reason


@pytest.mark.parametrize(("kind", "data"), IMAGES.items(), ids=IMAGES)
def test_a_file_becomes_a_data_url_whatever_its_name(folder: Path, kind: str, data: bytes) -> None:
    (folder / "in" / "picture.dat").write_bytes(data)
    found = parsed(row("picture.dat", detail="low"))
    assert url_of(found) == data_url(data, kind)
    assert isinstance(found, Request)
    assert found.messages[0]["content"][1]["image_url"]["detail"] == "low"


def test_every_way_to_name_a_file(folder: Path) -> None:
    image = folder / "in" / "my cat.png"
    image.write_bytes(PNG)
    for url in (
        "my cat.png",
        "./my cat.png",
        "../in/my cat.png",
        "~/in/my cat.png",
        str(image),
        image.as_uri(),
        f"file://localhost{image.as_uri()[7:]}",
    ):
        assert url_of(parsed(row(url))) == data_url(PNG), url


def test_a_path_is_relative_to_the_inputs_folder_and_for_pipes_to_the_working_folder(
    folder: Path,
) -> None:
    (folder / "in" / "a.png").write_bytes(PNG)
    (folder / "b.png").write_bytes(PNG + b"b")
    assert url_of(parsed(row("a.png"), "in/rows.jsonl")) == data_url(PNG)
    for source in ("-", "/dev/fd/63", "rows.jsonl"):
        assert url_of(parsed(row("b.png"), source)) == data_url(PNG + b"b")
        assert "No such file" in reason(parsed(row("a.png"), source))


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a.png",
        "HTTP://example.org/a.png",
        "data:image/png;base64,AAAA",
        "gs://bucket/a.png",
    ],
)
def test_addresses_stay(url: str) -> None:
    assert url_of(parsed(row(url))) == url


def test_the_fingerprint_covers_what_the_image_shows(folder: Path) -> None:
    image = folder / "in" / "a.png"
    prints = set()
    for data in (PNG, PNG + b"changed"):
        image.write_bytes(data)
        prints.add(parsed(row("a.png")).fingerprint)
    assert len(prints) == 2
    assert parsed(row(data_url(PNG + b"changed"))).fingerprint in prints


def test_rows_for_responses_and_batch_lines_may_name_files(folder: Path) -> None:
    (folder / "in" / "a.png").write_bytes(PNG)
    part = {"type": "input_image", "image_url": "a.png"}
    items: list[Any] = [
        {"role": "user", "content": [part]},
        {"type": "function_call_output", "call_id": "c", "output": [part]},
    ]
    expected = {"type": "input_image", "image_url": data_url(PNG)}
    line = {"custom_id": "a", "method": "POST", "url": "/v1/responses"}
    for value in (
        {"input": items},
        {**line, "body": {"input": items}},
        {**line, "body": {"prompt": {"id": "p"}, "input": items}},
    ):
        found = parsed(value, endpoint="responses")
        assert isinstance(found, Request)
        assert found.input[0]["content"] == [expected]
        assert found.input[1]["output"] == [expected]
    chat = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": row("a.png")}
    assert url_of(parsed(chat)) == data_url(PNG)
    string = row("x")
    string["messages"][0]["content"][1]["image_url"] = "a.png"
    found = parsed(string)
    assert isinstance(found, Request)
    assert found.messages[0]["content"][1]["image_url"] == data_url(PNG)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("gone.png", "can't be read: No such file or directory"),
        (".", "is a folder"),
        ("pipe", "is no file"),
        ("notes.txt", "is not a PNG, JPEG, GIF or WebP"),
        ("empty", "is not a PNG, JPEG, GIF or WebP"),
        ("large.png", "is larger than 20 MB"),
        (" ", "has no name"),
        ("file://elsewhere/a.png", "is on another machine"),
        ("file://[a", "is not a file URL"),
        ("a\0b", "can't be read: that is no path"),
        ("~nobody-of-that-name/a.png", "can't be found"),
    ],
)
def test_what_is_no_image_makes_the_row_invalid(folder: Path, url: str, text: str) -> None:
    (folder / "in" / "notes.txt").write_text("private words")
    (folder / "in" / "empty").touch()
    os.mkfifo(folder / "in" / "pipe")
    with (folder / "in" / "large.png").open("wb") as large:
        large.write(PNG)
        large.truncate(LARGEST + 1)
    found = reason(parsed(row(url)))
    assert found.startswith("messages[0].content[1]: the image ")
    assert text in found
    assert "private" not in found


def test_an_image_of_the_largest_size_is_taken(folder: Path) -> None:
    with (folder / "in" / "a.png").open("wb") as large:
        large.write(PNG)
        large.truncate(LARGEST)
    assert len(url_of(parsed(row("a.png")))) > LARGEST


@pytest.mark.parametrize("image", [None, 5, [], {}, {"url": None}, {"url": 5}])
def test_a_part_of_an_odd_shape_is_left_to_the_provider(image: Any) -> None:
    value = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": image}]}]}
    found = parsed(value)
    assert isinstance(found, Request)
    assert found.messages == value["messages"]


@pytest.mark.parametrize("items", [["x"], [{"content": ["x", 5]}], [5], "x", {"a": 1}])
def test_a_stored_prompt_may_have_an_input_of_any_shape(items: Any) -> None:
    line = {"custom_id": "a", "method": "POST", "url": "/v1/responses"}
    found = parsed({**line, "body": {"prompt": {"id": "p"}, "input": items}})
    assert isinstance(found, Request)
    assert found.input == items


async def test_rows_with_images_come_from_a_source_in_their_order(
    folder: Path, write: Callable[..., str]
) -> None:
    (folder / "a.png").write_bytes(PNG)
    name = write("rows.jsonl", {"prompt": "one"}, row("a.png"), row("gone.png"), {"prompt": "two"})
    source = FileSource(expand([name]), RowParser(RowDefaults(model="m")), SystemClock())
    rows = [found async for found in source.requests()]
    assert [found.line for found in rows] == [1, 2, 3, 4]
    assert url_of(rows[1]) == data_url(PNG)
    assert "gone.png" in reason(rows[2])
