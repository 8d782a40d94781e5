"""A worker's process: the part of a job that asks. Started as ``python -m llmbatch.jobs.worker``.

What it is made of comes over its standard input, a socket, and so does every row. It ends when the
job has no more rows, or when the other side of the socket is gone.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import pickle
import signal
import socket
import sys
import traceback
from typing import NoReturn

from .answerform import schema_of, validated
from .budget.excess import Excess
from .budget.remote import RemoteFunds
from .crew import Order
from .drain import Drain, Stop
from .errors import LlmbatchError
from .events import Event
from .garbage import in_flight_at_most, look_rarely
from .lanes import Part
from .limits.leased import Leasing
from .looplag import LagMeter
from .model import Row
from .pipeline import Pipeline, import_senders, run_loop
from .preparation import row_parser
from .processes import share
from .reuseplan import ReusePlan
from .routes import Routes
from .watching.flow import OwnFlow
from .watching.speaker import Speaker
from .workers.channel import Channel
from .workers.inbox import Inbox, Outbox, tell
from .workers.limits import Limits, Paid, Unpaid
from .workers.messages import (
    Answered,
    Aside,
    Back,
    Broken,
    Bye,
    Ending,
    Finish,
    Learned,
    Line,
    Look,
    Out,
    Setup,
    ToWorker,
    Verdict,
    read_to_worker,
)

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Do what the other side of standard input says, to its end."""
    # What reaches a whole group is the job's to deal with, which says here when it is over.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":  # the kernel ends this process with the job's, whatever it does
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with socket.socket(fileno=os.dup(0)) as sock:
        sock.setblocking(False)
        run_loop(_work(sock))


async def _work(sock: socket.socket) -> None:
    channel = await Channel.over(sock, read_to_worker)
    setup = await channel.get()
    if not isinstance(setup, Setup):
        leave()
    order = Order.of(setup.data)
    look_rarely(in_flight_at_most(order.config))
    lag = LagMeter()
    try:
        await Worker(channel, order).run(lag)
    except LlmbatchError as error:
        channel.send(Broken(pickle.dumps(error)))
    channel.send(Bye(lag.figures))
    await channel.aclose()


def leave() -> NoReturn:
    """Nobody takes a result any more, or gives a row."""
    sys.stderr.flush()
    os._exit(1)


def _deaf(listening: asyncio.Task[None]) -> None:
    """A worker that hears nothing any more would wait for ever: better that it is replaced."""
    if not listening.cancelled() and (error := listening.exception()) is not None:
        traceback.print_exception(error)
        leave()


class Worker:
    """One worker: it asks the rows that come, and sends back how they ended."""

    def __init__(self, channel: Channel[ToWorker], order: Order) -> None:
        self.channel = channel
        self.order = order
        self.drain = Drain()
        config = order.config
        self.pipeline = Pipeline(config, order.environ, self.drain, order.routes)
        self.funds = RemoteFunds(channel)
        self.pipeline.pay_from(self.funds)
        if self.pipeline.spending is not None:
            self.funds.begin()
        self.leasing = Leasing(channel.send)
        self.pipeline.part = Part(self.leasing, order.start, self._ask_for_the_end)
        self.schema = schema_of(config)
        self.parser = row_parser(
            config, order.routes, self.schema, several=len(order.inputs) > 1, whole=order.whole
        )
        self.reuse = ReusePlan(config, self.pipeline.clock, self.pipeline.environ)
        if order.warms:
            self.reuse.warm()
        self.told = False  # whether the job knows that this worker ends, or said so itself

    async def run(self, lag: LagMeter) -> None:
        """Until the job has no more rows, or drains; ``lag`` is measured meanwhile."""
        pipeline, channel, reuse = self.pipeline, self.channel, self.reuse

        def observe(event: Event) -> None:
            speaker.observe(event)
            tell(channel, event)

        order = self.order
        speaker = Speaker(channel.send, lambda most: share(most, order.number, order.size))
        import_senders()
        pipeline.prices.prepare()
        self.drain.listen(self._stopped)
        async with lag, reuse.open(observe, begun=True), pipeline.asking(observe) as routes:
            speaker.begin(OwnFlow([lane.gate for lane in routes.lanes]))
            inbox = Inbox(channel, self._parse, lambda: routes.width, pipeline.clock)
            listening = asyncio.create_task(self._listen(inbox, routes, speaker))
            listening.add_done_callback(_deaf)
            try:
                await pipeline.pump(
                    inbox,
                    routes,
                    Outbox(channel, inbox),
                    observe,
                    around=lambda worker: reuse.alone(
                        validated(
                            worker,
                            self.schema,
                            clock=pipeline.clock,
                            observer=observe,
                            drain=self.drain,
                        )
                    ),
                    heard=(*reuse.heard, speaker.heard),
                )
                await reuse.settle()
            finally:
                listening.cancel()
                speaker.end()

    def _parse(self, line: Line) -> Row:
        source = self.order.inputs[line.source]
        now = self.pipeline.clock.now()
        return self.parser.parse(line.text, line.number, source.path, source.format, now)

    async def _listen(self, inbox: Inbox, routes: Routes, speaker: Speaker) -> None:
        while (message := await self.channel.get()) is not None:
            match message:
                case Line():
                    inbox.take(message)
                case Verdict():
                    inbox.judged(message)
                case Answered():
                    inbox.answered(message)
                case Aside():
                    self.funds.answered(message)
                case Learned():
                    self._learned(message)
                case Limits() | Paid() | Unpaid():
                    self.leasing.take(message)
                case Out():
                    routes.told_out(message.route, message.reason, message.cooldown)
                case Back():
                    routes.told_back(message.route)
                case Ending():
                    self.told = True
                    self.drain.request(Stop(message.cause, message.message))
                case Finish():
                    inbox.end()
                case Look():
                    speaker.take(message)
        leave()

    def _learned(self, message: Learned) -> None:
        if self.pipeline.spending is not None:
            excess = Excess(message.input, message.output, message.markup)
            self.pipeline.spending.widen(message.lane, excess)

    def _ask_for_the_end(self, stop: Stop) -> None:
        """It goes on where others get answers."""
        self.channel.send(Ending(stop.cause, stop.message))

    def _stopped(self, stop: Stop) -> None:
        """What ends this worker ends the job."""
        if not self.told:
            self.channel.send(Ending(stop.cause, stop.message))


if __name__ == "__main__":
    main()
