# SPDX-License-Identifier: Apache-2.0
"""One node of a Meshtastic mesh: managed flooding, acknowledgements, and the order in which frames go out.

1. A frame is judged once: (from, id) is remembered, malformed ones are counted by reason and change nothing.
2. It is relayed if it is not ours, not to us, has hops left, an id, and next_hop is none or us. What our keys cannot
   open is
   relayed as well. A relayed copy differs from what came in two bytes only: hop limit and relay node (and next_hop,
   once it was us).
3. A relay waits the longer the better the packet was heard. If somebody else relays first, CLIENT gives up its copy,
   ROUTER keeps it, ROUTER_LATE moves it behind everybody. A copy with more hops left replaces the waiting one.
4. The originator repeating itself (hop limit still at its start) is relayed again, if nothing of it waits.
5. Hearing our own packet relayed is an implicit acknowledgement. A packet with want_ack is sent three times at most.
6. One Transmit action at a time is open; the radio answers with transmitted or channel_busy, and then the next may
   follow.
7. Nothing goes out that the airtime ledger refuses: a relay is dropped then, an own frame waits. Both are counted.

Facts: Meshtastic firmware 2.7 (FloodingRouter, NextHopRouter, RadioLibInterface). Not here: what a payload means,
Kiezbox messages.
Driven by box_node.py and by simulated stock radios.
"""

from collections import namedtuple

from kiezbox.protocol import priority
from kiezbox.protocol.airtime import time_on_air_us
from kiezbox.protocol.contention import Contention
from kiezbox.protocol.duty import PERSIST_NAME as DUTY_NAME
from kiezbox.protocol.duty import DutyLedger
from kiezbox.protocol.events import Persist
from kiezbox.protocol.frame import (
    BROADCAST,
    HEADER_LENGTH,
    HOP_LIMIT_MAX,
    FrameError,
    Header,
    decode_header,
    encode_header,
    last_byte,
)
from kiezbox.protocol.history import History
from kiezbox.protocol.neighbours import Neighbours
from kiezbox.protocol.packet import ROUTING_APP, Data, decode_data, decode_routing, encode_data, encode_routing
from kiezbox.protocol.packet_id import PERSIST_NAME as PACKET_NAME
from kiezbox.protocol.packet_id import PacketIds
from kiezbox.protocol.random_bits import RandomBits
from kiezbox.protocol.relay_rank import OriginCap, relay_rank
from kiezbox.protocol.reliability import Reliability
from kiezbox.protocol.transmit_queue import TransmitQueue, Waiting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kiezbox.protocol.airtime import Preset
    from kiezbox.protocol.channel import Channel

ROLES = ("CLIENT", "CLIENT_MUTE", "ROUTER", "ROUTER_LATE")
NOT_PERSISTED_RETRY_MS = 100
DROPS_MAX = 16
"""Drop actions kept for the next poll; the counters hold them all."""

PacketReceived = namedtuple("PacketReceived", ("header", "data", "channel_index", "rssi_dbm", "snr_db"))  # noqa: PYI024
"""A packet that one of our channel keys opened, once."""
UndecryptablePacket = namedtuple("UndecryptablePacket", ("header", "payload", "rssi_dbm", "snr_db"))  # noqa: PYI024
Acknowledged = namedtuple("Acknowledged", ("packet_id", "from_node", "error_reason"))  # noqa: PYI024
"""from_node is our own for an implicit acknowledgement; error_reason 0, or 5 when all repeats were in vain."""
Transmit = namedtuple("Transmit", ("frame", "time_on_air_us", "packet_id", "priority"))  # noqa: PYI024
Drop = namedtuple("Drop", ("reason", "packet_id", "priority"))  # noqa: PYI024


class MeshNode:
    """All times are milliseconds of one steady clock, handed in and never going back."""

    def __init__(
        self,
        node_num: int,
        channels: "list[Channel]",
        preset: "Preset",
        role: str = "CLIENT",
        hop_limit: int = 5,
        entropy: bytes = b"",
        ledger: "DutyLedger | None" = None,
        saved: "dict[str, Any] | None" = None,
        packet_id_key: bytes = b"",
    ) -> None:
        """entropy: random bytes, new at each start. saved, packet_id_key: see packet_id.py; a node that keeps nothing
        has neither.

        Raises ValueError for an unknown role, a node number that may not send or a hop limit out of 1..7.
        """
        if role not in ROLES:
            raise ValueError("role is one of " + ", ".join(ROLES))
        if not 0 < node_num < BROADCAST:
            raise ValueError("a node number is 1 .. 2^32 - 2")
        if not 0 < hop_limit <= HOP_LIMIT_MAX:
            raise ValueError("a hop limit is 1 .. 7")
        self.node_num = node_num
        self.channels = channels
        self.preset = preset
        self.role = role
        self.hop_limit = hop_limit
        self.ledger = ledger if ledger is not None else DutyLedger()
        self.counters: dict[str, int] = {}
        self.neighbours = Neighbours()
        self.contention = Contention(preset, RandomBits(entropy, b"mesh"))
        self.queue = TransmitQueue()
        self._last_byte = last_byte(node_num)
        self._own_number = node_num.to_bytes(4, "little")
        self._history = History()
        self._ids = PacketIds(packet_id_key if saved is not None else entropy, saved)
        self._origin_cap = OriginCap(self.ledger.limit_ms)
        self._reliability = Reliability()
        self._open: Waiting | None = None
        self._drops: list[Drop] = []

    # Receiving

    def receive(self, frame: bytes, rssi_dbm: int, snr_db: int, now_ms: int) -> "list[Any]":
        """Judge one frame as it came from the radio. Returns events; never raises for what is in the frame."""
        airtime_us = time_on_air_us(self.preset, min(len(frame), 255))
        self.contention.occupied(airtime_us, now_ms)
        self._reliability.postpone(airtime_us)
        try:
            header = decode_header(frame)
        except FrameError as error:
            self._count(error.reason)
            return []
        if header.from_node == self.node_num:
            return self._own_heard(header)
        snr_db = int(snr_db)
        if header.hop_start and header.hop_start == header.hop_limit:
            self.neighbours.heard(header.from_node, rssi_dbm, snr_db, now_ms)
        key = bytes(frame[4:12])
        if header.packet_id:
            place = self._history.find(key)
            if place >= 0:
                self._duplicate(place, key, header, frame, snr_db, now_ms)
                return []
            self._history.add(key, header.hop_limit)
        events: list[Any] = []
        data = None
        for index in range(len(self.channels)):
            data = self._open_with(self.channels[index], header, frame)
            if data is not None:
                events = self._received(header, data, index, rssi_dbm, snr_db, now_ms)
                break
        else:
            self._count("undecryptable")
            events.append(UndecryptablePacket(header, bytes(frame[HEADER_LENGTH:]), rssi_dbm, snr_db))
        self._relay(header, frame, data, airtime_us, snr_db, now_ms)
        return events

    def _own_heard(self, header: Header) -> "list[Any]":
        if self._reliability.acknowledge(header.packet_id):
            return [Acknowledged(header.packet_id, self.node_num, 0)]
        return []

    def _open_with(self, channel: "Channel", header: Header, frame: bytes) -> "Data | None":
        if channel.hash != header.channel_hash:
            return None
        try:
            return decode_data(channel.crypt(header.from_node, header.packet_id, bytes(frame[HEADER_LENGTH:])))
        except FrameError:
            return None

    def _received(self, header: Header, data: Data, index: int, rssi_dbm: int, snr_db: int, now_ms: int) -> "list[Any]":
        events: list[Any] = [PacketReceived(header, data, index, rssi_dbm, snr_db)]
        if header.to_node != self.node_num:
            return events
        if data.portnum == ROUTING_APP and data.request_id:
            try:
                reason = decode_routing(data.payload)
            except FrameError as error:
                self._count(error.reason)
                return events
            if reason is not None and self._reliability.acknowledge(data.request_id):
                events.append(Acknowledged(data.request_id, header.from_node, reason))
        elif header.want_ack:
            self._answer(header, index, now_ms)
        return events

    def _answer(self, header: Header, channel_index: int, now_ms: int) -> None:
        """An acknowledgement, with as many hops as the packet took and two to spare."""
        hops = header.hop_start - header.hop_limit + 2 if header.hop_start >= header.hop_limit else self.hop_limit
        if not header.hop_start:
            hops = 0
        self.send(
            Data(ROUTING_APP, encode_routing(), request_id=header.packet_id),
            header.from_node,
            priority.RECEIPT,
            now_ms,
            hop_limit=min(hops, self.hop_limit),
            channel_index=channel_index,
        )

    # Relaying

    def _duplicate(self, place: int, key: bytes, header: Header, frame: bytes, snr_db: int, now_ms: int) -> None:
        self._count("duplicate")
        waiting = self.queue.find(key)
        if waiting is not None and waiting.relayed:
            if header.hop_limit > waiting.frame[12] & 7 and header.hop_limit > self._history.hop_limit(place):
                waiting.frame = self._relayed_copy(header, frame)
                self._count("better_copy")
            elif self.role == "CLIENT":
                self.queue.remove(waiting)
                self._count("relay_cancelled")
            elif self.role == "ROUTER_LATE" and not waiting.late:
                waiting.late = True
                waiting.due_ms = now_ms + self.contention.late_delay_ms(snr_db)
        elif waiting is None and header.hop_start and header.hop_limit == header.hop_start and self._open_key() != key:
            self._relay(
                header, frame, self._opened(header, frame), time_on_air_us(self.preset, len(frame)), snr_db, now_ms
            )
        self._history.raise_hop_limit(place, header.hop_limit)

    def _opened(self, header: Header, frame: bytes) -> "Data | None":
        for channel in self.channels:
            data = self._open_with(channel, header, frame)
            if data is not None:
                return data
        return None

    def _open_key(self) -> bytes:
        return self._open.key if self._open is not None else b""

    def _relay(
        self, header: Header, frame: bytes, data: "Data | None", airtime_us: int, snr_db: int, now_ms: int
    ) -> None:
        if (
            header.to_node == self.node_num
            or not header.packet_id
            or not header.hop_limit
            or self.role == "CLIENT_MUTE"
            or header.next_hop not in (0, self._last_byte)
        ):
            return
        rank = priority.STRANGER if data is None else relay_rank(data)
        if rank == priority.RELAYED_EMERGENCY and not self._origin_cap.admit(header.from_node, airtime_us, now_ms):
            rank = priority.STRANGER
            self._count("origin_cap")
        due_ms = now_ms + self.contention.relay_delay_ms(snr_db, self.role == "ROUTER")
        self._enqueue(Waiting(self._relayed_copy(header, frame), rank, due_ms, True, header.packet_id, airtime_us))

    def _relayed_copy(self, header: Header, frame: bytes) -> bytes:
        copy = bytearray(frame)
        copy[12] = copy[12] & 0xF8 | header.hop_limit - 1
        copy[14] = 0
        copy[15] = self._last_byte
        return bytes(copy)

    # Sending

    @property
    def ready(self) -> bool:
        """Whether own packets can be numbered now; after a start, once the first reservation was persisted."""
        return self._ids.available()

    def send(
        self,
        data: Data,
        to_node: int,
        rank: int,
        now_ms: int,
        want_ack: bool = False,
        hop_limit: "int | None" = None,
        channel_index: int = 0,
        packet_id: "int | None" = None,
    ) -> int:
        """Queue one packet and return its id. What the queue drops for it is said by `poll`.

        Raises FrameError if it does not fit into a frame, CounterExhausted while not `ready`.
        """
        body = encode_data(data)
        if packet_id is None:
            packet_id = self._ids.take()
        hops = self.hop_limit if hop_limit is None else hop_limit
        channel = self.channels[channel_index]
        header = Header(
            to_node,
            self.node_num,
            packet_id,
            hops,
            hops,
            want_ack and to_node != BROADCAST,
            False,
            channel.hash,
            0,
            self._last_byte,
        )
        frame = encode_header(header) + channel.crypt(self.node_num, packet_id, body)
        airtime_us = time_on_air_us(self.preset, len(frame))
        due_ms = now_ms + self.contention.own_delay_ms(now_ms)
        self._enqueue(Waiting(frame, rank, due_ms, False, packet_id, airtime_us))
        if want_ack:
            self._reliability.watch(packet_id, frame, rank, airtime_us)
        return packet_id

    def poll(self, now_ms: int) -> "list[Any]":
        """Persist, Drop, Acknowledged (given up) and at most one Transmit action."""
        actions: list[Any] = []
        for again in self._reliability.due(now_ms):
            if again.exhausted:
                actions.append(Acknowledged(again.packet_id, self.node_num, 5))
            else:
                self._enqueue(Waiting(again.frame, again.rank, now_ms, False, again.packet_id, again.airtime_us))
        transmit = self._next(now_ms) if self._open is None else None
        wanted = self._ids.wanted()
        if wanted:
            actions.append(Persist(PACKET_NAME, wanted))
        bound_ms = self.ledger.wanted(now_ms)
        if bound_ms is not None:
            actions.append(Persist(DUTY_NAME, bound_ms))
        actions += self._drops
        self._drops = []
        if transmit is not None:
            self._open = transmit
            actions.append(Transmit(transmit.frame, transmit.airtime_us, transmit.packet_id, transmit.rank))
        return actions

    def _next(self, now_ms: int) -> "Waiting | None":
        for item in list(self.queue.items):
            if item.due_ms > now_ms:
                continue
            allowed, reason = self.ledger.may_send(item.rank, _milliseconds(item.airtime_us), now_ms)
            if allowed:
                self.queue.remove(item)
                return item
            if reason == "duty_not_persisted":
                item.due_ms = now_ms + NOT_PERSISTED_RETRY_MS
            elif item.relayed:
                self.queue.remove(item)
                self._drop(reason, item)
            else:
                self._count(reason)
                item.due_ms = self.ledger.next_chance_ms(now_ms)
        return None

    def transmitted(self, now_ms: int) -> None:
        """The radio has sent the frame of the open Transmit action."""
        item = self._open
        if item is None:
            return
        self._open = None
        self.ledger.spend(_milliseconds(item.airtime_us), now_ms)
        self.contention.occupied(item.airtime_us, now_ms)
        self._count("relayed" if item.relayed else "sent")
        self._reliability.sent(item.packet_id, now_ms + self.contention.retransmission_ms(item.airtime_us, now_ms))

    def channel_busy(self, now_ms: int) -> None:
        """The radio heard the channel busy and sent nothing: another moment is drawn."""
        item = self._open
        if item is None:
            return
        self._open = None
        self._count("channel_busy")
        item.due_ms = now_ms + max(self.contention.own_delay_ms(now_ms), self.contention.slot_ms)
        self._enqueue(item)

    def next_wakeup_ms(self, now_ms: int) -> "int | None":
        """When `poll` has something to do, None if only an answer of the radio or a frame can change that."""
        if self._drops:
            return now_ms
        due_ms = self._reliability.next_due_ms()
        if self._open is None:
            for item in self.queue.items:
                if due_ms is None or item.due_ms < due_ms:
                    due_ms = item.due_ms
        return None if due_ms is None else max(due_ms, now_ms)

    def persisted(self, name: str, value: "Any") -> None:
        """Flash holds what a Persist action asked for."""
        if name == PACKET_NAME:
            self._ids.persisted(value)
        elif name == DUTY_NAME:
            self.ledger.persisted(value)

    def _enqueue(self, item: Waiting) -> None:
        dropped = self.queue.add(item)
        if dropped is not None:
            self._drop("queue_full", dropped)

    def _drop(self, reason: str, item: Waiting) -> None:
        self._count(reason)
        if len(self._drops) < DROPS_MAX:
            self._drops.append(Drop(reason, item.packet_id, item.rank))
        if not item.relayed:
            self._reliability.dropped(item.packet_id)

    def _count(self, reason: str) -> None:
        self.counters[reason] = self.counters.get(reason, 0) + 1


def _milliseconds(airtime_us: int) -> int:
    """Rounded up, so that the ledger is never too low."""
    return (airtime_us + 999) // 1000
