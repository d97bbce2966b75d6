# SPDX-License-Identifier: Apache-2.0
"""A name server that knows one answer: every name is this box (RFC 1035), so that a phone finds the page.

Questions for an address of version 4 get it; any other question gets an answer without records, so that nobody waits.
What is no question gets nothing. Not here: what the web server does with a foreign name (routes.py). Started by
server.py.
"""

import asyncio
import socket

from kiezbox.protocol.constant import const

_QUERY_MAX = const(300)
_TTL_S = const(10)


def answer(query: bytes, address: bytes) -> "bytes | None":
    """The answer to one datagram, None for what is no standard query of one question. `address` has 4 bytes."""
    if not 17 <= len(query) <= _QUERY_MAX or query[2] & 0xF8 or query[4:6] != b"\0\1":
        return None
    end = 12
    while query[end]:
        if query[end] > 63:  # A pointer or a reserved label has no place in the first name.
            return None
        end += query[end] + 1
        if end + 5 > len(query) or end > 266:
            return None
    end += 5
    kind = query[end - 4 : end - 2]
    internet = query[end - 2 : end] == b"\0\1"
    found = internet and kind in (b"\0\1", b"\0\xff")
    # Response, authoritative, recursion as asked; additional records (EDNS) are left out, which RFC 6891 6.2.2 allows.
    head = query[:2] + bytes((0x84 | query[2] & 1, 0)) + b"\0\1\0" + bytes((found,)) + b"\0\0\0\0"
    record = b"\xc0\x0c\0\1\0\1" + _TTL_S.to_bytes(4, "big") + b"\0\4" + address if found else b""
    return head + query[12:end] + record


class NameServer:
    """One datagram after the other; between two of them everybody else has a turn."""

    def __init__(self, host: str, port: int, address: str) -> None:
        """Raises OSError if the port is taken."""
        self._address = bytes(int(part) for part in address.split("."))
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(socket.getaddrinfo(host, port)[0][-1])
        self._task = asyncio.create_task(self._run())

    def running(self) -> bool:
        """Whether queries are answered."""
        return not self._task.done()

    def close(self) -> None:
        """No more answers."""
        self._task.cancel()
        self._socket.close()

    async def _run(self) -> None:
        while True:
            await _readable(self._socket)
            try:
                query, peer = self._socket.recvfrom(_QUERY_MAX + 1)
                reply = answer(query, self._address)
                if reply:
                    self._socket.sendto(reply, peer)
            except OSError:
                pass  # No way to answer; the phone asks again.
            await asyncio.sleep_ms(0)


def _readable(datagrams):  # noqa: ANN001, ANN202 - a generator, which MicroPython awaits, as in its asyncio.stream
    yield asyncio.core._io_queue.queue_read(datagrams)  # type: ignore[attr-defined]
