"""One input scanned to its end: `python -m bench.scanning FILE`.

Prints one JSON line about itself; the memory is seen from outside.
"""

from __future__ import annotations

import sys
import time

import msgspec
from msgspec import Struct

from llmbatch.jobs.sources.inputs import expand
from llmbatch.jobs.sources.rows import RowDefaults, RowParser
from llmbatch.jobs.sources.scan import scan


class Scanned(Struct):
    """``wall`` and ``cpu`` in seconds."""

    rows: int
    wall: float
    cpu: float


def run(path: str) -> Scanned:
    inputs, parser = expand([path]), RowParser(RowDefaults(model="m"))
    began, used = time.perf_counter(), time.process_time()
    rows = scan(inputs, parser)
    return Scanned(rows or 0, time.perf_counter() - began, time.process_time() - used)


if __name__ == "__main__":
    print(msgspec.json.encode(run(sys.argv[1])).decode())
