# SPDX-License-Identifier: Apache-2.0
"""The client's end of the ether for Python programs: a radio (`EtherRadio`) and a listener to everything (`watch`).

Used by the stock radio, the demo and tests. Boxes have their own end on MicroPython, in `vm/`.
"""

import asyncio
import json
from collections.abc import AsyncIterator

from kiezbox_simulator.ether.server import Watched

LINE_LENGTH_MAX = 16_384


class EtherError(Exception):
    """The ether is not there, has gone, or refused what was said; one sentence."""


class EtherRadio:
    """One station's radio. One `transmit` at a time; `receive` waits for the next frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames: asyncio.Queue[tuple[bytes, int, float] | EtherError] = asyncio.Queue(maxsize=1024)
        self._answer: asyncio.Future[bool] | None = None
        self._task = asyncio.ensure_future(self._read())

    @classmethod
    async def join(cls, port: int, node_num: int, name: str) -> "EtherRadio":
        """Take a station's place on the ether at 127.0.0.1:`port`. Raises EtherError."""
        reader, writer = await _open(port, f"HELLO {node_num:08x} {name.replace(chr(10), ' ')}")
        return cls(reader, writer)

    async def transmit(self, frame: bytes) -> bool:
        """Send a frame. True when it has left, False when the channel was busy and nothing was sent. Raises
        EtherError."""
        if self._answer is not None:
            raise RuntimeError("one transmission at a time")
        self._answer = asyncio.get_running_loop().create_future()
        try:
            self._writer.write(f"TX {frame.hex()}\n".encode())
            return await self._answer
        finally:
            self._answer = None

    async def receive(self) -> tuple[bytes, int, float]:
        """The next frame heard, its power in dBm and its SNR in dB. Raises EtherError."""
        item = await self._frames.get()
        if isinstance(item, EtherError):
            raise item
        return item

    async def close(self) -> None:
        """Leave the ether: the radio is off."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()

    async def _read(self) -> None:
        reason = "the ether has gone"
        try:
            while line := (await self._reader.readline()).decode().strip():
                verb, _, rest = line.partition(" ")
                if verb == "RX":
                    rssi, snr, text = rest.split(" ")
                    await self._frames.put((bytes.fromhex(text), int(rssi), float(snr)))
                elif verb in ("DONE", "BUSY"):
                    if self._answer is not None and not self._answer.done():
                        self._answer.set_result(verb == "DONE")
                elif verb == "ERROR":
                    reason = f"the ether refused: {rest}"
        except OSError as error:
            reason = f"the ether has gone: {error.strerror}"
        failure = EtherError(reason)
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(failure)
        await self._frames.put(failure)


async def watch(port: int) -> AsyncIterator[Watched]:
    """Every frame on the ether, as it ends, until the ether goes. Raises EtherError when it is not there."""
    reader, writer = await _open(port, "WATCH")
    try:
        while line := (await reader.readline()).decode().strip():
            if line.startswith("FRAME "):
                yield Watched(**json.loads(line.removeprefix("FRAME ")))
    except OSError:
        return
    finally:
        writer.close()


async def _open(port: int, greeting: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=LINE_LENGTH_MAX)
        writer.write(greeting.encode("ascii", "replace") + b"\n")
        answer = (await reader.readline()).decode().strip()
    except OSError as error:
        raise EtherError(f"no ether at 127.0.0.1:{port}: {error.strerror}") from None
    if answer != "OK":
        writer.close()
        raise EtherError(f"the ether refused: {answer.removeprefix('ERROR ') or 'it closed the connection'}")
    return reader, writer
