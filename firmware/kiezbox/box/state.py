# SPDX-License-Identifier: Apache-2.0
"""What a box must still know after a power cut besides calls and readings: reserved numbers, replay windows, airtime
bound, mode. All of it is written at once, so that no two of these facts can disagree on flash.

If the newest copy is damaged, the one before counts, and what must never go back takes a leap forward: numbers that may
have been used are never used again, and the hour's airtime counts as spent.

Not here: the meaning of a value (protocol). Called by box.py and modes.py.
"""

from kiezbox.box.twin_file import TwinFile
from kiezbox.protocol import counter, duty, packet_id

LEAP = 1_000_000
"""Far more numbers than the older copy can be behind, and few of the 2^32 there are."""


class State:
    """`values` by name, JSON types only. `damaged`: the newest copy could not be read at the start."""

    def __init__(self, root: str, room) -> None:  # noqa: ANN001
        self._file = TwinFile(root + "/state.")
        self._room = room
        self.values: dict = self._file.load() or {}
        self.damaged = self._file.damaged
        self.changed = False

    def leap(self, used: int) -> None:
        """After damage: start far above what the older copy says and above `used`, the highest number seen."""
        for name in ("counter_reserved", packet_id.PERSIST_NAME):
            start = max(self.values.get(name) or 0, used) + LEAP
            self.put(name, min(start, 0xFFFFFFFF - counter.BLOCK))
        self.put(duty.PERSIST_NAME, duty.LIMIT_MS)

    def put(self, name: str, value: object) -> None:
        """Hold a value; it is on flash after the next `save`."""
        self.values[name] = value
        self.changed = True

    def save(self) -> bool:
        """Write everything if something has changed. False if the flash refused; then nothing counts as written."""
        if self.changed:
            try:
                self._room.write(lambda: self._file.save(self.values))
            except OSError:
                return False
            self.changed = False
        return True
