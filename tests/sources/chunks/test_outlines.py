"""Headings: where chunks begin, and the path above each."""

from __future__ import annotations

import pytest
import varied
from textreading import cuts

from llmbatch.jobs.sources.chunks.cut import Cut, Sizes
from llmbatch.jobs.sources.documents.document import Kind

FILLER = varied.one_line(5, 5000)


def paths(text: str, kind: Kind, tokens: int = 60) -> list[tuple[str, ...]]:
    return [c.headings for c in cuts(text, Sizes(tokens), kind)]


def test_a_chunk_begins_with_the_highest_heading_within_reach() -> None:
    words = "one two three four five six seven. " * 3
    text = (
        f"{words * 2}\n\n### Low\n\n{words}\n\n## High\n\n{words}\n\n### Low again\n\n{words * 9}"
    )
    first, second = cuts(text, Sizes(100), "markdown")[:2]
    assert first.text.endswith("\n\n")
    assert second.text.startswith("## High\n")


def test_the_path_is_that_of_the_headings_above_and_of_the_one_at_the_start() -> None:
    body = f"{FILLER[:700]}\n\n"
    lines = ["# Book", "## One ##", "### Deep", "Two\n---", "Next\n==="]
    text = "".join(f"{line}\n\n{body}" for line in lines)
    seen = list(dict.fromkeys(paths(text, "markdown")))
    assert seen == [
        ("Book",),
        ("Book", "One"),
        ("Book", "One", "Deep"),
        ("Book", "Two"),
        ("Next",),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "#tag",
        "####### seven",
        "    # code",
        "text # not",
        "a | b\n--- | ---",
        "\n---\n",
        "- a\n---",
    ],
)
def test_what_only_looks_like_a_heading_is_none(line: str) -> None:
    text = f"# Real\n\n{FILLER[:400]}\n\n{line}\n\n{FILLER}"
    assert set(paths(text, "markdown")) == {("Real",)}


def test_what_stands_in_a_fence_is_no_heading() -> None:
    code = "```sh\n# comment\n~~~\n# more\n" + "run it\n" * 40 + "```\n"
    text = f"# Real\n\n{code}\n## After\n\n{FILLER[:900]}"
    assert set(paths(text, "markdown")) == {("Real",), ("Real", "After")}


def test_front_matter_is_no_heading() -> None:
    text = f"---\ntitle: x\n---\n\n{FILLER[:900]}"
    assert set(paths(text, "markdown")) == {()}


def test_fenced_code_stays_in_one_piece_where_it_can() -> None:
    before = "Some words stand here.\n" * 26
    code = "```\n" + "x = 1\n\n" * 12 + "```\n"
    text = before + code + "And some words after it.\n" * 60
    found = cuts(text, Sizes(220), "markdown")
    assert any("```\nx = 1" in c.text and "x = 1\n\n```\n" in c.text for c in found)


def test_fenced_code_that_is_too_long_is_cut_between_its_lines() -> None:
    text = "```\n" + "value = compute(1)\n" * 500 + "```\n"
    for chunk in cuts(text, Sizes(100), "markdown"):
        assert chunk.text.endswith("\n")


def test_prose_knows_books_parts_chapters_sections_and_paragraphs() -> None:
    body = f"\n\n{varied.prose(4, 600)}\n\n"
    lines = ["BOOK ONE", "Part 2: The Sea", "CHAPTER IV. The Storm", "Chapter V", "Section 3 Scope"]
    text = body.join(["", *lines, "1.2 Definitions", "1.2.1 Terms", "PART THE THIRD", ""])
    seen = list(dict.fromkeys(paths(text, "prose")))
    book, part, four, five, section = lines
    assert seen == [
        (),
        (book,),
        (book, part),
        (book, part, four),
        (book, part, five),
        (book, part, five, section),
        (book, part, five, section, "1.2 Definitions"),
        (book, part, five, section, "1.2 Definitions", "1.2.1 Terms"),
        (book, "PART THE THIRD"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Article 5",
        "§ 3 Haftung",
        "Kapitel 7: Das Meer",
        "Capítulo II",
        "Глава 3",
        "第三章 海",
        "APPENDIX A",
    ],
)
def test_headings_in_other_words(line: str) -> None:
    text = f"{FILLER[:900]}\n\n{line}\n\n{FILLER[:900]}"
    assert set(paths(text, "prose")) == {(), (line,)}


@pytest.mark.parametrize(
    "line",
    [
        "Part 2 of the plan was never made",
        "Chapter 5 says so",
        "Section 12, of course, and others",
        "1914 was the year",
        "3.5 Percent of all ferries are late.",
        "Party 5",
    ],
)
def test_lines_of_a_paragraph_are_no_headings(line: str) -> None:
    for text in (f"{FILLER[:300]}\n\n{line}\n\n{FILLER}", f"{FILLER[:300]}\n{line}\n{FILLER}"):
        assert set(paths(text, "prose")) == {()}


def test_a_line_inside_of_a_paragraph_that_begins_like_a_chapter_is_none() -> None:
    text = f"{FILLER[:300]} as told in\nChapter 5. There the ferry\nsank. {FILLER}"
    assert set(paths(text, "prose")) == {()}


def test_the_last_line_of_a_paragraph_is_no_heading_where_it_is_a_section_s_number() -> None:
    text = f"{FILLER[:300]} as it is said in\n    Section 3.5.\n\n{FILLER}"
    assert set(paths(text, "prose")) == {()}
    text = f"{FILLER[:300]} It ends here.\nSection 3.5.\n\n{FILLER}"
    assert set(paths(text, "prose")) == {(), ("Section 3.5.",)}


CODE = '''import os

class Ferry:
    """A ship."""

    @property
    def name(self):
        return "x" * 100

{body}
    # Leaves the harbour.
    def leave(self, when):
{body}

def main():
{body}

main()
{tail}'''


def test_code_is_cut_before_definitions_and_says_what_encloses_a_line() -> None:
    body = "".join(f"        self.value_{i} = compute({i})\n" for i in range(20))
    tail = "".join(f"run({i})\n" for i in range(60))
    found = cuts(CODE.format(body=body, tail=tail), Sizes(150), "code")
    seen = list(dict.fromkeys(c.headings for c in found))
    assert seen[0] == ()
    assert ("class Ferry", "def leave(self, when)") in seen
    assert ("def main()",) in seen
    assert found[-1].headings == ()
    leave = next(c for c in found if "def leave" in c.text)
    assert leave.text.startswith("    # Leaves the harbour.\n    def leave")


@pytest.mark.parametrize(
    "line",
    [
        "pub(crate) async fn run(&self) -> Result<()> {",
        "export default function run(a, b) {",
        "    public static void main(String[] args) {",
        "func (s *Server) Serve(ctx context.Context) error {",
        "static int parse(const char *text, size_t n) {",
        "impl<T> Sink for File<T> {",
    ],
)
def test_definitions_in_other_languages(line: str) -> None:
    body = "".join(f"            step({i});\n" for i in range(30))
    found = cuts(f"{body}\n{line}\n{body * 3}", Sizes(120), "code")
    title = line.strip().removesuffix("{").strip()
    assert (title,) in {c.headings for c in found}


def test_titles_are_short_and_paths_are_not_deep() -> None:
    text = "".join(f"{'#' * (i % 6 + 1)} {'long ' * 60}\n\n{FILLER[:200]}\n\n" for i in range(12))
    for headings in paths(text, "markdown"):
        assert len(headings) <= 6
        assert all(len(title) <= 120 and title.endswith("…") for title in headings)
    nested = "".join(f"{' ' * i}def f{i}():\n" for i in range(40)) * 5
    assert max(map(len, paths(nested, "code"))) == 6


def starts(found: list[Cut]) -> set[str]:
    return {c.text[:12] for c in found[1:]}


def test_paragraphs_then_lines_then_sentences_then_words() -> None:
    sentence = "The ferry leaves at seven."
    assert starts(cuts(f"{sentence} {sentence}\n{sentence}\n\n" * 60, Sizes(90))) == {sentence[:12]}
    for chunk in cuts(f"{sentence} {sentence}\r\n{sentence}\r\n\r\n" * 60, Sizes(90))[:-1]:
        assert chunk.text.endswith("\r\n\r\n")
    for chunk in cuts(f"{sentence} {sentence}\n" * 60, Sizes(60))[:-1]:
        assert chunk.text.endswith("\n")
    for chunk in cuts(f"{sentence} Mr. Fogg waits? " * 60, Sizes(60))[:-1]:
        assert chunk.text.endswith((". ", "? "))
        assert not chunk.text.endswith("Mr. ")
    for chunk in cuts("渡轮早上七点离开港口。迟到的人只能等到傍晚" * 60, Sizes(60))[:-1]:
        assert chunk.text.endswith("。")
    for chunk in cuts("ferry harbour evening " * 60, Sizes(60))[:-1]:
        assert chunk.text.endswith(" ")
