"""Long prompts and long answers: ten times as long may cost ten times as much, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from msgspec import Struct

from ..lab import Lab, check_results
from ..report import Figure, at_most
from ..serving import Server, serving
from ..settings import Setting

METHOD = (
    "A row and the same row ten times as long are run in turn, ten times fewer of the long ones, "
    "so that either run moves the same bytes. The figure is the process's user and system time a "
    "row, without its start-up (the least of several runs of one short row): the median over the "
    "runs, long divided by short. Linear is 10; what a row costs whatever its length makes it "
    "less. Every answer is compared with the one that was sent."
)
LIMIT = 12.0
TIMES = 10


class Length(Struct, frozen=True):
    """``rows`` short ones of ``setting`` are as much as a tenth of them, ten times as long."""

    name: str
    rows: int
    short: Setting
    long: Setting


LENGTHS: Sequence[Length] = (
    Length(
        "streamed, 10,000 and 100,000 tokens an answer",
        100,
        Setting(tokens=10_000),
        Setting(tokens=100_000),
    ),
    Length(
        "plain, answers of 1 MB and 10 MB",
        100,
        Setting(stream=False, tokens=200_000),
        Setting(stream=False, tokens=2_000_000),
    ),
    Length("prompts of 5 kB and 50 kB", 10_000, Setting(size=5_000), Setting(size=50_000)),
    Length("prompts of 50 kB and 500 kB", 2_000, Setting(size=50_000), Setting(size=500_000)),
)


def measure(lab: Lab) -> Iterator[Figure]:
    share, runs = (4, 3) if lab.quick else (1, 5)
    with serving() as server:
        start = min(_cpu(lab, server, Setting(), 1) for _ in range(runs))
        for length in LENGTHS:
            count = max(TIMES, length.rows // share // TIMES * TIMES)
            short: list[float] = []
            long: list[float] = []
            for _ in range(runs):
                short.append((_cpu(lab, server, length.short, count) - start) / count)
                few = count // TIMES
                long.append((_cpu(lab, server, length.long, few) - start) / few)
            ratio = median(long) / median(short)
            shown = f"{ratio:.1f} times ({_millis(short)} : {_millis(long)}; {runs} runs)"
            yield at_most(length.name, ratio, LIMIT, shown, f"{LIMIT:g} times")


def _cpu(lab: Lab, server: Server, setting: Setting, rows: int) -> float:
    output = lab.fresh_output()
    flags = () if setting.stream else ("--no-stream",)
    ended = lab.llmbatch(setting.rows(lab.folder, rows), output, setting.url(server), *flags)
    check_results(output, rows, setting.tokens)
    return ended.cpu


def _millis(cpu: Sequence[float]) -> str:
    return f"{median(cpu) * 1000:.2f} ms"
