"""Where `llmbatch run` spends its time: `python -m bench.profile [--rows N] [--bare] [FLAG ...]`.

Samples with py-spy where it is installed (it adds little to what it measures), else cProfile
(which makes small functions look dearer than they are). FLAGs are handed to `llmbatch run`.
"""

from __future__ import annotations

import argparse
import pstats
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from .child import ROOT, succeed
from .lab import Lab
from .serving import serving

SHOWN = 30


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--bare", action="store_true", help="the bare loop instead, to compare")
    args, flags = parser.parse_known_args()
    scratch = ROOT / ".bench"
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder, serving() as server:
        lab = Lab(Path(folder), quick=False)
        rows, url = lab.rows(args.rows), server.url()
        if args.bare:
            argv = lab.bare_argv(rows, url, *flags)
        else:
            argv = lab.run_argv(rows, lab.fresh_output(), url, *flags)
        sampler = shutil.which("py-spy", path=str(Path(sys.executable).parent))
        if sampler is not None:
            _sample(sampler, argv, scratch / "profile.raw")
        else:
            _trace(argv, scratch / "profile.prof")


def _sample(sampler: str, argv: list[str | Path], kept: Path) -> None:
    """py-spy's folded stacks: `frame;frame;frame count`, the innermost last."""
    succeed([sampler, "record", "-r", "500", "-f", "raw", "-o", kept, "--", *argv], ROOT, 300)
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in kept.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        functions = [frame.rpartition(":")[0] for frame in stack.split(";")]
        own[functions[-1]] += int(count)
        for function in set(functions):
            within[function] += int(count)
    total = own.total()
    for title, counts in (("own time", own), ("with what it calls", within)):
        print(title)
        for function, samples in counts.most_common(SHOWN):
            print(f"  {samples / total:6.1%}  {function}")
    print(f"folded stacks, for any flame graph viewer: {kept.relative_to(ROOT)}")


def _trace(argv: list[str | Path], kept: Path) -> None:
    argv = argv[1:] if argv[0] == sys.executable else argv
    succeed([sys.executable, "-m", "cProfile", "-o", kept, *argv], ROOT, 300)
    pstats.Stats(str(kept)).sort_stats("tottime").print_stats(SHOWN)


if __name__ == "__main__":
    main()
