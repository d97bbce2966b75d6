# SPDX-License-Identifier: Apache-2.0
"""The web server of a box: one request a connection, 15 connections, none of which can keep the others waiting.

1. When all places are taken, a newcomer gets that of the idlest: first of a phone that holds several, then of one that
   has sent nothing, then of one that has stopped sending. Whose bytes wait to be read is not idle. Nobody is
   interrupted while a call is being stored. As long as nobody gives way, newcomers wait in the listening socket.
2. Memory is a place, too: with less than a page and a call need, nobody new is let in before somebody leaves.
3. Every connection has a time for its request and one for taking the answer; one task looks after all of them while
   there are any. A box without visitors has nothing to do here.

Not here: one connection (connection.py), HTTP syntax (request.py), pages (routes.py, page.py), names (name_server.py).
Started by main.py.
"""

import asyncio
import binascii
import gc
import hashlib
import os
import select
import socket

from kiezbox.portal.connection import Connection, readable
from kiezbox.portal.language import FOLDER
from kiezbox.portal.name_server import NameServer
from kiezbox.portal.routes import Routes
from kiezbox.protocol.constant import const

_PLACES = const(15)
_BACKLOG = const(8)
_REQUEST_MS = const(15_000)
_ANSWER_MS = const(40_000)
_IDLE_MS = const(8_000)
_SILENT_GIVES_WAY_MS = const(200)
_STALLED_GIVES_WAY_MS = const(1_500)
_LOOK_MS = const(500)
_CLOCK = const(0x3FFFFFFF)  # The largest number that takes no memory on 32 bits: twelve days of milliseconds.
_FREE_MIN = const(12_288)  # What storing a call, a frame on its way and a page need at one moment, in bytes.
_FREE_PER_PHONE = const(2_048)  # What a phone that is here may still come to need, for its form and its page.


class Server:
    """`port` is where it listens. `counters`: requests, gave_way, timed_out, failed; `failure`: the last one's kind."""

    def __init__(self, box, listener, port: int, address: str, entropy) -> None:  # noqa: ANN001
        self.port = port
        self.counters = {"requests": 0, "gave_way": 0, "timed_out": 0, "failed": 0}
        self.failure = ""
        self.names = None
        self.routes = Routes(box, address, entropy)
        self._box = box
        with open(FOLDER + "style.css", "rb") as style:
            digest = hashlib.sha256(style.read()).digest()
        self.style = binascii.b2a_base64(digest).decode().strip()
        self._listener = listener
        self._connections = []
        self._watch = None
        self._task = asyncio.create_task(self._accept())

    @property
    def open_count(self) -> int:
        """Connections at this moment."""
        return len(self._connections)

    def running(self) -> bool:
        """Whether both servers take requests; else somebody has to `close` this one and start another."""
        return not self._task.done() and (self.names is None or self.names.running())

    async def close(self) -> None:
        """Stop; open connections end."""
        self._task.cancel()
        for connection in self._connections:
            connection.task.cancel()
        if self.names:
            self.names.close()
        await asyncio.sleep_ms(0)
        self._listener.close()

    # For connection.py

    def now_ms(self) -> int:
        """Steady time that begins anew after twelve days: differences are to be taken modulo that."""
        return self._box.now_ms() & _CLOCK  # type: ignore[no-any-return]

    def failed(self, error: Exception) -> None:
        """A connection met an error of ours. Its text may quote a person, so only its kind is kept."""
        self.counters["failed"] += 1
        self.failure = type(error).__name__

    def left(self, connection) -> None:  # noqa: ANN001
        """A connection is closed."""
        if connection in self._connections:
            self._connections.remove(connection)
        # A page leaves some 15 kB behind. Collected at once, what stays for long stays together, and large pieces of
        # memory can still be had after days.
        gc.collect()

    # Tasks

    async def _accept(self) -> None:
        while True:
            try:
                await readable(self._listener)
                while self._full() and not self._give_way():
                    await asyncio.sleep_ms(50)
                stream, peer = self._listener.accept()
                stream.setblocking(False)
                # The board says (address, port); the host's MicroPython gives the bytes of a sockaddr_in.
                phone = peer[0] if isinstance(peer, tuple) else bytes(peer[4:8]).hex()
                connection = Connection(stream, phone, self.now_ms())
                self._connections.append(connection)
                connection.task = asyncio.create_task(connection.serve(self))  # type: ignore[assignment]
                if self._watch is None:
                    self._watch = asyncio.create_task(self._look_after())  # type: ignore[assignment]
            except (OSError, MemoryError) as error:
                # Out of sockets or memory: those who are here finish first.
                self.failed(error)
                await asyncio.sleep_ms(200)

    def _full(self) -> bool:
        """No place, or no memory for one more: who is here finishes first. There is always room for one."""
        if len(self._connections) >= _PLACES:
            return True
        if not self._connections:
            return False
        needed = _FREE_MIN + _FREE_PER_PHONE * len(self._connections)
        if gc.mem_free() < needed:
            gc.collect()
        return gc.mem_free() < needed

    def _give_way(self) -> bool:
        now_ms = self.now_ms()
        worst = None
        worst_rank = (0, 0, 0)
        for one in self._connections:
            idle_ms = (now_ms - one.moved_ms) & _CLOCK
            if one.busy or idle_ms < (_STALLED_GIVES_WAY_MS if one.begun else _SILENT_GIVES_WAY_MS):
                continue
            held = sum(other.phone == one.phone for other in self._connections)
            rank = (held, not one.begun, idle_ms)
            if worst is None or rank > worst_rank:
                worst, worst_rank = one, rank
        if worst and not worst.answering and _has_bytes(worst.stream):
            # It is not idle; the box has not come to read yet.
            worst.moved_ms = now_ms
            return False
        if worst:
            self._end(worst, "gave_way")
        return worst is not None

    def _end(self, connection, reason: str) -> None:  # noqa: ANN001
        self.counters[reason] += 1
        self._connections.remove(connection)
        connection.task.cancel()

    async def _look_after(self) -> None:
        while self._connections:
            await asyncio.sleep_ms(_LOOK_MS)
            now_ms = self.now_ms()
            for one in list(self._connections):
                most_ms = _ANSWER_MS if one.answering else _REQUEST_MS
                idle_ms = (now_ms - one.moved_ms) & _CLOCK
                if not one.busy and (idle_ms > _IDLE_MS or (now_ms - one.since_ms) & _CLOCK > most_ms):
                    try:
                        self._end(one, "timed_out")
                    except MemoryError as error:
                        self.failed(error)  # Next time; the others still have somebody to look after them.
        self._watch = None


def _has_bytes(stream) -> bool:  # noqa: ANN001
    """Whether something waits to be read, be it only the end."""
    poller = select.poll()
    poller.register(stream, select.POLLIN)
    return bool(poller.poll(0))


async def serve(box, host: str, http_port: int, dns_port: int = 0, address: str = "", entropy=os.urandom):  # noqa: ANN001, ANN201
    """Serve the page of `box` at host:http_port until `close`; port 0 takes any free one.

    `address` is what phones see as this box's address, by default `host`. With `dns_port` the name server answers every
    name with it. `entropy(length)` gives random bytes. Returns a Server; raises OSError if a port is taken.
    """
    address = address or host
    listener = socket.socket()
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        http_port = _bind(listener, host, http_port)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    seen = address if http_port == 80 else address + ":" + str(http_port)
    server = Server(box, listener, http_port, seen, entropy)
    if dns_port:
        server.names = NameServer(host, dns_port, address)  # type: ignore[assignment]
    return server


def _bind(listener, host: str, port: int) -> int:  # noqa: ANN001
    """MicroPython cannot say which port the system chose, so it is chosen here (RFC 6335: 49152 and above)."""
    tries = 1 if port else 64
    while True:
        chosen = port or 49152 + (int.from_bytes(os.urandom(2), "little") & 0x3FFF)
        tries -= 1
        try:
            listener.bind(socket.getaddrinfo(host, chosen)[0][-1])
        except OSError:
            if not tries:
                raise
        else:
            return chosen
