"""Room for connections: each one is an open file, and a process may have only so many."""

from __future__ import annotations

from .errors import ConfigError

OTHERS = 64
"""Files that are open beside the connections, generously."""


def make_room(connections: int) -> None:
    """Raise the process's limit on open files as far as needed.

    Raises :class:`.errors.ConfigError` where the system does not allow that many.
    """
    allowed = _raise_limit(connections + OTHERS)
    if allowed is not None:
        raise ConfigError(
            f"--concurrency {connections} needs {connections + OTHERS} open files, and the system"
            f" allows {allowed}: lower it, or raise the limit (ulimit -n)"
        )


def room_for(connections: int) -> int:
    """Raise the limit as far as needed or allowed; how many of ``connections`` fit, at least 1."""
    allowed = _raise_limit(connections + OTHERS, partly=True)
    return connections if allowed is None else max(1, min(connections, allowed - OTHERS))


def _raise_limit(files: int, *, partly: bool = False) -> int | None:
    """None where so many files may be open from now on, else how many the system allows.

    ``partly`` raises the limit as far as that in the second case, too.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= files:
        return None
    enough = hard == resource.RLIM_INFINITY or hard >= files
    if not enough and not partly:
        return hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files if enough else hard, hard))
    except (OSError, ValueError):  # macOS has a lower limit that it does not tell
        return soft if partly else None
    return None if enough else hard
