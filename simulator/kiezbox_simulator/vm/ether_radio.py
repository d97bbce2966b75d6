# SPDX-License-Identifier: Apache-2.0
"""The radio port of a simulated box in real time: ASCII lines over TCP to the ether (kiezbox_simulator/ether).

Runs on MicroPython. Lines: HELLO, TX out; OK, DONE, BUSY, RX in.
"""

import asyncio

QUEUE_MAX = 16


class EtherRadio:
    """Frames that come while the box is busy wait in a short queue; what does not fit is lost, as on a real chip."""

    def __init__(self, port, node_num, name):
        self._address = port
        self._hello = "HELLO %08x %s\n" % (node_num, name)
        self._frames = []
        self._arrived = asyncio.Event()
        self._answered = asyncio.Event()
        self._answer = None
        self._writer = None
        self._reading = None
        self.lost = 0

    async def transmit(self, frame):
        """See the Radio port of kiezbox/box/ports.py."""
        if self._writer is None:
            await self._open()
        self._answered.clear()
        self._writer.write(b"TX " + frame.hex().encode() + b"\n")
        await self._writer.drain()
        await self._answered.wait()
        if self._answer is None:
            raise OSError("the ether closed the connection")
        return self._answer == b"DONE"

    async def receive(self):
        """See the Radio port of kiezbox/box/ports.py."""
        if self._writer is None:
            await self._open()
        while not self._frames:
            self._arrived.clear()
            if self._writer is None:
                raise OSError("the ether closed the connection")
            await self._arrived.wait()
        return self._frames.pop(0)

    async def _open(self):
        reader, writer = await asyncio.open_connection("127.0.0.1", self._address)
        writer.write(self._hello.encode())
        await writer.drain()
        if (await reader.readline()).strip()[:2] != b"OK":
            raise OSError("the ether refused this box")
        if self._writer is None:
            self._writer = writer
            self._reading = asyncio.create_task(self._read(reader))
        else:
            writer.close()

    async def _read(self, reader):
        while True:
            line = await reader.readline()
            if not line:
                break
            words = line.split()
            if words[0] == b"RX":
                if len(self._frames) < QUEUE_MAX:
                    self._frames.append((bytes.fromhex(words[3].decode()), int(float(words[1])), int(float(words[2]))))
                    self._arrived.set()
                else:
                    self.lost += 1
            else:
                self._answer = words[0]
                self._answered.set()
        self._writer = None
        self._answer = None
        self._answered.set()
        self._arrived.set()
