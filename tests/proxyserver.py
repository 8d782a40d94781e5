"""An HTTP proxy on a loopback socket: it notes what it is told, and tunnels where that is wanted.

    async with ProxyServer(upstream=("127.0.0.1", port)) as proxy:
        ...                               # with http_proxy or https_proxy set to proxy.url
        assert b"Proxy-Authorization" in proxy.heads[0]

Every name leads to ``upstream``; without one, all that comes is refused with 407.
"""

from __future__ import annotations

import asyncio

HEAD_END = b"\r\n\r\n"


class ProxyServer:
    """The proxy; ``heads`` are the heads that came, whole."""

    def __init__(self, upstream: tuple[str, int] | None = None) -> None:
        self.heads: list[bytes] = []
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._busy: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"ProxyServer(heads={len(self.heads)}, upstream={self._upstream})"

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``"""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def __aenter__(self) -> ProxyServer:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._busy:
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(HEAD_END)
            self.heads.append(head)
            if self._upstream is None or not head.startswith(b"CONNECT "):
                writer.write(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0" + HEAD_END)
                return
            upstream = await asyncio.open_connection(*self._upstream)
            writer.write(b"HTTP/1.1 200 Connection established" + HEAD_END)
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass_on(reader, upstream[1]))
                group.create_task(_pass_on(upstream[0], writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
