# SPDX-License-Identifier: Apache-2.0
"""Which packets were heard: a ring of (from, id) and content, the oldest forgotten first.

Content counts, because anybody can change a frame's and send it on under the same id before the true copy arrives; two
bytes of a keyed digest stand for it. Byte strings and one search in them: no allocation per packet and 13 bytes per
entry, where a dict of tuples takes 25 kB for the same. Not here: what a duplicate means (flooding.py).
"""

KEY_LENGTH = 8
DIGEST_LENGTH = 2
SIZE_DEFAULT = 200

UNKNOWN = -1
OTHER_CONTENT = -2

_HOP_LIMIT_MASK = 0x07
_RELAYED = 0x80


class History:
    """Keys are bytes 4 to 11 of a frame: from and packet id, as they are on the air. A place is 0 .. size - 1, and
    means the same packet until `size` others were added."""

    def __init__(self, size: int = SIZE_DEFAULT) -> None:
        """size: entries; the firmware keeps max(2 * MAX_NUM_NODES, 100)."""
        if size < 1:
            raise ValueError("history size")
        self.size = size
        # No key is all zeros: a packet without sender or id is never remembered.
        self._keys = bytearray(size * KEY_LENGTH)
        self._digests = bytearray(size * DIGEST_LENGTH)
        self._flags = bytearray(size)
        self._next_hops = bytearray(size)
        self._relay_nodes = bytearray(size)
        self._next = 0

    def find(self, key: bytes, digest: bytes) -> int:
        """Where the packet stands; UNKNOWN if it was not heard or is forgotten, OTHER_CONTENT if only others of that
        key were heard. key: 8 bytes, not all zero; digest: 2 bytes.
        """
        missing = UNKNOWN
        found = self._keys.find(key)
        while found >= 0:
            if found % KEY_LENGTH == 0:
                place = found // KEY_LENGTH
                if self._digests[place * DIGEST_LENGTH : place * DIGEST_LENGTH + DIGEST_LENGTH] == digest:
                    return place
                missing = OTHER_CONTENT
            found = self._keys.find(key, found + 1)
        return missing

    def add(self, key: bytes, digest: bytes, hop_limit: int, next_hop: int = 0, relay_node: int = 0) -> int:
        """Remember a packet that `find` did not know; returns its place."""
        place = self._next
        self._keys[place * KEY_LENGTH : place * KEY_LENGTH + KEY_LENGTH] = key
        self._digests[place * DIGEST_LENGTH : place * DIGEST_LENGTH + DIGEST_LENGTH] = digest
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

    def note_relayed(self, key: bytes, digest: bytes) -> None:
        """This node has put it on the air. A packet that is forgotten by now changes nothing."""
        place = self.find(key, digest)
        if place >= 0:
            self._flags[place] |= _RELAYED

    def flood(self, place: int) -> None:
        """From now on everybody is asked to relay it."""
        self._next_hops[place] = 0
