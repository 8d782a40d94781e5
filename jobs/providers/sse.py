"""Server-sent events: bytes in, events out. No I/O.

The rules are WHATWG's (HTML standard, 9.2.6): lines end with LF, CR LF or CR; a BOM may open the
stream; a line that starts with a colon is a comment; one space after a field's colon is dropped;
``data`` lines of an event are joined by LF; an event without data, or one that the end of the
stream cuts off, is not dispatched. An event is its data here: what it is called stands in there
too, in every format that gives it a name. ``id`` and ``retry`` are for clients that reconnect.
"""

from __future__ import annotations

BOM = b"\xef\xbb\xbf"
LONGEST_TAIL = 4096
"""Bytes of an unfinished event that each read may copy; a longer one is taken line by line."""

LARGEST_EVENT = 256 * 1024 * 1024
"""Bytes of one event; a list of embeddings or a picture has a tenth of that at most."""


class EventTooLarge(ValueError):
    """No event is that large: whoever sends it does not mean to end it."""


class SseParser:
    """One stream. Its time is linear in the bytes, however they are split.

    Nearly all streams are ``data: {...}`` and a blank line, again and again, or the same with one
    ``event: NAME`` line before it. Whole reads of those are split in C; everything else (comments,
    lone CRs, very long lines) is taken line by line.
    """

    __slots__ = ("_lines", "_opened", "_tail")

    def __init__(self) -> None:
        self._tail = b""
        self._opened = False
        self._lines: _Lines | None = None

    def __repr__(self) -> str:
        return f"SseParser({len(self._tail)} bytes wait, {self._lines!r})"

    def feed(self, data: bytes) -> list[bytes]:
        """The data of each event that ``data`` completes, in order; as sent, in UTF-8."""
        if self._lines is not None:
            return self._by_line(data)
        if self._tail:
            data = self._tail + data
            self._tail = b""
        if not self._opened:
            if len(data) < len(BOM):
                self._tail = data
                return []
            self._opened = True
            data = data.removeprefix(BOM)
        if b"\r" in data:
            plain = data.replace(b"\r\n", b"\n")
            if b"\r" in plain:
                return self._by_line(data)
            data = plain
        if data.startswith(b"data: "):
            return self._plain(data)
        return self._named(data) if data.startswith(b"event: ") else self._blocks(data)

    def _plain(self, data: bytes) -> list[bytes]:
        """As long as the events have one line each, one split finds them all."""
        values = data[6:].split(b"\n\ndata: ")
        last = values.pop()
        rest = b""
        if last.endswith(b"\n\n"):
            values.append(last[:-2])
        else:
            rest = b"data: " + last
        if b"\n" in b"".join(values):
            return self._blocks(data)
        return values + self._blocks(rest) if rest else values

    def _named(self, data: bytes) -> list[bytes]:
        """The same where each event has its name in a line before that of its data."""
        blocks = data[7:].split(b"\n\nevent: ")
        last = blocks.pop()
        lines = data.count(b"\n")
        rest = b""
        if last.endswith(b"\n\n"):
            blocks.append(last[:-2])
        else:
            rest = b"event: " + last
            lines -= last.count(b"\n")
        values = [block.partition(b"\ndata: ")[2] for block in blocks]
        if lines != 3 * len(values) or not all(values):
            return self._blocks(data)
        return values + self._blocks(rest) if rest else values

    def _blocks(self, data: bytes) -> list[bytes]:
        """Events of any kind, up to the last blank line."""
        events: list[bytes] = []
        blocks = data.split(b"\n\n")
        tail = blocks.pop()
        for block in blocks:
            if block.startswith(b"data: ") and b"\n" not in block:
                events.append(block[6:])
                continue
            name, _, value = block.partition(b"\n")
            if value.startswith(b"data: ") and name.startswith(b"event: ") and b"\n" not in value:
                events.append(value[6:])
            else:
                events += self._by_line(block + b"\n\n")
        if len(tail) > LONGEST_TAIL:
            events += self._by_line(tail)
        else:
            self._tail = tail
        return events

    def _by_line(self, data: bytes) -> list[bytes]:
        lines = self._lines or _Lines()
        events = lines.feed(data)
        self._lines = None if lines.clean else lines
        return events


class _Lines:
    """The rules, line by line. ``clean`` says that nothing is pending."""

    __slots__ = ("_after_cr", "_data", "_held", "_pending", "clean")

    def __init__(self) -> None:
        self._pending = bytearray()
        self._data: list[bytes] = []
        self._held = 0  # bytes since the last event
        self._after_cr = False
        self.clean = True

    def __repr__(self) -> str:
        return f"_Lines(clean={self.clean}, pending={len(self._pending)} bytes)"

    def feed(self, data: bytes) -> list[bytes]:
        if not data:
            return []
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r") if data else False
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        events: list[bytes] = []
        lines = data.split(b"\n")
        last = lines.pop()
        if lines:
            if self._pending:
                lines[0] = bytes(self._pending) + lines[0]
                self._pending.clear()
            for line in lines:
                self._line(line, events)
        self._pending += last
        self.clean = not (self._pending or self._data or self._after_cr)
        self._held = 0 if events or self.clean else self._held + len(data)
        if self._held > LARGEST_EVENT:
            raise EventTooLarge
        return events

    def _line(self, line: bytes, events: list[bytes]) -> None:
        if not line:
            if self._data:
                events.append(b"\n".join(self._data))
                self._data = []
            return
        field, _, value = line.partition(b":")
        if field == b"data":
            self._data.append(value.removeprefix(b" "))
