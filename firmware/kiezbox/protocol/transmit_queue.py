# SPDX-License-Identifier: Apache-2.0
"""Frames that wait for their moment: bounded, the most important first, every loss named.

1. Order: rank; within it, those in the late window last; then relayed before own (a relay's moment passes); then
   arrival.
2. A full queue gives up its last frame, if the new one goes before it; else the new one.

Not here: when a moment comes (mesh.py and flooding.py set due_ms). Called by both.
"""

from kiezbox.protocol.frame import HEADER_LENGTH

SIZE_DEFAULT = 16
_EVERYBODY = b"\xff\xff\xff\xff"


class Waiting:
    """One frame: rank (priority.py), due_ms: not before, relayed: of others, airtime_us, snr_db: how
    well a relayed one was heard, late: its first moment went to somebody else, given_up: it is with the radio, and need
    not be tried again if the channel is busy. What most frames leave as it is stands in the class, to save memory."""

    late = given_up = False

    def __init__(self, frame: bytes, rank: int, due_ms: int, relayed: bool, airtime_us: int, snr_db: int = 0) -> None:
        self.frame = frame
        self.rank = rank
        self.due_ms = due_ms
        self.relayed = relayed
        self.airtime_us = airtime_us
        self.snr_db = snr_db

    def is_copy(self, key: bytes, frame: bytes) -> bool:
        """Whether `frame`, whose (from, id) is `key`, has just this content. Mostly not, and then no object is made."""
        return self.frame.find(key, 4, 12) == 4 and self.frame[HEADER_LENGTH:] == frame[HEADER_LENGTH:]

    @property
    def packet_id(self) -> int:
        """u32. Not kept as a number, which takes memory of its own on the board."""
        return int.from_bytes(self.frame[8:12], "little")

    @property
    def is_broadcast(self) -> bool:
        """Whether it is to all nodes."""
        return self.frame[:4] == _EVERYBODY

    def before(self, other: "Waiting") -> bool:
        """Whether this one goes first."""
        if self.rank != other.rank:
            return self.rank < other.rank
        if self.late != other.late:
            return other.late
        return self.relayed and not other.relayed


class TransmitQueue:
    """`items` is kept in order, so that the first that is due is the one to send."""

    def __init__(self, size: int = SIZE_DEFAULT) -> None:
        if size < 1:
            raise ValueError("queue size")
        self.size = size
        self.items: list[Waiting] = []

    def add(self, item: Waiting) -> "Waiting | None":
        """Returns what had to go for it: None, an older entry, or `item` itself."""
        items = self.items
        dropped = None
        if len(items) >= self.size:
            dropped = items[-1]
            if not item.before(dropped):
                return item
            items.pop()
        place = len(items)
        while place and item.before(items[place - 1]):
            place -= 1
        items.insert(place, item)
        return dropped

    def find(self, key: bytes) -> "Waiting | None":
        """The entry with this (from, id), if any waits."""
        for item in self.items:
            if item.frame.find(key, 4, 12) == 4:
                return item
        return None

    def remove(self, item: Waiting) -> None:
        """Raises ValueError if it does not wait."""
        self.items.remove(item)

    def postpone(self, item: Waiting, due_ms: int) -> None:
        """Move a waiting entry to the late window. Raises ValueError if it does not wait."""
        self.items.remove(item)
        item.late = True
        item.due_ms = due_ms
        self.add(item)

    def __len__(self) -> int:
        return len(self.items)
