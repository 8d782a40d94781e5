"""The socket on which a job is watched: who may come in, and how many."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from .place import UNREADY, Runtime

WAITING = 16
"""Who may wait at the door."""

AT_ONCE = 50
"""Who may come in until :meth:`Door.rest` is called again: a storm is not let in."""

_CREDENTIALS = struct.Struct("3i")  # pid, uid and gid: struct ucred of unix(7)


class Door:
    """Listens in ``runtime`` under ``name``; ``enter`` is given each connection of our own user.

    It takes no part in how the loop ends: what is in the folder is removed by :meth:`close`.
    """

    def __init__(self, runtime: Runtime, name: str, enter: Callable[[socket.socket], None]) -> None:
        self._runtime = runtime
        self._name = name
        self._enter = enter
        self._entered = 0
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen. Raises OSError.

        It gets its name when it listens: a socket of that name that refuses is a dead one.
        """
        runtime, unready = self._runtime, self._name + UNREADY
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.setblocking(False)
            listening.bind(runtime.address(unready))
            try:
                runtime.chmod(unready, 0o600)
                listening.listen(WAITING)
                runtime.rename(unready, self._name)
            except BaseException:
                runtime.remove(unready)
                raise
        except BaseException:
            listening.close()
            raise
        self._socket, self._loop = listening, loop
        loop.add_reader(listening, self._knock)

    def _knock(self) -> None:
        if self._socket is None or self._loop is None:
            return
        self._entered += 1
        if self._entered > AT_ONCE:
            self._loop.remove_reader(self._socket)
            return
        try:
            connection, _ = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return
        except OSError:  # no descriptor is left: the job needs those more than we do
            self._entered = AT_ONCE + 1
            self._loop.remove_reader(self._socket)
            return
        connection.setblocking(False)
        if _is_ours(connection):
            self._enter(connection)
        else:
            connection.close()

    def rest(self) -> None:
        """A second has passed."""
        entered, self._entered = self._entered, 0
        if entered > AT_ONCE and self._socket is not None and self._loop is not None:
            self._loop.add_reader(self._socket, self._knock)

    def close(self) -> None:
        """Safe to call twice."""
        listening, self._socket = self._socket, None
        if listening is None:
            return
        if self._loop is not None and not self._loop.is_closed():
            with suppress(OSError, ValueError):
                self._loop.remove_reader(listening)
        self._runtime.remove(self._name)
        listening.close()

    def __repr__(self) -> str:
        return f"<Door {self._name} in {self._runtime!r}>"


def _is_ours(connection: socket.socket) -> bool:
    """The folder keeps others out; where the system tells who it is, nobody else comes in."""
    peer = getattr(socket, "SO_PEERCRED", None)
    if peer is None:
        return True
    try:
        data = connection.getsockopt(socket.SOL_SOCKET, peer, _CREDENTIALS.size)
    except OSError:
        return False
    _, uid, _ = _CREDENTIALS.unpack(data)
    return bool(uid == os.geteuid())
