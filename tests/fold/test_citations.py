"""Parts are shown to a fold with one numbering of their sources."""

from __future__ import annotations

from foldparts import chunk, part

from llmbatch.jobs.fold.citations import Presented, present


def test_parts_are_numbered_and_their_sources_renumbered_by_first_appearance() -> None:
    shown = present(
        [
            part("- Rent [2]\n- Pets [1]", 1, 2),
            part("- Both [1][2] and [3]\n  > words [2]", 2, 3, 4),
        ]
    )
    assert shown == Presented(
        "--- Part 1 of 2 ---\n\n- Rent [1]\n- Pets [2]\n\n"
        "--- Part 2 of 2 ---\n\n- Both [1][3] and [4]\n  > words [3]",
        (chunk(2), chunk(1), chunk(3), chunk(4)),
        ((21, 42), (65, 100)),
    )


def test_code_links_and_open_marks_stay() -> None:
    text = "See [1](x), `a[1]` and [?] (not found in the document)\n\n```\nb[1]\n```"
    shown = present([part(text, 9)])
    assert shown.text == f"--- Part 1 of 1 ---\n\n{text}"
    assert shown.sources == ()


def test_a_number_without_a_source_is_open() -> None:
    assert present([part("- A [1][7]\n- B [7]", 1)]).text.endswith("- A [1][?]\n- B [?]")


def test_the_same_parts_make_the_same_text_wherever_they_stand() -> None:
    assert present([part("A [1]", 1), part("B [1]", 2)]).text == (
        present([part("A [1]", 701), part("B [1]", 702)]).text
    )


def test_nothing_is_shown_of_nothing() -> None:
    assert present([]) == Presented("", (), ())
