# SPDX-License-Identifier: Apache-2.0
"""The HTTP server: routes, bearer token, one form of error answer, headers. Loopback unless configured otherwise."""

import hmac
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from kiezbox_gateway.store.rows import StoreError
from kiezbox_gateway.web import api, metrics, page

if TYPE_CHECKING:
    from kiezbox_gateway.gateway import Gateway

BODY_LENGTH_MAX = 65_536
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
GATEWAY: web.AppKey["Gateway"] = web.AppKey("gateway")

log = structlog.get_logger(part="web")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def error_answer(status: int, sentence: str) -> web.Response:
    """The one form of an error."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return web.json_response({"error": sentence}, status=status, headers=headers)


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Token for /api, errors as JSON, headers on everything."""
    if request.path.startswith("/api/") and not _has_token(request):
        response: web.StreamResponse = error_answer(401, "a valid bearer token is required")
    else:
        try:
            response = await handler(request)
        except api.ApiError as error:
            response = error_answer(error.status, str(error))
        except web.HTTPException as error:
            response = error_answer(error.status, error.reason)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        except StoreError as error:
            log.error("request_failed", path=request.path, reason=error.reason)
            response = error_answer(503, f"the store is not usable ({error.reason})")
        except Exception as error:  # noqa: BLE001  No request may end the gateway or show a traceback.
            log.error("request_failed", path=request.path, reason=type(error).__name__)
            response = error_answer(500, "internal error")
    response.headers.update(HEADERS)
    return response


def _has_token(request: web.Request) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    expected = request.app[GATEWAY].token
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), expected.encode())


def make_application(gateway: "Gateway") -> web.Application:
    """All routes."""
    application = web.Application(middlewares=[guard], client_max_size=BODY_LENGTH_MAX)
    application[GATEWAY] = gateway
    for method, path, handler in (*api.ROUTES, *metrics.ROUTES, *page.ROUTES):
        application.router.add_route(method, path, _with_gateway(handler))
    return application


def _with_gateway(handler: "Callable[[Gateway, web.Request], Awaitable[web.Response]]") -> Handler:
    async def call(request: web.Request) -> web.StreamResponse:
        return await handler(request.app[GATEWAY], request)

    return call


class WebServer:
    """Start it, close it."""

    def __init__(self, gateway: "Gateway") -> None:
        self._settings = gateway.configuration.web
        self._runner = web.AppRunner(
            make_application(gateway),
            access_log=None,
            handle_signals=False,
            keepalive_timeout=15.0,
            shutdown_timeout=2.0,
        )

    async def start(self) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port, backlog=32)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()
