# SPDX-License-Identifier: Apache-2.0
"""The radio's TCP port: one client at a time, and a new one puts the old one out, as the firmware does.

Bytes that are no frames are skipped, a client that stops reading is cut off. Decisions are in `device.py`; this file
moves bytes between it and a socket.
"""

import asyncio
from collections.abc import Callable

from kiezbox_simulator.stock_radio.device import StockRadio
from kiezbox_simulator.stock_radio.stream import FrameReader, encode

READ_SIZE = 4096
BACKLOG_BYTES_MAX = 1_000_000


class ClientPort:
    """Serves `radio` from `start` to `stop`. `now_ms` is the driver's clock, `changed` wakes the driver."""

    def __init__(self, now_ms: Callable[[], int], changed: Callable[[], None]) -> None:
        self.radio: StockRadio | None = None
        self.connections = 0
        self.kicked = 0
        self._now_ms = now_ms
        self._changed = changed
        self._server: asyncio.Server | None = None
        self._client: asyncio.StreamWriter | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port. Raises OSError when it is taken."""
        self._server = await asyncio.start_server(self._serve, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Put the client out and listen no more."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.kick()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def kick(self) -> None:
        """Close the client's connection, whoever it is."""
        if self._client is not None:
            self._client.close()
            self._client = None
            if self.radio is not None:
                self.radio.client_disconnected()

    def flush(self) -> None:
        """Write what waits for the client."""
        client = self._client
        if client is None or self.radio is None:
            return
        while (payload := self.radio.take_for_client()) is not None:
            client.write(encode(payload))
        if client.transport.get_write_buffer_size() > BACKLOG_BYTES_MAX:
            client.transport.abort()
            self.kick()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  Streams run their callback as a task.
        self._tasks.add(task)
        try:
            if self.radio is None:
                return
            if self._client is not None:
                self.kicked += 1
                self.kick()
            self.connections += 1
            self._client = writer
            self.radio.client_connected()
            await self._read(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # The client has gone, or we are stopping.
        finally:
            self._tasks.discard(task)
            if self._client is writer:
                self._client = None
                if self.radio is not None:
                    self.radio.client_disconnected()
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = FrameReader()
        while self._client is writer and (data := await reader.read(READ_SIZE)):
            for payload in frames.feed(data):
                if self._client is not writer or self.radio is None:
                    return
                self.radio.from_client(payload, self._now_ms())
            self.flush()
            self._changed()
