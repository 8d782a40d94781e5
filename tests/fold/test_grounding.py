"""From chunks to the report: what is cited in the end is what was said of that chunk."""

from __future__ import annotations

from foldparts import SIZE, chunk
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.fold.annotator import Annotator
from llmbatch.jobs.fold.citations import present
from llmbatch.jobs.fold.notes import part_of_chunk
from llmbatch.jobs.fold.part import Part

KINDS = ("penguin", "glacier", "volcano", "harbour", "orchard", "railway", "lantern", "compass")


def text_of(number: int) -> str:
    """What stands in a chunk: words that no other chunk has."""
    kind = KINDS[number - 1]
    return f"The {kind}house  {kind}keeper shall\n{kind}paint {kind}walls [7] always.".ljust(SIZE)


def noted(number: int) -> Part:
    kind = KINDS[number - 1]
    answer = (
        f"- The {kind}keeper has to {kind}paint the {kind}walls [7]\n"
        f"  > the {kind}house {kind}keeper shall {kind}paint\n"
    )
    part, quotes = part_of_chunk(
        answer, chunk(number), text_of(number), document_start=(number - 1) * SIZE, quotes=True
    )
    assert part is not None
    assert [quote.found for quote in quotes] == ["folded"]
    return part


def folded(parts: list[Part], forget: bool, turn: bool) -> Part:
    """A fold by a model that repeats; it may drop all citations, and turn the order."""
    shown = present(parts)
    texts = [shown.text[start:end] for start, end in shown.spans]
    answer = "\n".join(reversed(texts) if turn else texts)
    if forget:
        for number in range(1, len(shown.sources) + 1):
            answer = answer.replace(f" [{number}]", "")
    annotator = Annotator(parts)
    for at in range(0, len(answer), 5):
        annotator.feed(answer[at : at + 5])
    annotator.end()
    assert (annotator.invented, annotator.uncited, annotator.missing) == (0, 0, 0)
    return annotator.part(parts[0].first, parts[-1].last)


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(1, 9)), st.lists(st.booleans(), min_size=6, max_size=6))
def test_citations_and_quotes_hold_through_every_level(order: list[int], ways: list[bool]) -> None:
    parts = [noted(number) for number in order]
    halves = [folded(parts[:3], ways[0], ways[1]), folded(parts[3:], ways[2], ways[3])]
    root = folded(halves, ways[4], ways[5])
    assert sorted(source.number for source in root.sources) == list(range(1, 9))
    findings = [line for line in root.text.splitlines() if line.startswith("- ")]
    assert len(findings) == 8
    for line in findings:
        said, _, label = line.rpartition(" [")
        source = root.sources[int(label.rstrip("]")) - 1]
        assert KINDS[source.number - 1] in said
    assert len(root.quotes) == 8
    for cited in root.quotes:
        start, end = cited.quote.start, cited.quote.end
        assert start is not None
        assert end is not None
        there = text_of(cited.chunk.number)[start - cited.chunk.start : end - cited.chunk.start]
        assert there.lower().split() == cited.quote.text.lower().split()
