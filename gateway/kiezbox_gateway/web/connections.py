# SPDX-License-Identifier: Apache-2.0
"""How long a client may take and how many there may be, so that slow or idle ones cannot keep others out.

A connection has FIRST_S to send its first request, and ends at the latest REQUEST_S after its last request began
(SLOW_REQUEST_S where the answer may take long). When too many are open, the one quiet for longest goes.
"""

import asyncio

from aiohttp import web

FIRST_S = 10.0
REQUEST_S = 30.0
SLOW_REQUEST_S = 600.0
CONNECTIONS_MAX = 64


class _Listener(asyncio.Protocol):
    """Hands everything to aiohttp's handler and tells the limits of begin and end."""

    def __init__(self, limits: "ConnectionLimits", handler: asyncio.Protocol) -> None:
        self._limits = limits
        self._handler = handler

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  It is a TCP server.
        self._limits.opened(transport)
        self._handler.connection_made(transport)
        # From here on the transport talks to aiohttp directly; only the end is of interest here.
        self.data_received = self._handler.data_received  # type: ignore[method-assign]
        self.eof_received = self._handler.eof_received  # type: ignore[method-assign]
        self.pause_writing = self._handler.pause_writing  # type: ignore[method-assign]
        self.resume_writing = self._handler.resume_writing  # type: ignore[method-assign]
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._limits.closed(self._transport)
        self._handler.connection_lost(exc)


class ConnectionLimits:
    """Of one server."""

    def __init__(self) -> None:
        self._deadlines: dict[asyncio.BaseTransport, asyncio.TimerHandle] = {}
        self._server: asyncio.Server | None = None

    async def listen(self, server: web.Server, host: str, port: int) -> int:
        """Open the port and return its number. Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Listener(self, server()), host, port, backlog=64)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening; open connections are ended by aiohttp."""
        if self._server is not None:
            self._server.close()

    def opened(self, transport: asyncio.Transport) -> None:
        """A client has connected."""
        while len(self._deadlines) >= CONNECTIONS_MAX:
            # Re-armed ones move to the end, so the first is the one quiet for longest.
            oldest = next(iter(self._deadlines))
            self.closed(oldest)
            assert isinstance(oldest, asyncio.Transport)  # noqa: S101  Only those are kept.
            oldest.abort()
        self._arm(transport, FIRST_S)

    def request_arrived(self, transport: asyncio.BaseTransport | None, *, slow: bool = False) -> None:
        """A whole request head is here: it gets its time from now on."""
        if transport is not None and transport in self._deadlines:
            self.closed(transport)
            assert isinstance(transport, asyncio.Transport)  # noqa: S101  Only those are kept.
            self._arm(transport, SLOW_REQUEST_S if slow else REQUEST_S)

    def closed(self, transport: asyncio.BaseTransport) -> None:
        """It is gone."""
        deadline = self._deadlines.pop(transport, None)
        if deadline is not None:
            deadline.cancel()

    def _arm(self, transport: asyncio.Transport, after_s: float) -> None:
        self._deadlines[transport] = asyncio.get_running_loop().call_later(after_s, transport.abort)
