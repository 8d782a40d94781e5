"""The contract on real sockets, where a connection can also be closed or reset.

What every provider sends, and what must come of it, is in ``recorded``; see ``test_contract.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from faultreplies import Act, Recipe, Reply, Step
from providers.recorded.play import (
    all_of,
    complete,
    dialect_of,
    outcome_of,
    request_to,
)
from providers.recorded.shapes import Outcome, Shape, Turned, packed
from providers.recorded.table import SHAPES

from faultserver import FaultServer
from llmbatch.jobs.errors import (
    MalformedResponse,
    ProviderError,
    StreamBroken,
    TransientError,
)
from llmbatch.jobs.providers.native import Native

Connect = Callable[..., Native]

EVENTS = {"Content-Type": "text/event-stream"}
JSON = {"Content-Type": "application/json"}

every = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)


def sent(*steps: Step, headers: dict[str, str] = EVENTS) -> Recipe:
    return lambda call: Reply(steps, headers=headers)


def answered(value: Any, status: int = 200, headers: dict[str, str] = JSON) -> Recipe:
    body = value if isinstance(value, bytes) else packed(value)
    return lambda call: Reply([body], status, headers, stream=False)


async def heard(provider: Native, shape: Shape, *, whole: bool = False) -> Outcome:
    request = request_to(shape)
    return outcome_of([delta async for delta in provider.stream(request, whole=whole)])


async def unheard(provider: Native, shape: Shape) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await heard(provider, shape)
    return caught.value


@every
async def test_every_situation_over_a_socket(
    shape: Shape, server: FaultServer, connect: Connect
) -> None:
    provider = connect(dialect=dialect_of(shape))
    for told in all_of(shape):
        server.replies = sent(*told.events)
        assert await heard(provider, shape) == told.outcome
        server.replies = sent(*(told.stream[at : at + 97] for at in range(0, 9999, 97)), 0.0)
        assert await heard(provider, shape) == told.outcome
        # Asked for in one piece; or asked for as a stream, which the server does not know.
        server.replies = answered(told.whole)
        assert await heard(provider, shape, whole=True) == told.outcome
        assert await heard(provider, shape) == told.outcome
        server.replies = answered(b"\n\n  \n" + packed(told.whole))
        assert await heard(provider, shape) == told.outcome


@pytest.mark.parametrize("act", [None, Act.CUT, Act.RESET], ids=["clean end", "close", "reset"])
@every
async def test_a_connection_that_ends_before_the_finish_is_no_answer(
    shape: Shape, act: Act | None, server: FaultServer, connect: Connect
) -> None:
    provider = connect(dialect=dialect_of(shape))
    told = complete(shape)
    for count in range(len(told.events) + 1):
        steps: list[Step] = [*(told.events[:count] or [b""]), *([act] if act else [])]
        server.replies = sent(*steps)
        if count <= told.finish:
            error = await unheard(provider, shape)
            assert isinstance(error, TransientError)
            assert error.type in ("stream_broken", "connection_failed")
        else:
            kept = await heard(provider, shape)
            assert kept == told.outcome._replace(usage=kept.usage)


@every
async def test_a_body_shorter_than_it_promised_is_no_answer(
    shape: Shape, server: FaultServer, connect: Connect
) -> None:
    provider = connect(dialect=dialect_of(shape))
    body = packed(complete(shape).whole)
    promised = {"Content-Length": str(len(body))}
    for cut in (1, len(body) // 2, len(body) - 1):
        server.replies = sent(body[:cut], Act.CUT, headers=JSON | promised)
        assert type(await unheard(provider, shape)) is StreamBroken


@every
async def test_errors_and_rubbish_over_a_socket(
    shape: Shape, server: FaultServer, connect: Connect
) -> None:
    provider = connect(dialect=dialect_of(shape))
    told = complete(shape)
    for said in shape.errors:
        server.replies = sent(*told.events[:2], said.event)
        assert type(await unheard(provider, shape)) is said.error
    page = b"<!doctype html><title>Welcome</title>"
    html = {"Content-Type": "text/html"}
    for reply in [sent(page), answered(page), answered(b"Welcome", headers=html)]:
        server.replies = reply
        error = await unheard(provider, shape)
        assert isinstance(error, MalformedResponse)
        assert error.should_retry is False  # it would only bring the page again
    rubbish = [answered(b"[]"), answered(b'"Hello"'), answered({"hello": "world"})]
    for reply in [*rubbish, sent(b'{"choices'), sent(*told.events[:2], b"data: {\n\n")]:
        server.replies = reply
        assert isinstance(await unheard(provider, shape), MalformedResponse | StreamBroken)
    server.replies = sent(b"\x00\xff\x80 binary \x1f\x8b" * 9)
    assert isinstance(await unheard(provider, shape), MalformedResponse | StreamBroken)


TURNED = [
    pytest.param(shape, turned, id=f"{shape.name}: {turned.status} {turned.error.__name__}")
    for shape in SHAPES
    for turned in shape.turned_down
]


@pytest.mark.parametrize(("shape", "turned"), TURNED)
async def test_a_request_that_is_turned_down_is_the_error_it_is(
    shape: Shape, turned: Turned, server: FaultServer, connect: Connect
) -> None:
    server.replies = answered(turned.body, turned.status, JSON | dict(turned.headers))
    error = await unheard(connect(dialect=dialect_of(shape)), shape)
    assert (type(error), error.http_status) == (turned.error, turned.status)
    if isinstance(error, TransientError):
        assert error.retry_after == turned.retry_after
