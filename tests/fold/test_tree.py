"""The fold tree: the same folds whatever the order of arrival, in budget, and always to an end."""

from __future__ import annotations

import itertools
import random
import zlib
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.jobs.fold.part import Part
from llmbatch.jobs.fold.tree import FoldTask, Tree

BUDGET = 40
Model = Callable[[FoldTask], Part | None]

PARTS = st.lists(st.one_of(st.none(), st.integers(1, 30), st.integers(1, 90)), max_size=60)
SEEDS = st.integers(0, 2**32)


def count(part: Part) -> int:
    """A token a word, and two for the part itself."""
    return len(part.text.split()) + 2


def part(number: int, words: int, word: str = "w") -> Part:
    return Part(" ".join(f"{word}{number}.{n}" for n in range(words)), number, number)


def parts_of(sizes: Sequence[int | None]) -> list[Part | None]:
    return [None if size is None else part(n, size) for n, size in enumerate(sizes, 1)]


def chance(task: FoldTask) -> float:
    """The same for the same task, as a deterministic server would have it; from 0 to 1."""
    return zlib.crc32(repr((task.level, task.parts)).encode()) / 2**32


def short(task: FoldTask) -> Part:
    words = 1 + int(chance(task) * 15)
    return Part(" ".join(f"{task.level}/{task.number}.{n}" for n in range(words)), *span(task))


def span(task: FoldTask) -> tuple[int, int]:
    return task.parts[0].first, task.parts[-1].last


def longer(task: FoldTask) -> Part:
    text = " ".join(p.text for p in task.parts)
    return Part(f"{text} and more and more and more", *span(task))


def moody(task: FoldTask) -> Part:
    return longer(task) if chance(task) < 0.3 else short(task)


def failing(task: FoldTask) -> Part | None:
    return None if chance(task) < 0.2 else short(task)


class Run:
    """A tree that was driven to its end."""

    def __init__(self, parts: Sequence[Part | None], model: Model, seed: int | None = None) -> None:
        self.tree = Tree(BUDGET, count)
        self.tasks: list[FoldTask] = []
        self.most = 0
        if seed is None:
            self._in_order(parts, model)
        else:
            self._in_disorder(parts, model, random.Random(seed))
        assert self.tree.over
        assert self.tree.ready() is None
        self.left = list(self.tree.left())

    def _in_order(self, parts: Sequence[Part | None], model: Model) -> None:
        for place, one in enumerate(parts):
            self.tree.add(place, one)
            self._fold_all(model)
        self.tree.close(len(parts))
        self._fold_all(model)

    def _fold_all(self, model: Model) -> None:
        self.most = max(self.most, len(self.tree))
        while task := self.tree.ready():
            self.tasks.append(task)
            self.tree.done(task, model(task))

    def _in_disorder(self, parts: Sequence[Part | None], model: Model, rng: random.Random) -> None:
        """Whatever may happen next happens by chance: a chunk ends, a fold, the reading."""
        todo: list[Callable[[], None]] = [
            lambda place=place, one=one: self.tree.add(place, one)  # type: ignore[misc]
            for place, one in enumerate(parts)
        ]
        todo.append(lambda: self.tree.close(len(parts)))
        while todo or not self.tree.over:
            if todo:
                todo.pop(rng.randrange(len(todo)))()
            while rng.random() < 0.7 and (task := self.tree.ready()):
                self.tasks.append(task)
                todo.append(lambda task=task: self.tree.done(task, model(task)))  # type: ignore[misc]

    @property
    def end(self) -> object:
        tree = self.tree
        named = {(task.level, task.number): task for task in self.tasks}
        assert len(named) == len(self.tasks)
        return named, tree.root, tree.finished, tree.failed, tree.stuck, self.left


@settings(max_examples=200, deadline=None)
@given(PARTS, SEEDS, st.sampled_from([short, longer, moody, failing]))
def test_the_folds_do_not_depend_on_the_order_of_arrival(
    sizes: list[int | None], seed: int, model: Model
) -> None:
    parts = parts_of(sizes)
    assert Run(parts, model, seed).end == Run(parts, model).end


@settings(max_examples=200, deadline=None)
@given(PARTS, st.sampled_from([short, longer, moody, failing]))
def test_every_fold_keeps_the_budget_and_has_two_parts_or_more(
    sizes: list[int | None], model: Model
) -> None:
    for task in Run(parts_of(sizes), model).tasks:
        assert len(task.parts) >= 2
        assert sum(map(count, task.parts)) <= BUDGET


@settings(max_examples=200, deadline=None)
@given(PARTS, st.sampled_from([short, longer, moody, failing]))
def test_numbers_run_from_1_in_the_documents_order(sizes: list[int | None], model: Model) -> None:
    levels: dict[int, list[FoldTask]] = {}
    for task in Run(parts_of(sizes), model).tasks:
        levels.setdefault(task.level, []).append(task)
    assert sorted(levels) == list(range(1, len(levels) + 1))
    for tasks in levels.values():
        assert [task.number for task in tasks] == list(range(1, len(tasks) + 1))
        assert all(a.first <= b.first for a, b in itertools.pairwise(tasks))


@settings(max_examples=200, deadline=None)
@given(PARTS)
def test_a_group_ends_only_where_the_next_part_does_not_fit(sizes: list[int | None]) -> None:
    small = [size if size is None else min(size, BUDGET // 2 - 2) for size in sizes]
    run = Run(parts_of(small), short)
    given_in = [one for one in parts_of(small) if one is not None]
    place = 0
    for task in (task for task in run.tasks if task.level == 1):
        assert task.parts == tuple(given_in[place : place + len(task.parts)])
        place += len(task.parts)
        if place < len(given_in):
            assert sum(map(count, [*task.parts, given_in[place]])) > BUDGET


@settings(max_examples=200, deadline=None)
@given(PARTS, st.sampled_from([short, failing]))
def test_nothing_is_lost_on_the_way(sizes: list[int | None], model: Model) -> None:
    """Every word of every chunk stands once in the root, or in what is left."""
    parts = parts_of(sizes)
    run = Run(parts, model)
    means: dict[str, list[str]] = {}  # what a fold's first word stands for

    def words(of: Sequence[Part]) -> list[str]:
        return [w for one in of for word in one.text.split() for w in means.get(word, [word])]

    for task in sorted(run.tasks, key=lambda task: task.level):
        if (result := model(task)) is not None:
            means[result.text.split()[0]] = words(task.parts)
    end = [run.tree.root] if run.tree.root else run.left
    assert [w for w in words(end) if w.startswith("w")] == words([p for p in parts if p])
    assert run.tree.finished == (run.left == [])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=3, max_size=60), SEEDS)
def test_a_model_that_ignores_its_limits_comes_to_an_end(sizes: list[int], seed: int) -> None:
    run = Run(parts_of(sizes), longer, seed)
    if not run.tree.finished:
        assert run.tree.stuck
        words = [word for one in run.left for word in one.text.split() if word.startswith("w")]
        assert words == [word for one in parts_of(sizes) if one for word in one.text.split()]
    pieces = sum(1 + size // (BUDGET // 8) for size in sizes)
    assert len(run.tasks) <= 1.5 * pieces


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, BUDGET // 2 - 2), max_size=60), SEEDS)
def test_answers_that_keep_their_limit_always_give_a_root(sizes: list[int], seed: int) -> None:
    run = Run(parts_of(sizes), short, seed)
    assert run.tree.finished
    assert not run.tree.stuck
    assert (run.tree.root is None) == (sizes == [])


def test_10_000_chunks_in_order_are_held_a_few_groups_at_a_time() -> None:
    parts = [part(n, 6) for n in range(1, 10_001)]
    run = Run(parts, short)
    levels = max(task.level for task in run.tasks)
    assert run.tree.finished
    assert run.most <= levels * 2 * (BUDGET // 3)
    assert len(run.tree) == 0


def test_folds_start_while_the_map_goes_on() -> None:
    tree = Tree(BUDGET, count)
    for place in range(5):
        tree.add(place, part(place + 1, 10))
    task = tree.ready()
    assert task is not None
    assert (task.level, task.number, task.first, task.last, task.final) == (1, 1, 1, 3, False)
    assert tree.ready() is None  # whether 4 and 5 have company is not known yet
    tree.close(5)
    second = tree.ready()
    assert second is not None
    assert (second.first, second.last) == (4, 5)
    tree.done(second, part(4, 3))
    assert tree.ready() is None
    tree.done(task, part(1, 3))
    last = tree.ready()
    assert last is not None
    assert (last.level, last.number, last.final) == (2, 1, True)
    assert not tree.over
    tree.done(last, root := part(1, 4))
    assert tree.finished
    assert tree.root == root


def test_what_fits_into_one_fold_is_folded_once() -> None:
    run = Run([part(1, 5), None, part(3, 5)], short)
    (task,) = run.tasks
    assert task.final
    assert [one.first for one in task.parts] == [1, 3]


def test_one_part_alone_is_the_root_however_large_it_is() -> None:
    alone = part(2, 500)
    run = Run([None, alone, None], short)
    assert run.tasks == []
    assert run.tree.root is alone


@pytest.mark.parametrize("places", [0, 1, 7])
def test_where_nothing_was_found_there_is_no_root(places: int) -> None:
    tree = Tree(BUDGET, count)
    for place in range(places):
        assert not tree.finished
        tree.add(place, None)
    assert not tree.finished
    tree.close(places)
    assert tree.finished
    assert tree.root is None


def test_a_part_without_company_goes_to_the_next_level_as_it_is() -> None:
    last = part(4, 10)
    run = Run([*(part(n, 10) for n in (1, 2, 3)), last], short)
    first, final = run.tasks
    assert last not in first.parts
    assert final.parts[-1] is last
    assert (final.level, final.final) == (2, True)


def test_a_failed_fold_leaves_its_parts_and_lets_the_others_go_on() -> None:
    parts = [part(n, 10) for n in range(1, 10)]
    run = Run(parts, lambda task: None if task.number == 2 else short(task))
    assert run.tree.failed
    assert not run.tree.finished
    assert not run.tree.stuck
    assert len(run.tasks) == 3
    assert run.left[1:4] == parts[3:6]
    assert [one.first for one in run.left] == [1, 4, 5, 6, 7]


def test_a_failed_last_fold_leaves_its_parts() -> None:
    parts = [part(1, 5), part(2, 5)]
    run = Run(parts, lambda task: None)
    assert run.tree.failed
    assert run.left == parts


def test_parts_that_are_larger_than_any_fold_still_end() -> None:
    run = Run([part(n, 3) for n in range(9)], short)
    assert run.tree.finished
    tree = Tree(2, count)  # less than a part with nothing in it
    for place in range(4):
        tree.add(place, part(place, 3))
    tree.close(4)
    assert tree.ready() is None
    assert tree.stuck
    assert [one.first for one in tree.left()] == [0, 1, 2, 3]


def test_a_result_that_comes_twice_is_refused() -> None:
    tree = Tree(BUDGET, count)
    tree.add(0, None)
    tree.add(2, part(3, 1))
    for place in (0, 2):
        with pytest.raises(ValueError, match="has its result"):
            tree.add(place, None)
    with pytest.raises(ValueError, match="fewer than the results"):
        tree.close(2)
    tree.close(3)
    with pytest.raises(ValueError, match="has its result"):
        tree.add(3, None)
    tree.add(1, part(2, 1))
    task = tree.ready()
    assert task is not None
    tree.done(task, part(2, 1))
    with pytest.raises((ValueError, IndexError)):
        tree.done(task, part(2, 1))
