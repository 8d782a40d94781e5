"""A document over a string, in blocks of any size."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from llmbatch.jobs.model import DocumentFacts
from llmbatch.jobs.sources.chunks.chunker import cut
from llmbatch.jobs.sources.chunks.cut import Cut, Sizes
from llmbatch.jobs.sources.documents.document import Block, Kind
from llmbatch.jobs.tokens import TextCounter

TOKENS = TextCounter("gpt-4o")


class TextReading:
    """``splits`` are the sizes of the blocks, the last of them again and again."""

    title = "A text"

    def __init__(
        self,
        text: str,
        kind: Kind = "prose",
        splits: Sequence[int] = (100_000,),
        first_byte: int = 0,
        encoding: str = "utf-8",
    ) -> None:
        self.text = text
        self.kind: Kind = kind
        self.splits = splits
        self.first_byte = first_byte
        self.encoding = encoding

    def blocks(self) -> Iterator[Block]:
        sizes = list(self.splits)
        at = 0
        while at < len(self.text):
            size = sizes.pop(0) if len(sizes) > 1 else max(1, sizes[0])
            yield Block(self.text[at : at + size])
            at += size

    def width(self, text: str) -> int:
        return len(stored(text, self.encoding))

    def facts(self) -> DocumentFacts:
        raise AssertionError("the chunker asks for no facts")


class PagedReading(TextReading):
    """One block a page."""

    def __init__(self, pages: Sequence[str]) -> None:
        super().__init__("".join(pages))
        self.pages = pages

    def blocks(self) -> Iterator[Block]:
        for number, text in enumerate(self.pages, 1):
            yield Block(text, number)


def stored(text: str, encoding: str = "utf-8") -> bytes:
    """The bytes; U+DC80 to U+DCFF are one byte each, as PEP 383 has it, and so is any other."""
    if encoding == "utf-8":
        return re.sub("[\ud800-\udfff]", "?", text).encode()
    return text.encode(encoding, "surrogatepass")


def cuts(
    text: str, sizes: Sizes, kind: Kind = "prose", splits: Sequence[int] = (100_000,)
) -> list[Cut]:
    return list(cut(TextReading(text, kind, splits), sizes, TOKENS))
