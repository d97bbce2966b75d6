# SPDX-License-Identifier: Apache-2.0
"""When a radio says its own name on the mesh, and what it learns of others from what it hears (firmware 2.7,
NodeInfoModule).

1. Half a minute after the start, then in the configured interval; not while it has sent for more than half its legal
   share.
2. To a node that it hears and has no name of, asking for the other's name; and as answer to who asks, once in twelve
   hours for each.
3. Never twice within ten minutes; a client's ping (heartbeat 1) is answered after a minute already.
4. Not while the channel is used by more than 40 %.

Used by `device.py`, which does the sending.
"""

from google.protobuf.message import DecodeError
from meshtastic.protobuf import mesh_pb2, portnums_pb2, telemetry_pb2

from kiezbox.protocol.frame import BROADCAST
from kiezbox_simulator.stock_radio.node_database import NodeDatabase
from kiezbox_simulator.stock_radio.settings import RadioSettings

FIRST_MS = 30_000
DEFAULT_INTERVAL_S = 10_800
PAUSE_MS = 600_000
PING_PAUSE_MS = 60_000
ANSWER_PAUSE_MS = 12 * 3_600_000
CHANNEL_PCT_MAX = 40
SENT_PCT_MAX = 5.0
PORTS = portnums_pb2.PortNum


class Introduction:
    """A NodeInfo to send: to whom, whether to ask for theirs, and which request it answers (0 none)."""

    def __init__(self, to_node: int, want_response: bool, request_id: int = 0, channel_index: int = 0) -> None:
        self.to_node = to_node
        self.want_response = want_response
        self.request_id = request_id
        self.channel_index = channel_index


class NodeNews:
    """Times are monotonic milliseconds; `channel_pct` and `sent_pct` say how busy the air is."""

    def __init__(self, settings: RadioSettings, nodes: NodeDatabase, now_ms: int) -> None:
        self._settings = settings
        self._nodes = nodes
        self._last_ms: int | None = None
        self._answered_ms: dict[int, int] = {}
        self.due_ms = now_ms + FIRST_MS

    def periodic(self, now_ms: int, channel_pct: float, sent_pct: float) -> Introduction | None:
        """Rule 1. Call at `due_ms`."""
        if now_ms < self.due_ms:
            return None
        self.due_ms = now_ms + (self._settings.config.device.node_info_broadcast_secs or DEFAULT_INTERVAL_S) * 1000
        if sent_pct > SENT_PCT_MAX:
            return None
        return self._allowed(Introduction(BROADCAST, False), now_ms, channel_pct, PAUSE_MS)

    def ping(self, now_ms: int, channel_pct: float) -> Introduction | None:
        """The client asks for it."""
        return self._allowed(Introduction(BROADCAST, True), now_ms, channel_pct, PING_PAUSE_MS)

    def heard(self, packet: mesh_pb2.MeshPacket, now_ms: int, channel_pct: float) -> Introduction | None:
        """Learn from a decoded packet of another node, addressed to anyone. Returns what to send because of it."""
        num = getattr(packet, "from")
        decoded = packet.decoded
        try:
            self._learn(num, decoded)
        except DecodeError:
            return None
        to_us = packet.to == self._settings.node_num
        if decoded.portnum == PORTS.NODEINFO_APP and decoded.want_response and (to_us or packet.to == BROADCAST):
            last_ms = self._answered_ms.get(num)
            if last_ms is not None and now_ms - last_ms < ANSWER_PAUSE_MS:
                return None
            if packet.to == BROADCAST and packet.hop_start != packet.hop_limit:
                return None  # Broadcast questions are for direct neighbours.
            self._answered_ms[num] = now_ms
            if len(self._answered_ms) > len(self._nodes):
                del self._answered_ms[min(self._answered_ms, key=lambda node: self._answered_ms[node])]
            return self._allowed(Introduction(num, False, packet.id, packet.channel), now_ms, channel_pct, PAUSE_MS)
        if not self._nodes.has_user(num) and (to_us or packet.to == BROADCAST):
            return self._allowed(Introduction(num, True, 0, packet.channel), now_ms, channel_pct, PAUSE_MS)
        return None

    def _learn(self, num: int, decoded: mesh_pb2.Data) -> None:
        if decoded.portnum == PORTS.NODEINFO_APP:
            self._nodes.set_user(num, mesh_pb2.User.FromString(decoded.payload))
        elif decoded.portnum == PORTS.POSITION_APP:
            self._nodes.set_position(num, mesh_pb2.Position.FromString(decoded.payload))
        elif decoded.portnum == PORTS.TELEMETRY_APP:
            telemetry = telemetry_pb2.Telemetry.FromString(decoded.payload)
            if telemetry.HasField("device_metrics"):
                self._nodes.set_metrics(num, telemetry.device_metrics)

    def _allowed(self, item: Introduction, now_ms: int, channel_pct: float, pause_ms: int) -> Introduction | None:
        if channel_pct > CHANNEL_PCT_MAX or (self._last_ms is not None and now_ms - self._last_ms < pause_ms):
            return None
        self._last_ms = now_ms
        return item
