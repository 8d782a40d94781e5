"""What all processes of a host sent together: a state machine, and its few bytes. Pure."""

from __future__ import annotations

import math
import struct
import zlib

from msgspec import Struct

from .bucket import JITTER, MINUTE, request_pace, token_pace
from .budget import CREDIT

GRAIN = 0.5
"""Seconds that share one entry; an entry counts until its youngest part is old enough."""

REQUESTS = math.ceil(MINUTE / GRAIN) + 1
"""Entries that a minute of requests may touch; their jitter is the pace's business."""

ENTRIES = math.ceil((MINUTE + JITTER) / GRAIN) + 1

AHEAD = MINUTE
"""Seconds by which a stored time may lie ahead of a process's clock, which is as old as its loop's
last turn; a time beyond that comes from before the machine was started."""

VERSION = 1
_HEAD = struct.Struct("<8sII")
_BODY = struct.Struct(f"<qdddd{ENTRIES}I{ENTRIES}q")
_MAGIC = b"llmbatch"
_MOST = 2**32 - 1

SIZE = _HEAD.size + _BODY.size


class Bounds(Struct, frozen=True):
    """The limits a minute that one process keeps the joint use within; None is none.

    ``requests`` and ``tokens`` are the burst and the rate a second of each.
    """

    rpm: float | None
    tpm: float | None
    requests: tuple[float, float]
    tokens: tuple[float, float]

    @classmethod
    def of(cls, rpm: float | None, tpm: float | None) -> Bounds:
        return cls(
            rpm,
            tpm,
            (0.0, 0.0) if rpm is None else request_pace(rpm),
            (0.0, 0.0) if tpm is None else token_pace(tpm, GRAIN),
        )


class Damaged(Exception):
    """These bytes are not a state, or not of this version; the message says which."""


class Joint:
    """Requests and tokens of the last minute, and two buckets; times are of one clock, in seconds.

    The buckets pace, each process draining them at its own limit's rate: where all have the same
    limit, they share it as one process would use it alone (:func:`.bucket.request_pace`). The
    entries bound the minute: whoever has a smaller limit waits until the joint use is below it.
    """

    __slots__ = ("_entries", "_level", "_now", "_tick", "_tokens")

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self._tick = 0
        self._now = [0.0, 0.0]  # when each bucket was drained last
        self._level = [0.0, 0.0]
        self._entries = [0] * ENTRIES
        self._tokens = [0] * ENTRIES

    def wait(self, amount: int, bounds: Bounds, now: float) -> float:
        """Seconds until a request of ``amount`` tokens may go, if nothing changes; 0 is now."""
        self._advance(now)
        wait = 0.0
        if bounds.rpm is not None:
            burst, rate = bounds.requests
            most = max(1, math.floor(bounds.rpm))
            self._drain(0, rate, bounds.rpm, now)
            wait = max((self._level[0] + 1 - burst) / rate, self._full(1, most, now))
        if bounds.tpm is not None:
            burst, rate = bounds.tokens
            amount = min(amount, math.floor(bounds.tpm))
            self._drain(1, rate, bounds.tpm, now)
            paced = (self._level[1] + min(amount, burst) - burst) / rate
            wait = max(wait, paced, self._full_of_tokens(amount, math.floor(bounds.tpm), now))
        return max(0.0, wait)

    def book(self, amount: int, now: float) -> int:
        """A request of ``amount`` tokens goes out; returns the key to correct it with."""
        self._advance(now)
        place = self._tick % ENTRIES
        self._entries[place] = min(self._entries[place] + 1, _MOST)
        self._tokens[place] += amount
        self._level[0] += 1
        self._level[1] += amount
        return self._tick

    def correct(self, key: int, difference: int, tpm: float | None) -> None:
        """What was booked under ``key`` cost that many tokens more."""
        if 0 <= self._tick - key < ENTRIES:
            place = key % ENTRIES
            self._tokens[place] = max(0, self._tokens[place] + difference)
        self._level[1] = max(self._level[1] + difference, -CREDIT * (tpm or 0.0))

    def within(self) -> tuple[int, int]:
        """Requests and tokens of the last minute, as of the last call with a time."""
        return sum(self._entries), sum(self._tokens)

    def _full(self, amount: int, limit: int, now: float) -> float:
        first = self._tick - REQUESTS + 1
        ticks = range(first, self._tick + 1)
        return _until(
            amount, limit, [(t, self._entries[t % ENTRIES]) for t in ticks], now, REQUESTS
        )

    def _full_of_tokens(self, amount: int, limit: int, now: float) -> float:
        if sum(self._tokens) + amount <= limit:
            return 0.0
        ticks = range(self._tick - ENTRIES + 1, self._tick + 1)
        held = [(tick, self._tokens[tick % ENTRIES]) for tick in ticks]
        return _until(amount, limit, held, now, ENTRIES)

    def _drain(self, kind: int, rate: float, limit: float, now: float) -> None:
        passed = max(0.0, now - self._now[kind])
        level = min(self._level[kind], max(1.0, limit))  # what is older than a minute is forgiven
        # Above 0 it drains; below it is a credit, which stays for who comes next.
        self._level[kind] = max(level - rate * passed, min(level, 0.0))
        self._now[kind] = max(now, self._now[kind])

    def _advance(self, now: float) -> None:
        tick = int(now / GRAIN)
        if self._tick - tick > AHEAD / GRAIN or max(self._now) > now + AHEAD:
            self._forget()  # the machine has been started anew
        if tick <= self._tick:
            return
        for passed in range(max(self._tick + 1, tick + 1 - ENTRIES), tick + 1):
            self._entries[passed % ENTRIES] = self._tokens[passed % ENTRIES] = 0
        self._tick = tick

    def pack(self) -> bytes:
        body = _BODY.pack(self._tick, *self._now, *self._level, *self._entries, *self._tokens)
        return _HEAD.pack(_MAGIC, VERSION, zlib.crc32(body)) + body

    @classmethod
    def unpack(cls, data: bytes) -> Joint:
        """The state in a file; an empty file is a new one. Raises :class:`Damaged`."""
        joint = cls()
        if not data:
            return joint
        if len(data) < _HEAD.size or not data.startswith(_MAGIC):
            raise Damaged("it is not a file of llmbatch's limits")
        _, version, checksum = _HEAD.unpack_from(data)
        if version != VERSION:
            raise Damaged(f"it is of another version of llmbatch (format {version})")
        body = data[_HEAD.size :]
        if len(body) != _BODY.size or zlib.crc32(body) != checksum:
            raise Damaged("it is damaged")
        values = _BODY.unpack(body)
        joint._tick = values[0]
        joint._now, joint._level = list(values[1:3]), list(values[3:5])
        joint._entries = list(values[5 : 5 + ENTRIES])
        joint._tokens = list(values[5 + ENTRIES :])
        return joint

    def __repr__(self) -> str:
        requests, tokens = self.within()
        return f"<Joint: {requests} requests, {tokens} tokens in the last minute>"


def _until(amount: int, limit: int, entries: list[tuple[int, int]], now: float, kept: int) -> float:
    """Seconds until so many of the entries are old enough that ``amount`` fits."""
    excess = sum(held for _, held in entries) + amount - limit
    if excess <= 0:
        return 0.0
    for tick, held in entries:
        excess -= held
        if excess <= 0:
            return max(GRAIN / 10, (tick + kept) * GRAIN - now)
    return GRAIN * kept
