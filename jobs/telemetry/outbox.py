"""The spans of finished rows on their way to a collector, in a thread of their own.

What waits is bounded, by rows and by bytes: whatever comes while it is full is dropped and counted.
A batch that a collector does not take for now is tried again until the job ends; then each one has
one more try, and the first that fails ends it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence

from google.protobuf.message import DecodeError
from msgspec import Struct
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from . import names
from .record import Record
from .sending import Target, Undelivered, send
from .spans import Spans, Trace
from .wire import chunk

MOST = 10_000
"""Rows that may wait, where ``OTEL_BSP_MAX_QUEUE_SIZE`` does not say so."""

MOST_BYTES = 32 << 20
"""Of all rows that wait."""

BATCH = 512
"""Spans of one request, about, where ``OTEL_BSP_MAX_EXPORT_BATCH_SIZE`` does not say so."""

BATCH_BYTES = 4 << 20
"""After which a request is full."""

EVERY = 5.0
"""Seconds after which a batch goes that is not full, but for ``OTEL_BSP_SCHEDULE_DELAY``."""

LONGEST_WAIT = 30.0
"""Seconds between two tries of one batch."""


SPANS = 2
"""The field of a ScopeSpans."""

Packed = tuple[int, bytes]
"""How many spans, and their bytes."""


class Sizes(Struct, frozen=True):
    """How much is kept and sent; ``every`` in seconds."""

    most: int = MOST
    batch: int = BATCH
    every: float = EVERY


class Outbox:
    """Takes records on the event loop and sends their spans elsewhere.

    A row is written down at once, in 12 µs: to have another thread do it costs the loop more, as
    two threads that work at the same time take the interpreter from each other.

    ``put`` spans were to be sent, ``sent`` were taken; ``problem`` is why the last were not.
    """

    def __init__(
        self, target: Target, trace: Trace, resource: Resource, version: str, sizes: Sizes
    ) -> None:
        self._target = target
        self._spans = Spans(trace)
        scope = chunk(1, names.SCOPE.encode()) + chunk(2, version.encode())
        self._resource = chunk(1, resource.SerializeToString())
        self._scope = chunk(1, scope)
        self._sizes = sizes
        self._rows: deque[Packed] = deque()
        self._bytes_in = self._bytes_out = 0  # each is written by one thread alone
        self._bell = threading.Event()
        self._over = threading.Event()
        self._deadline = 0.0
        self._thread: threading.Thread | None = None
        self.spans = 0
        self.sent = 0
        self.problem: str | None = None

    def start(self) -> None:
        thread = threading.Thread(target=self._work, name="spans", daemon=True)
        thread.start()
        self._thread = thread

    def put(self, record: Record) -> None:
        """Returns at once; drops the record where too many wait."""
        self.spans += record.spans
        room = MOST_BYTES - (self._bytes_in - self._bytes_out)
        if len(self._rows) >= self._sizes.most or record.size > room:
            return
        packed = _packed([*self._spans.of(record)])
        if len(packed[1]) > room:
            return
        self._add(packed)
        if 2 * len(self._rows) >= self._sizes.batch and not self._bell.is_set():
            self._bell.set()

    def put_last(self, span: bytes, deadline: float) -> None:
        """The last span, until the monotonic time ``deadline``. Returns at once."""
        self.spans += 1
        self._add(_packed([span]))
        self._deadline = deadline
        self._over.set()
        self._bell.set()

    def wait(self) -> None:
        """Until all are sent or given up; at most until the deadline."""
        if self._thread is not None:
            self._thread.join(max(0.0, self._deadline - time.monotonic()))
            if self._thread.is_alive() and self.problem is None:
                self.problem = "no answer in time"

    @property
    def lost(self) -> int:
        """Spans that nobody took."""
        return self.spans - self.sent

    def _work(self) -> None:
        try:
            self._send_all()
        except Exception as error:  # noqa: BLE001 - a thread has nobody to tell
            self.problem = f"a bug in llmbatch, {type(error).__name__}"

    def _send_all(self) -> None:
        while True:
            self._bell.wait(self._sizes.every)
            self._bell.clear()
            over = self._over.is_set()
            while self._rows:
                if not self._deliver(self._batch()) and self._over.is_set():
                    return
            if over:
                return

    def _add(self, packed: Packed) -> None:
        self._bytes_in += len(packed[1])
        self._rows.append(packed)

    def _batch(self) -> Packed:
        """The next spans, as many as fit into a request."""
        number = size = 0
        packed: list[bytes] = []
        while self._rows and number < self._sizes.batch and size < BATCH_BYTES:
            spans, data = self._rows.popleft()
            packed.append(data)
            number += spans
            size += len(data)
        self._bytes_out += size
        return number, b"".join(packed)

    def _deliver(self, batch: Packed) -> bool:
        """Send it; whether it was taken."""
        spans, data = batch
        body = self._request(data)
        wait = 1.0
        while True:
            over = self._over.is_set()
            left = self._deadline - time.monotonic() if over else self._target.timeout
            try:
                answer = send(self._target, body, timeout=max(0.1, min(left, self._target.timeout)))
            except Undelivered as error:
                self.problem = error.reason
                if over or not error.passing:
                    return False
                self._over.wait(min(error.retry_after or wait, LONGEST_WAIT))
                wait *= 2
            else:
                self.sent += spans - self._refused(answer)
                return True

    def _request(self, spans: bytes) -> bytes:
        """An ExportTraceServiceRequest: of one resource, of one scope, all spans."""
        return chunk(1, self._resource + chunk(2, self._scope + spans))

    def _refused(self, answer: bytes) -> int:
        """How many spans of a batch that was taken were refused all the same."""
        try:
            told = ExportTraceServiceResponse.FromString(answer)
        except DecodeError:  # a proxy's own words
            return 0
        refused: int = max(0, told.partial_success.rejected_spans)
        if refused:
            self.problem = "the collector refused some"
        return refused

    def __repr__(self) -> str:
        return f"<Outbox: {self.sent} of {self.spans} spans sent>"


def _packed(spans: Sequence[bytes]) -> Packed:
    return len(spans), b"".join([chunk(SPANS, span) for span in spans])
