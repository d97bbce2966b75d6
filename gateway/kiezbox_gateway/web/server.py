# SPDX-License-Identifier: Apache-2.0
"""The HTTP server: routes, who may use them, one form of error answer, headers. Loopback unless configured otherwise.

What is refused before any handler: an unknown name in Host, a missing or insufficient token, too many failed attempts,
too many orders. Slow and idle clients are cut off by `connections`.
"""

import logging
import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from kiezbox_gateway import language
from kiezbox_gateway.gateway import Gateway
from kiezbox_gateway.store.rows import StoreError
from kiezbox_gateway.tokens import Role
from kiezbox_gateway.web import api, metrics, orders, page
from kiezbox_gateway.web.access import SESSION_COOKIE, Access
from kiezbox_gateway.web.connections import ConnectionLimits
from kiezbox_gateway.web.request import ACCESS, CALLER, ApiError, Route, error_answer

BODY_LENGTH_MAX = 65_536
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src data:;"
        " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
SLOW_METHODS = ("DELETE",)
ROUTES: tuple[Route, ...] = (*api.ROUTES, *orders.ROUTES, *metrics.ROUTES, *page.ROUTES)

log = structlog.get_logger(part="web")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Server:
    """The routes of one gateway behind one guard."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._access = Access(
            gateway.tokens, (gateway.configuration.web.host, *gateway.configuration.web.allowed_hosts)
        )
        self.connections = ConnectionLimits()
        self.application = web.Application(middlewares=[self._guard], client_max_size=BODY_LENGTH_MAX)
        self.application[ACCESS] = self._access
        for route in ROUTES:
            self.application.router.add_route(route.method, route.path, self._handler(route))

    def _handler(self, route: Route) -> Handler:
        async def call(request: web.Request) -> web.StreamResponse:
            if route.role is not None:
                self._admit(request, route.role)
            return await route.handler(self._gateway, request)

        return call

    def _admit(self, request: web.Request, role: Role) -> None:
        found = request[CALLER]
        if found is None:
            wait_s = self._access.attempts.take(request.remote or "", time.monotonic())
            if wait_s:
                raise ApiError(429, "too many failed attempts; wait {seconds} s", seconds=int(wait_s) + 1)
            raise ApiError(401, "a valid bearer token is required")
        if found.role < role:
            raise ApiError(
                403,
                "this token's role is {have}, this needs {need}",
                have=found.role.name.lower(),
                need=role.name.lower(),
            )

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Host, caller, language; errors as JSON, headers on everything."""
        self.connections.request_arrived(request.transport, slow=request.method in SLOW_METHODS)
        chosen: str = self._gateway.configuration.web.language
        if chosen == "auto":
            chosen = language.of_header(request.headers.get("Accept-Language", ""))
        with language.use(chosen):
            response = await self._answer(request, handler)
        response.headers.update(HEADERS)
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._access.knows_host(request.headers.get("Host", "")):
            return error_answer(403, "this name is not one of this gateway; add it to web.allowed_hosts")
        if request.path.startswith("/api/"):
            request[CALLER] = self._access.by_token(request.headers.get("Authorization", ""))
            if request[CALLER] is None:
                # Also for what does not exist: nobody learns more without a token.
                handler = self._handler(Route(request.method, request.path, Role.OBSERVER, _nothing))
        else:
            request[CALLER] = self._access.by_session(request.cookies.get(SESSION_COOKIE, ""))
        # Only the pattern of a path is logged: the path itself may hold a resident's code.
        resource = request.match_info.route.resource
        pattern = "unknown" if resource is None else resource.canonical
        try:
            return await handler(request)
        except ApiError as error:
            return error_answer(error.status, str(error))
        except web.HTTPException as error:
            if error.status < 400:
                raise
            response = error_answer(error.status, error.reason)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
            return response
        except StoreError as error:
            log.error("request_failed", path=pattern, reason=error.reason)
            return error_answer(503, "the store is not usable ({reason})", reason=error.reason)
        except Exception as error:  # noqa: BLE001  No request may end the gateway or show a traceback.
            log.error("request_failed", path=pattern, reason=type(error).__name__)
            return error_answer(500, "internal error")


async def _nothing(gateway: Gateway, request: web.Request) -> web.StreamResponse:
    raise ApiError(404, "Not Found")


class WebServer:
    """Start it, close it."""

    def __init__(self, gateway: Gateway) -> None:
        self._settings = gateway.configuration.web
        self._server = _Server(gateway)
        self._runner = web.AppRunner(
            self._server.application,
            access_log=None,
            # aiohttp would write a traceback with the client's bytes for each malformed request; ours are in `guard`.
            logger=logging.Logger("aiohttp.server", logging.CRITICAL + 1),
            handle_signals=False,
            keepalive_timeout=15.0,
            shutdown_timeout=2.0,
        )

    async def start(self) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        await self._runner.setup()
        assert self._runner.server is not None  # noqa: S101  It was set up.
        return await self._server.connections.listen(self._runner.server, self._settings.host, self._settings.port)

    async def close(self) -> None:
        """Stop listening."""
        await self._server.connections.close()
        await self._runner.cleanup()
