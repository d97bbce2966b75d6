# SPDX-License-Identifier: Apache-2.0
"""Packets waiting for the radio: bounded, most important first, and kept over a reconnect.

A full queue drops the least important packet, the newest of them, and says so by `dropped`. Nothing here survives the
process: what must be sent in the end stands as a job in the store and comes again.
"""

import heapq
from dataclasses import dataclass, field

BROADCAST = 0xFFFFFFFF
PORT_TEXT = 1
# The radio drops the second text within two seconds although it reports success.
TEXT_PAUSE_MS = 2_200


@dataclass(frozen=True)
class Outgoing:
    """One packet for the mesh. `priority`: 0 is the most important. `expires_ms`: monotonic, None never."""

    packet_id: int
    portnum: int
    payload: bytes
    priority: int
    to_node: int = BROADCAST
    want_ack: bool = False
    reply_id: int = 0
    emoji: int = 0
    expires_ms: int | None = None


@dataclass(order=True)
class _Entry:
    priority: int
    order: int
    packet: Outgoing = field(compare=False)


class SendQueue:
    """Priority queue with a bound. Times are monotonic milliseconds."""

    def __init__(self, limit: int = 128) -> None:
        self._limit = limit
        self._heap: list[_Entry] = []
        self._order = 0
        self._front = 0
        self._text_after_ms = 0
        self.dropped: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, packet: Outgoing) -> Outgoing | None:
        """Queue a packet. Returns the packet that had to go for it (perhaps the same), None when there was room."""
        self._order += 1
        heapq.heappush(self._heap, _Entry(packet.priority, self._order, packet))
        if len(self._heap) <= self._limit:
            return None
        worst = max(self._heap)
        self._heap.remove(worst)
        heapq.heapify(self._heap)
        self._count("queue_full")
        return worst.packet

    def put_back(self, packet: Outgoing) -> None:
        """Return a packet whose fate is unknown to the front of its priority."""
        self._front -= 1
        heapq.heappush(self._heap, _Entry(packet.priority, self._front, packet))

    def take(self, now_ms: int) -> Outgoing | None:
        """The most important packet that may be sent now, None when there is none. Expired ones are dropped."""
        held: list[_Entry] = []
        taken: Outgoing | None = None
        while self._heap and taken is None:
            entry = heapq.heappop(self._heap)
            packet = entry.packet
            if packet.expires_ms is not None and packet.expires_ms <= now_ms:
                self._count("expired")
            elif packet.portnum == PORT_TEXT and now_ms < self._text_after_ms:
                held.append(entry)
            else:
                taken = packet
        for entry in held:
            heapq.heappush(self._heap, entry)
        if taken is not None and taken.portnum == PORT_TEXT:
            self._text_after_ms = now_ms + TEXT_PAUSE_MS
        return taken

    def next_ms(self, now_ms: int) -> int | None:
        """When `take` may have something: now, or after the pause between texts; None when empty."""
        if not self._heap:
            return None
        if all(entry.packet.portnum == PORT_TEXT for entry in self._heap):
            return max(now_ms, self._text_after_ms)
        return now_ms

    def _count(self, reason: str) -> None:
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
