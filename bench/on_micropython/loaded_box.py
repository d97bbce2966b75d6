# SPDX-License-Identifier: Apache-2.0
"""A whole box on MicroPython under load, to see how much memory it needs: `loaded_box.py CONFIG.json SAMPLED`. Started
by bench/loaded_box.py.

With SAMPLED = 1 the heap is collected and looked at often: a line `USED bytes` whenever it holds more than ever before.
A board's flash driver is no Python, so the one here is as small as it can be.
"""

import asyncio
import gc
import json
import sys

import vfs
from loaded_ports import ROOT, LoadedPorts
from micropython import const

_BLOCK = const(4096)
_BLOCKS = const(256)


class Flash:
    """An erased chip in a file; see vm/file_flash.py."""

    def __init__(self, path):
        self.file = open(path, "w+b")
        for _ in range(_BLOCKS):
            self.file.write(b"\xff" * _BLOCK)

    def readblocks(self, block, buffer, start=0):
        self.file.seek(block * _BLOCK + start)
        self.file.readinto(buffer)

    def writeblocks(self, block, buffer, start=0):
        self.file.seek(block * _BLOCK + start)
        self.file.write(buffer)

    def ioctl(self, block, value):
        if block == 4:
            return _BLOCKS
        if block == 5:
            return _BLOCK
        if block == 6:
            for start in range(0, _BLOCK, 256):
                self.writeblocks(value, b"\xff" * 256, start)
        return 0


async def sample(ports):
    most = 0
    while True:
        gc.collect()
        used = gc.mem_alloc()
        if used > most:
            most = used
            print("USED", used, "heard", ports.radio.heard, "sent", ports.radio.sent)
        await asyncio.sleep_ms(10)


async def run(start, ports):
    if sys.argv[2] == "1":
        ports.task = asyncio.create_task(sample(ports))
    await start(ports)


def main():
    with open(sys.argv[1]) as file:
        given = json.load(file)
    flash = Flash(given["flash_path"])
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), ROOT)
    gc.collect()
    print("START", gc.mem_alloc())
    from main import start

    gc.collect()
    print("IMPORTED", gc.mem_alloc())
    ports = LoadedPorts(given)
    del given
    gc.collect()
    asyncio.run(run(start, ports))


main()
