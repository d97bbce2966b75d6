# SPDX-License-Identifier: Apache-2.0
"""A whole box on MicroPython whose radio hears frames from a file, one after the other without a pause, to see how much
memory it needs. Started by bench/firmware.py: `loaded_box.py CONFIG.json SAMPLED`.

With SAMPLED = 1 the heap is collected and looked at often: a line `USED bytes` whenever it holds more than ever before.
"""

import asyncio
import gc
import json
import os
import sys
import time

import vfs
from file_flash import FileFlash
from weather_sensor import WeatherSensor

ROOT = "/box"
_FRAME_MS = 250  # A frame of 60 bytes at MEDIUM_FAST.


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
    def __init__(self):
        self._start_ms = time.ticks_ms()

    def now_ms(self):
        return time.ticks_diff(time.ticks_ms(), self._start_ms)

    def wall(self):
        return int(time.time()), 2

    def set_wall(self, time_s, quality):
        pass


class LoadedPorts:
    """See kiezbox/box/ports.py."""

    watchdog = None
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
        return box

    def log(self, text):
        print(text)


async def sample(ports):
    most = 0
    while True:
        gc.collect()
        used = gc.mem_alloc()
        if used > most:
            most = used
            print("USED", used, "heard", ports.radio.heard, "sent", ports.radio.sent)
        await asyncio.sleep_ms(10)


async def run(firmware, ports, sampled):
    if sampled:
        ports.sampling = asyncio.create_task(sample(ports))
    await firmware.start(ports)


def main():
    with open(sys.argv[1]) as file:
        given = json.load(file)
    flash = FileFlash(given["flash_path"], 1 << 20)
    if flash.virgin:
        vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), ROOT)
    gc.collect()
    print("START", gc.mem_alloc())
    import main as firmware

    gc.collect()
    print("IMPORTED", gc.mem_alloc())
    ports = LoadedPorts(given)
    del given
    gc.collect()
    asyncio.run(run(firmware, ports, sys.argv[2] == "1"))


main()
