"""One budget for all processes of a host: a small file, changed under a lock."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import weakref
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from ..errors import ConfigError, SinkError
from .budget import REVIEW
from .joint import SIZE, Bounds, Damaged, Joint

if sys.platform != "win32":
    import fcntl

FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)

BUSY = 0.002
"""About how long, in seconds, to leave a lock alone that somebody holds for some microseconds."""

LOT = 0.05
"""The most seconds by which turns are drawn by lot, so that no process is always the first."""


def shared_path(environ: Mapping[str, str], name: str, provider: str) -> Path:
    """Where the budget ``name`` of a provider is kept: under the user's state folder."""
    state = Path(environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():  # its specification: a relative one is to be ignored
        home = environ.get("HOME")
        state = (Path(home) if home else Path("~").expanduser()) / ".local" / "state"
    return state / "llmbatch" / "limits" / f"{name}.{quote(provider, safe='')}"


class SharedBudget:
    """An :class:`.own.Budget` of many: takes from the joint one within this process's own limits.

    What that comes to says :class:`.joint.Joint`. A holder of the lock that is killed gives it
    back, and leaves the state as it was before or after its one write.
    """

    __slots__ = ("__weakref__", "_bounds", "_fd", "_late", "_path", "_seen")

    def __init__(self, path: Path) -> None:
        """Raises :class:`..errors.ConfigError` where the file can't be used."""
        if sys.platform == "win32":
            raise ConfigError("--shared-limit needs file locks that this system does not have")
        self._path = path
        self._bounds = Bounds.of(None, None)
        self._late: list[tuple[int, int]] = []
        self._seen = (0, 0)
        self._fd = _opened(path)
        weakref.finalize(self, os.close, self._fd)
        try:
            if self._lock():
                try:
                    self._write(self._read())
                finally:
                    self._unlock()
        except Damaged as error:
            raise ConfigError(
                f"{path}: {error}: delete it when no run uses it, or give --shared-limit another "
                "name"
            ) from None
        except OSError as error:
            raise _unusable(path, error) from error

    @property
    def free(self) -> bool:
        """Never: what goes out is booked for the others, limit or not."""
        return False

    def limit(self, rpm: float | None, tpm: float | None, now: float) -> None:  # noqa: ARG002
        """The limits of this process are others from now on; the file knows the last minute."""
        self._bounds = Bounds.of(rpm, tpm)

    async def pay(self, tokens: int) -> tuple[int, int]:
        """Wait until a request of so many tokens may go; returns its key, and what was booked.

        Raises :class:`..errors.SinkError` where the file fails.
        """
        now = asyncio.get_running_loop().time
        while True:
            key, wait = self._try(tokens, now())
            if key is not None:
                return key, tokens
            await asyncio.sleep(wait)

    def pay_now(self, tokens: int) -> tuple[int, int] | None:  # noqa: ARG002
        """The file is asked once for each request, by whoever is ready to wait."""
        return None

    def before(self, number: int, sent: float, now: float) -> tuple[int, int]:  # noqa: ARG002
        """Joint requests and tokens of the last minute, as they were last seen."""
        return self._seen

    def settle(self, key: int, booked: int, real: int, now: float) -> None:  # noqa: ARG002
        """Replace what was booked by the tokens that were used; at the latest as the next pays."""
        if booked == real:
            return
        self._late.append((key, real - booked))
        try:
            if self._lock():
                try:
                    self._write(self._corrected(self._read()))
                finally:
                    self._unlock()
        except (OSError, Damaged):
            pass  # the next take says so

    def _try(self, amount: int, now: float) -> tuple[int | None, float]:
        """The key of a booking, or None and the seconds after which to try again."""
        try:
            if not self._lock():
                return None, BUSY * (0.5 + random.random())
            try:
                joint = self._corrected(self._read())
                wait = joint.wait(amount, self._bounds, now)
                self._seen = joint.within()
                if wait > 0:
                    # What others settle meanwhile may make room earlier.
                    nap = wait if self._bounds.tpm is None else min(wait, REVIEW)
                    return None, nap + self._lot()
                key = joint.book(amount, now)
                self._write(joint)
                return key, 0.0
            finally:
                self._unlock()
        except (OSError, Damaged) as error:
            raise SinkError(
                f"{self._path}: the budget of --shared-limit can't be kept there any more "
                f"({getattr(error, 'strerror', None) or error})"
            ) from error

    def _corrected(self, joint: Joint) -> Joint:
        for key, difference in self._late:
            joint.correct(key, difference, self._bounds.tpm)
        return joint

    def _lot(self) -> float:
        rate = self._bounds.requests[1]
        return random.random() * (min(LOT, 0.25 / rate) if rate else LOT / 10)

    def _lock(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _read(self) -> Joint:
        return Joint.unpack(os.pread(self._fd, SIZE + 1, 0))

    def _write(self, joint: Joint) -> None:
        data = joint.pack()
        if os.pwrite(self._fd, data, 0) != len(data):
            raise OSError(None, "the disk is full")
        self._late.clear()

    def __repr__(self) -> str:
        return f"<SharedBudget: {self._path}, {self._bounds.rpm} and {self._bounds.tpm} a minute>"


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, FLAGS, 0o600)
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{path}: the budget of --shared-limit can't be kept there ({error.strerror}): make that "
        "possible, or set XDG_STATE_HOME to a folder where it is"
    )
