# SPDX-License-Identifier: Apache-2.0
"""One simulated box in real time: mounts its flash, builds ports that need no hardware, and runs the firmware's own
main.py.

`micropython -X heapsize=128k box.py CONFIG.json`. Prints `READY http=PORT` and log lines. Runs on MicroPython.
"""

import gc
import io
import json
import os
import sys
import time

import vfs
from ether_radio import EtherRadio
from file_flash import FileFlash
from weather_sensor import WeatherSensor

ROOT = "/box"


class SteadyClock:
    """The Clock port: the host's time stands for a good battery-backed clock."""

    def __init__(self):
        self._ticks = time.ticks_ms()
        self._now_ms = 0

    def now_ms(self):
        """On 32 bits the ticks begin again after 12 days; a box looks at its clock more often than that."""
        ticks = time.ticks_ms()
        self._now_ms += time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._now_ms

    def wall(self):
        return int(time.time()), 2

    def source(self):
        return 2

    def set_wall(self, time_s, quality):
        """Never better than what the host has."""


class SimulatedPorts:
    """See kiezbox/box/ports.py."""

    watchdog = button = led = grid = uplink = router_power = None
    reset_cause = 1
    root = ROOT

    def __init__(self, given):
        self._given = given
        self.radio = EtherRadio(given["ether_port"], given["node_num"], given["name"].replace(" ", "_"))
        self.clock = SteadyClock()
        self.sensors = [WeatherSensor(given.get("seed", 0) + given["node_num"])]
        self.http_host = given["http_host"]
        self.http_port = given["http_port"]
        self.dns_port = given["dns_port"]

    def entropy(self, length):
        return os.urandom(length)

    def provision(self):
        """What the simulator was started with, less what is the simulator's own business."""
        own = ("flash_path", "flash_bytes", "ether_port", "http_host", "http_port", "dns_port", "seed")
        return io.BytesIO(json.dumps({name: self._given[name] for name in self._given if name not in own}).encode())

    def restart(self):
        """Ends the process; who started it starts it again."""
        sys.exit()

    def log(self, text):
        print(text)


def mount(path, size_bytes):
    """A virgin or unreadable flash is formatted, as the board does at its first start."""
    flash = FileFlash(path, size_bytes)
    if flash.virgin:
        vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), ROOT)


def main():
    with open(sys.argv[1]) as file:
        given = json.load(file)
    mount(given["flash_path"], given["flash_bytes"])
    import main as firmware

    ports = SimulatedPorts(given)
    del given
    gc.collect()
    firmware.run(ports)


main()
