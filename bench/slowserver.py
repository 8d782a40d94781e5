"""Thousands of slow streams from one process: `python -m bench.slowserver FIRST GAP TOKENS`.

It prints its port and serves until its standard input closes. Every request gets a stream whose
first token comes after FIRST seconds and whose others follow GAP seconds apart. There is no timer a
connection: a wheel of slots, one every 5 ms, holds whoever is due, and a write is one system call.
A write that is late is not caught up with: the stream goes on GAP seconds after it.
"""

from __future__ import annotations

import gc
import select
import socket
import sys
import time
from array import array

import msgspec
from msgspec import Struct

from .answers import Plan, streamed, whole

SLOT = 0.005
"""Seconds of a slot of the wheel."""

BACKLOG = 4096
BLOCK = 64 * 1024


class SlowlySeen(Struct):
    """``peak`` is the most streams that were ``open`` at once; ``whole`` ones came to their end.

    ``late_p99`` and ``late_max`` say in seconds how late writes left the server.
    """

    requests: int
    peak: int
    open: int
    whole: int
    late_p99: float
    late_max: float


class Stream:
    """One connection; ``at`` is the next write of the answer under way."""

    __slots__ = ("at", "due", "received", "socket")

    def __init__(self, own: socket.socket) -> None:
        self.socket = own
        self.received = b""
        self.at = -1
        self.due = 0.0

    def __repr__(self) -> str:
        return f"Stream(at={self.at})"


class SlowServer:
    """The listening socket, the wheel and what was seen."""

    def __init__(self, first: float, gap: float, tokens: int) -> None:
        parts = streamed("openai", Plan(tokens, tokens + 4))
        self.head, self.parts = parts[0], parts[1:]
        self.first, self.gap = first, gap
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.listening.setblocking(False)
        self.poll = select.epoll()
        self.poll.register(self.listening, select.EPOLLIN)
        self.poll.register(sys.stdin, select.EPOLLIN)
        self.streams: dict[int, Stream] = {}
        self.wheel: dict[int, list[Stream]] = {}
        self.turned = int(time.monotonic() / SLOT)
        self.late = array("d")
        self.seen = SlowlySeen(0, 0, 0, 0, 0.0, 0.0)

    def __repr__(self) -> str:
        return f"SlowServer({self.seen})"

    def serve(self) -> None:
        """Until standard input ends."""
        print(self.listening.getsockname()[1], flush=True)
        listening, standard = self.listening.fileno(), sys.stdin.fileno()
        while True:
            for number, _ in self.poll.poll(SLOT, 512):
                if number == listening:
                    self.accept()
                elif number == standard:
                    return
                else:
                    self.read(self.streams[number])
            self.turn()

    def accept(self) -> None:
        for _ in range(256):
            try:
                own, _ = self.listening.accept()
            except BlockingIOError:
                return
            own.setblocking(False)
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.streams[own.fileno()] = Stream(own)
            self.poll.register(own, select.EPOLLIN)

    def read(self, stream: Stream) -> None:
        try:
            block = stream.socket.recv(BLOCK)
        except BlockingIOError:
            return
        except OSError:
            block = b""
        if not block:
            self.end(stream)
            return
        stream.received += block
        head, found, body = stream.received.partition(b"\r\n\r\n")
        if not found or len(body) < _content_length(head):
            return
        stream.received = b""
        if head.startswith(b"GET"):
            self.tell(stream)
            return
        self.seen.requests += 1
        self.seen.open += 1
        self.seen.peak = max(self.seen.peak, self.seen.open)
        stream.at = 0
        self.due(stream, time.monotonic() + self.first)
        stream.socket.send(self.head)

    def tell(self, stream: Stream) -> None:
        if self.late:
            ordered = sorted(self.late)
            self.seen.late_p99, self.seen.late_max = ordered[len(ordered) * 99 // 100], ordered[-1]
        stream.socket.sendall(whole(b"200 OK", msgspec.json.encode(self.seen)))

    def due(self, stream: Stream, moment: float) -> None:
        stream.due = moment
        self.wheel.setdefault(max(int(moment / SLOT), self.turned + 1), []).append(stream)

    def turn(self) -> None:
        """Write to everybody who is due by now."""
        now = int(time.monotonic() / SLOT)
        while self.turned < now:
            self.turned += 1
            for stream in self.wheel.pop(self.turned, ()):
                if stream.at >= 0:
                    self.write(stream)

    def write(self, stream: Stream) -> None:
        try:
            stream.socket.send(self.parts[stream.at])
        except OSError:
            self.end(stream)
            return
        moment = time.monotonic()
        self.late.append(moment - stream.due)
        stream.at += 1
        if stream.at < len(self.parts):
            self.due(stream, moment + self.gap)
            return
        stream.at = -1
        self.seen.open -= 1
        self.seen.whole += 1

    def end(self, stream: Stream) -> None:
        if stream.at >= 0:
            stream.at = -1
            self.seen.open -= 1
        del self.streams[stream.socket.fileno()]
        stream.socket.close()


def _content_length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"\r\ncontent-length:")
    return 0 if at < 0 else int(lowered[at + 17 :].split(b"\r\n", 1)[0])


if __name__ == "__main__":
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    gc.disable()  # nothing here is a cycle
    SlowServer(float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])).serve()
