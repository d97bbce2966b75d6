# SPDX-License-Identifier: Apache-2.0
"""The web server of a box: one request a connection, 15 connections, none of which can keep the others waiting.

1. Every connection has a time for its request and for taking the answer; one task looks after all of them.
2. When all places are taken, the newcomer gets that of the idlest, and first that of a phone that holds several. Who is
   being served right now keeps the place.
3. An answer is written piece by piece; no page is in memory as a whole.

Not here: HTTP syntax (request.py), pages (routes.py, page.py), names (name_server.py). Started by main.py.
"""

import asyncio
import binascii
import hashlib

from kiezbox.portal.language import FOLDER, Texts, choose
from kiezbox.portal.name_server import NameServer
from kiezbox.portal.request import BadRequest, Request
from kiezbox.portal.routes import Routes, language_of
from kiezbox.protocol.constant import const

_PLACES = const(15)
_WAITING_MAX = const(8)
_REQUEST_MS = const(12_000)
_ANSWER_MS = const(40_000)
_IDLE_MS = const(6_000)
_GIVE_WAY_MS = const(400)
_BLOCK = const(512)

_REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}


class Server:
    """`port` is where it listens. `counters`: requests, gave_way, timed_out, turned_away, failed."""

    def __init__(self, box, address: str, port: int) -> None:  # noqa: ANN001
        self.port = port
        self.counters = {"requests": 0, "gave_way": 0, "timed_out": 0, "turned_away": 0, "failed": 0}
        self.names = None
        self._box = box
        self._routes = Routes(box, address)
        self._clients = []
        self._waiting = 0
        with open(FOLDER + "style.css", "rb") as style:
            digest = hashlib.sha256(style.read()).digest()
        self._style = binascii.b2a_base64(digest).decode().strip()
        self._tasks = [asyncio.create_task(self._look_after())]
        self._listener = None

    async def listen(self, host: str) -> None:
        """Take connections from now on. Raises OSError."""
        self._listener = await asyncio.start_server(self._serve, host, self.port, 8)

    async def close(self) -> None:
        """Stop; open connections end."""
        self._listener.close()
        await self._listener.wait_closed()
        for task in self._tasks + [client.task for client in self._clients]:
            task.cancel()
        if self.names:
            self.names.close()

    async def _serve(self, stream, _writer) -> None:  # noqa: ANN001
        peer = stream.get_extra_info("peername")
        # The board says (address, port); the host's MicroPython gives the bytes of a sockaddr_in.
        client = peer[0] if isinstance(peer, tuple) else str(bytes(peer[4:8]))
        request = Request(stream, client, asyncio.current_task(), self._box.now_ms)
        try:
            if len(self._clients) >= _PLACES and not await self._wait():
                return
            self._clients.append(request)
            problem = 0
            try:
                await request.read()
            except BadRequest as bad:
                problem = bad.status
            request.answering = True
            self.counters["requests"] += 1
            await self._answer(request, stream, problem)
        except (OSError, EOFError):
            pass  # The phone went away.
        except asyncio.CancelledError:
            pass  # It gave way, or took too long.
        except MemoryError:
            self.counters["failed"] += 1
        finally:
            if request in self._clients:
                self._clients.remove(request)
            stream.close()
            await stream.wait_closed()

    async def _wait(self) -> bool:
        """Whether a place became free."""
        if self._waiting < _WAITING_MAX:
            self._waiting += 1
            try:
                for _ in range(100):
                    if len(self._clients) < _PLACES or self._give_way():
                        return True
                    await asyncio.sleep_ms(50)
            finally:
                self._waiting -= 1
        self.counters["turned_away"] += 1
        return False

    def _give_way(self) -> bool:
        now_ms = self._box.now_ms()
        worst = None
        worst_rank = (0, 0)
        for client in self._clients:
            idle_ms = now_ms - client.moved_ms
            if idle_ms < _GIVE_WAY_MS:
                continue
            held = sum(other.client == client.client for other in self._clients)
            rank = (held, idle_ms)
            if rank > worst_rank:
                worst, worst_rank = client, rank
        if worst:
            self._end(worst, "gave_way")
        return worst is not None

    def _end(self, client, reason: str) -> None:  # noqa: ANN001
        self.counters[reason] += 1
        self._clients.remove(client)
        client.task.cancel()

    async def _look_after(self) -> None:
        while True:
            await asyncio.sleep_ms(1000)
            now_ms = self._box.now_ms()
            for client in list(self._clients):
                most_ms = _ANSWER_MS if client.answering else _REQUEST_MS
                if now_ms - client.moved_ms > _IDLE_MS or now_ms - client.since_ms > most_ms:
                    self._end(client, "timed_out")

    async def _answer(self, request, stream, problem: int) -> None:  # noqa: ANN001
        location = None if problem else self._routes.location(request)
        if location or request.path == "/favicon.ico":
            status = 302 if location else 404
            await self._head(stream, status, "Location: " + location + "\r\n" if location else "", 0)
            return
        texts = Texts(language_of(request.path) or choose(request.language))
        try:
            if problem:
                status, pieces = self._routes.problem(problem, texts)
            else:
                status, pieces = await self._routes.answer(request, request.client, texts)
            allow = "Allow: GET, HEAD, POST\r\n" if status == 405 else ""
            await self._head(stream, status, allow + "Content-Type: text/html; charset=utf-8\r\n", -1)
            if request.method != "HEAD":
                await self._write(request, stream, pieces)
        finally:
            texts.close()

    async def _head(self, stream, status: int, more: str, length: int) -> None:  # noqa: ANN001
        stream.write(
            "HTTP/1.1 %d %s\r\nConnection: close\r\nCache-Control: no-store\r\nReferrer-Policy: same-origin\r\n"
            "X-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'; style-src 'sha256-%s'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n%s%s\r\n"
            % (
                status,
                _REASONS.get(status, "Request not accepted"),
                self._style,
                more,
                "" if length < 0 else "Content-Length: %d\r\n" % length,
            )
        )
        await stream.drain()

    async def _write(self, request, stream, pieces) -> None:  # noqa: ANN001
        block = bytearray()
        for piece in pieces:
            block.extend(piece.encode())
            if len(block) >= _BLOCK:
                stream.write(block)
                await stream.drain()
                request.touch()
                block = bytearray()
        stream.write(block)
        await stream.drain()


async def serve(box, host: str, http_port: int, dns_port: int = 0, address: str = "") -> Server:  # noqa: ANN001
    """Serve the page of `box` at host:http_port until `close`.

    `address` is what phones see as this box's address, by default `host`. With `dns_port` the name server answers every
    name with it. Raises OSError if a port is taken.
    """
    address = address or host
    server = Server(box, address if http_port == 80 else address + ":" + str(http_port), http_port)
    await server.listen(host)
    if dns_port:
        server.names = NameServer(host, dns_port, address)
    return server
