"""What of a job's settings, inputs and schema makes its output a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import JobConfig
from .errors import ConfigError, SourceError
from .model import Result
from .sinks.tables.columns import Column, answer_columns, ending_columns
from .sinks.tables.paths import select
from .sinks.tables.table import Form, Table, stream_encoder
from .sources.formats import TEXT
from .sources.inputs import Input
from .sources.rows import RowParser
from .sources.tables.row import PARQUET, columns

if TYPE_CHECKING:
    from .structured.schema import Schema

_NOT_WRITTEN = frozenset({"gz", "zst", "xz", "bz2", "zip", "xlsx", "xls", "ods"})
"""What a name promises, and no results are."""

_FORMS: dict[str, Form] = {"csv": "csv", "tsv": "tsv", "parquet": "parquet"}


def form_of_table(config: JobConfig) -> Form | None:
    """That of ``--format``, else of the output's name; None where the output is no table.

    Raises ConfigError for columns of no table, or of answers that are no data.
    """
    named = Path(config.output or "").suffix.lower().removeprefix(".")
    if config.format is None and named in _NOT_WRITTEN:
        raise ConfigError(
            f"-o {config.output}: .{named} is not written: name a .csv, .tsv, .parquet or .jsonl, "
            "or say what is meant with --format"
        )
    form = _FORMS.get(config.format or named)
    if config.select and form is None:
        raise ConfigError("--select: names columns of a table: add --format csv, or -o FILE.csv")
    if config.select and config.schema is None:
        raise ConfigError(
            "--select: takes columns out of answers that are data: describe them with --schema"
        )
    return form


def table_of(
    config: JobConfig, form: Form, path: str, schema: Schema | None, inputs: Sequence[Input]
) -> Table:
    """Raises ConfigError where it can't be written, SourceError where an input has no columns."""
    table = Table(
        path=path,
        form=form,
        answers=_columns(config, schema),
        header=_header(inputs),
        parquet_inputs=tuple(source.path for source in inputs if source.format is PARQUET),
    )
    table.check(fresh=config.fresh, force=config.force)
    return table


def encoder_of(
    config: JobConfig, form: Form, schema: Schema | None, inputs: Sequence[Input]
) -> Callable[[Result], bytes]:
    """For a table that is written row by row."""
    rest = any(not source.format.table and source.format is not TEXT for source in inputs)
    header = () if rest else _header(inputs)
    return stream_encoder(form, header, _columns(config, schema), rest=rest)


def rows_again(
    inputs: Sequence[Input], parser: RowParser
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The id and the columns of every row, for as long as the inputs can be read."""
    try:
        for source in inputs:
            for lines in source.blocks():
                for number, line in lines:
                    row_id = source.format.read_id(line)
                    columns_now = columns(line, source.format)
                    yield row_id or parser.default_id(number, source.path, line), columns_now
    except SourceError:  # it changed since: the results have the columns that they were made of
        return


def _columns(config: JobConfig, schema: Schema | None) -> tuple[Column, ...]:
    value = None if schema is None else schema.value
    return answer_columns(value, [select(spec) for spec in config.select]) + ending_columns()


def _header(inputs: Sequence[Input]) -> tuple[str, ...]:
    """The columns of the inputs that have them, as far as that can be known before."""
    names = [name for source in inputs if source.rereadable for name in source.columns()]
    return tuple(dict.fromkeys(names))
