"""A table as the output of a job: made of the results, whole, whenever a run ends in order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Literal

from msgspec import Struct

from ...errors import ConfigError, SinkError
from ...model import Result
from ...wholefile import check_writable, write_whole
from ..tables import delimited, journal, parquet
from .columns import Column, apart
from .journal import Again

Form = Literal["csv", "tsv", "parquet"]
DELIMITERS = {"csv": ",", "tsv": "\t"}


class Table(Struct, frozen=True, kw_only=True):
    """What is written, and where; ``journal`` is the file of results that it is made of.

    ``header`` has the input's columns as far as they are known, ``answers`` are the others.
    ``parquet_inputs`` say which types columns had.
    """

    path: str
    form: Form
    answers: tuple[Column, ...]
    header: tuple[str, ...] = ()
    parquet_inputs: tuple[str, ...] = ()

    @property
    def journal(self) -> str:
        return f"{self.path}.jsonl"

    def check(self, *, fresh: bool, force: bool) -> None:
        """Before anything is sent. Raises ConfigError where it could not be written.

        A table without the results that it was made of is somebody else's.
        """
        if self.form == "parquet":
            parquet.require()
        if problem := check_writable(self.path, "-o"):
            raise ConfigError(problem)
        there = Path(self.path)
        if there.exists() and not Path(self.journal).exists() and not (fresh and force):
            raise ConfigError(
                f"{self.path}: exists, and {self.journal}, the results that a table is made of, "
                "does not: name another output (-o), or overwrite it with --fresh --force"
            )

    def write(self, again: Again | None = None) -> None:
        """Put the table in its place, whole or not at all. It blocks; raises SinkError.

        ``again`` reads the input's columns as they are now, where it can be read twice.
        """
        texts: set[str] = set()
        try:
            while True:
                try:
                    write_whole(Path(self.path), self._pieces(again, texts))
                    return
                except parquet.Misfit as misfit:  # once more, with texts in that column
                    texts.add(misfit.column)
        except OSError as error:
            reason = error.strerror or str(error)
            raise SinkError(
                f"{self.path}: can't be written: {reason}; every result is safe in "
                f"{self.journal}: put that right and run the same command again"
            ) from error

    def _pieces(self, again: Again | None, texts: Collection[str]) -> Iterator[bytes]:
        path = Path(self.journal)
        if self.form == "parquet":
            inputs = parquet.Inputs(self.parquet_inputs)
            for result in journal.results(path, again):
                inputs.look(result.metadata)
            names = list(dict.fromkeys([*self.header, *inputs.names]))
            columns = apart(self.answers, names)
            return parquet.pieces(names, inputs, columns, journal.batches(path, again), texts)
        names = journal.names(journal.results(path, again), self.header)
        columns = apart(self.answers, names)
        found = journal.results(path, again)
        return delimited.pieces(names, columns, found, DELIMITERS[self.form])


def stream_encoder(
    form: Form, header: tuple[str, ...], answers: tuple[Column, ...], *, rest: bool
) -> Callable[[Result], bytes]:
    """For standard output; ``rest`` says that rows may have other columns than the first one.

    Raises ConfigError for a form that can't be written row by row.
    """
    if form == "parquet":
        raise ConfigError("--format parquet needs a file: name one with -o FILE.parquet")
    return delimited.RowEncoder(header, answers, DELIMITERS[form], rest=rest)
