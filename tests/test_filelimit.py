"""The limit on open files is raised where it can be, and named where it can't."""

import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest

from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.filelimit import OTHERS, make_room, room_for


@pytest.fixture(autouse=True)
def limits() -> Iterator[tuple[int, int]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield soft, hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def soft_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_a_low_limit_is_raised_as_far_as_needed(limits: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    make_room(500)
    assert soft_limit() == 500 + OTHERS


def test_a_limit_that_is_high_enough_is_left_alone() -> None:
    before = soft_limit()
    make_room(1)
    assert soft_limit() == before


def test_more_than_the_system_allows_is_refused(limits: tuple[int, int]) -> None:
    if limits[1] == resource.RLIM_INFINITY:
        pytest.skip("this system sets no upper limit on open files")
    with pytest.raises(ConfigError, match=rf"the system allows {limits[1]}: lower it, or raise"):
        make_room(limits[1])


def test_as_many_as_are_wanted_fit_where_the_limit_can_be_raised(limits: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    assert room_for(500) == 500
    assert soft_limit() == 500 + OTHERS
    assert room_for(10) == 10
    assert soft_limit() == 500 + OTHERS, "never lowered"


def test_fewer_fit_where_the_system_allows_no_more() -> None:
    code = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (80, 100))\n"
        "from llmbatch.jobs.filelimit import room_for\n"
        "print(room_for(256), resource.getrlimit(resource.RLIMIT_NOFILE)[0], room_for(8))\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
        "print(room_for(256))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == [str(100 - OTHERS), "100", "8", "1"], done.stderr
