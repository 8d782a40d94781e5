"""Room for connections: each one is an open file, and a process may have only so many."""

from __future__ import annotations

from contextlib import suppress

from .errors import ConfigError

OTHERS = 64
"""Files that are open beside the connections, generously."""


def make_room(connections: int) -> None:
    """Raise the process's limit on open files as far as needed.

    Raises :class:`.errors.ConfigError` where the system does not allow that many.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + OTHERS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise ConfigError(
            f"--concurrency {connections} needs {wanted} open files, and the system allows"
            f" {hard}: lower it, or raise the limit (ulimit -n)"
        )
    with suppress(OSError, ValueError):  # macOS has a lower limit that it does not tell
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
