# SPDX-License-Identifier: Apache-2.0
"""Managed flooding: which packets of others a node passes on, when, and when it need not any more.

1. A packet is relayed if it is not to us, has an id and hops left, and asks everybody or us (next_hop); CLIENT_MUTE
   relays nothing. The copy differs in hop limit, next_hop (asks everybody) and relay_node, and in nothing else,
   readable or not.
2. It waits the longer the better it was heard, so that the farthest goes first; ROUTER goes before all others. What is
   no call for help waits longer among many neighbours, if the node is told to (contention.py).
3. Heard again from a relay while it waits: a copy with more hops left takes its place; else CLIENT gives up, unless it
   was asked by name; ROUTER stays; ROUTER_LATE goes behind everybody.
4. Heard again later: the originator repeating itself (hop limit as at the start) is relayed again; so is a packet that
   was for another to relay, once the same sender asks everybody.
5. Anybody can change a frame and send it on under its id before the true copy comes. So a copy with another content is
   no duplicate: it is a packet of its own if a key of ours opens it and it is of a kind that no honest relay alters;
   else it is ignored.
6. Who overhears the answer to a private packet need not relay that packet any more.
7. How important a packet is, is what it claims (relay_rank.py); what one origin gains by that is capped.

Facts: Meshtastic firmware 2.7 (FloodingRouter, NextHopRouter). Not here: whether a key fits, what is for us, when the
band is free. Called by mesh.py.
"""

import hashlib

from kiezbox.protocol import priority
from kiezbox.protocol.frame import HEADER_LENGTH, HOP_LIMIT_MASK, HOP_START_SHIFT, last_byte
from kiezbox.protocol.history import DIGEST_LENGTH, History
from kiezbox.protocol.relay_rank import OriginCap, relay_rank
from kiezbox.protocol.transmit_queue import Waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from kiezbox.protocol.contention import Contention
    from kiezbox.protocol.frame import Header
    from kiezbox.protocol.packet import Data
    from kiezbox.protocol.transmit_queue import TransmitQueue

ROLES = ("CLIENT", "CLIENT_MUTE", "ROUTER", "ROUTER_LATE")

_EVERYBODY = b"\xff\xff\xff\xff"


class Flooding:
    """Frames are whole and without fault (frame.py)."""

    def __init__(
        self,
        node_num: int,
        role: str,
        contention: "Contention",
        queue: "TransmitQueue",
        limit_ms: int,
        count: "Callable[[str], None]",
        entropy: bytes,
    ) -> None:
        """limit_ms: airtime that the node has in an hour; count: told the reason of each decision that is no relay;
        entropy: keys the digests of contents.

        Raises ValueError for an unknown role.
        """
        if role not in ROLES:
            raise ValueError("role: one of " + ", ".join(ROLES))
        self.role = role
        self._history = History()
        self._secret = hashlib.sha256(b"content\0" + entropy).digest()[:16]
        self._node_num = node_num
        self._last_byte = last_byte(node_num)
        self._contention = contention
        self._queue = queue
        self._origin_cap = OriginCap(limit_ms)
        self._count = count

    def digest(self, frame: bytes) -> bytes:
        """Two bytes that stand for the content; nobody else can tell which contents have the same."""
        digest = hashlib.sha256(self._secret)
        digest.update(memoryview(frame)[HEADER_LENGTH:])
        return digest.digest()[:DIGEST_LENGTH]

    def place(self, key: bytes, digest: bytes) -> int:
        """Where this packet stands in the history, or UNKNOWN, or OTHER_CONTENT. key: bytes 4 to 11 of the frame."""
        return self._history.find(key, digest)

    def remember(self, key: bytes, digest: bytes, header: "Header") -> None:
        """This packet is judged now, for the first time."""
        self._history.add(key, digest, header.hop_limit, header.next_hop, header.relay_node)

    def relay(
        self, frame: bytes, header: "Header", data: "Data | None", airtime_us: int, snr_db: int, now_ms: int
    ) -> "Waiting | None":
        """The copy to put in the queue, None if none. data: what is inside, None if no key of ours fits."""
        if (
            not header.hop_limit
            or self.role == "CLIENT_MUTE"
            or header.next_hop not in (0, self._last_byte)
            or header.to_node == self._node_num
            or not header.packet_id
        ):
            return None
        rank = priority.STRANGER if data is None else relay_rank(data)
        if rank == priority.RELAYED_EMERGENCY and not self._origin_cap.admits(frame[4:8], airtime_us, now_ms):
            rank = priority.STRANGER
            self._count("origin_cap")
        urgent = rank <= priority.RELAYED_EMERGENCY
        due_ms = now_ms + self._contention.relay_delay_ms(snr_db, self.role == "ROUTER", urgent)
        return Waiting(self._copy(frame), rank, due_ms, True, airtime_us, snr_db)

    def heard_again(
        self, place: int, frame: bytes, snr_db: int, now_ms: int, on_air: "Waiting | None"
    ) -> "bool | None":
        """A packet that stands at `place` of the history. on_air: what the radio has at the moment.

        True if it is to be relayed once more, by `relay`; None if nothing of it waits here, so that nothing changes.
        """
        flags = frame[12]
        history = self._history
        waiting = self._waiting(frame, on_air)
        judged = None
        if waiting is not None:
            self._heard_while_waiting(waiting, place, frame, snr_db, now_ms, waiting is on_air)
            judged = False
        elif _is_from_originator(flags):
            judged = True
        elif (
            history.next_hop(place) not in (0, self._last_byte)
            and not history.relayed(place)
            and flags >> HOP_START_SHIFT
            and frame[14] == 0
            and frame[15] == history.relay_node(place)
        ):
            history.flood(place)
            judged = True
        history.raise_hop_limit(place, flags & HOP_LIMIT_MASK)
        return judged

    def _waiting(self, frame: bytes, on_air: "Waiting | None") -> "Waiting | None":
        """Our copy of just this content."""
        key = frame[4:12]
        for item in self._queue.items:
            if item.is_copy(key, frame):
                return item
        return on_air if on_air and on_air.is_copy(key, frame) else None

    def _heard_while_waiting(
        self, waiting: Waiting, place: int, frame: bytes, snr_db: int, now_ms: int, is_on_air: bool
    ) -> None:
        if not is_on_air and frame[12] & HOP_LIMIT_MASK > self._history.hop_limit(place):
            waiting.frame = self._copy(frame)
            waiting.snr_db = snr_db
            urgent = waiting.rank <= priority.RELAYED_EMERGENCY
            waiting.due_ms = now_ms + self._contention.relay_delay_ms(snr_db, self.role == "ROUTER", urgent)
            self._count("better_copy")
        elif _is_from_originator(frame[12]):
            # The originator repeats itself: nobody has relayed it yet.
            pass
        elif self.role == "CLIENT" and self._history.next_hop(place) != self._last_byte:
            if is_on_air:
                waiting.given_up = True
            else:
                self._queue.remove(waiting)
                self._count("relay_cancelled")
        elif self.role == "ROUTER_LATE" and not is_on_air and not waiting.late:
            self._queue.postpone(waiting, now_ms + self._contention.late_delay_ms(snr_db))

    def overheard_answer(self, frame: bytes, request_id: int) -> None:
        """`frame` answers packet `request_id` of the node it is for: rule 5."""
        if frame[0:4] == _EVERYBODY:
            return
        waiting = self._queue.find(frame[0:4] + request_id.to_bytes(4, "little"))
        if waiting is not None and waiting.frame[0:4] == frame[4:8]:
            self._queue.remove(waiting)
            self._count("relay_answered")

    def sent(self, item: Waiting, now_ms: int) -> None:
        """A relayed frame has been on the air."""
        frame = item.frame
        self._history.note_relayed(frame[4:12], self.digest(frame))
        if item.rank == priority.RELAYED_EMERGENCY:
            self._origin_cap.spend(frame[4:8], item.airtime_us, now_ms)

    def _copy(self, frame: bytes) -> bytes:
        copy = bytearray(frame)
        copy[12] -= 1
        copy[14] = 0
        copy[15] = self._last_byte
        return bytes(copy)


def _is_from_originator(flags: int) -> bool:
    """Whether this copy comes from who made the packet; unknown, and so false, before firmware 2.3."""
    return flags >> HOP_START_SHIFT != 0 and flags >> HOP_START_SHIFT == flags & HOP_LIMIT_MASK
