# SPDX-License-Identifier: Apache-2.0
"""Which frames only repeat to a box what it has had already, so that it need not be woken for each of them.

In a mesh that floods, three of four frames that a box receives are copies, made by relays, of a broadcast that it had
from somebody else. A node counts such a copy and may give up its own relay; nothing makes it send anything, or sooner
than it meant to. So a copy can wait, with its moment, until the box wakes for something else, and the box then goes
through all of them in order, each in its own moment (vm/virtual_link.py). That saves three of four wake-ups.

A box in the middle of something (it waits for its sensors, or talks to a phone) is woken all the same; so is one with
a fault. Everything else is handed over at once: what a box has not had, a copy with more hops left than any before (the
relay is planned anew, and perhaps for sooner), the originator repeating itself, what is for one node or asks one to
relay it, other bytes under a known id, the box's own packets. If a box wants something done all the same that is past
by then, the run says so (vm_box.py).

Called by vm_box.py. Not here: what a node does with a copy (kiezbox/protocol/flooding.py).
"""

from functools import lru_cache

from kiezbox.protocol.frame import HEADER_LENGTH, HOP_LIMIT_MASK, HOP_START_SHIFT, VIA_MQTT, fault
from kiezbox.protocol.history import SIZE_DEFAULT

TRUSTED = SIZE_DEFAULT // 2
"""A box is trusted to know that it had a packet until it may have remembered so many others: half of its memory."""

_EVERYBODY = b"\xff\xff\xff\xff"
_UNCLEAR = (b"", 0)
"""In the place of content and hops: frames of this id are all handed over."""


@lru_cache(maxsize=64)
def _parts(frame: bytes) -> tuple[bytes, bytes, int, bool, bool]:
    """Sender and id; all that a relay leaves as it is; hops left; whether this frame can be repeated by a relay, and
    whether it may be such a repetition. Remembered, because one frame reaches many boxes at once."""
    if fault(frame):
        return b"", b"", 0, False, False
    flags = frame[12]
    hop_limit, hop_start = flags & HOP_LIMIT_MASK, flags >> HOP_START_SHIFT
    kept = frame[:12] + bytes((flags & ~HOP_LIMIT_MASK, frame[13])) + frame[HEADER_LENGTH:]
    plain = frame[:4] == _EVERYBODY and frame[8:12] != bytes(4) and not flags & VIA_MQTT and not frame[14]
    return frame[4:12], kept, hop_limit, plain, plain and hop_start > hop_limit


class _Packet:
    """One that the box was handed. It has remembered it since a moment between `earliest` and `latest`: relays that are
    minutes late reach a box that may have forgotten it meanwhile, and then remembers it anew."""

    __slots__ = ("earliest", "had", "latest")

    def __init__(self, had: tuple[bytes, int], earliest: int, latest: int) -> None:
        self.had = had
        self.earliest = earliest
        self.latest = latest


class Repetitions:
    """What one box was handed since its start. Moments are counted in packets that the box has remembered: `most` and
    `least` so many, because of some hand-overs nobody knows whether it did."""

    def __init__(self, node_num: int) -> None:
        self._own = node_num.to_bytes(4, "little")
        self._packets: dict[bytes, _Packet] = {}
        self._most = self._least = 0

    def is_one(self, frame: bytes) -> bool:
        """Whether this frame, which the box receives now, repeats what it had. To be asked once for each."""
        key, kept, hop_limit, plain, repeated = _parts(frame)
        if not key or key[:4] == self._own:
            return False
        packet = self._packets.get(key)
        if packet is None or self._least - packet.latest >= SIZE_DEFAULT:
            self._most += 1
            self._least += 1
            self._keep(key, _Packet((kept, hop_limit) if plain else _UNCLEAR, self._most, self._least))
            return False
        known, hops = packet.had
        if self._most - packet.earliest >= TRUSTED or known != kept:
            self._most += 1
            packet.latest = self._least
            if known != kept:
                packet.had = _UNCLEAR
            self._keep(key, packet)
            return False
        if repeated and hop_limit > hops:
            packet.had = kept, hop_limit
        return repeated and hop_limit <= hops

    def _keep(self, key: bytes, packet: _Packet) -> None:
        """As the newest; what the box has forgotten for certain goes."""
        packets = self._packets
        packets.pop(key, None)
        packets[key] = packet
        oldest = next(iter(packets))
        if self._least - packets[oldest].latest >= SIZE_DEFAULT:
            del packets[oldest]
