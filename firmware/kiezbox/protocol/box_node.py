# SPDX-License-Identifier: Apache-2.0
"""A whole box on the air: the Meshtastic mesh node below, the Kiezbox endpoint above, told the time and handed bytes.

1. Every frame goes through the mesh node first; what it decrypted from the private port goes to the endpoint.
2. The endpoint's messages leave as broadcasts on the private port. Only a few of them wait in the mesh's queue at a
   time; an emergency does not wait for those, only for other emergencies, and the queue puts it in front. The others
   wait in custody, so that room is left in the queue for calls of other boxes.
3. The box introduces itself to stock apps by name, and slowly tells them what it measures (introduction.py).
4. Persist actions of both halves come out of `poll`, before what depends on them goes out.

Not here: radio, flash, clock (the owner's), what a mode or a reading is. Called by the firmware and by the simulator.
"""

from kiezbox.protocol import envelope, events, priority
from kiezbox.protocol.box_endpoint import RESULT_SPREAD_MS, BoxEndpoint
from kiezbox.protocol.constant import const
from kiezbox.protocol.duty import LIMIT_MS, RESERVE_PCT, DutyLedger
from kiezbox.protocol.duty import PERSIST_NAME as DUTY_NAME
from kiezbox.protocol.frame import BROADCAST
from kiezbox.protocol.introduction import INTERVAL_MS, Introduction
from kiezbox.protocol.mesh import MeshNode, PacketReceived
from kiezbox.protocol.packet import NODEINFO_APP, Data
from kiezbox.protocol.packet_id import PERSIST_NAME as PACKET_NAME
from kiezbox.protocol.random_bits import RandomBits
from kiezbox.protocol.reading_pace import ReadingPace
from kiezbox.protocol.receipt import GATEWAY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from kiezbox.protocol.airtime import Preset
    from kiezbox.protocol.channel import Channel
    from kiezbox.protocol.messages import Message

# With so many boxes within reach answers to a broadcast are spread over half a minute, and half a minute more for each
# further one.
_FEW_NEIGHBOURS = const(4)

# Own packets in the mesh's queue, before more are taken from the endpoint; calls for help are counted by themselves.
_WAITING_MAX = const(4)


class BoxNode:
    """One box. All times are milliseconds of one steady clock, handed in."""

    def __init__(
        self,
        node_num: int,
        root_key: bytes,
        channel: "Channel",
        preset: "Preset",
        district_public_keys: "dict[int, bytes]",
        entropy: bytes,
        saved: "dict[str, Any]",
        hop_limit: int = 5,
        role: str = "CLIENT",
        long_name: str = "",
        short_name: str = "",
        district: "str | None" = None,
        nodeinfo_interval_ms: int = INTERVAL_MS,
        telemetry_interval_ms: int = INTERVAL_MS,
        reserve_pct: int = RESERVE_PCT,
    ) -> None:
        """saved: the values that were persisted before, by name; empty on a new box. entropy: at least 16 random
        bytes."""
        self.node_num = node_num
        self.endpoint = BoxEndpoint(node_num, root_key, district_public_keys, entropy, saved, district)
        ledger = DutyLedger(LIMIT_MS, reserve_pct, saved)
        self.mesh = MeshNode(
            node_num, [channel], preset, role, hop_limit, entropy, ledger, saved, root_key, minds_crowd=True
        )
        self._pace = ReadingPace()
        self._introduction = Introduction(
            node_num,
            long_name,
            short_name,
            role,
            RandomBits(entropy, b"box node"),
            nodeinfo_interval_ms,
            telemetry_interval_ms,
        )

    # The endpoint's surface, see box_endpoint.py

    def take_counter(self) -> int:
        """A counter to store a message under before it is sent. Raises CounterExhausted until a block was persisted."""
        return self.endpoint.take_counter()

    def send(
        self, kind: str, message: "Message", now_ms: int, counter: "int | None" = None, is_new: bool = False
    ) -> int:
        """Put a message on its way; returns its counter. Raises MessageError, CounterExhausted, CustodyFull.

        is_new: a call that was never sent and is on flash; ask `parked` afterwards.
        """
        return self.endpoint.send(kind, message, now_ms, counter, is_new)

    def parked(self) -> bool:
        """Whether a call had to make room for a new one since this was asked last: resume it when there is room."""
        found = self.endpoint.custody.parked
        self.endpoint.custody.parked = False
        return found

    def resume(self, kind: str, message: "Message", counter: int, stage: int, now_ms: int) -> bool:
        """After a reboot: take a stored message into custody again unless a gateway has it. True if it will be sent."""
        if stage >= GATEWAY:
            return False
        self.endpoint.send(kind, message, now_ms, counter)
        return True

    def holds(self, counter: int) -> bool:
        """Whether this message is on its way or in custody."""
        return self.endpoint.custody.find(counter) is not None

    def cancel(self, counter: int) -> bool:
        """Stop repeating a message. True if it was being repeated."""
        return self.endpoint.cancel(counter)

    def conclude(self, counter: int, result: int, detail: str, now_ms: int) -> None:
        """What became of a configuration: see ConfigurationReceived."""
        self.endpoint.conclude(counter, result, detail, now_ms)

    def set_clock(self, time_s: int, quality: int, now_ms: int) -> None:
        """What the box's clock says now and how good it is; a worse time from the air is refused."""
        self.endpoint.set_clock(time_s, quality, now_ms)

    @property
    def broadcast_epoch(self) -> int:
        """The highest broadcast counter accepted: tells a gateway what this box has heard."""
        return self.endpoint.inbox.epoch()

    def measured(self, values: "dict[str, int]") -> None:
        """The latest values by name, for telemetry to stock apps; what failed is not in it."""
        self._introduction.values = values

    def reading_factor(self, now_ms: int) -> int:
        """How many measurements shall become one sample of a reading now: 1, 2, 4 or 8, see reading_pace.py."""
        mesh = self.mesh
        return self._pace.factor(mesh.ledger.open_pct(now_ms), mesh.contention.load_pct(now_ms), now_ms)

    # The mesh node's surface

    def receive(self, frame: bytes, rssi_dbm: int, snr_db: int, now_ms: int) -> "list[Any]":
        """Events that a frame from the radio caused."""
        found: list[Any] = []
        for event in self.mesh.receive(frame, rssi_dbm, snr_db, now_ms):
            if isinstance(event, PacketReceived) and event.data.portnum == envelope.PORTNUM:
                near = len(self.mesh.neighbours.nodes) - _FEW_NEIGHBOURS
                self.endpoint.result_spread_ms = RESULT_SPREAD_MS * max(near, 1)
                found += self.endpoint.receive(event.data.payload, now_ms)
            else:
                if (
                    isinstance(event, PacketReceived)
                    and event.data.portnum == NODEINFO_APP
                    and event.data.want_response
                    and event.header.to_node == self.node_num
                ):
                    self._introduction.asked(now_ms)
                found.append(event)
        return found

    def poll(self, now_ms: int) -> "list[Any]":
        """Transmit, Persist and Drop actions that are due."""
        actions: list[Any] = []
        for action in self.endpoint.poll(now_ms, self._rank_max()):
            if isinstance(action, events.Send):
                self._hand_over(Data(envelope.PORTNUM, action.payload), action.priority, now_ms)
            else:
                actions.append(action)
        if self.mesh.ready:
            spent_ms = self.mesh.ledger.spent_ms(now_ms)
            told = self._introduction.poll(now_ms, self.mesh.contention.load_pct(now_ms), spent_ms)
            if told is not None:
                self._hand_over(told, priority.READING, now_ms)
        actions += self.mesh.poll(now_ms)
        return actions

    def transmitted(self, now_ms: int) -> None:
        """The radio has sent the frame of the last Transmit action."""
        self.mesh.transmitted(now_ms)

    def channel_busy(self, now_ms: int) -> None:
        """The radio heard the channel busy and sent nothing."""
        self.mesh.channel_busy(now_ms)

    def next_wakeup_ms(self, now_ms: int) -> "int | None":
        """When `poll` has something to do."""
        found_ms = [self.mesh.next_wakeup_ms(now_ms), self.endpoint.next_wakeup_ms(now_ms, self._rank_max())]
        if self.mesh.ready:
            found_ms.append(self._introduction.next_wakeup_ms(now_ms))
        due_ms = None
        for one_ms in found_ms:
            if one_ms is not None and (due_ms is None or one_ms < due_ms):
                due_ms = one_ms
        return None if due_ms is None else max(now_ms, due_ms)

    def persisted(self, name: str, value: object) -> None:
        """Flash holds `value` under `name`."""
        self.endpoint.persisted(name, value)
        self.mesh.persisted(name, value)

    def not_persisted(self, name: str, value: object) -> None:
        """Flash refused to take `value` under `name`: a later `poll` asks again. Pause before that poll."""
        if name in (DUTY_NAME, PACKET_NAME):
            self.mesh.not_persisted(name)
        else:
            self.endpoint.not_persisted(name, value)

    @property
    def counters(self) -> "dict[str, int]":
        """How often what was refused or dropped, by reason, of both halves."""
        counters = dict(self.mesh.counters)
        for reason, count in self.endpoint.counters.items():
            counters[reason] = counters.get(reason, 0) + count
        return counters

    def _rank_max(self) -> int:
        """The least important rank of which one more may wait in the mesh's queue."""
        if not self.mesh.ready:
            return -1
        waiting = calls = 0
        for item in self.mesh.queue.items:
            if not item.relayed and item.is_broadcast:
                waiting += 1
                calls += item.rank == priority.OWN_EMERGENCY
        if waiting < _WAITING_MAX:
            return priority.READING
        return priority.OWN_EMERGENCY if calls < _WAITING_MAX else -1

    def _hand_over(self, data: Data, rank: int, now_ms: int) -> None:
        self.mesh.send(data, BROADCAST, rank, now_ms)
