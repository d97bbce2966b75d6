# SPDX-License-Identifier: Apache-2.0
"""A whole box on MicroPython under load, to see how much memory it needs: `loaded_box.py CONFIG.json SAMPLED`. Started
by bench/loaded_box.py.

With SAMPLED = 1 the heap is collected and looked at often: a line `USED bytes` whenever it holds more than ever before.
"""

import asyncio
import gc
import json
import sys

import vfs
from file_flash import FileFlash
from loaded_ports import ROOT, LoadedPorts


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
