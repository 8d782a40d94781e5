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
    setrlimit = resource.setrlimit
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield soft, hard
    setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Mac:
    """A system whose limit stands nowhere: it refuses what is above."""

    most = 10_240

    def __init__(self) -> None:
        self.soft = 256
        self.hard = resource.RLIM_INFINITY

    def getrlimit(self, _: int) -> tuple[int, int]:
        return self.soft, self.hard

    def setrlimit(self, _: int, limits: tuple[int, int]) -> None:
        if limits[0] > self.most:
            raise ValueError("current limit exceeds maximum limit")
        self.soft = limits[0]


@pytest.fixture
def mac(limits: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> Mac:
    system = Mac()
    monkeypatch.setattr(resource, "getrlimit", system.getrlimit)
    monkeypatch.setattr(resource, "setrlimit", system.setrlimit)
    return system


def soft_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_a_low_limit_is_raised_to_the_hard_limit(limits: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, limits[1]))
    make_room(500)
    assert soft_limit() == limits[1]


def test_without_a_hard_limit_it_is_raised_as_far_as_needed(mac: Mac) -> None:
    make_room(500)
    assert mac.soft == 500 + OTHERS


def test_a_limit_that_the_system_does_not_tell_is_found(mac: Mac) -> None:
    """As macOS has it: no hard limit, and no more than kern.maxfilesperproc all the same."""
    with pytest.raises(ConfigError, match=f"the system allows {mac.most}: lower it"):
        make_room(20_000)
    assert mac.soft == mac.most
    assert room_for(20_000) == mac.most - OTHERS


def test_a_hard_limit_above_what_the_system_allows_is_no_hindrance(mac: Mac) -> None:
    mac.hard = 1_000_000
    make_room(2000)
    assert mac.soft == 2000 + OTHERS


def test_a_system_without_such_limits_has_room_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)  # Windows
    make_room(1_000_000)
    assert room_for(1_000_000) == 1_000_000


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
    assert soft_limit() == limits[1]
    assert room_for(10) == 10
    assert soft_limit() == limits[1], "never lowered"


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
