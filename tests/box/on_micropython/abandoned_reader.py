# SPDX-License-Identifier: Apache-2.0
"""Readers of a journal that leave off in the middle, with the garbage collector at work inside of LittleFS: it must
find no open file. Run by tests/box/test_journal.py."""

import gc
import os

import vfs

from kiezbox.box.journal import Journal

BLOCK_BYTES = 4096
BLOCKS = 24


class CollectingFlash:
    """Flash in memory; `collecting`: memory is short at every write, as it may be when the driver is Python."""

    def __init__(self):
        self._content = bytearray(BLOCKS * BLOCK_BYTES)
        self.collecting = False

    def readblocks(self, block, buffer, offset=0):
        start = block * BLOCK_BYTES + offset
        buffer[:] = memoryview(self._content)[start : start + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        if self.collecting:
            gc.collect()
        start = block * BLOCK_BYTES + offset
        self._content[start : start + len(buffer)] = buffer

    def ioctl(self, operation, argument):
        if operation == 4:
            return BLOCKS
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            self._content[argument * BLOCK_BYTES : (argument + 1) * BLOCK_BYTES] = b"\xff" * BLOCK_BYTES
        return 0


def leave_off(journal, depth):
    """Deep enough that nothing of it is left on the stack."""
    if depth:
        leave_off(journal, depth - 1)
    else:
        for _ in journal.records():
            return


flash = CollectingFlash()
vfs.VfsLfs2.mkfs(flash)
vfs.mount(vfs.VfsLfs2(flash), "/flash")
journal = Journal("/flash/a.log")
for _ in range(30):
    journal.append(1, bytes(100))
gc.collect()
for _ in range(20):
    open("/flash/x", "wb").close()
    leave_off(journal, 5)
    flash.collecting = True
    os.rename("/flash/x", "/flash/y")
    flash.collecting = False
    # Whatever is freed now, others get its memory.
    others = [bytearray(100) for _ in range(200)]
    others = None
assert sum(1 for _ in journal.records()) == 30
