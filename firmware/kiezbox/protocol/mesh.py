# SPDX-License-Identifier: Apache-2.0
"""One node of a Meshtastic mesh: what it hears, passes on, acknowledges, and in which order its frames go out.

1. A frame with a fault is counted by its reason and changes nothing. So is one that came over the internet (via_mqtt):
   with a duty cycle of 10 % the band is not for those.
2. A packet is judged once: (from, id) and content are remembered. If one of our keys opens it, it is handed up; which
   packets of others are passed on, and when, is flooding.py.
3. What our keys cannot open is handed up as it is and passed on as it came, byte for byte.
4. A packet to us with want_ack is answered, again if it is repeated (reliability.py says how). Answers rank as
   strangers' traffic, because anybody may ask for them.
5. An own packet with want_ack is sent three times at most (reliability.py); a broadcast asks for no answer on the air,
   and is acknowledged by being relayed.
6. When a frame goes out is transmitter.py: by rank, one at a time, and never more than the airtime ledger allows.

Facts: Meshtastic firmware 2.7 (Router, ReliableRouter, RadioLibInterface). Not here: what a payload means, Kiezbox
messages; next_hop is honoured and never asked for. Driven by box_node.py and by simulated stock radios.
"""

from collections import namedtuple

from kiezbox.protocol import priority
from kiezbox.protocol.airtime import time_on_air_us
from kiezbox.protocol.contention import Contention
from kiezbox.protocol.duty import PERSIST_NAME as DUTY_NAME
from kiezbox.protocol.duty import DutyLedger
from kiezbox.protocol.events import Persist
from kiezbox.protocol.flooding import ROLES as ROLES
from kiezbox.protocol.flooding import Flooding
from kiezbox.protocol.frame import (
    BROADCAST,
    FRAME_LENGTH_MAX,
    HEADER_LENGTH,
    HOP_LIMIT_MASK,
    HOP_LIMIT_MAX,
    HOP_START_SHIFT,
    VIA_MQTT,
    FrameError,
    Header,
    decode_header,
    encode_header,
    fault,
    last_byte,
)
from kiezbox.protocol.history import OTHER_CONTENT
from kiezbox.protocol.neighbours import Neighbours
from kiezbox.protocol.packet import (
    ERROR_MAX_RETRANSMIT,
    ERROR_NONE,
    PRIVATE_APP,
    ROUTING_APP,
    TEXT_MESSAGE_APP,
    Data,
    decode_data,
    decode_routing,
    encode_data,
    encode_routing,
)
from kiezbox.protocol.packet_id import PERSIST_NAME as PACKET_NAME
from kiezbox.protocol.packet_id import PacketIds
from kiezbox.protocol.random_bits import RandomBits
from kiezbox.protocol.reliability import Reliability, owed_answer
from kiezbox.protocol.transmit_queue import Waiting
from kiezbox.protocol.transmitter import Drop as Drop
from kiezbox.protocol.transmitter import Transmit as Transmit
from kiezbox.protocol.transmitter import Transmitter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kiezbox.protocol.airtime import Preset
    from kiezbox.protocol.channel import Channel

UNALTERED_PORTNUMS = (TEXT_MESSAGE_APP, PRIVATE_APP)
"""What relays send on as it came. Of others, firmware may alter the content (it adds to NodeInfo), so for those the
first copy stands for all."""

PacketReceived = namedtuple("PacketReceived", ("header", "data", "channel_index", "rssi_dbm", "snr_db"))  # noqa: PYI024
"""A packet that one of our channel keys opened, once. Whoever holds the key may have made it."""
UndecryptablePacket = namedtuple("UndecryptablePacket", ("header", "payload", "rssi_dbm", "snr_db"))  # noqa: PYI024
Acknowledged = namedtuple("Acknowledged", ("packet_id", "from_node", "error_reason"))  # noqa: PYI024
"""from_node is our own when another node was heard relaying the packet (error_reason 0) and when all repeats were in
vain (5); else it is the destination, and error_reason is what it said, 0 for accepted."""


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
        ignore_mqtt: bool = True,
        minds_crowd: bool = False,
    ) -> None:
        """entropy: random bytes, new at each start. minds_crowd: relays wait longer among many neighbours, which stock
        nodes do not do (contention.py). saved, packet_id_key: see packet_id.py; a node that keeps nothing
        has neither.

        Raises ValueError for an unknown role, a node number that may not send or a hop limit out of 1..7.
        """
        if not 0 < node_num < BROADCAST:
            raise ValueError("node number: 1 .. 2^32 - 2")
        if not 0 < hop_limit <= HOP_LIMIT_MAX:
            raise ValueError("hop limit: 1 .. 7")
        self.node_num = node_num
        self.channels = channels
        self.preset = preset
        self.role = role
        self.hop_limit = hop_limit
        self.ledger = ledger if ledger is not None else DutyLedger()
        self.counters: dict[str, int] = {}
        self.undisturbed = False
        """The last frame was one more copy, and nothing that waits here has changed: `poll` has nothing new to do."""
        self.neighbours = Neighbours()
        self.contention = Contention(preset, RandomBits(entropy, b"mesh"))
        self._own_number = node_num.to_bytes(4, "little")
        self._ignore_mqtt = ignore_mqtt
        self._minds_crowd = minds_crowd
        self._reliability = Reliability()
        self._transmitter = Transmitter(
            self.ledger, self.contention, role == "ROUTER", self._count, self._reliability.dropped
        )
        self.queue = self._transmitter.queue
        self._flooding = Flooding(
            node_num, role, self.contention, self.queue, self.ledger.limit_ms, self._count, entropy
        )
        self._ids = PacketIds(packet_id_key if saved is not None else entropy, saved)

    # Receiving

    def receive(self, frame: "bytes | bytearray", rssi_dbm: int, snr_db: int, now_ms: int) -> "list[Any]":
        """Judge one frame as it came from the radio. Returns events; never raises for what is in the frame."""
        if not isinstance(frame, bytes):
            frame = bytes(frame)
        self.undisturbed = False
        airtime_us = time_on_air_us(self.preset, min(len(frame), FRAME_LENGTH_MAX))
        self.contention.occupied(airtime_us, now_ms)
        self._reliability.postpone(airtime_us)
        reason = fault(frame)
        if not reason and frame[12] & VIA_MQTT and self._ignore_mqtt:
            reason = "via_mqtt"
        if reason:
            self._count(reason)
            return []
        # Most frames differ in the first byte compared, and a slice is memory.
        if frame[4] == self._own_number[0] and frame[4:8] == self._own_number:
            return self._own_heard(frame)
        snr_db = int(snr_db)
        flags = frame[12]
        if flags >> HOP_START_SHIFT and flags >> HOP_START_SHIFT == flags & HOP_LIMIT_MASK:
            self.neighbours.heard(int.from_bytes(frame[4:8], "little"), rssi_dbm, snr_db, now_ms)
            if self._minds_crowd:
                self.contention.crowd(len(self.neighbours.nodes))
        key = frame[4:12]
        digest = self._flooding.digest(frame)
        place = self._flooding.place(key, digest)
        if place >= 0:
            self._heard_again(place, frame, airtime_us, snr_db, now_ms)
            return []
        index, data = self._opened(frame)
        if place == OTHER_CONTENT and (data is None or data.portnum not in UNALTERED_PORTNUMS):
            self._count("conflicting_copy")
            return []
        header = decode_header(frame)
        if header.packet_id:
            self._flooding.remember(key, digest, header)
        if data is None:
            events: list[Any] = [UndecryptablePacket(header, frame[HEADER_LENGTH:], rssi_dbm, snr_db)]
            self._count("undecryptable" if index < 0 else "wrong_key")
        else:
            events = [PacketReceived(header, data, index, rssi_dbm, snr_db)]
        if header.to_node == self.node_num:
            self._to_us(header, data, index, events, now_ms)
        else:
            if data is not None and (data.request_id or data.reply_id):
                self._flooding.overheard_answer(frame, data.request_id or data.reply_id)
            self._relay(frame, header, data, airtime_us, snr_db, now_ms)
        return events

    def _own_heard(self, frame: bytes) -> "list[Any]":
        packet_id = int.from_bytes(frame[8:12], "little")
        self._count("own_heard")
        if self._reliability.relayed(packet_id):
            return [Acknowledged(packet_id, self.node_num, ERROR_NONE)]
        return []

    def _opened(self, frame: bytes) -> "tuple[int, Data | None]":
        """Index and content of the channel that opens it; the hash is only a hint. (0, None): a hash fits and no key
        does."""
        found = -1
        for index, channel in enumerate(self.channels):
            if channel.hash == frame[13]:
                found = 0
                try:
                    return index, decode_data(channel.open(frame))
                except FrameError:
                    pass
        return found, None

    def _heard_again(self, place: int, frame: bytes, airtime_us: int, snr_db: int, now_ms: int) -> None:
        self._count("duplicate")
        judged = self._flooding.heard_again(place, frame, snr_db, now_ms, self._transmitter.on_air)
        self.undisturbed = judged is None
        if not judged:
            return
        index, data = self._opened(frame)
        header = decode_header(frame)
        if header.to_node != self.node_num:
            self._relay(frame, header, data, airtime_us, snr_db, now_ms)
        elif header.want_ack and data is not None:
            self._answer(header, ERROR_NONE, index, 0, now_ms)

    def _relay(
        self, frame: bytes, header: Header, data: "Data | None", airtime_us: int, snr_db: int, now_ms: int
    ) -> None:
        item = self._flooding.relay(frame, header, data, airtime_us, snr_db, now_ms)
        if item is not None:
            self._transmitter.add(item)

    def _to_us(self, header: Header, data: "Data | None", index: int, events: "list[Any]", now_ms: int) -> None:
        if data is not None and data.portnum == ROUTING_APP and data.request_id:
            try:
                reason = decode_routing(data.payload)
            except FrameError as error:
                self._count(error.reason)
                return
            if reason is not None and self._reliability.acknowledge(data.request_id):
                events.append(Acknowledged(data.request_id, header.from_node, reason))
        owed = owed_answer(header, data, self.hop_limit, last_byte(self.node_num))
        if owed is not None:
            self._answer(header, owed[0], index, owed[1], now_ms)

    def _answer(self, header: Header, error_reason: int, channel_index: int, hop_limit: int, now_ms: int) -> None:
        if not self.ready:
            self._count("answer_not_ready")
            return
        answer = Data(ROUTING_APP, encode_routing(error_reason), request_id=header.packet_id)
        self.send(answer, header.from_node, priority.STRANGER, now_ms, False, hop_limit, max(channel_index, 0))

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

        Raises FrameError if it does not fit into a frame or cannot be addressed, CounterExhausted while not `ready`.
        """
        body = encode_data(data)
        hops = self.hop_limit if hop_limit is None else hop_limit
        if to_node == self.node_num or not 0 < to_node <= BROADCAST or not 0 <= hops <= HOP_LIMIT_MAX:
            raise FrameError("header_range")
        channel = self.channels[channel_index]
        if packet_id is None:
            packet_id = self._ids.take()
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
            last_byte(self.node_num),
        )
        frame = encode_header(header) + channel.crypt(self.node_num, packet_id, body)
        airtime_us = time_on_air_us(self.preset, len(frame))
        if want_ack and not self._reliability.watch(packet_id, frame, rank, airtime_us):
            self._count("not_watched")
        self._enqueue_own(frame, rank, airtime_us, now_ms)
        return packet_id

    def poll(self, now_ms: int) -> "list[Any]":
        """Persist, Drop, Acknowledged (given up) and at most one Transmit action."""
        actions: list[Any] = []
        if self._transmitter.unanswered(now_ms):
            self._count("radio_silent")
            self.transmitted(now_ms)
        for again in self._reliability.due(now_ms):
            if again.exhausted:
                actions.append(Acknowledged(again.packet_id, self.node_num, ERROR_MAX_RETRANSMIT))
            else:
                self._enqueue_own(again.frame, again.rank, again.airtime_us, now_ms)
        wanted = self._ids.wanted()
        if wanted:
            actions.append(Persist(PACKET_NAME, wanted))
        actions += self._transmitter.poll(now_ms)
        return actions

    def transmitted(self, now_ms: int) -> None:
        """The radio has sent the frame of the open Transmit action."""
        item = self._transmitter.transmitted(now_ms)
        if item is None:
            return
        self._reliability.postpone(item.airtime_us)
        if item.relayed:
            self._flooding.sent(item, now_ms)
        else:
            due_ms = now_ms + self.contention.retransmission_ms(item.airtime_us, now_ms)
            self._reliability.sent(item.packet_id, due_ms)

    def channel_busy(self, now_ms: int) -> None:
        """The radio heard the channel busy and sent nothing: another moment is drawn."""
        self._transmitter.channel_busy(now_ms)

    def next_wakeup_ms(self, now_ms: int) -> "int | None":
        """When `poll` has something to do, None if only an answer of the radio or a frame can change that."""
        due_ms = self._transmitter.next_wakeup_ms(now_ms)
        repeat_ms = self._reliability.next_due_ms()
        if repeat_ms is None:
            return due_ms
        return max(repeat_ms if due_ms is None else min(repeat_ms, due_ms), now_ms)

    def persisted(self, name: str, value: "Any") -> None:
        """Flash holds what a Persist action asked for."""
        if name == PACKET_NAME:
            self._ids.persisted(value)
        elif name == DUTY_NAME:
            self._transmitter.persisted(value)

    def not_persisted(self, name: str) -> None:
        """Flash refused what a Persist action asked for: the next `poll` asks again."""
        if name == PACKET_NAME:
            self._ids.not_persisted()
        elif name == DUTY_NAME:
            self.ledger.not_persisted()

    def _enqueue_own(self, frame: bytes, rank: int, airtime_us: int, now_ms: int) -> None:
        due_ms = now_ms + self.contention.own_delay_ms(now_ms)
        self._transmitter.add(Waiting(frame, rank, due_ms, False, airtime_us))

    def _count(self, reason: str) -> None:
        self.counters[reason] = self.counters.get(reason, 0) + 1
