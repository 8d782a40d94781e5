"""Room for connections: each one is an open file, and a process may have only so many."""

from __future__ import annotations

import sys

from .errors import ConfigError

OTHERS = 64
"""Files that are open beside the connections, generously."""


def make_room(connections: int) -> None:
    """Raise the process's limit on open files where it is too low, up to the hard limit.

    Raises :class:`.errors.ConfigError` where the system does not allow that many.
    """
    files = connections + OTHERS
    allowed = _raise_limit(files)
    if allowed < files:
        raise ConfigError(
            f"--concurrency {connections} needs {files} open files, and the system allows"
            f" {allowed}: lower it, or raise the hard limit of this process (`ulimit -Hn` shows"
            f" it): root may with `ulimit -n {files}`, in /etc/security/limits.conf (nofile), with"
            f" LimitNOFILE={files} in a systemd unit, or with docker run --ulimit nofile={files}"
        )


def room_for(connections: int) -> int:
    """Raise the limit likewise, as far as it goes; how many of ``connections`` fit, at least 1."""
    return max(1, min(connections, _raise_limit(connections + OTHERS) - OTHERS))


def _raise_limit(files: int) -> int:
    """How many files may be open from now on: fewer than ``files`` where the system says so."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return sys.maxsize
    unlimited = resource.RLIM_INFINITY
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == unlimited:
        return sys.maxsize
    if soft >= files:
        return soft

    def set_to(value: int) -> bool:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (value, hard))
        except (OSError, ValueError):
            return False
        return True

    for goal in (hard, files):
        if goal != unlimited and set_to(goal):
            return goal
    # macOS allows less than its hard limit (kern.maxfilesperproc), and does not tell it here.
    refused = files
    while refused - soft > 1:
        middle = (soft + refused) // 2
        if set_to(middle):
            soft = middle
        else:
            refused = middle
    return soft
