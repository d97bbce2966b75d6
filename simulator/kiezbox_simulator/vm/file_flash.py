# SPDX-License-Identifier: Apache-2.0
"""A flash chip in a file: a block device for MicroPython's VfsLfs2, with erase blocks of 4096 bytes as on the ESP32.

`cut_after` makes the power fail in the middle of the n-th change of the medium. Runs on MicroPython.
"""

BLOCK_BYTES = 4096
_ERASED = b"\xff" * 256


class PowerCut(BaseException):
    """The power is gone; nothing in the firmware can catch this as an Exception."""


class FileFlash:
    """The extended block device protocol (MicroPython docs, vfs.AbstractBlockDev)."""

    def __init__(self, path, size_bytes):
        """A missing file is made as erased flash. Raises ValueError for a size that is no whole number of blocks."""
        if size_bytes % BLOCK_BYTES:
            raise ValueError("flash size must be a multiple of 4096")
        self.blocks = size_bytes // BLOCK_BYTES
        self.changes = 0
        self.erases = 0
        self.cut_after = None
        self.torn_bytes = 0
        try:
            self._file = open(path, "r+b")
            self.virgin = False
        except OSError:
            self._file = open(path, "w+b")
            for _ in range(self.blocks * BLOCK_BYTES // len(_ERASED)):
                self._file.write(_ERASED)
            self._file.flush()
            self.virgin = True

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(block * BLOCK_BYTES + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        self._change(block * BLOCK_BYTES + offset, buffer)

    def ioctl(self, operation, argument):
        if operation == 3:
            self._file.flush()
        elif operation == 4:
            return self.blocks
        elif operation == 5:
            return BLOCK_BYTES
        elif operation == 6:
            self.erases += 1
            # In pieces, because a board erases without taking memory for it.
            for start in range(argument * BLOCK_BYTES, (argument + 1) * BLOCK_BYTES, len(_ERASED)):
                self._change(start, _ERASED)
        return 0

    def _change(self, position, data):
        self.changes += 1
        self._file.seek(position)
        if self.cut_after is not None and self.changes >= self.cut_after:
            self._file.write(data[: self.torn_bytes])
            self._file.flush()
            raise PowerCut
        self._file.write(data)
        # The simulator may be killed at any moment; what was programmed must then be in the file.
        self._file.flush()
