"""Through LiteLLM, in a process of its own, against real sockets on loopback."""

from __future__ import annotations

import asyncio
import binascii
import json
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faultreplies import (
    Act,
    Call,
    Recipe,
    Reply,
    answer,
    context_too_long,
    cut,
    cut_at_once,
    error,
    error_in_stream,
    insufficient_quota,
    malformed,
    never,
    rate_limited,
    redirect,
    stalled,
    truncated,
    unauthorized,
    web_page,
)

from faultserver import FaultServer, in_thread
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.providers.litellm import LiteLLM

DRIVER = Path(__file__).parent.parent / "litellmdriver.py"
OWN_KEY = "gsk-from-the-environment-4711"
ENVIRON = {
    "OPENAI_API_KEY": OWN_KEY,
    "AWS_ACCESS_KEY_ID": "AKIANOTAREALKEY00000",
    "AWS_SECRET_ACCESS_KEY": "not-a-real-secret-of-anybody",
    "AWS_REGION_NAME": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

Ask = Callable[..., dict[str, Any]]


class Watched(FaultServer):
    """Any path is answered; ``left`` is set when a call is over, for whatever reason."""

    def __init__(self) -> None:
        super().__init__()
        self.left = threading.Event()

    async def _handle(self, request: Any) -> Any:
        try:
            return await super()._handle(request)
        finally:
            self.left.set()

    async def _choose(self, call: Call) -> Reply:
        if call.endpoint:
            return await super()._choose(call)
        chosen: Any = self.replies
        while not isinstance(chosen, Reply):
            chosen = chosen(call)
        return chosen


class Driver:
    """A process that asks; see :mod:`litellmdriver`."""

    def __init__(self, folder: Path) -> None:
        self.errors = folder / "stderr"
        environ = {**os.environ, **ENVIRON, "LITELLM_LOG": "DEBUG", "LITELLM_DROP_PARAMS": "True"}
        with self.errors.open("w") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-W", "always::ResourceWarning", str(DRIVER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                cwd=folder,
                env=environ,
            )

    def ask(self, url: str, model: str = "openai/m", **words: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"url": url, "model": model, **words}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, self.errors.read_text()
        done: dict[str, Any] = json.loads(line)
        return done

    def close(self) -> int:
        self._process.communicate(timeout=60)
        return self._process.returncode


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    running = Driver(tmp_path_factory.mktemp("litellm"))
    yield running
    assert running.close() == 0, running.errors.read_text()
    assert running.errors.read_text() == ""


@pytest.fixture
def server() -> Iterator[Watched]:
    with in_thread(Watched()) as running:
        assert isinstance(running, Watched)
        yield running


@pytest.fixture
def ask(driver: Driver, server: Watched) -> Ask:
    """``ask(recipe, model, **words)``: one attempt against one answer."""

    def one(reply: Recipe, model: str = "openai/m", **words: Any) -> dict[str, Any]:
        server.replies = reply
        root = words.pop("root", "/v1")
        return driver.ask(server.root + root, model, **words)

    return one


def text(done: dict[str, Any]) -> str:
    return "".join(delta["text"] for delta in done["deltas"])


def last(done: dict[str, Any]) -> dict[str, Any]:
    assert done["error"] is None
    end: dict[str, Any] = done["deltas"][-1]
    return end


# A good answer


@pytest.mark.parametrize("whole", [False, True])
def test_an_answer_comes_with_its_finish_and_its_usage(
    ask: Ask, server: Watched, whole: bool
) -> None:
    done = ask(answer("Hello my friend"), whole=whole, params={"temperature": 0.5})
    end = last(done)
    assert text(done) == "Hello my friend"
    assert (end["status"], end["finish_reason"]) == ("ok", "stop")
    assert (end["usage"]["input_tokens"], end["usage"]["output_tokens"]) == (3, 3)
    assert end["cost_usd"] is None  # nobody knows what the model "m" costs
    body = server.calls[0].body
    assert (body["model"], body["temperature"]) == ("m", 0.5)
    assert body.get("stream", False) is not whole
    assert len(done["deltas"]) == (1 if whole else 4)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("finish", "status"), [("length", "truncated"), ("content_filter", "filtered")]
)
def test_a_finish_other_than_stop_is_told(ask: Ask, finish: str, status: str, whole: bool) -> None:
    end = last(ask(answer("a b", finish=finish), whole=whole))
    assert (end["status"], end["finish_reason"]) == (status, finish)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("finish", ["error", "abort", "network_error"])
def test_an_answer_that_was_broken_off_is_none(ask: Ask, finish: str, whole: bool) -> None:
    failure = ask(answer("a b", finish=finish), whole=whole)["error"]
    assert (failure["type"], failure["retryable"]) == ("error_in_stream", True)
    assert finish in failure["message"]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("finish", ["MALFORMED_FUNCTION_CALL", "OTHER"])
def test_what_gemini_broke_off_is_none(ask: Ask, finish: str, whole: bool) -> None:
    done = ask(answer("a b", finish=finish), "gemini/gemini-2.0-flash", root="/v1beta", whole=whole)
    assert done["error"]["type"] == "error_in_stream"


@pytest.mark.parametrize("whole", [False, True])
def test_a_refusal_keeps_its_text(ask: Ask, whole: bool) -> None:
    done = ask(answer("", refusal="I would rather not"), whole=whole)
    assert (text(done), last(done)["status"]) == ("I would rather not", "refused")


def test_reasoning_and_tool_calls_come_through(ask: Ask) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    done = ask(answer("x", reasoning="think", tool_calls=[call], finish="tool_calls"))
    pieces = [piece for delta in done["deltas"] for piece in delta["tool_calls"]]
    assert "".join(delta["reasoning"] for delta in done["deltas"]) == "think"
    assert (pieces[0]["id"], pieces[0]["function"]["name"]) == ("c", "f")
    assert "".join(piece["function"]["arguments"] for piece in pieces) == '{"a": 1}'
    assert {piece["index"] for piece in pieces} == {0}
    assert last(done)["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("whole", [False, True])
def test_usage_that_the_server_did_not_count_is_not_made_up(ask: Ask, whole: bool) -> None:
    assert last(ask(answer("Hello", usage=False), whole=whole))["usage"] is None


def test_a_known_price_is_a_cost(ask: Ask) -> None:
    end = last(ask(answer("Hello"), "openai/gpt-4o-mini"))
    assert end["cost_usd"] == pytest.approx(3 * 0.15e-6 + 1 * 0.6e-6)


def test_headers_of_the_answer_are_heard(ask: Ask) -> None:
    done = ask(answer("x", headers={"X-RateLimit-Limit-Requests": "60"}))
    assert done["headers"]["x-ratelimit-limit-requests"] == "60"


def test_extra_goes_into_the_body_as_it_stands(ask: Ask, server: Watched) -> None:
    assert ask(answer("x"), extra={"odd_knob": {"a": 1}})["error"] is None
    assert server.calls[0].body["odd_knob"] == {"a": 1}


# A stream that was cut is a failure, at every event


SHAPES = [
    ("openai/m", "/v1"),  # the OpenAI SDK
    ("deepseek/deepseek-chat", "/v1"),  # LiteLLM's own reader of the same
    ("anthropic/claude-3-haiku-20240307", ""),
    ("gemini/gemini-2.0-flash", "/v1beta"),  # which is told "stop" with every chunk
]


@pytest.mark.parametrize("end", [None, Act.CUT, Act.RESET], ids=["clean", "close", "reset"])
@pytest.mark.parametrize(("model", "root"), SHAPES, ids=lambda v: str(v).split("/")[0])
def test_a_stream_cut_at_any_event_is_broken(
    ask: Ask, model: str, root: str, end: Act | None
) -> None:
    sent: list[int] = []
    unfinished = answer(
        "one two three", finish=None, edit=lambda parts: [sent.append(len(parts)), *parts][1:]
    )
    assert ask(unfinished, model, root=root)["error"]["type"] == "stream_broken"
    for after in range(1 if end else 0, sent[0] + 1):
        reply = truncated(after, text="one two three", finish=None)
        if end:
            reply = cut(after, end, text="one two three", finish=None)
        done = ask(reply, model, root=root)
        assert done["error"]["type"] == "stream_broken", (after, done)
        assert all(delta["status"] is None for delta in done["deltas"])


@pytest.mark.parametrize(("model", "root"), SHAPES, ids=lambda v: str(v).split("/")[0])
def test_the_same_stream_with_its_finish_is_complete(ask: Ask, model: str, root: str) -> None:
    done = ask(answer("one two three"), model, root=root)
    assert (text(done), last(done)["status"]) == ("one two three", "ok")
    assert last(ask(answer("one two", finish="length"), model, root=root))["status"] == "truncated"


@pytest.mark.parametrize("model", ["openai/m", "deepseek/deepseek-chat"])
def test_done_without_a_finish_is_broken(ask: Ask, model: str) -> None:
    reply = answer("a b c", finish=None, edit=lambda parts: [*parts, b"data: [DONE]\n\n"])
    assert ask(reply, model)["error"]["type"] == "stream_broken"


@pytest.mark.parametrize(("model", "root"), [("openai/m", "/v1"), ("gemini/g", "/v1beta")])
def test_a_whole_answer_without_a_finish_is_malformed(ask: Ask, model: str, root: str) -> None:
    done = ask(answer("a b c", finish=None), model, root=root, whole=True)
    assert done["error"]["type"] == "malformed_response"


def frame(kind: str, payload: dict[str, Any]) -> bytes:
    """One message of AWS's event stream encoding: prelude, headers, payload, checksums."""

    def header(name: str, value: str) -> bytes:
        return (
            bytes([len(name)])
            + name.encode()
            + b"\x07"
            + struct.pack(">H", len(value))
            + (value.encode())
        )

    headers = header(":event-type", kind) + header(":message-type", "event")
    headers += header(":content-type", "application/json")
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", binascii.crc32(prelude)) + headers + body
    return message + struct.pack(">I", binascii.crc32(message))


CONVERSE = [
    frame("messageStart", {"role": "assistant"}),
    frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hel"}}),
    frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "lo"}}),
    frame("contentBlockStop", {"contentBlockIndex": 0}),
    frame("messageStop", {"stopReason": "end_turn"}),
    frame(
        "metadata",
        {"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}, "metrics": {}},
    ),
]
BEDROCK = "bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0"


def converse(*steps: Any) -> Recipe:
    return lambda call: Reply(steps, headers={"Content-Type": "application/vnd.amazon.eventstream"})


def test_bedrock_streams_with_its_finish_usage_and_cost(ask: Ask) -> None:
    done = ask(converse(*CONVERSE), BEDROCK, root="")
    assert (text(done), last(done)["status"]) == ("Hello", "ok")
    assert last(done)["usage"]["output_tokens"] == 2
    assert last(done)["cost_usd"] == pytest.approx(3 * 3e-6 + 2 * 15e-6)


def test_what_bedrock_took_from_its_cache_and_put_there_is_part_of_the_input(ask: Ask) -> None:
    cache = {"cacheReadInputTokens": 10, "cacheWriteInputTokens": 20}
    counted = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 35, **cache}
    told = frame("metadata", {"usage": counted, "metrics": {}})
    usage = last(ask(converse(*CONVERSE[:-1], told), BEDROCK, root=""))["usage"]
    assert (usage["input_tokens"], usage["cached_tokens"]) == (33, 10)
    assert usage["cache_write_tokens"] == 20


@pytest.mark.parametrize("end", [[], [Act.CUT], [Act.RESET]], ids=["clean", "close", "reset"])
def test_a_bedrock_stream_cut_at_any_message_is_broken(ask: Ask, end: list[Act]) -> None:
    for after in range(1, 5):
        done = ask(converse(*CONVERSE[:after], *end), BEDROCK, root="")
        assert done["error"]["type"] == "stream_broken", (after, done)
        assert all(delta["status"] is None for delta in done["deltas"])


COHERE = {
    "id": "x",
    "finish_reason": "COMPLETE",
    "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
    "usage": {"tokens": {"input_tokens": 3, "output_tokens": 1}},
}


def test_where_a_cut_could_not_be_told_the_answer_comes_whole(ask: Ask, server: Watched) -> None:
    body = json.dumps(COHERE).encode()
    reply = Reply([body], headers={"Content-Type": "application/json"}, stream=False)
    done = ask(lambda call: reply, "cohere/command-r", root="/v2/chat")
    assert (text(done), last(done)["status"]) == ("Hello", "ok")
    assert not server.calls[0].body.get("stream")


# What can go wrong, in this project's words; and each of them is asked once


FAILURES: list[tuple[str, Recipe, str, int | None]] = [
    ("500", error(500), "overloaded", 500),
    ("503", error(503), "overloaded", 503),
    ("529", error(529), "overloaded", 529),
    ("429", rate_limited(retry_after="7"), "rate_limited", 429),
    ("quota", insufficient_quota(), "quota_exhausted", 429),
    ("402", error(402), "quota_exhausted", 402),
    ("401", unauthorized(), "auth_failed", 401),
    ("403", error(403, "Not for you"), "refused", 403),
    ("403 key", error(403, "The api key has expired"), "auth_failed", 403),
    ("404", error(404, "No such model"), "not_found", 404),
    ("400", error(400, "Odd"), "bad_request", 400),
    ("422", error(422, "Odd"), "bad_request", 422),
    ("context", context_too_long(), "context_too_long", 400),
    ("no answer", cut_at_once(), "connection_failed", None),
    ("reset", cut_at_once(Act.RESET), "connection_failed", None),
]


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("model", ["openai/m", "deepseek/deepseek-chat"])
@pytest.mark.parametrize(("_case", "reply", "kind", "status"), FAILURES, ids=lambda v: str(v)[:9])
def test_a_failure_is_told_in_our_words_and_asked_once(
    ask: Ask,
    server: Watched,
    _case: str,
    reply: Recipe,
    kind: str,
    status: int | None,
    model: str,
    whole: bool,
) -> None:
    failure = ask(reply, model, whole=whole)["error"]
    assert (failure["type"], failure["http_status"]) == (kind, status)
    assert failure["may_be_billed"] == (kind == "connection_failed")
    assert "litellm." not in failure["message"]
    assert len(server.calls) == 1


def test_retry_after_is_kept(ask: Ask) -> None:
    for model in ("openai/m", "deepseek/deepseek-chat"):
        assert ask(rate_limited(retry_after="7"), model)["error"]["retry_after"] == 7.0


@pytest.mark.parametrize("code", [None, "rate_limit_exceeded"])
def test_an_error_inside_a_stream_is_what_the_server_says(ask: Ask, code: str | None) -> None:
    failure = ask(error_in_stream("So many", code=code))["error"]
    assert failure["type"] == ("rate_limited" if code else "error_in_stream")
    assert "So many" in failure["message"]


def test_a_broken_chunk_is_malformed(ask: Ask) -> None:
    assert ask(malformed())["error"]["type"] == "malformed_response"


@pytest.mark.parametrize("whole", [False, True])
def test_a_web_page_is_no_answer(ask: Ask, whole: bool) -> None:
    done = ask(web_page(), whole=whole)
    assert done["error"]["type"] in {"stream_broken", "malformed_response"}
    assert done["error"]["retryable"]


def test_a_refused_connection_is_told(driver: Driver) -> None:
    with in_thread() as server:
        url = server.url
    failure = driver.ask(url)["error"]
    assert (failure["type"], failure["may_be_billed"]) == ("connection_failed", False)


def test_keys_are_in_no_message(ask: Ask) -> None:
    given = ask(unauthorized(), key="sk-given-to-the-route-1234")["error"]["message"]
    found = ask(unauthorized(), key="")["error"]["message"]
    assert "sk-given" not in given
    assert OWN_KEY not in found
    assert "***" in given
    assert "***" in found


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(("model", "root"), SHAPES, ids=lambda v: str(v).split("/")[0])
def test_a_redirect_is_never_followed(
    ask: Ask, server: Watched, model: str, root: str, whole: bool
) -> None:
    """LiteLLM would send the prompt there, and a key that is not in Authorization."""
    with in_thread() as other:
        elsewhere = other.root.replace("127.0.0.1", "localhost")
        done = ask(lambda call: redirect(elsewhere + call.target), model, root=root, whole=whole)
        assert other.calls == []
    assert len(server.calls) == 1
    assert (done["error"]["type"], done["error"]["http_status"]) == ("permanent", 307)
    assert f"the server redirects to {elsewhere}" in done["error"]["message"]


@pytest.mark.parametrize("name", ["Authorization", "x-Auth"])
def test_a_header_that_carries_a_key_is_in_no_message(ask: Ask, name: str) -> None:
    def echo(call: Call) -> Recipe:
        return error(401, f"No such key: {call.headers[name].removeprefix('Bearer ')}")

    headers = {name: "Bearer sk-within-a-header-1234"}
    message = ask(echo, headers=headers)["error"]["message"]
    assert "within-a-header" not in message
    assert "***" in message


def test_an_unknown_provider_is_not_found(ask: Ask, server: Watched) -> None:
    failure = ask(answer(), "nosuch/model")["error"]
    assert failure["type"] == "not_found"
    assert "no such provider" in failure["message"]
    assert server.calls == []


# Parameters


def test_a_parameter_that_litellm_does_not_map_is_refused_unless_dropped(
    ask: Ask, server: Watched
) -> None:
    words: dict[str, Any] = {"root": "/v2/chat", "params": {"logit_bias": {"1": 1}}}
    refused = ask(answer(), "cohere/command-r", **words)["error"]
    assert refused["type"] == "bad_request"
    assert "logit_bias" in refused["message"]
    assert "--drop-params" in refused["message"]
    assert server.calls == []
    body = json.dumps(COHERE).encode()
    reply = Reply([body], headers={"Content-Type": "application/json"}, stream=False)
    done = ask(lambda call: reply, "cohere/command-r", drop=True, **words)
    assert last(done)["status"] == "ok"
    assert "logit_bias" not in server.calls[0].body


@pytest.mark.parametrize(
    "name", ["api_base", "base_url", "api_key", "mock_response", "fallbacks", "vertex_credentials"]
)
def test_a_row_can_not_turn_litellm_itself(ask: Ask, server: Watched, name: str) -> None:
    failure = ask(answer(), params={name: "http://127.0.0.1:1/"})["error"]
    assert failure["type"] == "bad_request"
    assert name in failure["message"]
    assert server.calls == []


def test_other_endpoints_than_chat_are_refused(ask: Ask, server: Watched) -> None:
    assert ask(answer(), endpoint="embeddings")["error"]["type"] == "bad_request"
    assert server.calls == []


# Time, and leaving early


def test_a_stall_in_the_middle_is_noticed_and_hung_up(ask: Ask, server: Watched) -> None:
    done = ask(stalled(asyncio.Event()), stall=0.2)
    assert done["error"]["type"] == "stalled"
    assert text(done) == "You said:"
    assert server.left.wait(30)


def test_a_request_that_takes_too_long_is_hung_up(ask: Ask, server: Watched) -> None:
    assert ask(never(), timeout=0.5)["error"]["type"] == "timeout"
    assert server.left.wait(30)


@pytest.mark.parametrize("model", ["openai/m", "deepseek/deepseek-chat"])
def test_leaving_the_stream_closes_its_connection(ask: Ask, server: Watched, model: str) -> None:
    done = ask(stalled(asyncio.Event()), model, stop_after=1)
    assert (text(done), done["error"]) == ("You", None)
    assert server.left.wait(30)


# What it costs whoever does not use it


def test_a_missing_package_is_told_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "litellm", None)
    with pytest.raises(ConfigError, match="pip install litellm"):
        LiteLLM()


def test_opening_imports_nothing_and_repr_shows_no_key() -> None:
    code = (
        "import sys\n"
        "from llmbatch.jobs.keys import Key\n"
        "from llmbatch.jobs.providers.litellm import LiteLLM\n"
        "print(LiteLLM(key=Key('sk-123456789'), headers={'x-api-key': 'sk-123456789'}))\n"
        "sys.exit(str({'litellm', 'openai', 'httpx', 'pydantic'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"
    assert "sk-" not in done.stdout


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"]])
def test_help_imports_no_litellm(words: list[str]) -> None:
    assert imported(words) == "set()"


def test_a_run_with_another_provider_imports_no_litellm(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"prompt": "hi"}\n')
    with in_thread() as server:
        words = ["run", str(rows), "--model", "m", "--base-url", server.url, "--quiet"]
        assert imported(words) == "set()"
        assert len(server.calls) == 1


def imported(words: list[str]) -> str:
    code = (
        "import sys\n"
        "from llmbatch.cli.main import main\n"
        f"sys.argv = ['llmbatch', *{words!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    pass\n"
        "print({'litellm', 'openai', 'httpx'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip().splitlines()[-1] if done.stdout else done.stderr


def test_importing_and_asking_goes_nowhere_but_to_the_server(tmp_path: Path) -> None:
    """Nothing is printed, no connection is left open, no .env file is read either."""
    (tmp_path / ".env").write_text("OPENAI_API_BASE=http://192.0.2.1/v1\n")
    driver = Driver(tmp_path)
    with in_thread() as server:
        server.replies = [answer("Hello"), answer("Hello", usage=False), rate_limited()]
        for _ in range(3):
            driver.ask(server.url, "openai/gpt-4o-mini")
        assert len(server.calls) == 3
        assert driver.close() == 0, driver.errors.read_text()
    assert driver.errors.read_text() == ""
