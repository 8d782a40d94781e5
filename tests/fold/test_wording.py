"""A finding without a citation is known by its words, or not at all."""

from __future__ import annotations

import pytest
from foldparts import part

from llmbatch.jobs.fold.wording import Wording, content


def sources(wording: Wording, text: str) -> list[int]:
    return [chunk.number for chunk in wording.sources(text)]


LEASE = part(
    "# Findings\n\n- The tenant shall pay monthly rent in advance [2]\n"
    "- Deposits are returned within thirty days [1]. Pets need written consent [3].\n"
    "  > the landlord may enter after notice\n"
    "- [1] Garden maintenance belongs to somebody else\n"
    "- Nobody knows where this statement came from [?]",
    1,
    2,
    3,
)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Monthly rent must be paid by the tenant, in advance.", [2]),
        ("deposits: returned in thirty days", [1]),
        ("Pets need written consent", [3]),
        ("Landlord may enter after giving notice", [1, 3]),
        ("Somebody else does garden maintenance", [1]),
        ("Deposits returned within thirty days; pets need written consent", [1, 3]),
        ("Nobody knows where this statement came from", []),
        ("Rent tenant", []),  # too short
        ("The tenant pays rent by bank transfer every Monday before breakfast", []),
        ("", []),
    ],
)
def test_a_statement_has_the_sources_of_the_finding_with_its_words(
    text: str, numbers: list[int]
) -> None:
    assert sources(Wording([LEASE]), text) == numbers


def test_of_several_findings_the_nearest_then_the_most_precise_is_meant() -> None:
    wording = Wording(
        [
            part("Rent rises every January by inflation [1][2]", 5, 6),
            part("Rent rises every January by inflation [1]", 7),
            part("Rent rises every January [1]", 8),
        ]
    )
    assert sources(wording, "Rent rises every January by inflation") == [7]
    assert sources(wording, "rent rises every January") == [7]


def test_words_are_content_words_of_any_script() -> None:
    assert content("The Tenant's 2024 rent, “paid”") == {"tenant", "2024", "rent", "paid"}
    assert content("किरायेदार भुगतान करेगा") == {"किरायेदार", "भुगतान", "करेगा"}
    assert content("租金每月") == {"租金", "金每", "每月"}
    assert content("ค่าเช่า") >= {"ค่", "เช"}


def test_scripts_without_spaces_are_attributed() -> None:
    wording = Wording([part("- 租客应每月支付租金 [1]\n- 押金三十天内退还 [2]", 1, 2)])
    assert sources(wording, "租客每月支付租金。") == [1]


def test_many_findings_of_the_same_words_are_attributed_in_time() -> None:
    text = "\n".join(f"- tenant shall pay rent number {n} to landlord [1]" for n in range(6_000))
    wording = Wording([part(text, 1)])
    for _ in range(10):
        assert sources(wording, "The landlord: tenant shall pay rent to landlord") == [1]
