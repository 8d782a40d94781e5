"""Every shape and place of input, through the real command: what the server is asked."""

from __future__ import annotations

import gzip
import sys
from typing import Any

from desk import Desk

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def asked(desk: Desk) -> dict[str, dict[str, Any]]:
    """The bodies that the server saw, by prompt, without what streaming adds."""
    ours = ("stream", "stream_options")
    return {
        call.prompt: {key: value for key, value in call.body.items() if key not in ours}
        for call in desk.server.calls
    }


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


BRIEF = {"role": "system", "content": "Be brief."}


async def test_every_shape_of_a_row_is_sent_as_it_means(desk: Desk) -> None:
    history = [{"role": "system", "content": "Be rude."}, user("history")]
    desk.write(
        {"id": "a", "prompt": "plain", "topic": "t"},
        "\"bare\"",
        {"messages": history},
        {"prompt": "own", "system": "Sing.", "model": "other", "temperature": 1, "stop": ["x"]},
        {"prompt": "longer", "max_tokens": 99, "extra_body": {"vendor": True}},
        {"prompt": "no stream", "stream": False, "metadata": {"k": "v"}},
        *(
            {"custom_id": url, "method": "POST", "url": f"/v1/{url}", "body": body | {"model": "b"}}
            for url, body in {
                "chat/completions": {"messages": [user("batch")], "seed": 7},
                "completions": {"prompt": "complete"},
                "embeddings": {"input": ["embed"], "dimensions": 3},
                "responses": {"input": "respond", "instructions": "Hum."},
            }.items()
        ),
    )  # fmt: skip
    flags = ("--system", "Be brief.", "--max-tokens", "7", "--param", "top_p=0.5")
    done = await desk.run("in.jsonl", *flags, "--param", "user=me")
    assert done.code == 0, done
    job = {"model": "m", "max_tokens": 7, "top_p": 0.5, "user": "me"}
    bodies = asked(desk)
    assert bodies["plain"] == {**job, "messages": [BRIEF, user("plain")]}
    assert bodies["bare"] == {**job, "messages": [BRIEF, user("bare")]}
    assert bodies["history"] == {**job, "messages": history}
    assert bodies["own"] == {
        **job,
        "model": "other",
        "messages": [{"role": "system", "content": "Sing."}, user("own")],
        "temperature": 1,
        "stop": ["x"],
    }
    longer = {**job, "max_tokens": 99, "vendor": True}
    assert bodies["longer"] == {**longer, "messages": [BRIEF, user("longer")]}
    assert bodies["batch"] == {**job, "model": "b", "messages": [BRIEF, user("batch")], "seed": 7}
    assert bodies["complete"] == {**job, "model": "b", "prompt": "complete"}
    assert bodies["respond"]["instructions"] == "Hum."
    assert bodies["respond"]["input"] == "respond"
    assert {(call.endpoint, call.path) for call in desk.server.calls} == {
        ("chat", "/v1/chat/completions"),
        ("completions", "/v1/completions"),
        ("embeddings", "/v1/embeddings"),
        ("responses", "/v1/responses"),
    }
    embed = next(call.body for call in desk.server.calls if call.endpoint == "embeddings")
    assert (embed["input"], embed["dimensions"], embed["model"]) == (["embed"], 3, "b")
    assert all(call.streams for call in desk.server.calls if call.endpoint != "embeddings")
    found = desk.results()
    assert found["a"]["metadata"] == {"topic": "t"}
    assert found["6"]["metadata"] == {"k": "v"}
    assert found["4"]["model"] == "other"
    assert found["completions"]["output"] == "You said: complete"
    assert found["responses"]["output"] == "You said: respond"
    assert len(found["embeddings"]["output"][0]) == 3


async def test_files_globs_and_compressions_are_one_job(desk: Desk) -> None:
    desk.write({"prompt": "jsonl"}, {"id": "own", "prompt": "jsonl 2"}, name="a.jsonl")
    (desk.folder / "b.txt").write_text("\ufeffa text file\r\n\r\n  its third line\n")
    (desk.folder / "c.jsonl.gz").write_bytes(
        gzip.compress(b'{"prompt": "gzip"}\n') + gzip.compress(b'{"prompt": "gzip 2"}')
    )
    (desk.folder / "d.txt.zst").write_bytes(zstd.compress("zstd, größer\n".encode()))
    (desk.folder / "sub").mkdir()
    desk.write({"prompt": "deep"}, name="sub/e.jsonl")
    globs = ("a.jsonl", "./a.jsonl", "*.txt", "[cd].*", "**/e.jsonl")
    done = await desk.run(*globs, "-o", "out.jsonl")
    assert done.code == 0, done
    assert {i: line["output"] for i, line in desk.results("out.jsonl").items()} == {
        "a.jsonl:1": "You said: jsonl",
        "own": "You said: jsonl 2",
        "b.txt:1": "You said: a text file",
        "b.txt:3": "You said:   its third line",
        "c.jsonl.gz:1": "You said: gzip",
        "c.jsonl.gz:2": "You said: gzip 2",
        "d.txt.zst:1": "You said: zstd, größer",
        "sub/e.jsonl:1": "You said: deep",
    }
    again = await desk.run(*globs, "-o", "out.jsonl")
    assert again.code == 0
    assert "8 done before" in again.last
    assert len(desk.server.calls) == 8


async def test_several_inputs_want_a_name_for_the_output(desk: Desk) -> None:
    desk.prompts(1, name="a.jsonl")
    desk.write({"id": "x", "prompt": "x"}, name="b.jsonl")
    done = await desk.run("a.jsonl", "b.jsonl")
    assert done.code == 2
    assert "there are several inputs: name the output with -o FILE" in done.stderr


async def test_compressed_standard_input_says_how_to_unpack_it(desk: Desk) -> None:
    done = await desk.run("-", "-o", "out.jsonl", stdin=gzip.compress(b'"x"\n'))
    assert done.code == 3
    assert "it is gzip data" in done.stderr
    assert "zcat" in done.stderr
    assert not desk.server.calls


async def test_a_template_and_a_system_prompt_may_come_from_files(desk: Desk) -> None:
    desk.write({"id": "r", "text": "tea", "tags": ["a"], "shop": {"town": "Ulm"}}, '"coffee"')
    (desk.folder / "tpl.txt").write_text("Rate {{text}}\n")
    (desk.folder / "sys.txt").write_text("Be brief.")
    done = await desk.run("in.jsonl", "--template", "@tpl.txt", "--system", "@sys.txt")
    assert done.code == 0, done
    for prompt in ("tea", "coffee"):
        (body,) = (body for text, body in asked(desk).items() if prompt in text)
        assert body["messages"][0] == BRIEF
        assert body["messages"][1]["content"].startswith(f"Rate {prompt}")
    assert desk.results()["r"]["metadata"]["shop"] == {"town": "Ulm"}
    desk.server.calls.clear()
    nested = "{{shop.town}}: {{tags}}, {{tags.0}}"
    assert (await desk.run("in.jsonl", "--limit", "1", "--template", nested)).code == 0
    assert list(asked(desk)) == ['Ulm: ["a"], a']


async def test_limit_takes_the_first_rows_and_a_later_run_the_rest(desk: Desk) -> None:
    desk.prompts(5)
    done = await desk.run("in.jsonl", "--limit", "2")
    assert done.code == 0
    assert set(desk.results()) == {"r1", "r2"}
    done = await desk.run("in.jsonl")
    assert done.code == 0
    assert "2 done before" in done.last
    assert set(desk.results()) == {f"r{n}" for n in range(1, 6)}
    assert len(desk.server.calls) == 5
