"""`python -m bench [CASE ...] [--quick] [-o FILE]`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

import msgspec

from . import machine
from .cases import CASES
from .chart import svg
from .child import ROOT, BenchFailed, end_all
from .lab import Lab
from .report import Section, bars, line, markdown

TITLE = "CPU time of one request, 20 tokens, 64 at a time (less is better, logarithmic)"

UNFORESEEN = (OSError, HTTPException, LookupError, ValueError, msgspec.MsgspecError)
"""What a client or server that misbehaves can cause here; other cases still get their turn."""

RESULTS = ROOT / "bench" / "RESULTS.md"
EVIDENCE = ROOT / "bench" / "EVIDENCE.md"
"""What was tried, what it gave and what was kept: written by hand, taken over as it is."""


def main() -> int:
    """Exit code 1 where something that was asked does not hold, or could not be measured."""
    args = _arguments()
    cases = args.cases or list(CASES)
    output = args.output
    if output is None and not args.cases and not args.quick:
        output = RESULTS
    about = machine.description()
    scratch = ROOT / ".bench"
    scratch.mkdir(exist_ok=True)
    sections: list[Section] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        for group in _groups(cases):
            sections += _together(group, Path(folder), args.quick)
            head = _head(args.quick, sections, time.monotonic() - began)
            # after each, so that an interrupted run leaves what it had, and the last page in peace
            _write(scratch / "latest.md", sections, about, head)
    if output is not None:
        _write(output, sections, about, head)
    else:
        print("RESULTS.md is left alone: it holds whole runs only.")
    print(f"{time.monotonic() - began:.0f} s in all")
    return 0 if all(section.holds for section in sections) else 1


def _write(
    page: Path, sections: Sequence[Section], about: Sequence[tuple[str, str]], head: str
) -> None:
    """The page, and beside it the chart where there is something to chart."""
    chart = page.with_name("chart.svg") if page == RESULTS else page.with_suffix(".svg")
    charted = bars(sections)
    if charted:
        chart.write_text(svg(TITLE, charted), encoding="utf-8")
    evidence = EVIDENCE.read_text(encoding="utf-8") if page == RESULTS else ""
    text = markdown(sections, about, head, chart.name if charted else None, evidence)
    page.write_text(text, encoding="utf-8")


def _groups(cases: Sequence[str]) -> list[list[str]]:
    """What is measured at the same time: idle neighbours; any other case is alone."""
    groups: list[list[str]] = []
    for case in cases:
        if groups and CASES[case].idle and CASES[groups[-1][-1]].idle:
            groups[-1].append(case)
        else:
            groups.append([case])
    return groups


def _together(cases: Sequence[str], folder: Path, quick: bool) -> list[Section]:
    """Measure the cases at the same time, and print their figures in turn."""
    if len(cases) == 1:
        return [_measure(cases[0], folder, quick, _say)]
    _say(f"{', '.join(cases)}: at the same time, about two minutes")
    said: list[list[str]] = [[] for _ in cases]
    with ThreadPoolExecutor(len(cases)) as pool:
        try:
            running = [
                pool.submit(_measure, case, folder, quick, lines.append)
                for case, lines in zip(cases, said, strict=True)
            ]
            for future, lines in zip(running, said, strict=True):
                future.result()
                _say("\n".join(lines))
        except BaseException:  # an interrupt too: the threads wait for their children
            end_all()
            raise
    return [future.result() for future in running]


def _say(line: str) -> None:
    print(line, flush=True)


def _measure(case: str, folder: Path, quick: bool, say: Callable[[str], None]) -> Section:
    """Run one case in a scratch folder of its own; its figures are said as they come."""
    say(case)
    method, measure = CASES[case].method, CASES[case].measure
    own = folder / case
    own.mkdir()
    figures = []
    failed = None
    began = time.monotonic()
    try:
        for figure in measure(Lab(own, quick)):
            figures.append(figure)
            say(line(figure))
    except BenchFailed as error:
        failed = str(error)
    except UNFORESEEN as error:
        failed = f"{type(error).__name__} while measuring"
        traceback.print_exception(error)
    if failed is not None:
        say(f"  failed: {failed}")
    seconds = time.monotonic() - began
    say(f"  ({seconds:.0f} s)")
    return Section(case, method, figures, failed, seconds)


def _head(quick: bool, sections: Sequence[Section], took: float) -> str:
    day = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    measured = [section.case for section in sections]
    words = [f"Written by `make bench` on {day}; it took {took:.0f} s."]
    if quick:
        words.append("**A quick run: smaller than what was asked, so it proves nothing.**")
    if missing := [case for case in CASES if case not in measured]:
        words.append(f"**Not measured here: {', '.join(missing)}.**")
    words.append(
        "Everything runs on this one machine, on loopback: the measured process, and the server in "
        "a process of its own; other work on the machine was not stopped. Cases that mostly wait "
        f"({', '.join(case for case in CASES if CASES[case].idle)}) ran at the same time."
    )
    return " ".join(words)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}")
    parser.add_argument("--quick", action="store_true", help="fewer, shorter runs; proves nothing")
    parser.add_argument("-o", "--output", type=Path, help="write the page here, whatever was run")
    args = parser.parse_args()
    if unknown := [case for case in args.cases if case not in CASES]:
        parser.error(f"no such case: {', '.join(unknown)} (there are {', '.join(CASES)})")
    return args


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that children are ended then too
    sys.exit(main())
