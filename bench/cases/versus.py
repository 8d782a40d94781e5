"""What a request costs here and in other tools, and how that changes with what is asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import structs

from ..chart import Bar
from ..child import BenchFailed
from ..contenders import BareLoop, Contender, Llmbatch, Rival
from ..lab import Lab
from ..report import Figure, at_least
from ..rivals.environment import python_of
from ..rivals.tools import TOOLS, Tool
from ..serving import Server, serving
from ..settings import Setting
from ..turns import Cost, Entry, in_turn, start_of

METHOD = (
    "The bare loop, llmbatch with everything on, and other tools ask the same server, in turn; "
    "each tool is in an environment of its own, in the version that is named, and called as "
    "[bench/README.md](README.md#other-tools) says. A request costs the process's user and system "
    "time, less that of a run over one row, divided by the rows; medians, and the range, over the "
    "runs. Tools that cost more get fewer rows. The server's time is measured as well: where it "
    "works far less than all of the time, it does not hold anybody up. Then one thing at a time is "
    "varied: llmbatch against the bare loop, which has no limits. With 1,000 and 10,000 requests "
    "at a time, answers take 0.5 and 3 s, else there would never be so many; how many there were "
    "at once is what the server counted. The bare loop makes all connections before it sends "
    "anything, and looks at no answer meanwhile, so it has them all open at once; llmbatch begins "
    "rows and reads answers in turn, so it has as many as it asks in the time that an answer takes."
)
MB = 1_000_000
ROWS = 8_000
STREAMED = Setting()
PLAIN = Setting(stream=False)
ROLES: Mapping[str, str] = {"llmbatch": "ours", "bare loop": "limit"}

VARIED: Sequence[tuple[str, Mapping[str, float], int]] = (
    ("500 tokens", {"tokens": 500}, 1_500),
    ("prompts of 1 kB", {"size": 1_000}, 6_000),
    ("prompts of 50 kB", {"size": 50_000}, 2_000),
    ("concurrency 16", {"concurrency": 16}, 6_000),
    ("concurrency 1,000", {"concurrency": 1_000, "delay": 0.5}, 8_000),
    ("concurrency 10,000", {"concurrency": 10_000, "delay": 3.0}, 15_000),
    ("limits that are not reached", {"limits": True}, 6_000),
)
"""What is varied, each streamed and plain: its name, the setting, the rows of a run."""


def measure(lab: Lab) -> Iterator[Figure]:
    rivals, missing = _installed(lab)
    share, runs = (8, 1) if lab.quick else (1, 3)
    ours, bare = Llmbatch(lab), BareLoop(lab)
    with serving() as server:
        for name, setting in (("plain", PLAIN), ("streamed", STREAMED)):
            rows: list[tuple[Contender, int]] = [(bare, ROWS // share), (ours, ROWS // share)]
            rows += [(rival, _rows(rival.tool, setting) // share) for rival in rivals]
            entries = _started(rows, setting, server, missing)
            costs = in_turn(entries, setting, server, runs)
            yield from _shown(name, costs)
            yield from judged(name, costs, missing)
        starts = {who: start_of(who, STREAMED, server) for who in (bare, ours)}
        for name, setting, count in _settings():
            # with limits the vocabulary is read as well, once: a start, and no row's cost
            begun = {**starts, ours: start_of(ours, setting, server)} if setting.limits else starts
            entries = [Entry(who, count // share, start) for who, start in begun.items()]
            yield _compared(name, in_turn(entries, setting, server, min(runs, 2)))


def _started(
    rows: Sequence[tuple[Contender, int]],
    setting: Setting,
    server: Server,
    missing: dict[str, str],
) -> list[Entry]:
    """Who answers one row; a tool that does not is ``missing``, with the reason."""
    entries = []
    for who, count in rows:
        try:
            runs = 2 if isinstance(who, Rival) else 5
            entries.append(Entry(who, count, start_of(who, setting, server, runs)))
        except BenchFailed as error:
            if not isinstance(who, Rival):
                raise
            missing[who.name] = f"could not answer one row: {error}"
    return entries


def _installed(lab: Lab) -> tuple[list[Rival], dict[str, str]]:
    """The tools that are there, and why the others are not."""
    rivals, missing = [], {}
    for tool in TOOLS:
        try:
            rivals.append(Rival(lab, tool, python_of(tool)))
        except BenchFailed as error:
            missing[tool.name] = str(error)
    return rivals, missing


def _rows(tool: Tool, setting: Setting) -> int:
    return tool.streamed if setting.stream else tool.plain


def _settings() -> Iterator[tuple[str, Setting, int]]:
    for mode, base in (("streamed", STREAMED), ("plain", PLAIN)):
        for name, changes, rows in VARIED:
            yield f"{mode}, {name}", structs.replace(base, **changes), rows
    yield "embeddings", Setting(stream=False, embeddings=True), 4_000


def _shown(name: str, costs: Mapping[str, Cost]) -> Iterator[Figure]:
    """What each costs, and its bar."""
    bare = costs["bare loop"].micros
    titles = {tool.name: tool.title for tool in TOOLS}
    for who, cost in costs.items():
        low, high = (f"{edge * 1e6:,.0f}" for edge in (min(cost.cpu), max(cost.cpu)))
        measured = (
            f"{cost.micros:,.0f} µs ({low} to {high}; {len(cost.cpu)} runs of {cost.rows:,} rows); "
            f"{cost.rate:,.0f} rows/s; {_memory(cost)}; "
            f"start-up {cost.start * 1000:,.0f} ms of CPU; server {_server(cost)}"
        )
        times = "" if who == "bare loop" else f"{_times(cost.micros / bare)} the bare loop"
        bar = Bar(name, who, cost.micros, times, ROLES.get(who, "other"))
        yield Figure(f"{name}: {titles.get(who, who)}", measured, bar=bar)


def judged(name: str, costs: Mapping[str, Cost], missing: Mapping[str, str]) -> Iterator[Figure]:
    """How much less llmbatch costs; a tool that is not there is a figure too."""
    for tool in TOOLS:
        if tool.name in missing:
            bar = Bar(name, tool.name, None)
            yield Figure(f"{name}: {tool.title}", missing[tool.name], "a figure", False, bar)
            continue
        what = f"{name}: {tool.name} against llmbatch"
        ratio = costs[tool.name].micros / costs["llmbatch"].micros
        asked = tool.streamed_asked if name == "streamed" else tool.plain_asked
        shown = _times(ratio)
        if asked is None:
            yield Figure(what, shown)
        else:
            yield at_least(what, ratio, asked, shown, f"{asked:g} times")


def _compared(name: str, costs: Mapping[str, Cost]) -> Figure:
    bare, ours = costs["bare loop"], costs["llmbatch"]
    runs = f"{len(ours.cpu)} runs of {ours.rows:,} rows"
    return Figure(
        f"{name}: ratio",
        f"{ours.micros / bare.micros:.2f} ({ours.micros:,.0f} : {bare.micros:,.0f} µs; "
        f"{ours.rate:,.0f} : {bare.rate:,.0f} rows/s; {_memory(ours)} : "
        f"{_memory(bare)}; {_together(ours, bare)}server {_server(bare)}; {runs})",
    )


def _memory(cost: Cost) -> str:
    return "memory unknown" if cost.peak is None else f"{cost.peak / MB:.0f} MB"


def _together(ours: Cost, bare: Cost) -> str:
    return f"{ours.together:,} : {bare.together:,} at once; " if bare.together else ""


def _server(cost: Cost) -> str:
    return f"{cost.served * 1e6:,.0f} µs, {cost.busy:.0%} busy"


def _times(ratio: float) -> str:
    return f"{ratio:.{1 if ratio < 10 else 0}f} times"
