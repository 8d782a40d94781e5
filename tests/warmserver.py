"""A process in which the command's imports are done; it forks itself for each command.

Started by ``warm.py`` as ``warmserver.py FD``, with a Unix socket that keeps messages apart. A
message is one command as JSON (``args``, ``cwd``, ``env``, ``umask``), and with it four
descriptors: where to answer, and the standard streams. What is answered are two lines: the pid,
and, once the process has ended, its code as :mod:`subprocess` has it.

The child is made to be what a new interpreter would be: a session of its own, only the three
descriptors, the environment, streams made anew over what they are now, ``sitecustomize`` of a
``PYTHONPATH``, no handler of a signal; and it ends as the script does, by the end of this file.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import os
import select
import signal
import socket
import sys
from typing import Any, NamedTuple

LOADED = (
    "encodings.idna",
    "llmbatch.cli.analyze",
    "llmbatch.cli.config",
    "llmbatch.cli.plan",
    "llmbatch.cli.run",
    "llmbatch.cli.verify",
    "llmbatch.cli.verifyfigures",
    "llmbatch.jobs.analysis",
    "llmbatch.jobs.planning.run",
    "llmbatch.jobs.providers.anthropic",
    "llmbatch.jobs.providers.gemini",
    "llmbatch.jobs.providers.openai",
    "llmbatch.jobs.providers.opening",
    "llmbatch.jobs.settings.document",
    "llmbatch.jobs.structured.asking",
    "llmbatch.jobs.verification.verification",
    "sqlite3",
    "tqdm",
    "uvloop",
)
"""What most commands load; which of it a command would load is tested with new interpreters."""


class Asked(NamedTuple):
    """One command: what was sent, and its descriptors."""

    what: dict[str, Any]
    answer: int
    streams: list[int]


def serve(control: socket.socket) -> Asked | None:
    """None at the end; in a child, what it was forked for."""
    awake, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    answers: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([control, awake], [], [])
        if awake in ready:
            os.read(awake, 4096)
            _collect(answers)
        if control not in ready:
            continue
        data, fds, _, _ = socket.recv_fds(control, 1 << 18, 4)
        if not data:
            return None
        asked = Asked(json.loads(data), fds[0], fds[1:])
        pid = os.fork()
        if not pid:
            control.detach()
            return asked
        answers[pid] = asked.answer
        for fd in asked.streams:
            os.close(fd)


def _collect(answers: dict[int, int]) -> None:
    """Tell of every child that has ended."""
    while answers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        answer = answers.pop(pid)
        with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
            os.write(answer, b"%d\n" % os.waitstatus_to_exitcode(status))
        os.close(answer)


def become(asked: Asked) -> None:
    """Make this child the process that was asked for."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    os.write(asked.answer, b"%d\n" % os.getpid())
    for number, fd in enumerate(asked.streams):
        os.dup2(fd, number)
    os.closerange(3, max(map(int, os.listdir("/proc/self/fd"))) + 1)
    what = asked.what
    os.chdir(what["cwd"])
    if what["umask"] is not None:
        os.umask(what["umask"])
    os.environ.clear()
    os.environ.update(what["env"])
    sys.argv[:] = what["args"]
    sys.stdin, sys.stdout, sys.stderr = _stream(0, "r"), _stream(1, "w"), _stream(2, "w")
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr  # type: ignore[misc]
    sys.dont_write_bytecode = bool(what["env"].get("PYTHONDONTWRITEBYTECODE"))
    sys.path.insert(0, os.path.dirname(what["args"][0]))
    for place in reversed(what["env"].get("PYTHONPATH", "").split(os.pathsep)):
        if place:
            sys.path.insert(1, place)
            with contextlib.suppress(ModuleNotFoundError):
                importlib.import_module("sitecustomize")


def _stream(fd: int, mode: str) -> io.TextIOWrapper:
    """As Python makes it when it starts (``create_stdio`` of ``pylifecycle.c``)."""
    old = (sys.__stdin__, sys.__stdout__, sys.__stderr__)[fd]
    assert old is not None
    lines = fd == 2 or os.isatty(fd)
    buffer = open(fd, f"{mode}b", closefd=False)  # noqa: SIM115 -- open to the end
    return io.TextIOWrapper(
        buffer, encoding=old.encoding, errors=old.errors, newline="\n", line_buffering=lines
    )


if __name__ == "__main__":
    for name in LOADED:
        with contextlib.suppress(ModuleNotFoundError):  # an extra that is not here
            importlib.import_module(name)
    from llmbatch.cli.main import main

    gc.freeze()  # what is shared stays shared: a child that looks for garbage does not touch it
    asked = serve(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        become(asked)
        sys.exit(main())
