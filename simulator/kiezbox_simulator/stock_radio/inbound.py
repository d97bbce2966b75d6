# SPDX-License-Identifier: Apache-2.0
"""Packets from the client to the radio itself: a queue of four, and administration taken from it one by one.

A fifth packet pushes out the oldest without a word. Writing settings to flash keeps the radio busy for half a second,
so a burst of writes loses some, as measured on the real firmware. Used by `device.py`.
"""

from collections import deque

from google.protobuf.message import DecodeError
from meshtastic.protobuf import admin_pb2, mesh_pb2

from kiezbox_simulator.stock_radio import packets
from kiezbox_simulator.stock_radio.admin import Administration, Outcome
from kiezbox_simulator.stock_radio.node_database import NodeDatabase
from kiezbox_simulator.stock_radio.settings import RadioSettings

PLACES = 4
WRITE_MS = 500


class Inbound:
    """The queue and who empties it. Times are monotonic milliseconds. `counters` counts losses by reason."""

    def __init__(self, settings: RadioSettings, nodes: NodeDatabase) -> None:
        self.counters: dict[str, int] = {}
        self._own_num = settings.node_num
        self._administration = Administration(settings, nodes)
        self._queue: deque[mesh_pb2.MeshPacket] = deque()
        self._busy_until_ms = 0

    @property
    def due_ms(self) -> int | None:
        """When `take` has something to do, None while nothing waits."""
        return self._busy_until_ms if self._queue else None

    def put(self, packet: mesh_pb2.MeshPacket) -> None:
        """A packet to the radio itself."""
        if len(self._queue) >= PLACES:
            self._queue.popleft()
            self._count("inbound_full")
        self._queue.append(packet)

    def take(self, now_ms: int) -> tuple[Outcome, mesh_pb2.MeshPacket | None] | None:
        """Deal with the next packet: its outcome and the answer for the client; None when none is due."""
        if not self._queue or now_ms < self._busy_until_ms:
            return None
        packet = self._queue.popleft()
        outcome = Outcome()
        if packet.decoded.portnum == packets.PORTS.ADMIN_APP:
            try:
                outcome = self._administration.handle(admin_pb2.AdminMessage.FromString(packet.decoded.payload))
            except DecodeError:
                self._count("malformed_admin")
                outcome.error = mesh_pb2.Routing.Error.BAD_REQUEST
        if outcome.written:
            self._busy_until_ms = now_ms + WRITE_MS
        return outcome, self._answer(packet, outcome)

    def _answer(self, packet: mesh_pb2.MeshPacket, outcome: Outcome) -> mesh_pb2.MeshPacket | None:
        answer = packets.routing(self._own_num, self._own_num, packet.id, outcome.error)
        if outcome.reply is not None:
            answer.decoded.portnum = packets.PORTS.ADMIN_APP
            answer.decoded.payload = outcome.reply.SerializeToString()
            return answer
        return answer if packet.want_ack or (outcome.error and packet.decoded.want_response) else None

    def _count(self, reason: str) -> None:
        self.counters[reason] = self.counters.get(reason, 0) + 1
