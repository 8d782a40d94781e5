"""The collector looks for cycles the more rarely the more rows may be in flight."""

import gc
from collections.abc import Iterator

import pytest

from llmbatch.jobs.config import JobConfig, ProviderConfig
from llmbatch.jobs.garbage import OF_A_ROW, SPARE, in_flight_at_most, look_rarely


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


def test_there_is_no_look_while_all_rows_in_flight_are_made() -> None:
    look_rarely(10_000)
    assert gc.isenabled(), "cycles of rows that fail are found in the end"
    assert gc.get_threshold()[0] == SPARE + 10_000 * OF_A_ROW
    looks: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        looks.append(info["generation"])

    gc.callbacks.append(note)
    try:
        kept = [[number] for number in range(10_000 * OF_A_ROW)]
        assert not looks
        kept += [[number] for number in range(2 * SPARE)]
        assert looks
    finally:
        gc.callbacks.remove(note)
    assert kept


@pytest.mark.parametrize(
    ("config", "most"),
    [
        (JobConfig(inputs=("x",)), 256),
        (JobConfig(inputs=("x",), concurrency=10_000), 10_000),
        (JobConfig(inputs=("x",), concurrency="auto", max_concurrency=5000), 5000),
        (
            JobConfig(
                inputs=("x",),
                providers={"a": ProviderConfig(concurrency=700), "b": ProviderConfig()},
            ),
            700,
        ),
    ],
)
def test_what_may_be_in_flight_is_what_any_route_allows(config: JobConfig, most: int) -> None:
    assert in_flight_at_most(config) == most
