"""Who may speak to the server: this user's own browser, from the server's own page.

It is bound to loopback, where every user of the host and every page in every browser can reach it.
Against the users stands a token, against the pages the names of where a request goes (``Host``: a
name that was rebound to 127.0.0.1 is none of ours) and comes from (``Origin``, ``Sec-Fetch-Site``).
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Mapping

from aiohttp import web

LOGIN_S = 60.0
"""Seconds in which the code of :meth:`Guard.login` has to be used."""

ENTERS: web.RequestKey[bool] = web.RequestKey("enters", bool)
"""Set on a request whose address holds the token, and which is to have the cookie."""

_NAMES = ("127.0.0.1", "localhost")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {sockets}; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "llmbatch",
}
_ELSEWHERE = "requests of other pages are not answered"


class Guard:
    """The token of one server at one port, and the names that the port goes by.

    ``headers`` are those of every answer.
    """

    __slots__ = ("_codes", "_hosts", "cookie", "headers", "token")

    def __init__(self, port: int) -> None:
        self.token = secrets.token_urlsafe(32)
        self.cookie = f"llmbatch-{port}"  # a browser sends one port's cookies to all of a host
        ends = (f":{port}", "") if port == 80 else (f":{port}",)
        self._hosts = frozenset(name + end for name in _NAMES for end in ends)
        self._codes: dict[str, float] = {}
        # Not all browsers take a WebSocket of the same origin for 'self'.
        sockets = " ".join(f"ws://{name}:{port}" for name in _NAMES)
        self.headers: Mapping[str, str] = {
            "Content-Security-Policy": _POLICY.format(sockets=sockets),
            **_HEADERS,
        }

    def __repr__(self) -> str:
        return f"<Guard {self.cookie}>"

    def login(self) -> str:
        """A code that stands for the token once: a browser's command line is for all to read."""
        code = secrets.token_urlsafe(32)
        self._codes[code] = time.monotonic() + LOGIN_S
        return code

    def refusal(self, request: web.Request) -> str | None:
        """Why this request is not answered; None where it is."""
        host = request.headers.get("Host", "").lower()
        if host not in self._hosts:
            return "this server does not go by that name"
        if _of_another_page(request, f"http://{host}"):
            return _ELSEWHERE
        if not self._known(request):
            return "open the address that `llmbatch serve` printed: it holds a token"
        return None

    def admit(self, response: web.StreamResponse) -> None:
        """Have the browser show the token by itself from now on; no script can read it."""
        response.set_cookie(self.cookie, self.token, httponly=True, samesite="Strict", path="/")

    def _known(self, request: web.Request) -> bool:
        asked = request.query.get("token", "")
        if self._same(asked) or (request.path == "/" and self._redeem(asked)):
            request[ENTERS] = True
            return True
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return self._same(request.cookies.get(self.cookie, "")) or self._same(bearer)

    def _redeem(self, code: str) -> bool:
        return self._codes.pop(code, 0.0) >= time.monotonic()

    def _same(self, given: str) -> bool:
        """In the same time whatever is wrong."""
        return hmac.compare_digest(given.encode(errors="replace"), self.token.encode())


def _of_another_page(request: web.Request, ours: str) -> bool:
    """A WebSocket and whatever changes something have to say where they come from."""
    origin = request.headers.get("Origin")
    if origin is not None:
        return origin.lower() != ours
    if request.method not in ("GET", "HEAD") or "Upgrade" in request.headers:
        return True
    if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
        # A link may lead here; nothing else may, least of all from another port of this host.
        return request.path != "/" or request.headers.get("Sec-Fetch-Dest") != "document"
    return False
