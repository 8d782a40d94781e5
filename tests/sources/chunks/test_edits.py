"""After an edit, chunks whose text did not change are the same: they are not paid again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import varied
from textreading import cuts

from llmbatch.jobs.sources.chunks.cut import Sizes
from llmbatch.jobs.sources.documents.document import Kind

INSERTED = "Nobody had expected this sentence to be here. "
SIZE = 240_000

CASES: dict[str, tuple[Callable[[int, int], str], Kind]] = {
    "prose": (varied.prose, "prose"),
    "markdown": (varied.markdown, "markdown"),
    "code": (varied.code, "code"),
    "log": (varied.log, "prose"),
    "one line": (varied.one_line, "prose"),
    "chinese": (varied.chinese, "prose"),
    "base64": (varied.base64, "prose"),
}


def edited(text: str) -> list[str]:
    """The text after one edit each: insertions, a deletion, a change in place."""
    third = len(text) // 3
    return [
        INSERTED + text,
        text[:2000] + INSERTED + text[2000:],
        text[:third] + INSERTED * 20 + text[third:],
        text[:third] + text[third + 700 :],
        text[: 2 * third] + "x" + text[2 * third + 1 :],
    ]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("sizes", [Sizes(400), Sizes(400, 50, 30)], ids=["plain", "overlapping"])
def test_an_edit_changes_a_handful_of_chunks(name: str, sizes: Sizes) -> None:
    make, kind = CASES[name]
    text = make(3, SIZE)
    before = {(c.text, c.before) for c in cuts(text, sizes, kind)}
    assert len(before) > 90
    changed = []
    for now in edited(text):
        after = [(c.text, c.before) for c in cuts(now, sizes, kind)]
        changed.append(sum(chunk not in before for chunk in after))
    assert max(changed) <= 20
    assert sum(changed) / len(changed) <= 12
