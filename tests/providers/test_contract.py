"""What holds for every provider's answers, whichever way they come.

One suite for all: a provider is a :class:`providers.recorded.shapes.Shape` that shows how it sends
each situation, and one line in ``recorded/table.py``. Nothing here knows a provider by name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from providers.recorded.play import (
    RECORDED,
    Player,
    all_of,
    complete,
    play,
    play_whole,
    prepared,
)
from providers.recorded.shapes import DONE, Broken, Outcome, Recording, Shape, packed
from providers.recorded.table import SHAPES

from llmbatch.jobs.dialects import KNOWN
from llmbatch.jobs.errors import (
    MalformedResponse,
    ProviderError,
    StreamBroken,
    TransientError,
)

BOM = b"\xef\xbb\xbf"

EACH = [
    pytest.param(shape, told, id=f"{shape.name}: {situation}")
    for shape in SHAPES
    for situation, told in RECORDED[shape.name].items()
]
each = pytest.mark.parametrize(("shape", "told"), EACH)
every = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)


def failure(shape: Shape, reads: Iterable[bytes]) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        play(shape, reads)
    return caught.value


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places)]


def rewritten(events: Sequence[bytes], change: Callable[[bytes], bytes]) -> list[bytes]:
    """The events with the JSON of each one changed."""
    made = []
    for event in events:
        head, _, data = event.partition(b"data: ")
        if event.startswith(b":") or event == DONE or not data:
            made.append(event)
        else:
            made.append(head + b"data: " + change(data.removesuffix(b"\n\n")) + b"\n\n")
    return made


def test_every_known_provider_is_recorded() -> None:
    apart = {"litellm"}  # no wire format of ours: it has a suite of its own
    assert {shape.dialect for shape in SHAPES} >= KNOWN.keys() - apart


# A good answer, in every way in which the same bytes can come.


@each
def test_what_the_provider_said_comes_out(shape: Shape, told: Recording) -> None:
    assert play(shape, told.events) == told.outcome
    assert play(shape, [told.stream]) == told.outcome
    assert play(shape, [bytes([byte]) for byte in told.stream]) == told.outcome


@each
def test_the_same_comes_out_of_one_json_body(shape: Shape, told: Recording) -> None:
    indented = json.dumps(told.whole, ensure_ascii=False, indent=2).encode()
    for body in (packed(told.whole), b"\n \n" + indented + b"\n"):
        assert play_whole(shape, body) == told.outcome


@every
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_reads_line_ends_and_comments_make_the_same_answer(
    shape: Shape, data: st.DataObject
) -> None:
    told = RECORDED[shape.name][data.draw(st.sampled_from(sorted(RECORDED[shape.name])))]
    comments = st.sampled_from([b"", b": ping\n", b":\n\n", b": a: b\n: c\n\n", b"retry: 9\n"])
    stream = b"".join(data.draw(comments) + event for event in told.events)
    stream = stream.replace(b"\n", data.draw(st.sampled_from([b"\n", b"\r\n", b"\r"])))
    stream = data.draw(st.sampled_from([b"", BOM])) + stream
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=40))
    assert play(shape, pieces(stream, cuts)) == told.outcome


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"], ids=["LF", "CR LF", "CR"])
@every
def test_lines_may_end_in_any_way_and_a_bom_may_open_them(shape: Shape, end: bytes) -> None:
    told = complete(shape)
    stream = BOM + told.stream.replace(b"\n", end)
    assert play(shape, [stream]) == told.outcome
    assert play(shape, [stream[at : at + 7] for at in range(0, len(stream), 7)]) == told.outcome
    assert play(shape, [bytes([byte]) for byte in stream]) == told.outcome


@every
def test_an_event_may_have_several_data_lines_with_comments_between(shape: Shape) -> None:
    def lines(data: bytes) -> bytes:
        indented = json.dumps(json.loads(data), ensure_ascii=False, indent=1).encode()
        return indented.replace(b"\n", b"\n: still here\ndata: ")

    for told in all_of(shape):
        for end in (b"\n", b"\r\n", b"\r"):
            stream = b"".join(rewritten(told.events, lines)).replace(b"\n", end)
            for size in (1, 11, len(stream)) if told == complete(shape) else (11,):
                reads = [stream[at : at + size] for at in range(0, len(stream), size)]
                assert play(shape, reads) == told.outcome


@every
def test_json_may_be_written_with_escapes(shape: Shape) -> None:
    for told in all_of(shape):
        plain = rewritten(told.events, lambda data: json.dumps(json.loads(data)).encode())
        assert b"".join(plain).isascii()
        assert meant(play(shape, plain)) == meant(told.outcome)


def meant(made: Outcome) -> Outcome:
    """The arguments of tool calls as values: some providers' escapes are kept in them."""
    calls = [
        {**call, "function": {**function, "arguments": json.loads(function["arguments"])}}
        for call in made.tool_calls
        for function in [call["function"]]
    ]
    return made._replace(tool_calls=calls)


@every
def test_unknown_events_pings_and_comments_change_nothing(shape: Shape) -> None:
    for told in all_of(shape):
        common = [b": ping\n\n", b"event: news\n\n", b"id: 7\nretry: 10\nnonsense\n\n", b"\n\n"]
        for noise in [*common, *shape.noise]:
            everywhere = [part for event in told.events for part in (noise, event)]
            assert play(shape, everywhere) == told.outcome, noise
            assert play(shape, [b"".join(everywhere)]) == told.outcome, noise


@every
def test_unknown_fields_change_nothing(shape: Shape) -> None:
    for told in all_of(shape):

        def extended(data: bytes) -> bytes:
            return packed(with_news(json.loads(data)))

        assert play(shape, rewritten(told.events, extended)) == told.outcome
        body = extended(packed(told.whole))
        assert play_whole(shape, body) == told.outcome


def with_news(value: Any) -> Any:
    """Every object with two fields more, but for what the model wrote itself."""
    if isinstance(value, list):
        return [with_news(item) for item in value]
    if not isinstance(value, dict):
        return value
    own = ("tool_calls", "args", "input")
    kept = {key: item if key in own else with_news(item) for key, item in value.items()}
    return {"x_news": {"text": ["no"]}, **kept, "x_more": None}


# A stream that ends too early: never an answer, wherever it was cut.


@every
def test_a_stream_cut_at_any_byte_before_its_finish_is_no_answer(shape: Shape) -> None:
    for told in all_of(shape):
        player = Player(shape)
        for byte in told.stream[: told.until_finish - 1]:
            player.read(bytes([byte]))
            assert_unfinished(player)
        player.read(told.stream[told.until_finish - 1 :])
        assert player.end() == told.outcome


@every
def test_a_stream_cut_after_its_finish_is_whole_but_for_its_usage(shape: Shape) -> None:
    for told in all_of(shape):
        for cut in range(told.until_finish, len(told.stream)):
            kept = play(shape, [told.stream[:cut]])
            assert kept == told.outcome._replace(usage=kept.usage)


@every
def test_one_read_up_to_any_byte_is_no_answer_and_with_the_rest_it_is(shape: Shape) -> None:
    told = complete(shape)
    for cut in range(len(told.stream)):
        player = Player(shape)
        player.read(told.stream[:cut])
        if cut < told.until_finish:
            assert_unfinished(player)
        player.read(told.stream[cut:])
        assert player.end() == told.outcome


def assert_unfinished(player: Player) -> None:
    """If the stream ended here, it would not be an answer."""
    try:
        player.end()
    except StreamBroken:
        return
    pytest.fail("a stream without its finish was taken for an answer")


@every
def test_the_end_without_the_finish_is_no_answer(shape: Shape) -> None:
    for told in all_of(shape):
        before, after = told.events[: told.finish], told.events[told.finish + 1 :]
        for reads in ([*before, *after], [*before, DONE], [DONE]):
            assert type(failure(shape, reads)) is StreamBroken


@every
def test_a_json_body_cut_at_any_byte_is_no_answer(shape: Shape) -> None:
    for told in all_of(shape):
        body = packed(told.whole)
        for cut in range(0, len(body), 1 if told == complete(shape) else 7):
            reader = prepared(shape).reader
            with pytest.raises(ProviderError):
                reader.whole(body[:cut])


# Errors inside a stream, and what is no stream.


def broken(shape: Shape) -> list[tuple[int, Broken]]:
    told = complete(shape)
    places = (0, 2, told.finish)
    return [(place, error) for place in places for error in shape.errors]


@every
def test_an_error_inside_the_stream_is_the_error_it_is(shape: Shape) -> None:
    told = complete(shape)
    assert shape.errors
    for place, said in broken(shape):
        reads = [*told.events[:place], said.event]
        for sent in (reads, [b"".join(reads)], [bytes([byte]) for byte in b"".join(reads)]):
            error = failure(shape, sent)
            assert (type(error), error.provider) == (said.error, shape.name), said
            assert error.retryable is issubclass(said.error, TransientError)
            assert said.message in str(error)


MALFORMED = {
    "broken JSON": b'data: {"choices":[{"delta":{"content":"Hel\n\n',
    "a web page": b"data: <html><body>Bad gateway</body></html>\n\n",
    "binary": b"data: \xff\xfe\x00\x80\n\n",
    "a list": b"data: [1,2]\n\n",
    "a string": b'data: "Hello"\n\n',
    "a number": b"data: 42\n\n",
    "null": b"data: null\n\n",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
@every
def test_an_event_that_is_no_json_object_is_malformed(shape: Shape, data: bytes) -> None:
    told = complete(shape)
    for place in (0, 2, told.finish):
        reads = [*told.events[:place], data, *told.events[place:]]
        for sent in (reads, [b"".join(reads)]):
            assert type(failure(shape, sent)) is MalformedResponse


ODD: list[Any] = [
    {},
    {"hello": "world"},
    {"type": 5},
    {"type": ["message_delta"], "delta": {"stop_reason": "end_turn"}},
    {"choices": "x"},
    {"choices": [7]},
    {"choices": [{"delta": 3, "finish_reason": 4}]},
    {"choices": [{"delta": {"content": {"a": 1}, "tool_calls": "no"}}]},
    {"candidates": {"content": "x"}},
    {"candidates": [{"content": {"parts": "x"}, "finishReason": 7}]},
    {"type": "response.completed"},
    {"type": "response.completed", "response": {"status": 3}},
    {"type": "response.output_text.delta", "delta": {"text": "x"}},
    {"type": "content_block_delta", "index": "0", "delta": [1]},
    {"type": "message_delta", "delta": {"stop_reason": 1}, "usage": "many"},
    {"usage": {"prompt_tokens": "many"}},
]


@every
def test_json_of_another_shape_is_never_an_answer(shape: Shape) -> None:
    told = complete(shape)
    for value in ODD:
        odd = b"data: " + packed(value) + b"\n\n"
        assert isinstance(failure(shape, [odd, DONE]), ProviderError)
        with pytest.raises(ProviderError):
            play_whole(shape, packed(value))
        with suppress(ProviderError):
            assert play(shape, [*told.events[:2], odd, *told.events[2:]]) == told.outcome, value
