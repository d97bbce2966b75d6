# SPDX-License-Identifier: Apache-2.0
"""One box of a scenario: the firmware's own main.run with the ports of virtual time. Started by virtual/vm_pool.py.

`micropython -X heapsize=128k -m virtual_box BOOT` in a folder with box.json (what the simulator knows),
provision.json (the box's first configuration), flash.bin (kept over boots) and links to the firmware. The first turn
ends before the firmware starts; the box is switched on by the simulator's first wake.
"""

import virtual_start  # noqa: F401  Before anything that imports asyncio.

# isort: split
import asyncio
import gc
import json
import struct
import sys

import vfs
import virtual_flash
import virtual_link
import virtual_ports
from virtual_link import link

_PIECE = 1024
_PIECES_LEFT = 6
"""What a leak leaves: a little, or the box could not even say what is wrong."""


class Ports:
    """As in kiezbox/box/ports.py."""

    def __init__(self, settings, boot):
        from kiezbox.protocol.reading import VALUE_NAMES

        self.root = "/flash"
        self.radio = virtual_ports.Radio(settings.get("cad_us", 0))
        self.clock = virtual_ports.Clock()
        self.sensors = [virtual_ports.Sensors(VALUE_NAMES)]
        self.watchdog = virtual_ports.Watchdog()
        self.http_host = "192.168.4.1"  # What phones see; the address that MicroPython's access point takes.
        self.http_port = 80
        self.dns_port = settings.get("dns_port", 0)
        # What a box may have or not. A light that is never off costs a simulation most of its time.
        parts = settings.get("parts", "")
        self.button = virtual_ports.Button() if "button" in parts else None
        self.led = virtual_ports.Output("led") if "led" in parts else None
        self.grid = virtual_ports.Grid() if "grid" in parts else None
        self.router_power = virtual_ports.Output("router") if "router" in parts else None
        self.uplink = None
        self.reset_cause = settings.get("reset_cause", 1)
        self.entropy = virtual_ports.Entropy(settings["seed"], boot)

    def provision(self):
        """The file that a technician would have brought."""
        return open("provision.json", "rb")

    def consumers(self, mask):
        """What is switched on: 1 processor, 2 radio, 4 Wi-Fi, 8 dust sensor, 16 sensors."""
        link.put(virtual_link.CONSUMERS, struct.pack("<H", mask))

    def restart(self):
        """Reset."""
        link.reset("restart")

    def log(self, text):
        """Into the trace."""
        link.put(virtual_link.LOG, text.encode()[:200])


def start():
    """Boot."""
    boot = int(sys.argv[1])
    with open("box.json") as file:
        settings = json.load(file)
    flash = virtual_flash.Flash("flash.bin", settings["flash_blocks"])
    if flash.virgin:
        vfs.VfsLfs2.mkfs(flash, progsize=virtual_flash.PROGRAM_LENGTH)
    virtual_flash.attach(flash)
    ports = Ports(settings, boot)
    del settings
    ballast = virtual_flash.Ballast(ports.root)
    taken = []

    def fault(payload):
        name = payload.decode()
        if name == "radio_reset":
            ports.radio.reset()
        elif name == "full_flash":
            ballast.take()
        elif name == "full_flash_over":
            ballast.give_up()
        elif name == "broken_flash":
            flash.broken = True
        elif name == "broken_flash_over":
            flash.broken = False
        elif name == "count_flash":  # For whoever measures wear.
            link.put(virtual_link.NOTE, ("flash=%d %d" % (flash.erased_blocks, flash.programmed_bytes)).encode())
        elif name == "count_heap":
            gc.collect()
            link.put(virtual_link.NOTE, ("heap=%d" % gc.mem_alloc()).encode())
        elif name == "memory_exhaustion":
            try:
                while True:
                    taken.append(bytearray(_PIECE))
            except MemoryError:
                del taken[-_PIECES_LEFT:]
        elif name == "memory_exhaustion_over":
            taken.clear()

    link.handlers[virtual_link.FAULT] = fault
    link.suspend(None)
    link.boot_ms = link.now_ms
    ports.watchdog.start()
    vfs.mount(vfs.VfsLfs2(flash, progsize=virtual_flash.PROGRAM_LENGTH), "/flash")
    import main

    running = main.run(ports)
    if hasattr(running, "send"):
        asyncio.run(running)
    link.reset("main ended")


start()
