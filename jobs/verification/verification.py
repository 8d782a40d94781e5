"""Whether an output is what it should be: every row once, whole, and what was asked for."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, structs

from ..answerform import schema_of
from ..compact import CompactMap
from ..config import JobConfig
from ..errors import ConfigError, SourceError
from ..manifest.account import Account
from ..manifest.manifest import BrokenManifest, Manifest, find_manifest, manifest_path
from ..model import GOOD, Row
from ..pipeline import checked
from ..preparation import row_parser
from ..providers.registry import locate
from ..records import read
from ..rereading import earlier_config, earlier_parser
from ..sinks.outputlines import key
from ..sources.inputs import expand
from ..sources.rows import RowParser
from ..sources.scan import scan
from .findings import SHOWN, Findings, Found
from .manifestcheck import compare

BLOCK = 1 << 20
TABLES = (".csv", ".tsv", ".parquet")


class Verification(Struct, frozen=True, kw_only=True):
    """What was found. ``problems`` are by kind; the output is well where there are none.

    ``rows`` counts the lines by status. ``failed`` rows have a result like all others, which says
    why they failed. ``compared_with`` is where the settings came from that fingerprints were
    checked with: the manifest, or the command's own options.
    """

    output: str
    lines_of: str
    inputs: Sequence[str]
    manifest: str | None
    compared_with: str
    rows_in: int
    lines: int
    rows: Mapping[str, int]
    failed: int
    problems: Mapping[str, Found]
    notes: Sequence[str] = ()

    @property
    def well(self) -> bool:
        return not self.problems


def verify(
    output: str, config: JobConfig, environ: Mapping[str, str] | None = None
) -> Verification:
    """Check ``output`` against ``config.inputs``, and against its manifest. It blocks.

    Fingerprints are those that the manifest's configuration makes, or where there is no manifest
    those of ``config``. No key is read and nothing is sent. Raises ConfigError, and SourceError
    for what can't be read.
    """
    environ = os.environ if environ is None else environ
    return _Verifier(output, checked(config), environ).result()


class _Verifier:
    def __init__(self, output: str, config: JobConfig, environ: Mapping[str, str]) -> None:
        self.output = output
        self.path = _lines_of(output)
        self.place = str(manifest_path(output))
        self.findings = Findings()
        self.notes: list[str] = []
        self.manifest = self._manifest()
        self.config = config
        if self.manifest is not None:
            old = earlier_config(self.manifest, config)
            self.config = structs.replace(old, inputs=config.inputs or old.inputs)
        if not self.config.inputs:
            raise ConfigError("no input: name what the rows came from with --input FILE")
        try:
            self.inputs = expand(self.config.inputs, self.config.input_format)
        except SourceError as error:
            if config.inputs:
                raise
            raise SourceError(f"{error}; the manifest names it: say --input FILE") from None
        self.parser = self._parser(environ)
        self.ids = CompactMap()  # id -> number of its row
        self.prints = array("Q")
        self.answered = array("Q")  # the line that answers the row, from 1; 0 is none
        self.account = Account()
        self.lines = 0

    def result(self) -> Verification:
        self._read_inputs()
        self._read_lines()
        self._name_missing()
        if self.manifest is not None:
            counted = (self.inputs, len(self.prints), self.account)
            compare(self.manifest, self.place, *counted, self.findings)
        rows = {status: number for status, number in self.account.rows.items() if number}
        return Verification(
            output=self.output,
            lines_of=self.path,
            inputs=[source.path for source in self.inputs],
            manifest=None if self.manifest is None else self.place,
            compared_with="the options" if self.manifest is None else "the manifest",
            rows_in=len(self.prints),
            lines=self.lines,
            rows=rows,
            failed=sum(number for status, number in rows.items() if status not in GOOD),
            problems=self.findings.by_kind(),
            notes=self.notes,
        )

    def _manifest(self) -> Manifest | None:
        try:
            found = find_manifest(self.output)
        except BrokenManifest as error:
            self.findings.add("manifest", self.place, str(error))
            return None
        if found is None:
            self.notes.append("there is no manifest: only the lines were checked")
        elif found.job != "run":
            raise ConfigError(f"{self.output}: holds the results of an analysis, which has no rows")
        return found

    def _parser(self, environ: Mapping[str, str]) -> RowParser:
        several = len(self.inputs) > 1
        if self.manifest is not None:
            return earlier_parser(self.manifest, self.config, environ, several=several)
        routes = [located.route for located in locate(self.config, environ)]
        return row_parser(self.config, routes, schema_of(self.config), several=several)

    def _read_inputs(self) -> None:
        """Raises SourceError for an id that occurs twice, as a run does."""
        for row in self._rows():
            self.ids.put(key(row.id), len(self.prints))
            self.prints.append(key(row.fingerprint))
        if len(self.ids) < len(self.prints):
            scan(self.inputs, self.parser, limit=self.config.limit)
        self.answered = array("Q", [0]) * len(self.prints)

    def _rows(self) -> Iterator[Row]:
        left = self.config.limit
        for source in self.inputs:
            for lines in source.blocks():
                for number, line in lines:
                    yield self.parser.parse(line, number, source.path, source.format)
                    if left is not None:
                        left -= 1
                        if not left:
                            return

    def _read_lines(self) -> None:
        try:
            with Path(self.path).open("rb", buffering=BLOCK) as file:
                for number, line in enumerate(file, 1):
                    self._check(number, line)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "is no path"
            raise SourceError(f"can't be read: {why}", path=self.path) from None

    def _check(self, number: int, line: bytes) -> None:
        if line.isspace():
            return
        self.lines += 1
        add = self.findings.add
        if not line.endswith(b"\n"):
            add("torn_line", self.path, "the last line has no end: a run was killed", number)
            return
        stored = read(line)
        if stored is None:
            add("unreadable_line", self.path, "is no result", number)
            return
        self.account.add(stored)
        row = self.ids.get(key(stored.id))
        if row is None:
            why = "no row of the input has this id"
            add("unknown_id", self.path, why, number, stored.id)
            return
        first = self.answered[row]
        if first:
            add("id_twice", self.path, f"is in line {first}, too", number, stored.id)
            return
        self.answered[row] = number
        if self.prints[row] != key(stored.fingerprint):
            why = "answers another request than the row makes now"
            add("fingerprint", self.path, why, number, stored.id)

    def _name_missing(self) -> None:
        missing = self.answered.count(0)
        if not missing:
            return
        left = min(missing, SHOWN)
        for place, row in enumerate(self._rows()):
            if self.answered[place]:
                continue
            why = "has no result"
            self.findings.add("missing_row", row.path, why, row.line, row.id)
            left -= 1
            if not left:
                break
        self.findings.more("missing_row", missing - min(missing, SHOWN))


def _lines_of(output: str) -> str:
    """The file of result lines: for a table the one that it was made of. Raises SourceError."""
    if not output.lower().endswith(TABLES):
        return output
    lines = f"{output}.jsonl"
    if not Path(lines).exists():
        raise SourceError(
            f"the table's own lines are not there ({lines}): only they say what was asked",
            path=output,
        )
    return lines
