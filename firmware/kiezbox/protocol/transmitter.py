# SPDX-License-Identifier: Apache-2.0
"""Half of a node: from the queue to the radio, one frame at a time, as far as the airtime ledger allows.

1. Frames go by rank (transmit_queue.py), each not before its moment; an own frame uses the moment of a less important
   own one. One frame is with the radio at a time; the radio answers with transmitted or channel_busy, and after a busy
   channel another moment is drawn.
2. After a frame of ours the others wait a contention window, so that nobody takes the channel for itself.
3. Nothing goes out that the ledger refuses: a relay is dropped then, because its moment passes; an own frame waits.
4. A radio that does not answer in time is taken to have sent: its frame is counted against the hour, and the next one
   gets its turn, so that one lost answer does not silence a box.
5. Nothing goes out either while flash does not hold the bound that the most important due frame needs; and flash is
   asked for another bound only while no frame is with the radio.

Not here: what is in a frame. Called by mesh.py.
"""

from collections import namedtuple

from kiezbox.protocol import priority
from kiezbox.protocol.duty import PERSIST_NAME
from kiezbox.protocol.events import Persist
from kiezbox.protocol.transmit_queue import TransmitQueue, Waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from kiezbox.protocol.contention import Contention
    from kiezbox.protocol.duty import DutyLedger

FLASH_RETRY_MS = 100
RADIO_TIMEOUT_MS = 10_000
"""How much longer than its time on air a frame may be with the radio."""

DROPS_MAX = 16
"""Drop actions kept for the next poll; the counters hold them all."""

Transmit = namedtuple("Transmit", ("frame", "time_on_air_us", "packet_id", "priority"))  # noqa: PYI024
Drop = namedtuple("Drop", ("reason", "packet_id", "priority"))  # noqa: PYI024
"""This packet is not sent: "queue_full", or a relay that the ledger refused."""


class Transmitter:
    """`queue` waits, `on_air` is with the radio. Every loss is told to `dropped`, every other event to `count`."""

    def __init__(
        self,
        ledger: "DutyLedger",
        contention: "Contention",
        early: bool,
        count: "Callable[[str], None]",
        own_dropped: "Callable[[int], None]",
    ) -> None:
        """early: relays go before those of other nodes. own_dropped: told the packet id of an own frame that was
        lost."""
        self.queue = TransmitQueue()
        self.on_air: Waiting | None = None
        self._ledger = ledger
        self._contention = contention
        self._early = early
        self._count = count
        self._own_dropped = own_dropped
        self._drops: list[Any] = []
        self._quiet_until_ms = 0
        self._flash_until_ms = 0
        self._answer_by_ms = 0

    def add(self, item: Waiting) -> None:
        """Put a frame in the queue; what it displaces, or the frame itself, is dropped."""
        dropped = self.queue.add(item)
        if dropped is not None:
            self._drop("queue_full", dropped)

    def poll(self, now_ms: int) -> "list[Any]":
        """Persist, Drop and at most one Transmit action, which is the last."""
        item = self._next(now_ms) if self.on_air is None and now_ms >= self._wait_until_ms() else None
        actions: list[Any] = self._drops
        self._drops = []
        if item is not None:
            self.on_air = item
            self._answer_by_ms = now_ms + milliseconds(item.airtime_us) + RADIO_TIMEOUT_MS
            actions.append(Transmit(item.frame, item.airtime_us, item.packet_id, item.rank))
        elif self.on_air is None:
            bound_ms = self._ledger.wanted(now_ms)
            if bound_ms is not None:
                actions.append(Persist(PERSIST_NAME, bound_ms))
        return actions

    def _next(self, now_ms: int) -> "Waiting | None":
        for item in list(self.queue.items):
            if item.due_ms > now_ms:
                continue
            item = self._foremost(item)  # noqa: PLW2901
            allowed, reason = self._ledger.may_send(item.rank, milliseconds(item.airtime_us), now_ms)
            if allowed:
                self.queue.remove(item)
                return item
            if reason == "duty_not_persisted":
                self._flash_until_ms = now_ms + FLASH_RETRY_MS
                break
            if item.relayed:
                self.queue.remove(item)
                self._drop(reason, item)
            else:
                self._count(reason)
                item.due_ms = self._ledger.next_chance_ms(now_ms)
        return None

    def _foremost(self, item: Waiting) -> Waiting:
        """Whoever uses this moment: the most important own frame takes it from another own one (rule 1)."""
        if not item.relayed:
            for other in self.queue.items:
                if other is item:
                    break
                if not other.relayed and other.rank < item.rank:
                    other.due_ms, item.due_ms = item.due_ms, other.due_ms
                    return other
        return item

    def unanswered(self, now_ms: int) -> bool:
        """Whether the radio had time enough to answer and did not (rule 4)."""
        return self.on_air is not None and now_ms >= self._answer_by_ms

    def transmitted(self, now_ms: int) -> "Waiting | None":
        """The radio has sent the frame; returns it, None if it had none."""
        item = self.on_air
        if item is not None:
            self.on_air = None
            self._ledger.spend(milliseconds(item.airtime_us), now_ms, item.rank)
            self._contention.occupied(item.airtime_us, now_ms)
            self._quiet_until_ms = now_ms + self._contention.own_delay_ms(now_ms)
            self._count("relayed" if item.relayed else "sent")
        return item

    def channel_busy(self, now_ms: int) -> None:
        """The radio heard the channel busy and sent nothing."""
        item = self.on_air
        if item is None:
            return
        self.on_air = None
        self._count("channel_busy")
        if item.given_up:
            self._count("relay_cancelled")
            return
        urgent = item.rank <= priority.RELAYED_EMERGENCY
        item.due_ms = now_ms + self._contention.again_ms(item.relayed, item.snr_db, self._early, now_ms, urgent)
        self.add(item)

    def persisted(self, value_ms: int) -> None:
        """Flash holds the ledger's bound."""
        self._ledger.persisted(value_ms)
        self._flash_until_ms = 0

    def next_wakeup_ms(self, now_ms: int) -> "int | None":
        """When `poll` has something to do, None if only an answer of the radio or a new frame can change that."""
        if self._drops:
            return now_ms
        if self.on_air is not None:
            return max(self._answer_by_ms, now_ms)
        if not self.queue.items:
            return None
        due_ms = self.queue.items[0].due_ms
        for item in self.queue.items:
            due_ms = min(due_ms, item.due_ms)
        return max(due_ms, self._wait_until_ms(), now_ms)

    def _wait_until_ms(self) -> int:
        return max(self._quiet_until_ms, self._flash_until_ms)

    def _drop(self, reason: str, item: Waiting) -> None:
        self._count(reason)
        if len(self._drops) < DROPS_MAX:
            self._drops.append(Drop(reason, item.packet_id, item.rank))
        if not item.relayed:
            self._own_dropped(item.packet_id)


def milliseconds(airtime_us: int) -> int:
    """Rounded up, so that the ledger is never too low."""
    return (airtime_us + 999) // 1000
