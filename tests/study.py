"""A desk with documents, a model that analyses them, and ``llmbatch analyze``."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

from analyst import DIGEST, Analyst
from command import Done
from desk import Desk

from faultserver import FaultServer

RESULTS = "big.analysis.jsonl"
MANIFEST = ".manifest.json"
SMALL = ("--chunk-tokens", "300", "--max-tokens", "64", "--model-context", "900")
"""Sizes that make a dozen chunks and two levels of folds of a text of 16 kB."""

_WORDS = (
    "harbour granite ledger winter copper orchard signal meadow lantern cargo village timber "
    "bridge council river merchant quarry festival railway beacon"
)


def paragraphs(count: int, seed: int = 1, sentences: int = 7) -> list[str]:
    """Paragraphs of sentences of some 55 characters, all of them different."""
    random, words = Random(seed), _WORDS.split()

    def sentence(number: int) -> str:
        first, second, third = random.sample(words, 3)
        return f"In year {number} the {first} met the {second} near the {third}."

    return [" ".join(sentence(1000 + 7 * at + n) for n in range(sentences)) for at in range(count)]


def prose(count: int = 36, seed: int = 1) -> str:
    return "\n\n".join(paragraphs(count, seed)) + "\n"


class Study(Desk):
    """Where somebody reads; the document is ``big.txt`` where no other is named."""

    verb = "analyze"

    def __init__(self, folder: Path, server: FaultServer) -> None:
        super().__init__(folder, server)
        self.model = Analyst(server)

    @classmethod
    def beside(cls, other: Study, name: str = "calm") -> Study:
        """Another folder, before the same server and its model."""
        folder = other.folder.with_name(name)
        folder.mkdir(exist_ok=True)
        study = cls(folder, other.server)
        study.model = other.model
        other.server.replies = other.model
        return study

    def document(self, text: str | bytes | None = None, name: str = "big.txt") -> Path:
        """A document; of prose where nothing is given."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = prose() if text is None else text
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    async def read(self, *args: str | Path, **kw: Any) -> Done:
        """Analyse ``big.txt`` in small chunks, to the end."""
        return await self.run("big.txt", *SMALL, *args, **kw)

    def reading(self, *args: str | Path, **kw: Any) -> Any:
        """The same as a live process."""
        return self.running("big.txt", *SMALL, *args, **kw)

    def lines(self, name: str = RESULTS) -> list[dict[str, Any]]:
        """The results' lines, of which every one has to be whole and has an id of its own."""
        found = super().lines(name)
        assert len({row["id"] for row in found}) == len(found)
        return found

    def chunks(self, name: str = RESULTS) -> list[dict[str, Any]]:
        """The results of the chunks, in the document's order."""
        rows = [row for row in self.lines(name) if row.get("chunk")]
        return sorted(rows, key=lambda row: int(row["chunk"]["number"]))

    def folds(self, name: str = RESULTS) -> list[dict[str, Any]]:
        """The results of the folds, the final one last."""
        rows = [row for row in self.lines(name) if row.get("fold")]
        return sorted(rows, key=lambda row: (row["fold"]["level"], row["fold"]["number"]))

    def files(self) -> set[str]:
        """What is in the folder, without the manifest that every results file has beside it."""
        found = {path.name for path in self.folder.iterdir()}
        return {name for name in found if name.removesuffix(MANIFEST) not in found - {name}}


def assert_tiles(rows: list[dict[str, Any]], text: str, document: str = "big.txt") -> None:
    """The chunks of these results are those of the document, each once, without a gap."""
    chunks = [row["chunk"] for row in rows if row["chunk"]["document"] == document]
    assert chunks
    assert (chunks[0]["start"], chunks[0]["byte_start"]) == (0, 0)
    assert (chunks[-1]["end"], chunks[-1]["byte_end"]) == (len(text), len(text.encode()))
    for one, other in pairwise(chunks):
        assert (one["end"], one["byte_end"]) == (other["start"], other["byte_start"])
        assert other["number"] == one["number"] + 1
    for chunk in chunks:
        before, own = text[: chunk["start"]], text[chunk["start"] : chunk["end"]]
        assert own
        assert chunk["byte_start"] == len(before.encode())
        assert chunk["byte_end"] - chunk["byte_start"] == len(own.encode())
        assert chunk.get("overlap", 0) <= chunk["start"]


def paid(study: Study, name: str = RESULTS) -> set[str]:
    """The digests of all requests whose answers are in the results, a torn last line aside."""
    path = study.folder / name
    if not path.exists():
        return set()
    *lines, _torn = path.read_bytes().split(b"\n")
    outputs = [json.loads(line)["output"] or "" for line in lines]
    return {digest for output in outputs for digest in DIGEST.findall(output.split("\n")[0])}
