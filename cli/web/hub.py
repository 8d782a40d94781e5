"""The WebSocket: what each browser is told, and what it asks for."""

from __future__ import annotations

from typing import Any

from aiohttp import WSMsgType, web

from .replies import as_line

HEARTBEAT_S = 20.0
LONGEST = 4 << 20
"""Bytes of a message from a browser: a chat with all that was said in it."""


class Hub:
    """All browsers that look at this server; ``hello`` is what each is told first."""

    def __init__(self, hello: dict[str, Any]) -> None:
        self._hello = hello

    def __repr__(self) -> str:
        return "Hub()"

    async def talk_to(self, request: web.Request) -> web.StreamResponse:
        """One browser, until it goes."""
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, max_msg_size=LONGEST, compress=False, autoping=True
        )
        await socket.prepare(request)
        await socket.send_str(as_line(self._hello))
        async for message in socket:
            if message.type != WSMsgType.TEXT:
                break
        return socket
