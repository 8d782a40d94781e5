"""The server's life: a port of the loopback interface, until a signal ends it."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import webbrowser
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from threading import Thread

from aiohttp import web
from msgspec import Struct

from llmbatch.jobs.config import JobConfig
from llmbatch.jobs.errors import ConfigError
from llmbatch.jobs.manifest.manifest import versions

from .api import Api
from .app import application
from .board import Board
from .chats import Models
from .guard import Guard
from .hub import Hub
from .reports import Reports
from .shelf import Shelf

ADDRESS = "127.0.0.1"
PORT = 8642
TRIED = 20
"""How many ports are tried, upwards, where none was asked for; after that any will do."""

ENDING_S = 1.0
"""Seconds that open connections get to end."""

_ENDS = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}


class Serving(Struct, frozen=True, kw_only=True):
    """What is served and how: ``port`` None is the first free one from :data:`PORT` on."""

    folder: Path
    config: JobConfig
    port: int | None = None
    open_browser: bool = False


class Place(Struct, frozen=True):
    """Where a server is to be found, and by whom."""

    port: int
    guard: Guard

    @property
    def root(self) -> str:
        return f"http://{ADDRESS}:{self.port}/"

    @property
    def url(self) -> str:
        """The address to open; who has it is let in."""
        return f"{self.root}?token={self.guard.token}"


async def serve(serving: Serving, announce: Callable[[str], None]) -> int:
    """Serve until a signal comes; its exit code. ``announce`` is told the URL.

    Raises ConfigError where nothing can be served.
    """
    ended = _signals()
    async with opened(serving) as place:
        announce(place.url)
        if serving.open_browser:
            once = f"{place.root}?token={place.guard.login()}"
            # Some browsers hold on to who calls them, as long as they are open.
            Thread(target=_browse, args=(once,), daemon=True).start()
        return await ended


def _browse(url: str) -> None:
    with suppress(webbrowser.Error, OSError, ValueError):  # whoever has none has the address
        webbrowser.open(url)


@asynccontextmanager
async def opened(
    serving: Serving, environ: Mapping[str, str] | None = None
) -> AsyncGenerator[Place, None]:
    """The server, until it is closed again. Raises ConfigError."""
    environ = os.environ if environ is None else environ
    listener = listen(serving.port)
    async with AsyncExitStack() as stack:
        stack.callback(listener.close)
        place = Place(listener.getsockname()[1], Guard(listener.getsockname()[1]))
        shelf = Shelf(serving.folder, serving.config, environ)
        reports = Reports(shelf.folder, environ)
        stack.push_async_callback(reports.aclose)
        models = await Models.opened(serving.config, environ, stack)
        hello = {
            "type": "hello",
            "version": versions()[0],
            "folder": str(shelf.folder.root),
            "chat": models.described(),
        }
        hub = Hub(hello, Board(shelf, environ), models, environ)
        runner = web.AppRunner(
            application(place.guard, Api(shelf, reports), hub),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=ENDING_S,
            logger=_silent(),
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(hub.aclose)
        await web.SockSite(runner, listener).start()
        yield place


def listen(port: int | None) -> socket.socket:
    """A socket that listens on loopback alone. Raises ConfigError."""
    ports = [port] if port is not None else [*range(PORT, PORT + TRIED), 0]
    for number in ports:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((ADDRESS, number))
            listener.listen(128)
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE or number == ports[-1]:
                raise ConfigError(_why_not(number, error)) from None
        else:
            listener.setblocking(False)
            return listener
    raise AssertionError("the last port was taken or refused")


def _why_not(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"--port {port}: another program listens there; name another, or leave it out"
    return f"--port {port}: can't listen there: {error.strerror}"


def _signals() -> asyncio.Future[int]:
    """The exit code of the first signal that ends the server; one that is ignored stays so."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def end(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    for name, code in _ENDS.items():
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, end, code)
    return ended


def _silent() -> logging.Logger:
    """Who sends what is no HTTP is told so; nobody else has to read of it."""
    logger = logging.getLogger("llmbatch.web")
    logger.disabled = True
    return logger
