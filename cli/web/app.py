"""The web application: which address answers what, and what is true of every answer."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import PurePath

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from llmbatch.jobs.browsing.below import NotThere

from .api import Api
from .assets import PAGE, static
from .guard import ENTERS, Guard
from .hub import Hub
from .replies import Unclear, refused


def application(guard: Guard, api: Api, hub: Hub) -> web.Application:
    """The page, its data and its WebSocket, for those whom the guard lets in."""
    app = web.Application(middlewares=[_guarded(guard)], client_max_size=1 << 16)
    app.router.add_get("/", _page(guard))
    app.router.add_get("/static/{name}", _file)
    app.router.add_get("/ws", hub.talk_to)
    for path, handler in api.routes().items():
        app.router.add_get(path, handler)

    async def protect(_: web.Request, response: web.StreamResponse) -> None:
        for name, value in guard.headers.items():
            response.headers[name] = value

    app.on_response_prepare.append(protect)
    return app


def _guarded(guard: Guard) -> Middleware:
    @web.middleware
    async def let_in(request: web.Request, handler: Handler) -> web.StreamResponse:
        if (why := guard.refusal(request)) is not None:
            return refused(403, why)
        try:
            return await handler(request)
        except web.HTTPException as error:
            return refused(error.status, error.reason.lower())
        except NotThere as error:
            return refused(404, str(error))
        except Unclear as error:
            return refused(400, str(error))
        except (asyncio.CancelledError, ConnectionError):
            raise
        except Exception as error:  # noqa: BLE001 -- one request's, and no other's
            return refused(500, _bug(error))

    return let_in


def _bug(error: Exception) -> str:
    """The type and the place alone: the error's own text may hold a prompt."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{PurePath(frame.filename).name}:{frame.lineno}"
    return f"this is a bug in llmbatch: {type(error).__name__} at {place}"


def _page(guard: Guard) -> Handler:
    async def page(request: web.Request) -> web.StreamResponse:
        if not request.get(ENTERS):
            return _static(PAGE)
        if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site"):
            # Behind a link from elsewhere a redirect would come without the cookie.
            response = _static(PAGE)
        else:
            response = web.Response(status=303, headers={"Location": "/"})
        guard.admit(response)
        return response

    return page


async def _file(request: web.Request) -> web.StreamResponse:
    return _static(request.match_info["name"])


def _static(name: str) -> web.Response:
    found = static(name)
    if found is None:
        return refused(404, f"there is no file {name!r}")
    body, kind = found
    return web.Response(body=body, content_type=kind, charset="utf-8")
