# SPDX-License-Identifier: Apache-2.0
"""What has happened to one vm box since its last turn began, as the records that its next turn is handed.

Called by vm_box.py. Not here: the records' meaning (vm/virtual_link.py), which ones may wait (repetition.py).
"""

import struct

from kiezbox_simulator.virtual import vm_link


class Inbox:
    """Records in the order of their moments. Once one of them waits for a later turn, each new moment is told."""

    def __init__(self) -> None:
        self._records: list[bytes] = []
        self._moment_us = -1
        self._has_waiting = False

    def add(self, kind: int, payload: bytes, now_us: int, waits: bool) -> None:
        """It happens now. `waits`: no turn is given for it, so the next one may be later."""
        self._has_waiting = self._has_waiting or waits
        self._tell_moment(now_us)
        self._records.append(vm_link.record(kind, payload))

    def take(self, at_us: int) -> bytes:
        """All of it, for a turn at that moment."""
        self._tell_moment(at_us)
        records = b"".join(self._records)
        self.clear()
        return records

    def clear(self) -> None:
        """Forget what was not handed over."""
        self._records.clear()
        self._has_waiting = False

    def _tell_moment(self, time_us: int) -> None:
        if self._has_waiting and self._moment_us != time_us:
            self._records.append(vm_link.record(vm_link.AT, struct.pack("<Q", time_us)))
        self._moment_us = time_us
