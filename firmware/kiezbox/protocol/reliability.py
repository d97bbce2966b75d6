# SPDX-License-Identifier: Apache-2.0
"""Packets with want_ack: sent up to three times, until an acknowledgement is heard (firmware 2.7, ReliableRouter).

Kiezbox's own receipts are another thing (custody.py). Called by mesh.py.
"""

ATTEMPTS_MAX = 3
WATCHED_MAX = 8


class Watched:
    """One packet that waits for its acknowledgement. due_ms is None while it waits in the transmit queue."""

    __slots__ = ("airtime_us", "attempts", "due_ms", "exhausted", "frame", "packet_id", "rank")

    def __init__(self, packet_id: int, frame: bytes, rank: int, airtime_us: int) -> None:
        self.packet_id = packet_id
        self.frame = frame
        self.rank = rank
        self.airtime_us = airtime_us
        self.attempts = 0
        self.due_ms: int | None = None
        self.exhausted = False


class Reliability:
    """At most eight packets; a further one is sent once, without being watched."""

    __slots__ = ("_watched",)

    def __init__(self) -> None:
        self._watched: list[Watched] = []

    def watch(self, packet_id: int, frame: bytes, rank: int, airtime_us: int) -> None:
        """From now on, until acknowledged or given up."""
        if len(self._watched) < WATCHED_MAX:
            self._watched.append(Watched(packet_id, frame, rank, airtime_us))

    def sent(self, packet_id: int, due_ms: int) -> None:
        """It went out; without acknowledgement it is due again at `due_ms`."""
        for item in self._watched:
            if item.packet_id == packet_id:
                item.attempts += 1
                item.due_ms = due_ms

    def dropped(self, packet_id: int) -> None:
        """It was lost in our own queue: that counts as one attempt, and the next is due at once."""
        self.sent(packet_id, 0)

    def acknowledge(self, packet_id: int) -> bool:
        """True if it was waited for; then it is no longer."""
        for item in self._watched:
            if item.packet_id == packet_id:
                self._watched.remove(item)
                return True
        return False

    def postpone(self, airtime_us: int) -> None:
        """Somebody else was on the air: the acknowledgement had to wait as well."""
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
