# SPDX-License-Identifier: Apache-2.0
"""The radio itself, between its client and the mesh. Told the time, handed bytes and frames; no I/O.

1. Every packet from the client that is not dropped in silence is answered with a queue status naming its id.
2. The client gets broadcasts, packets to this radio, and what cannot be decrypted. Others' direct messages it does not
   get. What comes while no client is there waits for the next one.
3. A packet to this radio itself goes through `inbound.py`.
4. Refused by the region's duty cycle: queue status and routing error DUTY_CYCLE_LIMIT, and a notification.
5. Direct messages need the other's public key since firmware 2.5. One that is not known gives PKI_SEND_FAIL_PUBLIC_KEY,
   as in the firmware; one that is known gives PKI_FAILED, because that cipher is not built in here. Boxes have no such
   keys.
6. The client gets the radio's own telemetry once a minute.

Called by `process.py`. The mesh below is `kiezbox.protocol.mesh`, the same code as in a box.
"""

from collections import deque
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError
from meshtastic.protobuf import config_pb2, mesh_pb2, portnums_pb2, telemetry_pb2

from kiezbox.protocol.airtime import PRESETS
from kiezbox.protocol.frame import BROADCAST, HOP_LIMIT_MAX, FrameError
from kiezbox.protocol.mesh import ROLES, Acknowledged, Drop, MeshNode, PacketReceived, Transmit, UndecryptablePacket
from kiezbox_simulator.stock_radio import packets
from kiezbox_simulator.stock_radio.admin import Outcome
from kiezbox_simulator.stock_radio.admission import Admission
from kiezbox_simulator.stock_radio.handshake import handshake
from kiezbox_simulator.stock_radio.inbound import Inbound
from kiezbox_simulator.stock_radio.node_database import NodeDatabase
from kiezbox_simulator.stock_radio.node_news import Introduction, NodeNews
from kiezbox_simulator.stock_radio.phone_queue import PhoneQueue
from kiezbox_simulator.stock_radio.settings import RadioSettings
from kiezbox_simulator.stock_radio.stock_ledger import StockLedger

PORTS = portnums_pb2.PortNum
ERROR = mesh_pb2.Routing.Error
TELEMETRY_MS = 60_000
ERRNO_UNKNOWN = 32
"""Result of a packet for which the transmit queue had no place."""

ERRNO_SHOULD_RELEASE = 35
"""Result of a packet to the radio itself: no error."""

UNKEYED_PORTS = {PORTS.TRACEROUTE_APP, PORTS.NODEINFO_APP, PORTS.ROUTING_APP, PORTS.POSITION_APP}


class StockRadio:
    """One boot of one radio. `now_ms` is monotonic; `boot_time_s` is the unix time at `now_ms` 0, 0 if it has no
    clock."""

    def __init__(self, settings: RadioSettings, entropy: bytes, now_ms: int, boot_time_s: int = 0) -> None:
        self.settings = settings
        self.nodes = NodeDatabase(settings.node_num)
        self.queue = PhoneQueue()
        self.ledger = StockLedger()
        self.counters: dict[str, int] = {}
        self.reboot_at_ms: int | None = None
        self.unsaved = False
        self._boot_ms = now_ms
        self._boot_time_s = boot_time_s
        self._admission = Admission()
        self._news = NodeNews(settings, self.nodes, now_ms)
        self._handshake: Iterator[mesh_pb2.FromRadio] | None = None
        self._answers: deque[mesh_pb2.FromRadio] = deque(maxlen=4)
        self._listening = False
        self._inbound = Inbound(settings, self.nodes)
        self._telemetry_due_ms = now_ms + TELEMETRY_MS
        role = str(config_pb2.Config.DeviceConfig.Role.Name(settings.config.device.role))
        self._channels = settings.mesh_channels()
        self.mesh = MeshNode(
            settings.node_num,
            [channel for _, channel in self._channels],
            PRESETS[settings.preset],
            role if role in ROLES else "CLIENT",
            settings.hop_limit,
            entropy,
            self.ledger,  # type: ignore[arg-type]  # Same surface, another rule.
        )

    # The client's side

    def client_connected(self) -> None:
        """A client is there; it says nothing and gets nothing before it has asked for the configuration."""
        self._admission.connected()
        self.client_disconnected()

    def client_disconnected(self) -> None:
        """The client has gone. What waits for it stays."""
        self._handshake = None
        self._answers.clear()
        self._listening = False

    def from_client(self, payload: bytes, now_ms: int) -> None:
        """One ToRadio message."""
        try:
            message = mesh_pb2.ToRadio.FromString(payload)
        except DecodeError:
            self._count("malformed_to_radio")
            return
        kind = message.WhichOneof("payload_variant")
        if kind == "want_config_id":
            self._listening = False
            self._handshake = handshake(message.want_config_id, self.settings, self.nodes)
        elif kind == "packet":
            self._client_packet(message.packet, now_ms)
        elif kind == "heartbeat":
            if message.heartbeat.nonce == 1:
                self._introduce(self._news.ping(now_ms, self.channel_pct(now_ms)), now_ms)
            else:
                self._answers.append(mesh_pb2.FromRadio(queueStatus=self._state(0, 0)))
        elif kind == "disconnect":
            self.client_disconnected()

    def take_for_client(self) -> bytes | None:
        """The next FromRadio message for the client, None when there is none now."""
        if self._answers:
            return self._answers.popleft().SerializeToString()
        if self._handshake is not None:
            message = next(self._handshake, None)
            if message is not None:
                return message.SerializeToString()
            self._handshake = None
            self._listening = True
        if not self._listening:
            return None
        waiting = self.queue.take()
        return waiting.SerializeToString() if waiting is not None else None

    # The mesh's side

    def receive(self, frame: bytes, rssi_dbm: int, snr_db: float, now_ms: int) -> None:
        """A frame came in."""
        for event in self.mesh.receive(frame, rssi_dbm, int(snr_db), now_ms):
            self._event(event, now_ms)

    def poll(self, now_ms: int) -> Transmit | None:
        """Do what is due; a Transmit must be answered by `transmitted` or `channel_busy`."""
        while (local := self._inbound.take(now_ms)) is not None:
            outcome, answer = local
            self._apply(outcome, now_ms)
            if answer is not None:
                self.queue.put_packet(answer)
        if now_ms >= self._news.due_ms:
            spent_pct = self.ledger.spent_pct(now_ms)
            self._introduce(self._news.periodic(now_ms, self.channel_pct(now_ms), spent_pct), now_ms)
        if now_ms >= self._telemetry_due_ms:
            self._telemetry_due_ms = now_ms + TELEMETRY_MS
            self._tell_telemetry(now_ms)
        transmit = None
        for action in self.mesh.poll(now_ms):
            if isinstance(action, Transmit):
                transmit = action
            elif not isinstance(action, Drop):  # Counted by the mesh node; a stock client is not told.
                self._event(action, now_ms)
        return transmit

    def transmitted(self, now_ms: int) -> None:
        """The frame has left."""
        full = len(self.mesh.queue) >= self.mesh.queue.size
        self.mesh.transmitted(now_ms)
        if full:
            self.queue.put_state(self._state(0, 0))

    def channel_busy(self, now_ms: int) -> None:
        """The channel was busy; nothing was sent."""
        self.mesh.channel_busy(now_ms)

    def next_wakeup_ms(self, now_ms: int) -> int:
        """When `poll` has something to do, at the latest."""
        times = [self._news.due_ms, self._telemetry_due_ms]
        mesh_ms = self.mesh.next_wakeup_ms(now_ms)
        if mesh_ms is not None:
            times.append(mesh_ms)
        if self._inbound.due_ms is not None:
            times.append(self._inbound.due_ms)
        return max(now_ms, min(times))

    def channel_pct(self, now_ms: int) -> int:
        """Use of the channel in the last minute."""
        return self.mesh.contention.load_pct(now_ms)

    # Inside

    def _event(self, event: Any, now_ms: int) -> None:
        own = self.settings.node_num
        if isinstance(event, Acknowledged):
            # The routing packet of a far node came in as a packet too, and the client has it from there.
            if event.from_node == own:
                self.queue.put_packet(packets.routing(own, own, event.packet_id, event.error_reason))
            return
        if isinstance(event, UndecryptablePacket):
            if event.header.to_node in (own, BROADCAST):
                self.queue.put_packet(packets.from_mesh(event, 0, self._time_s(now_ms)))
            return
        if not isinstance(event, PacketReceived):
            return
        packet = packets.from_mesh(event, self._channels[event.channel_index][0], self._time_s(now_ms))
        introduction = self._news.heard(packet, now_ms, self.channel_pct(now_ms))
        if event.header.to_node in (own, BROADCAST):
            self.nodes.heard(packet, self._time_s(now_ms))
            if packet.decoded.portnum == PORTS.ADMIN_APP:
                self._refuse_far_admin(packet, now_ms)
            else:
                self.queue.put_packet(packet)
        self._introduce(introduction, now_ms)

    def _client_packet(self, packet: mesh_pb2.MeshPacket, now_ms: int) -> None:
        verdict = self._admission.judge(packet, now_ms)
        own = self.settings.node_num
        if not verdict.taken:
            self._count("silent_duplicate" if verdict.silent else "rate_limited")
            if verdict.silent:
                return
            if verdict.notification:
                self._notify(packet.id, verdict.notification, now_ms)
            self.queue.put_state(self._state(0, packet.id))
            if verdict.routing_error:
                self.queue.put_packet(packets.routing(own, own, packet.id, verdict.routing_error))
            return
        if packet.to == own:
            self._inbound.put(packet)
            self.queue.put_state(self._state(ERRNO_SHOULD_RELEASE, packet.id))
            return
        error, result = self._send(packet, now_ms)
        self.queue.put_state(self._state(result, packet.id))
        if error:
            self._count(f"refused_{error}")
            self.queue.put_packet(packets.routing(own, own, packet.id, error, packet.channel))

    def _send(self, packet: mesh_pb2.MeshPacket, now_ms: int) -> tuple[int, int]:
        """Queue a client's packet. Returns the routing error and the queue status's result, 0 and 0 when it is
        queued."""
        lora = self.settings.config.lora
        if packet.WhichOneof("payload_variant") != "decoded" or packet.decoded.portnum == PORTS.UNKNOWN_APP:
            return ERROR.BAD_REQUEST, ERROR.BAD_REQUEST
        if not self.ledger.may_send(0, 0, now_ms)[0] and not lora.override_duty_cycle:
            self._notify(packet.id, "Duty cycle limit exceeded. You can send again when the hour has passed", now_ms)
            return ERROR.DUTY_CYCLE_LIMIT, ERROR.DUTY_CYCLE_LIMIT
        place = next((place for place, (index, _) in enumerate(self._channels) if index == packet.channel), None)
        if place is None or not lora.tx_enabled:
            return ERROR.NO_CHANNEL, ERROR.NO_CHANNEL
        if packet.to != BROADCAST and packet.decoded.portnum not in UNKEYED_PORTS:
            error = ERROR.PKI_FAILED if self.nodes.public_key(packet.to) else ERROR.PKI_SEND_FAIL_PUBLIC_KEY
            return error, error
        hop_limit = min(packet.hop_limit, HOP_LIMIT_MAX)
        if packet.want_ack and hop_limit == 0:
            hop_limit = self.settings.hop_limit
        rank = packets.rank(packet)
        queue = self.mesh.queue
        if len(queue) >= queue.size and queue.items[-1].rank <= rank:
            return 0, ERRNO_UNKNOWN
        try:
            self.mesh.send(
                packets.to_mesh(packet.decoded, lora.config_ok_to_mqtt),
                packet.to,
                rank,
                now_ms,
                packet.want_ack,
                hop_limit,
                place,
                packet.id or None,
            )
        except FrameError:
            return ERROR.TOO_LARGE, ERROR.TOO_LARGE
        return 0, 0

    def _apply(self, outcome: Outcome, now_ms: int) -> None:
        if outcome.time_s is not None:
            self._boot_time_s = outcome.time_s - now_ms // 1000
        if outcome.written:
            self.unsaved = True
            self._channels = self.settings.mesh_channels()
            self.mesh.channels = [channel for _, channel in self._channels]
        if outcome.reboot_in_s is not None:
            self.reboot_at_ms = now_ms + outcome.reboot_in_s * 1000
        if outcome.owner_changed:
            self._introduce(Introduction(BROADCAST, False), now_ms)

    def _refuse_far_admin(self, packet: mesh_pb2.MeshPacket, now_ms: int) -> None:
        self._count("far_admin_refused")
        refusal = mesh_pb2.Data(portnum=PORTS.ROUTING_APP, request_id=packet.id)
        refusal.payload = mesh_pb2.Routing(error_reason=ERROR.NOT_AUTHORIZED).SerializeToString()
        self.mesh.send(packets.to_mesh(refusal, False), getattr(packet, "from"), packets.rank(packet), now_ms)

    def _introduce(self, item: Introduction | None, now_ms: int) -> None:
        if item is None:
            return
        place = next((place for place, (index, _) in enumerate(self._channels) if index == item.channel_index), 0)
        decoded = mesh_pb2.Data(
            portnum=PORTS.NODEINFO_APP, request_id=item.request_id, want_response=item.want_response
        )
        decoded.payload = self.settings.owner.SerializeToString()
        packet = mesh_pb2.MeshPacket(priority=mesh_pb2.MeshPacket.Priority.BACKGROUND)
        data = packets.to_mesh(decoded, self.settings.config.lora.config_ok_to_mqtt)
        # A broadcast that asks for names is for direct neighbours only.
        hop_limit = 0 if item.want_response and item.to_node == BROADCAST else None
        self.mesh.send(data, item.to_node, packets.rank(packet), now_ms, False, hop_limit, place)

    def _tell_telemetry(self, now_ms: int) -> None:
        telemetry = telemetry_pb2.Telemetry(time=self._time_s(now_ms))
        metrics = telemetry.device_metrics
        metrics.battery_level = 101  # On external power.
        metrics.voltage = 4.2
        metrics.channel_utilization = self.channel_pct(now_ms)
        metrics.air_util_tx = self.ledger.spent_pct(now_ms)
        metrics.uptime_seconds = (now_ms - self._boot_ms) // 1000
        packet = mesh_pb2.MeshPacket(to=BROADCAST, rx_time=self._time_s(now_ms))
        setattr(packet, "from", self.settings.node_num)
        packet.decoded.portnum = PORTS.TELEMETRY_APP
        packet.decoded.payload = telemetry.SerializeToString()
        self.queue.put_packet(packet)

    def _state(self, result: int, packet_id: int) -> mesh_pb2.QueueStatus:
        queue = self.mesh.queue
        return mesh_pb2.QueueStatus(
            res=result, free=queue.size - len(queue), maxlen=queue.size, mesh_packet_id=packet_id
        )

    def _notify(self, reply_id: int, text: str, now_ms: int) -> None:
        self.queue.put_notification(
            mesh_pb2.ClientNotification(
                reply_id=reply_id, time=self._time_s(now_ms), level=mesh_pb2.LogRecord.Level.WARNING, message=text
            )
        )

    def _time_s(self, now_ms: int) -> int:
        return self._boot_time_s + now_ms // 1000 if self._boot_time_s else 0

    def _count(self, reason: str) -> None:
        self.counters[reason] = self.counters.get(reason, 0) + 1
