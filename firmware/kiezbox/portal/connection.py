# SPDX-License-Identifier: Apache-2.0
"""One phone's connection: a request in, a page out, in as little memory as there is.

1. asyncio.Stream of MicroPython makes a generator for each level of `await`, so that fifteen waiting phones hold 30 kB.
   Here a connection waits in one coroutine.
2. Bytes are read into one buffer and written from another, which all connections share: nobody else runs while one of
   them is in use. Only what a phone does not take at once is kept for it.

Not here: who may connect and for how long (server.py), HTTP syntax (request.py), pages (routes.py). Called by
server.py.
"""

import asyncio

from kiezbox.portal.language import Texts, choose
from kiezbox.portal.request import BadRequest, Request
from kiezbox.portal.routes import RENEW_S, language_of
from kiezbox.protocol.constant import const

_READ = const(512)
_BLOCK = const(1024)
_REFUSED_MAX = const(65536)
_REFUSED_TRIES = const(25)
_REFUSED_PAUSE_MS = const(20)

_input = bytearray(_READ)
_output = bytearray(_BLOCK)

_REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}

_HEAD = (
    "HTTP/1.1 %d %s\r\nConnection: close\r\nCache-Control: no-store\r\nReferrer-Policy: same-origin\r\n"
    "X-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'; style-src 'sha256-%s'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n%s\r\n"
)


class _Ready:
    """An awaitable that takes no memory, as asyncio's sleep_ms: there is one, used up by the `await` it stands in."""

    def __init__(self) -> None:
        self.queue = self.stream = None

    def __iter__(self):  # noqa: ANN204
        return self

    def __next__(self) -> None:
        if self.stream is None:
            raise StopIteration
        stream, self.stream = self.stream, None
        self.queue(stream)


_ready = _Ready()


def readable(stream):  # noqa: ANN001, ANN201
    """To be awaited at once: until a socket has bytes, a connection or an end."""
    _ready.queue = asyncio.core._io_queue.queue_read  # type: ignore[attr-defined]
    _ready.stream = stream
    return _ready


def writable(stream):  # noqa: ANN001, ANN201
    """To be awaited at once: until a socket takes bytes."""
    _ready.queue = asyncio.core._io_queue.queue_write  # type: ignore[attr-defined]
    _ready.stream = stream
    return _ready


def _fill(rest: bytes, pieces) -> "tuple[int, bytes | None]":  # noqa: ANN001
    """Fill the shared block from `rest`, then from `pieces`. Returns its length and what is next, None at the end."""
    filled = 0
    while True:
        room = _BLOCK - filled
        part = rest[:room]
        _output[filled : filled + len(part)] = part
        filled += len(part)
        if len(rest) > room:
            return filled, rest[room:]
        piece = next(pieces, None)
        if piece is None:
            return filled, None
        rest = piece if isinstance(piece, bytes) else piece.encode()
        if filled == _BLOCK:
            return filled, rest


class Connection:
    """`phone`: its address, which tells phones apart. since_ms: when it came; moved_ms: when bytes last moved, by the
    server's clock."""

    task = None
    begun = False
    """Whether any bytes have come."""

    answering = False
    """Whether the request is complete."""

    busy = False
    """Whether a call is being stored: nobody may interrupt that."""

    def __init__(self, stream, phone: str, now_ms: int) -> None:  # noqa: ANN001
        self.phone = phone
        self.since_ms = self.moved_ms = now_ms
        self.stream = stream

    async def serve(self, server) -> None:  # noqa: ANN001
        """Read one request, write its answer, hang up. For the whole life of a connection."""
        stream = self.stream
        texts = None
        try:
            request = None
            problem = 0
            while not problem and not (request and request.complete):
                await readable(stream)
                length = stream.readinto(_input)
                if length == 0:
                    raise EOFError
                if length:
                    self.begun = True
                    self.moved_ms = server.now_ms()
                    request = request or Request()
                    try:
                        request.feed(memoryview(_input)[:length])
                    except BadRequest as bad:
                        problem = bad.status
            self.answering = True
            server.counters["requests"] += 1
            if problem:
                # A browser reads the answer only after it has sent everything, and unread bytes would cut it off.
                left = _REFUSED_MAX
                tries = _REFUSED_TRIES
                while left > 0 and tries:
                    length = stream.readinto(_input)
                    if length is None:
                        tries -= 1
                        await asyncio.sleep_ms(_REFUSED_PAUSE_MS)
                    elif length:
                        left -= length
                        tries = _REFUSED_TRIES
                    else:
                        tries = 0
            location = None if problem else server.routes.location(request)
            status = 302 if location else 404
            head = "Content-Length: 0\r\n"
            pieces = ()
            if location:
                head += "Location: " + location + "\r\n"
            elif problem or request.path != "/favicon.ico":
                texts = Texts(language_of(request.path) or choose(request.language))
                if problem:
                    status, pieces, renewed = server.routes.problem(problem, texts)
                else:
                    self.busy = True
                    status, pieces, renewed = await server.routes.answer(request, self.phone, texts)
                    self.busy = False
                head = "Content-Type: text/html; charset=utf-8\r\n"
                if renewed:
                    # The header of the same meaning as <meta http-equiv="refresh">; the page offers to stop it.
                    head += "Refresh: %d; url=%s\r\n" % (RENEW_S, renewed)
                if status == 405:
                    head += "Allow: GET, HEAD, POST\r\n"
                if request.method == "HEAD":
                    pieces = ()
            # While a phone takes its page, only what is needed for that is in memory.
            request = renewed = location = None
            rest = (_HEAD % (status, _REASONS.get(status, "Not Accepted"), server.style, head)).encode()
            head = ""
            pieces = iter(pieces)  # type: ignore[assignment]
            while rest is not None:
                # A socket that takes bytes takes a block (lwIP: half its buffer is free), so that nothing need be kept.
                await writable(stream)
                filled, rest = _fill(rest, pieces)
                block = memoryview(_output)[:filled]
                taken = stream.write(block) or 0
                while taken < len(block):
                    block = bytes(block[taken:])  # type: ignore[assignment]
                    await writable(stream)
                    taken = stream.write(block) or 0
                self.moved_ms = server.now_ms()
        except (OSError, EOFError):
            pass  # The phone went away.
        except asyncio.CancelledError:
            pass  # It gave way, or took too long.
        except Exception as error:  # noqa: BLE001  Whatever it is, the others are served on; the page tests count it.
            server.failed(error)
        finally:
            if texts:
                texts.close()
            stream.close()
            server.left(self)
