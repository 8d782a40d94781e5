"""Whatever a model makes of citations and quotes, those in the report hold."""

from __future__ import annotations

import pytest
from foldparts import CUTS, TEXTS, chunk, part, pieces
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from llmbatch.jobs.fold.annotator import Annotator
from llmbatch.jobs.fold.citations import present
from llmbatch.jobs.fold.part import Cited, Part
from llmbatch.jobs.model import Quote

RENT = part(
    "- The tenant shall pay monthly rent in advance [1]\n"
    "- Deposits are returned within thirty days [2]",
    1,
    2,
)
PETS = part("- Keeping animals requires written consent [1]\n- Notice period: months [2]", 3, 4)


def annotated(answer: str, *inputs: Part) -> tuple[str, Annotator]:
    annotator = Annotator(inputs or (RENT, PETS))
    return annotator.feed(answer) + annotator.end(), annotator


@pytest.mark.parametrize(
    ("answer", "text", "numbers"),
    [
        ("- Pets [3]\n- Rent [1]", "- Pets [1]\n- Rent [2]", [3, 1]),
        ("- All [1, 3] and [1-4].", "- All [1][2] and [1][3][2][4].", [1, 3, 2, 4]),
        ("- All [^2], [Source 4]", "- All [1], [2]", [2, 4]),
        ("- All [2][2] [2]", "- All [1]", [2]),
        ("- A [9], b [2][77].", "- A, b [1].", [2]),
        ("[9] A [2]", "A [1]", [2]),
        ("- [9] A [2]", "- A [1]", [2]),
        ("- See [1](http://x), `a[1]`, [x] [2]", "- See [1](http://x), `a[1]`, [x] [1]", [2]),
        ("# Rent [4]\n\nText [1]", "# Rent [1]\n\nText [2]", [4, 1]),
        ("- A [?] [2]", "- A [1]", [2]),
        ("[9]\nSaid\n[9]\n[1][1]\n[1]\n\n[9]\n\nB [2]", "Said\n[1]\n\n\nB [2]", [1, 2]),
        ("- Said\n  [2]", "- Said\n  [1]", [2]),
        ("Code [2]:\n```py\na[1]\n```", "Code [1]:\n```py\na[1]\n```", [2]),
        ("```markdown\n- A [2]\n```\n", "- A [1]\n", [2]),
        ("- A [2]\n```py\nx", "- A [1]\n```py\nx\n```", [2]),
    ],
)
def test_citations_are_renumbered_as_they_appear(
    answer: str, text: str, numbers: list[int]
) -> None:
    out, annotator = annotated(answer)
    assert out == text
    assert annotator.part(1, 4).sources == tuple(map(chunk, numbers))
    assert annotator.uncited == 0


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (
            "Monthly rent: the tenant shall pay in advance.\n\nKeeping animals requires consent.\n",
            "Monthly rent: the tenant shall pay in advance. [1]\n\n"
            "Keeping animals requires consent. [2]\n",
        ),
        (
            "- Rent is due [1]. Deposits are returned in thirty days.",
            "- Rent is due [1]. Deposits are returned in thirty days. [2]",
        ),
        (
            "| What | When |\n|---|---|\n| deposits returned | thirty days |\n| rent [1] | - |",
            "| What | When |\n|---|---|\n| deposits returned | thirty days [1] |\n| rent [2] | - |",
        ),
        ("- deposits are returned within\n  thirty days\n- x [1]", None),
        (
            "- Deposits returned within thirty days [42]",
            "- Deposits returned within thirty days [1]",
        ),
    ],
)
def test_a_finding_without_a_citation_gets_the_source_of_its_words(
    answer: str, text: str | None
) -> None:
    out, annotator = annotated(answer)
    assert out == (text or "- deposits are returned within\n  thirty days [1]\n- x [2]")
    assert annotator.uncited == 0
    assert annotator.attributed >= 1


@pytest.mark.parametrize(
    ("answer", "text", "uncited"),
    [
        ("The moon is made of cheese.", "The moon is made of cheese. [?]", 1),
        ("- Moon\n- Cheese [1]", "- Moon [?]\n- Cheese [1]", 1),
        ("- Moon [?]", "- Moon [?]", 1),
        ("- Moon [99]\r\n\r\nEnd", "- Moon [?]\n\nEnd [?]", 2),
        (
            "# Moon\n\nMoon\n====\n\n**Moon**\n\n---\n",
            "# Moon\n\nMoon\n====\n\n**Moon**\n\n---\n",
            0,
        ),
        ("Terms:\n\n- Rent [1]", "Terms:\n\n- Rent [1]", 0),
        ("Terms:", "Terms:", 0),
        ("```\n- Terms:\n```", "- Terms: [?]\n", 1),
        ("```\n- Moon\n```\nCheese", "- Moon [?]\nCheese [?]", 2),
        ("--- Part 1 of 3 ---\n\nX [1]", "--- Part 1 of 3 ---\n\nX [1]", 0),
        ("- Money:\n  - Rent [1]", "- Money:\n  - Rent [1]", 0),
        ("Rent [1]. See there.", "Rent [1]. See there.", 0),
        ("According to [1], Art. 5 applies.", "According to [1], Art. 5 applies.", 0),
        (
            "- [1] One. Two and three other sentences.",
            "- [1] One. Two and three other sentences.",
            0,
        ),
        ("", "", 0),
        ("\n\n", "\n\n", 0),
    ],
)
def test_a_finding_without_a_source_is_marked_once(answer: str, text: str, uncited: int) -> None:
    out, annotator = annotated(answer)
    assert (out, annotator.uncited) == (text, uncited)


def test_invented_citations_are_counted() -> None:
    assert (
        annotated("A [9] b [0] c [1, 7] d [3-8] e [99999999999999999999] f [2-900]")[1].invented
        == 1 + 1 + 1 + 4 + 1 + 1
    )


def test_a_range_over_everything_cites_nothing() -> None:
    many = part("- Rent [1]", *range(1, 101))
    wide = part("".join(f"- x [{n}]\n" for n in range(1, 101)), *range(1, 101))
    out, annotator = annotated("All of it [1-100]", many, wide)
    assert (out, annotator.invented) == ("All of it [?]", 1)


QUOTED = part(
    "- Rent [1]\n  > The tenant shall pay\n- Pets [2]\n  > no animals",
    1,
    2,
    quotes=[
        Cited(Quote("The tenant shall pay", "exact", 100, 120), chunk(1)),
        Cited(Quote("no animals", "folded", 1500, 1511), chunk(2)),
    ],
)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("- R [1]\n  > The tenant shall pay", "- R [1]\n  > The tenant shall pay"),
        ("- R [1]\n  > “the  tenant\n  > SHALL”", "- R [1]\n  > “the  tenant\n  > SHALL”"),
        ("- R\n  > The tenant shall pay", "- R [1]\n  > The tenant shall pay"),
        ("- R\n\n  > The tenant shall pay", "- R [1]\n\n  > The tenant shall pay"),
        ("- R\n  > The tenant shall pay [1]", "- R [1]\n  > The tenant shall pay [1]"),
        ("- R [2]\n  > The tenant shall pay", "- R [1]\n  > The tenant shall pay [2]"),
        ("> The tenant shall pay\n\nMoon", "> The tenant shall pay [1]\n\nMoon [?]"),
        (
            "- R [1]\n  > shall pay (not found in the document)",
            "- R [1]\n  > shall pay",
        ),
        (
            "- R [1]\n  > shall sing\n- P [2]",
            "- R [1]\n  > shall sing (not found in the document)\n- P [2]",
        ),
        (
            "- R [1]\n  > shall sing (not found in the document)\n",
            "- R [1]\n  > shall sing (not found in the document)\n",
        ),
        (
            "- R\n  > shall sing [2]",
            "- R [1]\n  > shall sing [1] (not found in the document)",
        ),
        ("- R\n  > ", "- R [?]\n  > "),
    ],
)
def test_quotes_are_those_that_were_found_or_marked(answer: str, text: str) -> None:
    out, annotator = annotated(answer, QUOTED)
    assert out == text
    assert annotator.missing == text.count("(not found in the document)")


def test_found_quotes_go_on_with_their_place() -> None:
    _, annotator = annotated(
        "- R\n  > tenant shall\n- P\n  > No animals\n- Again\n  > tenant shall", QUOTED
    )
    assert annotator.part(1, 2).quotes == (
        Cited(Quote("tenant shall", "exact", 104, 116), chunk(1)),
        Cited(Quote("No animals", "folded", 1500, 1511), chunk(2)),
    )


@pytest.mark.parametrize(
    ("inputs", "asked", "checked"),
    [
        (RENT, None, False),
        (RENT, False, False),
        (RENT, True, True),
        (QUOTED, False, False),
        (QUOTED, None, True),
        (part("- R [1]\n  > x (not found in the document)", 1, 2), None, True),
    ],
)
def test_quotes_that_were_not_asked_for_are_left_alone(
    inputs: Part, asked: bool | None, checked: bool
) -> None:
    annotator = Annotator([inputs], quotes=asked)
    out = annotator.feed("- R [1]\n  > whatever [1]") + annotator.end()
    assert out == "- R [1]\n  > whatever [1]" + checked * " (not found in the document)"


def test_a_part_is_what_was_written_and_only_what_it_cites() -> None:
    out, annotator = annotated("\n- Pets [3]\n\n")
    assert out == "\n- Pets [1]\n\n"
    assert annotator.part(1, 4) == Part("- Pets [1]", 1, 4, (chunk(3),))


def test_text_is_handed_out_as_it_comes() -> None:
    annotator = Annotator([RENT])
    assert annotator.feed("The rent") == "The rent"
    assert annotator.feed(" is due [") == " is due"
    assert annotator.feed("2]") == ""
    assert annotator.feed(" and more.\n") == " [1] and more."
    assert annotator.feed("\n") == ""
    assert annotator.feed("No") == "\n\nNo"
    assert annotator.end() == " [?]"


ANSWERS = st.one_of(TEXTS, st.text(st.sampled_from("[]()1,2 -`>\n|#.Aa:*?\\"), max_size=60))
INPUTS = (
    part("- The tenant shall pay the monthly rent [1]\n- [2] Ünïcode of the lease", 4, 5),
    part("- Deposits are returned within thirty days [2][1]", 6, 7),
    QUOTED,
)


@settings(max_examples=300, deadline=None)
@given(ANSWERS, CUTS)
def test_however_an_answer_is_split_the_text_is_the_same(answer: str, cuts: list[int]) -> None:
    whole, one = annotated(answer, *INPUTS)
    many = Annotator(INPUTS)
    split = "".join(many.feed(piece) for piece in pieces(answer, cuts)) + many.end()
    assert split == whole
    assert many.part(1, 7) == one.part(1, 7)
    assert repr(many) == repr(one)


@settings(max_examples=300, deadline=None)
@given(ANSWERS)
def test_every_citation_has_its_source_and_every_source_its_citation(answer: str) -> None:
    out, annotator = annotated(answer, *INPUTS)
    sources = annotator.part(1, 7).sources
    shown = present([annotator.part(1, 7)])
    assert shown.sources == sources  # in the order in which they are cited
    assert {q.chunk for q in annotator.part(1, 7).quotes} <= set(sources)
    assert "[?] [?]" not in out
    assert out.count("(not found in the document) (not") == 0


@settings(max_examples=300, deadline=None)
@given(ANSWERS)
def test_marks_are_not_doubled_on_the_next_level(answer: str) -> None:
    _, first = annotated(answer, *INPUTS)
    part_ = first.part(1, 7)
    assume(not part_.text.startswith("```"))  # which an answer may be wrapped in
    again, second = annotated(part_.text, part_)
    assert again.count("[?]") <= part_.text.count("[?]")
    assert again.count("(not found") <= part_.text.count("(not found")
    assert second.invented == 0


@pytest.mark.parametrize(
    "unit", ["> a\n", "[1]", "- a b [1]\n", "tenant shall pay rent\n\n", "a [9] "]
)
def test_a_large_hostile_answer_takes_linear_time(unit: str) -> None:
    answer = unit * (100_000 // len(unit))
    annotator = Annotator([RENT])
    for start in range(0, len(answer), 3):
        annotator.feed(answer[start : start + 3])
    annotator.end()
    assert len(annotator.part(1, 2).sources) <= 2


@pytest.mark.parametrize("unit", [" ", "`", "-", ">", "[", "\\", "|", "#", "\n", "1", "*", "~"])
def test_a_line_of_one_character_fed_one_by_one_takes_linear_time(unit: str) -> None:
    annotator = Annotator([RENT])
    out = [annotator.feed(char) for char in "a" + unit * 100_000]
    out += [annotator.feed(char) for char in "\n" + unit * 100_000]
    assert len("".join(out) + annotator.end()) >= 100_000


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_every_line_that_markdown_has_is_a_finding_of_its_own(end: str) -> None:
    text, annotator = annotated(f"- The moon is cheese.{end}- The rent is due [1].{end}> x", RENT)
    assert text == "- The moon is cheese. [?]\n- The rent is due [1].\n> x"
    assert annotator.uncited == 1


def test_many_quotes_below_many_citations_take_linear_time() -> None:
    text, _ = annotated("a [1] " * 20_000 + "\n" + "> q\n\n" * 20_000, RENT)
    assert text.count("> q") == 20_000


def test_many_findings_with_the_same_words_are_compared_with_few() -> None:
    same = "common words everywhere"
    notes = part("\n".join(f"- {same} alpha{n} beta{n} [1]" for n in range(2_000)), 1, 1)
    text, _ = annotated("\n".join(f"- {same}" for n in range(2_000)), notes)
    assert text.count("[1]") == 2_000


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("> The moon is cheese", "> The moon is cheese [?]"),
        ("# Moon\n\n> The moon\n> is cheese\n", "# Moon\n\n> The moon\n> is cheese [?]\n"),
        ("> monthly rent in advance", "> monthly rent in advance [1]"),
        ("> The moon [2]", "> The moon [1]"),
        ("> The moon [?] ", "> The moon [?]"),
        ("- Rent [1]\n  > The moon", "- Rent [1]\n  > The moon"),
    ],
)
def test_a_statement_as_a_block_quote_is_cited_or_marked_as_well(answer: str, text: str) -> None:
    annotator = Annotator([RENT, PETS], quotes=False)
    assert annotator.feed(answer) + annotator.end() == text
    assert annotator.uncited == text.count("?")
