"""`python -m bench [CASE ...] [--quick] [-o FILE]`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
import traceback
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path

import msgspec

from . import machine
from .cases import CASES
from .child import ROOT, BenchFailed
from .lab import Lab
from .report import Section, line, markdown

UNFORESEEN = (OSError, HTTPException, LookupError, ValueError, msgspec.MsgspecError)
"""What a client or server that misbehaves can cause here; other cases still get their turn."""

RESULTS = ROOT / "bench" / "RESULTS.md"


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
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        for case in cases:
            sections.append(_measure(case, Lab(Path(folder), args.quick)))
            if output is not None:  # after each, so that an interrupted run leaves what it had
                head = _head(args.quick, sections, list(CASES))
                output.write_text(markdown(sections, about, head), encoding="utf-8")
    if output is None:
        print("RESULTS.md is left alone: it holds whole runs only.")
    return 0 if all(section.holds for section in sections) else 1


def _measure(case: str, lab: Lab) -> Section:
    """Run one case; print its figures as they come."""
    print(f"{case}", flush=True)
    method, measure = CASES[case].method, CASES[case].measure
    figures = []
    failed = None
    began = time.monotonic()
    try:
        for figure in measure(lab):
            figures.append(figure)
            print(line(figure), flush=True)
    except BenchFailed as error:
        failed = str(error)
    except UNFORESEEN as error:
        failed = f"{type(error).__name__} while measuring"
        traceback.print_exception(error)
    if failed is not None:
        print(f"  failed: {failed}", flush=True)
    seconds = time.monotonic() - began
    print(f"  ({seconds:.0f} s)", flush=True)
    return Section(case, method, figures, failed, seconds)


def _head(quick: bool, sections: list[Section], every: list[str]) -> str:
    day = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    took = sum(section.seconds for section in sections)
    measured = [section.case for section in sections]
    words = [f"Written by `make bench` on {day}; it took {took:.0f} s."]
    if quick:
        words.append("**A quick run: smaller than what was asked, so it proves nothing.**")
    if missing := [case for case in every if case not in measured]:
        words.append(f"**Not measured here: {', '.join(missing)}.**")
    words.append(
        "Everything runs on this one machine, on loopback: the measured process, and the server in "
        "a process of its own; other work on the machine was not stopped."
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
