# SPDX-License-Identifier: Apache-2.0
"""The ports of `kiezbox/box/ports.py` in virtual time: radio, clock, sensors, watchdog, button, light, grid, router and
entropy. Each speaks records of virtual_link.
"""

import asyncio
import hashlib
import struct

import virtual_link
from virtual_link import NO_VALUE, link

RECEIVED_MAX = 4
"""Frames that wait for the firmware, as in a driver's buffer; the oldest is lost."""

WATCHDOG_MS = 420_000


class Radio:
    """The ether is in the simulator. `cad_us`: how long one channel activity detection takes."""

    def __init__(self, cad_us):
        self.lost = 0
        self._cad_us = cad_us
        self._frames = []
        self._arrived = asyncio.Event()
        self._answered = asyncio.Event()
        self._sent = False
        link.handlers[virtual_link.RECEIVED] = self._receive
        link.handlers[virtual_link.SENT] = lambda _: self._answer(True)
        link.handlers[virtual_link.BUSY] = lambda _: self._answer(False)

    async def transmit(self, frame):
        """True when it has been on the air, False if the channel was busy."""
        if link.now_ms * 1000 + self._cad_us < link.busy_until_us:
            # The ether could only say no: what is on the air now outlasts the detection.
            await asyncio.sleep_ms(self._cad_us // 1000)
            return False
        self._answered.clear()
        link.put(virtual_link.TRANSMIT, bytes(frame))
        await self._answered.wait()
        return self._sent

    async def receive(self):
        """The next frame, rssi_dbm, snr_db."""
        while not self._frames:
            self._arrived.clear()
            await self._arrived.wait()
        return self._frames.pop(0)

    def reset(self):
        """The chip forgot what it was doing: what waits is lost, what was being sent counts as not sent."""
        self._frames = []
        self._answer(False)

    def _receive(self, payload):
        rssi_dbm, snr_quarters = struct.unpack_from("<hb", payload)
        if len(self._frames) >= RECEIVED_MAX:
            self._frames.pop(0)
            self.lost += 1
        self._frames.append((payload[3:], rssi_dbm, int(snr_quarters / 4)))
        self._arrived.set()

    def _answer(self, sent):
        self._sent = sent
        self._answered.set()


class Clock:
    """The battery-backed clock is kept by the simulator over power cuts; good time comes over the air."""

    def __init__(self):
        self._wall_s = 0
        self._quality = 0
        self._source = 0
        self._at_ms = 0
        link.handlers[virtual_link.CLOCK] = self._set

    def now_ms(self):
        """Milliseconds since the start."""
        return link.now_ms - link.boot_ms

    def wall(self):
        """Unix seconds and quality."""
        if not self._quality:
            return 0, 0
        return self._wall_s + (link.now_ms - self._at_ms) // 1000, self._quality

    def source(self):
        """1 gateway, 2 battery-backed clock."""
        return self._source

    def set_wall(self, time_s, quality):
        """A better time, from a gateway."""
        self._source = 1
        self._wall_s, self._quality, self._at_ms = time_s, quality, link.now_ms
        link.put(virtual_link.NOTE, ("clock=%d %d" % (time_s, quality)).encode())

    def _set(self, payload):
        self._wall_s, self._quality = struct.unpack("<IB", payload)
        self._source = 2
        self._at_ms = link.now_ms


class Sensors:
    """All sensor chips of a box as one: asks the simulator's city, which answers a moment later. `names` is the
    order of values."""

    fault_bit = 1

    def __init__(self, names):
        self._names = names
        self._values = {}
        self._answered = asyncio.Event()
        link.handlers[virtual_link.SENSORS] = self._answer

    async def read(self):
        """Value name -> integer. Raises OSError if nothing answers."""
        self._answered.clear()
        link.put(virtual_link.NOTE, b"measure=")
        await self._answered.wait()
        if not self._values:
            raise OSError(5)
        return self._values

    def _answer(self, payload):
        self._values = {}
        for at in range(0, len(payload), 5):
            index, value = struct.unpack_from("<Bi", payload, at)
            if value != NO_VALUE:
                self._values[self._names[index]] = value
        self._answered.set()


class Watchdog:
    """Restarts the box when it has not been fed for two minutes."""

    def __init__(self):
        self.fed_ms = link.now_ms

    def start(self):
        """The box is switched on."""
        self.fed_ms = link.now_ms
        link.watchdog = self

    def feed(self):
        """All is well."""
        self.fed_ms = link.now_ms

    def check(self):
        """Called by the link whenever time has passed."""
        if link.now_ms - self.fed_ms > WATCHDOG_MS:
            link.reset("watchdog")


class Button:
    """Pressed and let go by the simulator."""

    def __init__(self):
        self._levels = []
        self._changed = asyncio.Event()
        link.handlers[virtual_link.BUTTON] = self._edge

    async def changed(self):
        """The next edge's level."""
        while not self._levels:
            self._changed.clear()
            await self._changed.wait()
        return self._levels.pop(0)

    def _edge(self, payload):
        self._levels.append(payload != b"\0")
        self._changed.set()


class Output:
    """A light or a switch: the simulator is told when it changes."""

    def __init__(self, name):
        self._name = name
        self._on = None

    def set(self, on):
        """On or off."""
        if on != self._on:
            self._on = on
            link.put(virtual_link.NOTE, ("%s=%d" % (self._name, on)).encode())


class Grid:
    """The public grid, as the simulator says; there at the start."""

    def __init__(self):
        self._present = True
        link.handlers[virtual_link.GRID] = self._set

    def present(self):
        """Whether there is voltage."""
        return self._present

    def _set(self, payload):
        self._present = payload != b"\0"


class Entropy:
    """Bytes that differ for each box and boot, and are the same in each run."""

    def __init__(self, seed, boot):
        self._seed = "%s %d" % (seed, boot)
        self._count = 0

    def __call__(self, length):
        """So many bytes."""
        found = b""
        while len(found) < length:
            self._count += 1
            found += hashlib.sha256(("%s %d" % (self._seed, self._count)).encode()).digest()
        return found[:length]
