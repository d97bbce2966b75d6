# SPDX-License-Identifier: Apache-2.0
"""Byte streams to a radio: TCP by asyncio's streams, serial by pyserial with its descriptor in the event loop.

pyserial opens and configures the port; reading and writing go through the loop's own readiness calls, because a serial
port is an ordinary descriptor on Linux. So there is no reader thread to hang at exit and no further package.

Library exceptions end here: callers see LinkError with one sentence.
"""

import asyncio
import errno
import os
import socket
import termios
from typing import Protocol
from urllib.parse import urlsplit

import serial
from serial.tools import list_ports

DEFAULT_TCP_PORT = 4403
SERIAL_BAUD = 115_200
OPEN_TIMEOUT_S = 5.0
READ_SIZE = 65_536
# What may wait for a stalled peer before the connection counts as dead.
WRITE_BUFFER_MAX = 65_536
# USB vendors of the serial chips on Meshtastic boards: Silicon Labs, WCH, Espressif, Adafruit, Seeed, Raspberry Pi.
RADIO_USB_VENDORS = frozenset({0x10C4, 0x1A86, 0x303A, 0x239A, 0x2886, 0x2E8A})


class LinkError(Exception):
    """The stream cannot be opened, or has failed. The text says what to do where that is known."""


class Stream(Protocol):
    """What the link needs of a byte stream."""

    async def read(self) -> bytes:
        """At least one byte; b"" when the peer has closed. Raises LinkError."""

    def write(self, data: bytes) -> None:
        """Queue bytes. Raises LinkError when the peer no longer takes any."""

    async def close(self) -> None:
        """Close and forget what was not written."""


class TcpStream:
    """TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, host: str, port: int) -> "TcpStream":
        """Connect within OPEN_TIMEOUT_S. Raises LinkError."""
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(host, port, limit=READ_SIZE)
        except TimeoutError as error:
            raise LinkError(f"the radio at {host}:{port} does not answer; check its power and network") from error
        except OSError as error:
            raise LinkError(f"no connection to the radio at {host}:{port}: {os.strerror(error.errno or 0)}") from error
        raw = writer.get_extra_info("socket")
        if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(reader, writer)

    async def read(self) -> bytes:
        try:
            return await self._reader.read(READ_SIZE)
        except OSError as error:
            raise LinkError(f"connection to the radio lost: {os.strerror(error.errno or 0)}") from error

    def write(self, data: bytes) -> None:
        if self._writer.transport.get_write_buffer_size() > WRITE_BUFFER_MAX:
            raise LinkError("the radio takes no more data")
        self._writer.write(data)

    async def close(self) -> None:
        self._writer.transport.abort()
        try:
            await self._writer.wait_closed()
        except OSError:
            return


class SerialStream:
    """Serial port at 115200 baud, opened exclusively."""

    def __init__(self, port: serial.Serial) -> None:
        self._port = port
        self._fd = port.fileno()
        self._loop = asyncio.get_running_loop()
        self._output = bytearray()
        self._readable = asyncio.Event()
        self._failure: LinkError | None = None
        # pyserial lets an empty port read as b"", which could not be told from a port that has gone.
        attributes = termios.tcgetattr(self._fd)
        attributes[6][termios.VMIN] = 1
        # Or closing the port drops DTR, which resets many boards: each reconnect would be a reboot.
        attributes[2] &= ~termios.HUPCL
        termios.tcsetattr(self._fd, termios.TCSANOW, attributes)
        os.set_blocking(self._fd, False)
        self._loop.add_reader(self._fd, self._readable.set)

    @classmethod
    async def open(cls, path: str) -> "SerialStream":
        """Open the device. Raises LinkError."""
        try:
            port = await asyncio.to_thread(serial.Serial, path, SERIAL_BAUD, exclusive=True, timeout=0)
        except (serial.SerialException, ValueError, OSError) as error:
            number = getattr(error, "errno", None)
            advice = {
                errno.ENOENT: "is the radio plugged in?",
                errno.EACCES: "add the gateway's user to the group dialout",
                errno.EBUSY: "another program has it open",
                errno.EWOULDBLOCK: "another program has it open",
            }.get(number or 0, "see `kiezbox gateway doctor`")
            raise LinkError(f"cannot open the radio's serial port {path}: {advice}") from error
        return cls(port)

    async def read(self) -> bytes:
        while True:
            if self._failure is not None:
                raise self._failure
            self._readable.clear()
            try:
                data = os.read(self._fd, READ_SIZE)
            except BlockingIOError:
                await self._readable.wait()
                continue
            except OSError as error:
                raise LinkError("the radio's serial port has gone") from error
            if not data:
                # A tty that became readable with nothing to read has hung up.
                raise LinkError("the radio's serial port has hung up")
            return data

    def write(self, data: bytes) -> None:
        if len(self._output) > WRITE_BUFFER_MAX:
            raise LinkError("the radio takes no more data")
        idle = not self._output
        self._output += data
        if idle:
            self._flush()
            if self._output:
                self._loop.add_writer(self._fd, self._flush)

    def _flush(self) -> None:
        try:
            written = os.write(self._fd, self._output)
            del self._output[:written]
        except BlockingIOError:
            return
        except OSError as error:
            self._failure = LinkError("the radio's serial port has gone")
            self._failure.__cause__ = error
            self._output.clear()
            self._readable.set()
        if not self._output:
            self._loop.remove_writer(self._fd)

    async def close(self) -> None:
        self._loop.remove_reader(self._fd)
        self._loop.remove_writer(self._fd)
        self._failure = LinkError("the serial port was closed")
        self._readable.set()
        self._port.close()


def serial_candidates() -> list[str]:
    """Serial devices that may be a Meshtastic radio, by USB vendor."""
    return sorted(port.device for port in list_ports.comports() if port.vid in RADIO_USB_VENDORS)


async def open_stream(address: str) -> Stream:
    """Open tcp://HOST[:PORT], serial:PATH, or auto (the only radio found on USB). Raises LinkError."""
    if address == "auto":
        candidates = await asyncio.to_thread(serial_candidates)
        if not candidates:
            raise LinkError("no radio found on USB; plug one in or set radio.address")
        if len(candidates) > 1:
            raise LinkError(f"several serial devices found ({', '.join(candidates)}); set radio.address to one of them")
        return await SerialStream.open(candidates[0])
    if address.startswith("serial:"):
        return await SerialStream.open(address.removeprefix("serial:"))
    parts = urlsplit(address)
    return await TcpStream.open(parts.hostname or "", parts.port or DEFAULT_TCP_PORT)
