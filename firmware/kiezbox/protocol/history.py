# SPDX-License-Identifier: Apache-2.0
"""Which packets were heard: a ring of (from, id), the oldest forgotten first.

One byte string and one search in it: no allocation per packet and 10 bytes per entry, where a dict of tuples takes 25
kB
for the same. Not here: what a duplicate means (mesh.py).
"""

KEY_LENGTH = 8


class History:
    """Keys are bytes 4 to 11 of a frame: from and packet id, as they are on the air."""

    __slots__ = ("_hop_limits", "_keys", "_next", "size")

    def __init__(self, size: int = 200) -> None:
        """size: entries; the firmware keeps max(2 * MAX_NUM_NODES, 100)."""
        if size < 1:
            raise ValueError("a history holds at least one packet")
        self.size = size
        self._keys = bytearray(size * KEY_LENGTH)
        self._hop_limits = bytearray(size)
        self._next = 0

    def find(self, key: bytes) -> int:
        """Where `key` stands, -1 if it was not heard or is forgotten."""
        start = 0
        while True:
            found = self._keys.find(key, start)
            if found < 0 or found % KEY_LENGTH == 0:
                return found // KEY_LENGTH if found >= 0 else -1
            start = found + 1

    def add(self, key: bytes, hop_limit: int) -> None:
        """Remember a packet that `find` did not know."""
        place = self._next
        self._keys[place * KEY_LENGTH : (place + 1) * KEY_LENGTH] = key
        self._hop_limits[place] = hop_limit
        self._next = (place + 1) % self.size

    def hop_limit(self, place: int) -> int:
        """The highest hop limit heard of the packet at `place`."""
        return self._hop_limits[place]

    def raise_hop_limit(self, place: int, hop_limit: int) -> None:
        """Keep the higher one."""
        if hop_limit > self._hop_limits[place]:
            self._hop_limits[place] = hop_limit
