"""XML of any size as a stream of events, refusing what only an attack would hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import IO
from xml.parsers import expat  # no entities are ever expanded: a DOCTYPE is refused

_PIECE = 1 << 16
_LONGEST = 1 << 23  # bytes without a tag: expat would hold them, and look at them again and again


class XmlDamaged(ValueError):
    """It can't be read; ``str()`` says why."""


class Handler:
    """What becomes of the events. Names are without their namespaces' addresses."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        """``name`` is as in ``w:p``, by the usual prefix of its namespace; '' for a stranger's."""

    def end(self, name: str) -> None: ...

    def text(self, text: str) -> None: ...


_SPACES = {
    "http://schemas.openxmlformats.org/wordprocessingml/2006/main": "w",
    "http://purl.oclc.org/ooxml/wordprocessingml/main": "w",
    "http://schemas.openxmlformats.org/officeDocument/2006/math": "m",
    "http://purl.oclc.org/ooxml/officeDocument/math": "m",
    "http://schemas.openxmlformats.org/markup-compatibility/2006": "mc",
    "http://schemas.openxmlformats.org/package/2006/relationships": "rel",
    "http://purl.org/dc/elements/1.1/": "dc",
}


def parse(stream: IO[bytes], handler: Handler) -> Iterator[None]:
    """Feeds the handler, piece by piece, with a pause after each. Raises :class:`XmlDamaged`."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    names: dict[str, str] = {}
    quiet = 0

    def short(name: str) -> str:
        known = names.get(name)
        if known is None:
            space, _, local = name.rpartition(" ")
            prefix = _SPACES.get(space)
            known = f"{prefix}:{local}" if prefix else local if not space else ""
            if len(names) < 1_000:
                names[name] = known
        return known

    def start(name: str, attributes: Mapping[str, str]) -> None:
        nonlocal quiet
        quiet = 0
        handler.start(short(name), {short(key): value for key, value in attributes.items()})

    def end(name: str) -> None:
        handler.end(short(name))

    def text(data: str) -> None:
        nonlocal quiet
        quiet = 0
        handler.text(data)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse
    while data := stream.read(_PIECE):
        quiet += len(data)
        _feed(lambda data=data: parser.Parse(data, False))  # type: ignore[misc]
        if quiet > _LONGEST:
            raise XmlDamaged(f"there are {quiet >> 20} MB without a single tag")
        yield
    _feed(lambda: parser.Parse(b"", True))
    yield


def _feed(step: Callable[[], object]) -> None:
    try:
        step()
    except expat.ExpatError as error:
        raise XmlDamaged(str(error)) from None


def _refuse(*_: object) -> None:
    raise XmlDamaged("it has a DOCTYPE, which no word processor writes")
