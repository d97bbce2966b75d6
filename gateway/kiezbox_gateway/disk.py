# SPDX-License-Identifier: Apache-2.0
"""Space on the disk: readings are refused while there is room for calls, and a reserve is freed for calls at the end.

The reserve is a file of real blocks. A box whose reading is not acknowledged keeps it and sends it again later.
"""

import contextlib
import os
import time
from pathlib import Path

import structlog

RESERVE_NAME = "reserve"
CHECK_PAUSE_S = 5.0
MIB = 1 << 20

log = structlog.get_logger(part="disk")


class Disk:
    """Watches the file system of one folder."""

    def __init__(self, folder: Path, reserve_mib: int, free_min_mib: int) -> None:
        self.low = False
        self.free_bytes = 0
        self._folder = folder
        self._reserve = folder / RESERVE_NAME
        self.reserve_bytes = reserve_mib * MIB
        self._free_min_bytes = free_min_mib * MIB
        self._checked_s = -CHECK_PAUSE_S

    def check(self, *, lay_in: bool = True) -> bool:
        """Look at the free space now; lay the reserve in again when there is plenty. True while space is low."""
        self._checked_s = time.monotonic()
        try:
            statistics = os.statvfs(self._folder)
        except OSError:
            self.free_bytes = 0
        else:
            self.free_bytes = statistics.f_bavail * statistics.f_frsize
        low = self.free_bytes < self._free_min_bytes
        if low != self.low:
            log.warning("disk_low" if low else "disk_has_room", free_mib=self.free_bytes // MIB)
        self.low = low
        if lay_in and self.free_bytes > self._free_min_bytes + 2 * self.reserve_bytes and not self.has_reserve:
            self._lay_in()
        return low

    @property
    def has_reserve(self) -> bool:
        """Whether the reserve file is there in full."""
        try:
            return self._reserve.stat().st_size >= self.reserve_bytes
        except OSError:
            return False

    def may_take(self, kind: str) -> bool:
        """Readings only while space is not low; everything else always."""
        if time.monotonic() - self._checked_s >= CHECK_PAUSE_S:
            # Laying in the reserve may take long; `upkeep` does that beside the event loop.
            self.check(lay_in=False)
        return not (self.low and kind == "reading")

    def free_reserve(self) -> bool:
        """Give the reserve to the store. False when it was gone already."""
        try:
            self._reserve.unlink()
        except OSError:
            return False
        self.low = True
        self._checked_s = time.monotonic()
        log.critical("disk_reserve_freed")
        return True

    def _lay_in(self) -> None:
        try:
            descriptor = os.open(self._reserve, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, self.reserve_bytes)
            finally:
                os.close(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                self._reserve.unlink()


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
