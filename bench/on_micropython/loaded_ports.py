# SPDX-License-Identifier: Apache-2.0
"""Ports of a box that is measured: its radio hears frames from a file without a pause. Used by loaded_box.py and
call_and_page.py, runs on MicroPython."""

import asyncio
import io
import json
import os
import time

from micropython import const
from weather_sensor import WeatherSensor

ROOT = "/box"
_FRAME_MS = const(250)  # A frame of 60 bytes at MEDIUM_FAST.
_ON_SINCE_MS = 40 * 86_400_000


class RecordedRadio:
    """The Radio port. A record of the file is one length byte and the frame; at its end it begins anew."""

    def __init__(self, path):
        self._file = open(path, "rb")
        self.heard = 0
        self.sent = 0

    async def receive(self):
        await asyncio.sleep_ms(_FRAME_MS)
        length = self._file.read(1)
        if not length:
            self._file.seek(0)
            length = self._file.read(1)
        self.heard += 1
        return self._file.read(length[0]), -90 - self.heard % 30, 8 - self.heard % 16

    async def transmit(self, _frame):
        await asyncio.sleep_ms(_FRAME_MS)
        self.sent += 1
        return True


class HostClock:
    """As on a box that has been on for forty days: on 32 bits milliseconds are objects from the thirteenth day on."""

    def __init__(self):
        self._start_ms = time.ticks_ms()

    def now_ms(self):
        return _ON_SINCE_MS + time.ticks_diff(time.ticks_ms(), self._start_ms)

    def source(self):
        return 2

    def wall(self):
        return int(time.time()), 2

    def set_wall(self, time_s, quality):
        pass


class LoadedPorts:
    """See kiezbox/box/ports.py."""

    watchdog = button = led = grid = uplink = router_power = None
    reset_cause = 1
    root = ROOT

    def __init__(self, given):
        self.radio = RecordedRadio(given["frames_path"])
        self.clock = HostClock()
        self.sensors = [WeatherSensor(1)]
        self.http_host = "127.0.0.1"
        self.http_port = given["http_port"]
        self.dns_port = given["dns_port"]
        self._box = given["box"]

    def entropy(self, length):
        return os.urandom(length)

    def provision(self):
        box, self._box = self._box, None
        return None if box is None else io.BytesIO(json.dumps(box).encode())

    def log(self, text):
        print(text)
