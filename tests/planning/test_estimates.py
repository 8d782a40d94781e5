"""What is expected of rows that were not asked, from those that were."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.jobs.planning.estimates import GUESS, Answers, InputScale, Lengths, Sample, Whole

COUNTS = st.integers(1, 3000)


def test_nothing_known_is_a_stated_guess() -> None:
    answers = Answers([])
    assert answers(10, 0) == GUESS
    assert answers(10, 50) == 50
    assert answers.basis.startswith("a guess")
    assert InputScale([])(123) == 123


def test_an_empty_input_stays_empty() -> None:
    assert InputScale([Sample(10, 12, 5)])(0) == 0


def test_one_row_gives_a_ratio() -> None:
    assert InputScale([Sample(100, 120, 5)])(50) == pytest.approx(60)


@given(st.lists(COUNTS, min_size=10, max_size=60, unique=True), st.floats(0.5, 2), COUNTS)
def test_a_chat_template_and_another_vocabulary_are_found(
    inputs: list[int], slope: float, start: int
) -> None:
    scale = InputScale([Sample(n, round(start + slope * n), 1) for n in inputs])
    for n in inputs:
        assert scale(n) == pytest.approx(start + slope * n, rel=0.05, abs=2)


def test_a_count_that_agrees_is_exact() -> None:
    assert InputScale([Sample(n, n, 1) for n in range(1, 30)]).exact
    assert not InputScale([Sample(n, n + 8, 1) for n in range(1, 30)]).exact


@given(st.lists(COUNTS, min_size=1, max_size=50))
def test_answers_that_were_never_cut_are_expected_at_their_mean(lengths: list[int]) -> None:
    expected = Lengths([Sample(1, 1, said) for said in lengths]).expected(0)
    assert expected == pytest.approx(sum(lengths) / len(lengths))


@given(st.lists(COUNTS, min_size=1, max_size=50), COUNTS)
def test_under_one_limit_the_mean_stays_the_mean(lengths: list[int], cap: int) -> None:
    samples = [Sample(1, 1, min(said, cap), cap, said >= cap) for said in lengths]
    mean = sum(min(said, cap) for said in lengths) / len(lengths)
    assert Lengths(samples).expected(cap) == pytest.approx(mean)


@given(st.lists(st.tuples(COUNTS, st.booleans()), max_size=50), COUNTS, COUNTS)
def test_an_answer_is_never_expected_beyond_its_limit(
    found: list[tuple[int, bool]], cap: int, more: int
) -> None:
    lengths = Lengths([Sample(1, 1, said, said if cut else 0, cut) for said, cut in found])
    assert 0 <= lengths.expected(cap) <= cap
    assert lengths.expected(cap) <= lengths.expected(cap + more) + 1e-9


def test_rows_with_another_limit_are_judged_by_the_same_curve() -> None:
    random = Random(5)
    asked = [
        (round(random.expovariate(1 / 60)) + 1, random.choice([30, 60, 90])) for _ in range(400)
    ]
    lengths = Lengths([Sample(1, 1, min(said, cap), cap, said >= cap) for said, cap in asked])
    for cap in (20, 45, 75):
        real = sum(min(round(random.expovariate(1 / 60)) + 1, cap) for _ in range(5000)) / 5000
        assert lengths.expected(cap) == pytest.approx(real, rel=0.1)


def test_long_inputs_with_long_answers_are_told_apart() -> None:
    random = Random(6)
    samples = [
        Sample(size, size, size // 2 + random.randrange(20)) for size in [20] * 60 + [2000] * 60
    ]
    random.shuffle(samples)
    answers = Answers(samples)
    assert "by the length of their inputs" in answers.basis
    assert answers(20, 0) == pytest.approx(20, abs=5)
    assert answers(2000, 0) == pytest.approx(1010, abs=10)


def test_inputs_that_tell_nothing_are_not_looked_at() -> None:
    random = Random(7)
    samples = [Sample(random.randrange(3000), 1, random.randrange(100)) for _ in range(200)]
    assert Answers(samples).basis == "200 answered rows"


@given(st.lists(st.floats(0, 1000), max_size=100))
def test_whole_numbers_keep_up_with_what_they_stand_for(values: list[float]) -> None:
    whole = Whole()
    assert sum(map(whole, values)) == pytest.approx(sum(values), abs=1)
