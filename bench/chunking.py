"""One document read and cut to its end: `python -m bench.chunking FILE TOKENS OVERLAP`.

Prints one JSON line about itself; the memory is seen from outside.
"""

from __future__ import annotations

import sys
import time

import msgspec

from llmbatch.jobs.sources.chunks.chunker import cut
from llmbatch.jobs.sources.chunks.cut import Sizes
from llmbatch.jobs.sources.documents.finding import find
from llmbatch.jobs.tokens import TextCounter

from .documents import Outcome


def run(path: str, sizes: Sizes) -> Outcome:
    tokens = TextCounter("gpt-4o")
    tokens.count("Reading the vocabulary takes half a second, whatever the document.")
    chunks = total = reached = 0
    first = 0.0
    began = time.process_time()
    with find([path]).documents[0].open() as reading:
        for chunk in cut(reading, sizes, tokens):
            if chunk.byte_start != reached or chunk.tokens > sizes.chunk:
                raise SystemExit(f"chunk {chunks + 1} does not follow, or is too large")
            reached = chunk.byte_end
            total += chunk.tokens
            chunks += 1
            first = first or time.process_time() - began
    return Outcome(chunks, total, reached, time.process_time() - began, first)


if __name__ == "__main__":
    outcome = run(sys.argv[1], Sizes(int(sys.argv[2]), int(sys.argv[3])))
    print(msgspec.json.encode(outcome).decode())
