# SPDX-License-Identifier: Apache-2.0
"""The box's flash in virtual time: a LittleFS on a file, whose power can fail in the middle of a write.

The file survives the process, as flash survives a power cut. Blocks of 4096 bytes, programmed in units of 256, as
NOR flash behind the ESP32. `cut_after` operations later only part of one arrives and the box is dark.

An operation that fails says so with a negative number. An exception would jump out of LittleFS in the middle of its
work and leave files in its list of open ones that no longer exist; it hangs or crashes at one of the next calls.
"""

import os
import struct

import virtual_link
from virtual_link import link

BLOCK_LENGTH = 4096
PROGRAM_LENGTH = 256
_EIO = 5
_ERASED = b"\xff" * BLOCK_LENGTH
"""Made once: a real driver erases without memory, so an erase must not fail here for want of 4 KiB in one piece."""


class Flash:
    """A block device as VfsLfs2 wants it (extended interface with offsets)."""

    def __init__(self, path, blocks):
        self._blocks = blocks
        try:
            self._file = open(path, "r+b")
            self.virgin = False
        except OSError:
            with open(path, "wb") as file:
                for _ in range(blocks):
                    file.write(_ERASED)
            self._file = open(path, "r+b")
            self.virgin = True
        self.broken = False
        self.erased_blocks = 0
        self.programmed_bytes = 0
        self._cut_after = -1
        self._arriving = 0

    def readblocks(self, block, buffer, offset=0):
        """Read into buffer."""
        self._file.seek(block * BLOCK_LENGTH + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        """Program; refused while the chip is broken."""
        if self.broken:
            return -_EIO
        self._file.seek(block * BLOCK_LENGTH + offset)
        if self._last_operation():
            self._file.write(memoryview(buffer)[: min(self._arriving, len(buffer))])
            self._dark()
        self._file.write(buffer)
        self.programmed_bytes += len(buffer)
        return 0

    def ioctl(self, operation, argument):
        """3 sync, 4 block count, 5 block length, 6 erase."""
        if operation == 4:
            return self._blocks
        if operation == 5:
            return BLOCK_LENGTH
        if operation == 6:
            if self.broken:
                return -_EIO
            self._file.seek(argument * BLOCK_LENGTH)
            if self._last_operation():
                self._file.write(memoryview(_ERASED)[: min(self._arriving, BLOCK_LENGTH)])
                self._dark()
            self._file.write(_ERASED)
            self.erased_blocks += 1
        return 0

    def cut(self, payload):
        """The record CUT: the power fails in the operation after this many."""
        self._cut_after, self._arriving = struct.unpack("<IH", payload)

    def _last_operation(self):
        if self._cut_after < 0:
            return False
        self._cut_after -= 1
        return self._cut_after < 0

    def _dark(self):
        self._file.flush()
        link.reset("power cut")


class Ballast:
    """A file that takes all the room there is, so that the file system itself says that it is full."""

    def __init__(self, root):
        self._root = root
        self._path = root + "/ballast"

    def take(self):
        """Fill every free block."""
        free_blocks = os.statvfs(self._root)[3]
        with open(self._path, "wb") as file:
            # What LittleFS has once synced stays when a later write fails.
            for piece in range(free_blocks + 1):
                try:
                    file.write(_ERASED)
                    if free_blocks - piece < 8:
                        file.flush()
                except OSError:
                    break

    def give_up(self):
        """Room again."""
        try:
            os.remove(self._path)
        except OSError:
            pass


def attach(flash):
    """Let the simulator cut this flash's power."""
    link.handlers[virtual_link.CUT] = flash.cut
