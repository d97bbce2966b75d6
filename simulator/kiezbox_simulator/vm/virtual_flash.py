# SPDX-License-Identifier: Apache-2.0
"""The box's flash in virtual time: a LittleFS on a file, whose power can fail in the middle of a write.

The file survives the process, as flash survives a power cut. Blocks of 4096 bytes, programmed in units of 256, as
NOR flash behind the ESP32. `cut_after` operations later only part of one arrives and the box is dark.
"""

import struct

import virtual_link
from virtual_link import link

BLOCK_LENGTH = 4096
PROGRAM_LENGTH = 256
_ENOSPC = 28
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
        self.full = False
        self.erased_blocks = 0
        self.programmed_bytes = 0
        self._cut_after = -1
        self._arriving = 0

    def readblocks(self, block, buffer, offset=0):
        """Read into buffer."""
        self._file.seek(block * BLOCK_LENGTH + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        """Program. Raises OSError ENOSPC while the flash is said to be full."""
        if self.full:
            raise OSError(_ENOSPC)
        self._file.seek(block * BLOCK_LENGTH + offset)
        if self._last_operation():
            self._file.write(memoryview(buffer)[: min(self._arriving, len(buffer))])
            self._dark()
        self._file.write(buffer)
        self.programmed_bytes += len(buffer)

    def ioctl(self, operation, argument):
        """3 sync, 4 block count, 5 block length, 6 erase."""
        if operation == 4:
            return self._blocks
        if operation == 5:
            return BLOCK_LENGTH
        if operation == 6:
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


def attach(flash):
    """Let the simulator cut this flash's power."""
    link.handlers[virtual_link.CUT] = flash.cut
