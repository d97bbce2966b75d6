# SPDX-License-Identifier: Apache-2.0
"""Which packets were heard: a ring of (from, id), the oldest forgotten first.

One byte string and one search in it: no allocation per packet and 11 bytes per entry, where a dict of tuples takes 25
kB for the same. Not here: what a duplicate means (flooding.py).
"""

KEY_LENGTH = 8
SIZE_DEFAULT = 200

_HOP_LIMIT_MASK = 0x07
_RELAYED = 0x80


class History:
    """Keys are bytes 4 to 11 of a frame: from and packet id, as they are on the air. A place is 0 .. size - 1, and
    means the same packet until `size` others were added."""

    __slots__ = ("_flags", "_keys", "_next", "_next_hops", "_relay_nodes", "size")

    def __init__(self, size: int = SIZE_DEFAULT) -> None:
        """size: entries; the firmware keeps max(2 * MAX_NUM_NODES, 100)."""
        if size < 1:
            raise ValueError("a history holds at least one packet")
        self.size = size
        # No key is all zeros: a packet without sender or id is never remembered.
        self._keys = bytearray(size * KEY_LENGTH)
        self._flags = bytearray(size)
        self._next_hops = bytearray(size)
        self._relay_nodes = bytearray(size)
        self._next = 0

    def find(self, key: bytes) -> int:
        """Where `key` (8 bytes, not all zero) stands, -1 if it was not heard or is forgotten."""
        found = self._keys.find(key)
        while found >= 0:
            if found % KEY_LENGTH == 0:
                return found // KEY_LENGTH
            found = self._keys.find(key, found + 1)
        return -1

    def add(self, key: bytes, hop_limit: int, next_hop: int = 0, relay_node: int = 0) -> int:
        """Remember a packet that `find` did not know; returns its place."""
        place = self._next
        start = place * KEY_LENGTH
        self._keys[start : start + KEY_LENGTH] = key
        self._flags[place] = hop_limit
        self._next_hops[place] = next_hop
        self._relay_nodes[place] = relay_node
        self._next = (place + 1) % self.size
        return place

    def hop_limit(self, place: int) -> int:
        """The highest hop limit heard of the packet."""
        return self._flags[place] & _HOP_LIMIT_MASK

    def raise_hop_limit(self, place: int, hop_limit: int) -> None:
        """Keep the higher one."""
        flags = self._flags[place]
        if hop_limit > flags & _HOP_LIMIT_MASK:
            self._flags[place] = flags & _RELAYED | hop_limit

    def next_hop(self, place: int) -> int:
        """Who was asked to relay it when it was last judged; 0: everybody."""
        return self._next_hops[place]

    def relay_node(self, place: int) -> int:
        """Whose copy was heard first."""
        return self._relay_nodes[place]

    def relayed(self, place: int) -> bool:
        """Whether this node has put it on the air."""
        return bool(self._flags[place] & _RELAYED)

    def note_relayed(self, key: bytes) -> None:
        """This node has put it on the air. A packet that is forgotten by now changes nothing."""
        place = self.find(key)
        if place >= 0:
            self._flags[place] |= _RELAYED

    def flood(self, place: int) -> None:
        """From now on everybody is asked to relay it."""
        self._next_hops[place] = 0
