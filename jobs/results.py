"""The results of an output file, for programs."""

from __future__ import annotations

import os
from collections.abc import Iterator

from .errors import SourceError
from .model import Result
from .records import decode


def read_results(path: str | os.PathLike[str]) -> Iterator[Result]:
    """The results in ``path`` (``--format jsonl``), one at a time, in the file's order.

    A last line that a crash or a run still going left unfinished is passed over. Raises
    SourceError naming file and line for anything else that is no result.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield decode(line)
                except (ValueError, RecursionError) as error:
                    raise SourceError(f"is no result: {error}", path=name, line=number) from None
    except OSError as error:
        raise SourceError(f"can't be read: {error.strerror}", path=name) from error
