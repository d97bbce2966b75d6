# SPDX-License-Identifier: Apache-2.0
"""The line to the city: a TCP forwarder on loopback between the gateway and the broker, which can be cut and mended.

Cut, it refuses new connections and has closed the old ones, so that somebody else's broker can go dark without being
touched. Mended last, it makes sure that the city's subscriber is there before the first message comes.
"""

import asyncio
import contextlib

READ_SIZE = 65_536


class Line:
    """Forwards `port` on loopback to the broker. The port stays the same over cuts."""

    def __init__(self, broker_host: str, broker_port: int) -> None:
        self.port = 0
        self.connections = 0
        self._broker = (broker_host, broker_port)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether connections are taken."""
        return self._server is not None

    async def mend(self) -> None:
        """Take connections. Raises OSError if somebody took the port meanwhile."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = int(self._server.sockets[0].getsockname()[1])

    async def cut(self) -> None:
        """Close everything and refuse new connections."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  Streams run their callback as a task.
        self._tasks.add(task)
        broker_writer: asyncio.StreamWriter | None = None
        try:
            broker_reader, broker_writer = await asyncio.open_connection(*self._broker)
            self.connections += 1
            await asyncio.gather(_pump(reader, broker_writer), _pump(broker_reader, writer))
        except (OSError, asyncio.CancelledError):
            pass  # One side has gone, or the line is cut.
        finally:
            self._tasks.discard(task)
            for end in (writer, broker_writer):
                if end is not None:
                    end.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(READ_SIZE):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()
