# SPDX-License-Identifier: Apache-2.0
"""Packets with want_ack: sent up to three times, until an acknowledgement is heard (firmware 2.7, ReliableRouter).

1. Somebody else relaying the packet is an implicit acknowledgement: the repeats end. A real one comes from its
   destination, says whether it was accepted, and may still follow.
2. A repeat is due when the acknowledgement had time to come; whatever else is on the air meanwhile prolongs that.
3. What our own queue dropped counts as sent once.
4. A packet to us with want_ack is answered, refused if no key of ours opens it. An answer is answered only over one
   hop.

Kiezbox's own receipts are another thing (custody.py). Called by mesh.py.
"""

from kiezbox.protocol.packet import ERROR_NO_CHANNEL, ERROR_NONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kiezbox.protocol.frame import Header
    from kiezbox.protocol.packet import Data

ATTEMPTS_MAX = 3
WATCHED_MAX = 8


class Watched:
    """One packet that waits for its acknowledgement. due_ms is None while it waits in the transmit queue or was
    relayed."""

    def __init__(self, packet_id: int, frame: bytes, rank: int, airtime_us: int) -> None:
        self.packet_id = packet_id
        self.frame = frame
        self.rank = rank
        self.airtime_us = airtime_us
        self.attempts = 0
        self.due_ms: int | None = None
        self.exhausted = False
        self.relayed = False


class Reliability:
    """At most eight packets; a further one takes the place of one that was relayed already, or is sent once,
    unwatched."""

    def __init__(self) -> None:
        self._watched: list[Watched] = []

    def watch(self, packet_id: int, frame: bytes, rank: int, airtime_us: int) -> bool:
        """From now on, until acknowledged or given up. False if there is no place for it."""
        if len(self._watched) >= WATCHED_MAX:
            for item in self._watched:
                if item.relayed:
                    self._watched.remove(item)
                    break
            else:
                return False
        self._watched.append(Watched(packet_id, frame, rank, airtime_us))
        return True

    def sent(self, packet_id: int, due_ms: int) -> None:
        """It went out; without acknowledgement it is due again at `due_ms`."""
        for item in self._watched:
            if item.packet_id == packet_id and not item.relayed:
                item.attempts += 1
                item.due_ms = due_ms

    def dropped(self, packet_id: int) -> None:
        """It was lost in our own queue (rule 3): the next repeat is due at once."""
        self.sent(packet_id, 0)

    def relayed(self, packet_id: int) -> bool:
        """Somebody relays it (rule 1). True if it was waited for."""
        for item in self._watched:
            if item.packet_id == packet_id and not item.relayed:
                item.relayed = True
                item.due_ms = None
                return True
        return False

    def acknowledge(self, packet_id: int) -> bool:
        """Its destination has answered. True if it was waited for, or relayed lately; then it is forgotten."""
        for item in self._watched:
            if item.packet_id == packet_id:
                self._watched.remove(item)
                return True
        return False

    def postpone(self, airtime_us: int) -> None:
        """Somebody else, or another packet of ours, was on the air (rule 2)."""
        for item in self._watched:
            if item.due_ms is not None:
                item.due_ms += airtime_us // 1000

    def due(self, now_ms: int) -> "list[Watched]":
        """Those to send again; `exhausted` ones are given up and forgotten."""
        found = []
        for item in list(self._watched):
            if item.due_ms is not None and item.due_ms <= now_ms:
                item.due_ms = None
                found.append(item)
                if item.attempts >= ATTEMPTS_MAX:
                    item.exhausted = True
                    self._watched.remove(item)
        return found

    def next_due_ms(self) -> "int | None":
        """The earliest, None if nothing waits for an acknowledgement."""
        earliest_ms = None
        for item in self._watched:
            if item.due_ms is not None and (earliest_ms is None or item.due_ms < earliest_ms):
                earliest_ms = item.due_ms
        return earliest_ms


def owed_answer(header: "Header", data: "Data | None", hop_limit: int, own_last_byte: int) -> "tuple[int, int] | None":
    """Error reason and hop limit of the routing answer to a packet that is to us (rule 4); None if none is owed.

    data: None if no key fits. hop_limit: as configured. own_last_byte: see frame.last_byte.
    """
    if not header.want_ack:
        return None
    direct = header.hop_start == header.hop_limit
    if data is not None and (data.request_id or data.reply_id):
        return (ERROR_NONE, 0) if direct or header.next_hop == own_last_byte else None
    hops = hop_limit
    if not header.hop_start:
        hops = 0
    elif header.hop_start >= header.hop_limit:
        # As many as it took, and two to spare.
        hops = min(header.hop_start - header.hop_limit + 2, hop_limit)
    return (ERROR_NO_CHANNEL if data is None else ERROR_NONE), hops
