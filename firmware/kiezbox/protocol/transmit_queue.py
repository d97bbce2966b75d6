# SPDX-License-Identifier: Apache-2.0
"""Frames that wait for their moment: bounded, the most important first, every loss named.

1. Order: rank, then relayed before own (a relay's moment passes), then the order of arrival.
2. A full queue gives up its least important, youngest frame, if the new one is more important; else the new one.

Not here: when a moment comes (mesh.py sets due_ms). Called by mesh.py.
"""

SIZE_DEFAULT = 16


class Waiting:
    """One frame: rank (priority.py), due_ms: not before, relayed: of others, key: (from, id) on the air, airtime_us."""

    __slots__ = ("airtime_us", "due_ms", "frame", "key", "late", "packet_id", "rank", "relayed")

    def __init__(self, frame: bytes, rank: int, due_ms: int, relayed: bool, packet_id: int, airtime_us: int) -> None:
        self.frame = frame
        self.rank = rank
        self.due_ms = due_ms
        self.relayed = relayed
        self.packet_id = packet_id
        self.airtime_us = airtime_us
        self.key = bytes(frame[4:12])
        self.late = False

    def before(self, other: "Waiting") -> bool:
        """Whether this one goes first."""
        if self.rank != other.rank:
            return self.rank < other.rank
        return self.relayed and not other.relayed


class TransmitQueue:
    """Kept in order, so that the first that is due is the one to send."""

    __slots__ = ("items", "size")

    def __init__(self, size: int = SIZE_DEFAULT) -> None:
        self.size = size
        self.items: list[Waiting] = []

    def add(self, item: Waiting) -> "Waiting | None":
        """Returns what had to go for it: None, an older entry, or `item` itself."""
        dropped = None
        if len(self.items) >= self.size:
            dropped = self.items[-1]
            if not item.before(dropped):
                return item
            self.items.pop()
        place = len(self.items)
        while place and item.before(self.items[place - 1]):
            place -= 1
        self.items.insert(place, item)
        return dropped

    def find(self, key: bytes) -> "Waiting | None":
        """The entry with this (from, id), if any waits."""
        for item in self.items:
            if item.key == key:
                return item
        return None

    def remove(self, item: Waiting) -> None:
        """Raises ValueError if it does not wait."""
        self.items.remove(item)

    def __len__(self) -> int:
        return len(self.items)
