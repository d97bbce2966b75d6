# SPDX-License-Identifier: Apache-2.0
"""One connection to a Meshtastic radio as a state machine: told the time, handed bytes, asked for bytes. No I/O.

Rules:
 1. A connection starts with the wake bytes and want_config with a new nonce; it is ready when config_complete_id brings
    that nonce back and the radio has said its node number. Without an answer want_config is repeated.
 2. Any byte is a sign of life. A quiet radio is asked by a heartbeat, to which it answers with its queue status. One
    that stays silent is given up: a half-open TCP connection looks exactly like that.
 3. `rebooted` from the radio starts again at rule 1 on the same connection.
 4. One packet is outstanding at a time: the next goes out when the queue status names its id. One whose status never
    comes is sent again with the same id, which the radio recognises. Free places 0: wait, and ask by heartbeats.
 5. A radio that does not fit the configuration is written to, slowly, and read back. Packets of the mesh are taken
    from it meanwhile; nothing is sent before its channel fits. Since writing makes it reboot, attempts are counted over
    connections: a radio that never takes a setting must not reboot for ever and hear nothing.
 6. A frame that stopped in the middle for a second is given up, so that it cannot swallow the next one.
"""

from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from meshtastic.protobuf import admin_pb2, mesh_pb2, portnums_pb2

from kiezbox_gateway.radio import framing, setup
from kiezbox_gateway.radio.events import Accepted, Acknowledged, Event, GiveUp, Notice, PacketArrived, Ready, Refused
from kiezbox_gateway.radio.send_queue import Outgoing, SendQueue

HANDSHAKE_TIMEOUT_MS = 30_000
WANT_CONFIG_REPEAT_MS = 2_500
HEARTBEAT_MS = 2_000
SILENCE_MS = 7_000
FRAME_TIMEOUT_MS = 1_000
QUEUE_STATUS_TIMEOUT_MS = 2_000
QUEUE_STATUS_TRIES = 3
QUEUE_FULL_POLL_MS = 500
QUEUE_FULL_TIMEOUT_MS = 60_000
READ_BACK_MS = 3_000
SETUP_ROUNDS = 3
# After so many rounds in vain, growing pauses.
SETUP_RETRY_MS = (60_000, 600_000, 3_600_000)
NODES_MAX = 1_000
# Our priorities 0.. to the radio's own; a receipt for a call for help must not wait behind the radio's telemetry.
RADIO_PRIORITY = (
    mesh_pb2.MeshPacket.Priority.ALERT,
    mesh_pb2.MeshPacket.Priority.HIGH,
    mesh_pb2.MeshPacket.Priority.RESPONSE,
    mesh_pb2.MeshPacket.Priority.RELIABLE,
    mesh_pb2.MeshPacket.Priority.DEFAULT,
    mesh_pb2.MeshPacket.Priority.BACKGROUND,
)


def _parse(payload: bytes) -> mesh_pb2.FromRadio:
    try:
        return mesh_pb2.FromRadio.FromString(payload)
    except DecodeError as error:
        raise ValueError("not a FromRadio message") from error


@dataclass
class _Outstanding:
    packet: Outgoing
    sent_ms: int
    tries: int = 1


@dataclass
class SetupAttempts:
    """How often a radio was written to in vain; outlives the connection. `retry_ms`: not again before."""

    rounds: int = 0
    failures: int = 0
    retry_ms: int = 0


@dataclass
class _Setup:
    writes: list[admin_pb2.AdminMessage] = field(default_factory=list)
    next_ms: int = 0


class RadioSession:
    """State of one connection. `nonce` differs between connections; `queue` and `attempts` outlive them."""

    def __init__(
        self,
        queue: SendQueue,
        wanted: setup.Wanted,
        nonce: int,
        now_ms: int,
        *,
        may_write: bool = True,
        attempts: SetupAttempts | None = None,
    ) -> None:
        self.reader: framing.FrameReader[mesh_pb2.FromRadio] = framing.FrameReader(_parse)
        self.reported = setup.Reported()
        self.free: int | None = None
        self.ready = False
        self.channel_index: int | None = None
        self._queue = queue
        self._wanted = wanted
        self._may_write = may_write
        self._nonce = nonce
        self._output = bytearray(framing.WAKE)
        self._outstanding: _Outstanding | None = None
        self._setup = _Setup()
        self._attempts = attempts or SetupAttempts()
        self._last_byte_ms = now_ms
        self._last_heartbeat_ms = now_ms
        self._full_since_ms: int | None = None
        self._closed = False
        self._begin_handshake(now_ms)

    # --- driven by the link ---

    def receive(self, data: bytes, now_ms: int) -> list[Event]:
        """Take bytes from the radio."""
        self._last_byte_ms = now_ms
        events: list[Event] = []
        for message in self.reader.feed(data):
            self._handle(message, now_ms, events)
        return events

    def resume(self, now_ms: int) -> None:
        """The caller was busy with what came: that time was our own silence, and what came meanwhile waits unread."""
        self._last_byte_ms = max(self._last_byte_ms, now_ms)

    def poll(self, now_ms: int) -> list[Event]:
        """Do what is due. Call after `receive` and at `next_wakeup_ms`."""
        events: list[Event] = []
        if self._closed:
            return events
        silent_ms = now_ms - self._last_byte_ms
        if self.reader.incomplete and silent_ms >= FRAME_TIMEOUT_MS:
            for message in self.reader.give_up():
                self._handle(message, now_ms, events)
        if silent_ms >= SILENCE_MS:
            return self._give_up("silent", events)
        if not self.ready:
            if now_ms - self._handshake_ms >= HANDSHAKE_TIMEOUT_MS:
                return self._give_up("handshake_timeout", events)
            if now_ms - self._asked_ms >= WANT_CONFIG_REPEAT_MS and silent_ms >= WANT_CONFIG_REPEAT_MS:
                self._ask(now_ms)
            return events
        if self._outstanding is None and self.free == 0:
            if self._full_since_ms is None:
                self._full_since_ms = now_ms
            if now_ms - self._full_since_ms >= QUEUE_FULL_TIMEOUT_MS:
                return self._give_up("queue_full", events)
        else:
            self._full_since_ms = None
        pause_ms = QUEUE_FULL_POLL_MS if self._full_since_ms is not None else HEARTBEAT_MS
        quiet_ms = now_ms - self._last_heartbeat_ms if self._full_since_ms is not None else silent_ms
        if quiet_ms >= pause_ms and now_ms - self._last_heartbeat_ms >= pause_ms:
            self._last_heartbeat_ms = now_ms
            heartbeat = mesh_pb2.ToRadio()
            heartbeat.heartbeat.SetInParent()
            self._write(heartbeat)
        self._continue_setup(now_ms, events)
        self._send(now_ms, events)
        return events

    def take_output(self) -> bytes:
        """Bytes to write to the radio; they are handed out once."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def next_wakeup_ms(self, now_ms: int) -> int:
        """When `poll` has something to do again, at the latest."""
        times = [self._last_byte_ms + SILENCE_MS]
        if self.reader.incomplete:
            times.append(self._last_byte_ms + FRAME_TIMEOUT_MS)
        if not self.ready:
            times += [
                self._handshake_ms + HANDSHAKE_TIMEOUT_MS,
                max(self._asked_ms, self._last_byte_ms) + WANT_CONFIG_REPEAT_MS,
            ]
            return max(now_ms, min(times))
        times.append(max(self._last_byte_ms, self._last_heartbeat_ms) + HEARTBEAT_MS)
        if self._setup.next_ms:
            times.append(self._setup.next_ms)
        if self._outstanding is not None:
            times.append(self._outstanding.sent_ms + QUEUE_STATUS_TIMEOUT_MS)
        elif self.free == 0:
            times.append(self._last_heartbeat_ms + QUEUE_FULL_POLL_MS)
        elif self.channel_index is not None:
            sendable_ms = self._queue.next_ms(now_ms)
            if sendable_ms is not None:
                times.append(sendable_ms)
        return max(now_ms, min(times))

    def close(self) -> None:
        """The connection is gone: a packet whose fate is unknown goes back to the queue."""
        if self._outstanding is not None:
            self._queue.put_back(self._outstanding.packet)
            self._outstanding = None
        self.ready = False
        self._closed = True

    # --- inside ---

    def _begin_handshake(self, now_ms: int) -> None:
        self.ready = False
        self.reported = setup.Reported()
        self._handshake_ms = now_ms
        self._nonce = self._nonce % 0x7FFFFFFF + 1
        self._ask(now_ms)

    def _ask(self, now_ms: int) -> None:
        self._asked_ms = now_ms
        self._write(mesh_pb2.ToRadio(want_config_id=self._nonce))

    def _write(self, message: mesh_pb2.ToRadio) -> None:
        self._output += framing.encode(message.SerializeToString())

    def _give_up(self, reason: str, events: list[Event]) -> list[Event]:
        self._closed = True
        events.append(GiveUp(reason))
        return events

    def _handle(self, message: mesh_pb2.FromRadio, now_ms: int, events: list[Event]) -> None:
        kind = message.WhichOneof("payload_variant")
        reported = self.reported
        if kind == "packet":
            self._handle_packet(message.packet, events)
        elif kind == "queueStatus":
            self._handle_queue_status(message.queueStatus, events)
        elif kind == "my_info":
            reported.node_num = message.my_info.my_node_num
        elif kind == "metadata":
            reported.firmware_version = message.metadata.firmware_version
        elif kind == "config":
            section = message.config.WhichOneof("payload_variant")
            if section == "lora":
                reported.lora = message.config.lora
            elif section == "device":
                reported.device = message.config.device
        elif kind == "channel":
            if 0 <= message.channel.index < 8:
                reported.channels[message.channel.index] = message.channel
        elif kind == "node_info":
            if len(reported.nodes) < NODES_MAX or message.node_info.num in reported.nodes:
                reported.nodes[message.node_info.num] = message.node_info.user.long_name
        elif kind == "config_complete_id":
            if message.config_complete_id == self._nonce and not self.ready and reported.node_num is not None:
                self._complete_handshake(now_ms, events)
        elif kind == "rebooted":
            events.append(Notice("radio_rebooted"))
            if self._outstanding is not None:
                self._queue.put_back(self._outstanding.packet)
                self._outstanding = None
            self._begin_handshake(now_ms)
        elif kind == "clientNotification":
            events.append(Notice("radio_notification", message.clientNotification.message[:120]))

    def _handle_packet(self, packet: mesh_pb2.MeshPacket, events: list[Event]) -> None:
        if packet.WhichOneof("payload_variant") != "decoded":
            events.append(Notice("undecryptable_packet"))
            return
        decoded = packet.decoded
        if decoded.portnum == portnums_pb2.PortNum.ROUTING_APP and decoded.request_id:
            try:
                routing = mesh_pb2.Routing.FromString(decoded.payload)
            except DecodeError:
                events.append(Notice("malformed_routing"))
                return
            if routing.WhichOneof("variant") == "error_reason":
                if routing.error_reason:
                    events.append(Refused(decoded.request_id, routing.error_reason))
                else:
                    events.append(Acknowledged(decoded.request_id, getattr(packet, "from")))
            return
        events.append(PacketArrived(packet))

    def _handle_queue_status(self, status: mesh_pb2.QueueStatus, events: list[Event]) -> None:
        self.free = status.free
        outstanding = self._outstanding
        if outstanding is None or status.mesh_packet_id != outstanding.packet.packet_id:
            return
        self._outstanding = None
        if status.res == 0:
            events.append(Accepted(outstanding.packet))
        else:
            events.append(Refused(outstanding.packet.packet_id, status.res))

    def _complete_handshake(self, now_ms: int, events: list[Event]) -> None:
        self.ready = True
        self.channel_index = setup.channel_index(self.reported, self._wanted)
        found = setup.differences(self.reported, self._wanted)
        assert self.reported.node_num is not None  # noqa: S101  Checked by the caller.
        events.append(Ready(self.reported.node_num, tuple(found)))
        attempts = self._attempts
        self._setup = _Setup()
        if not found:
            attempts.rounds = attempts.failures = attempts.retry_ms = 0
            return
        if attempts.retry_ms and now_ms >= attempts.retry_ms:
            attempts.rounds = attempts.retry_ms = 0
        if attempts.rounds >= SETUP_ROUNDS or not self._may_write:
            if not attempts.retry_ms:
                events.append(Notice("radio_does_not_fit", ", ".join(found)))
                attempts.retry_ms = now_ms + SETUP_RETRY_MS[min(attempts.failures, len(SETUP_RETRY_MS) - 1)]
                attempts.failures += 1
            self._setup.next_ms = attempts.retry_ms
            return
        attempts.rounds += 1
        self._setup.writes = setup.writes(self.reported, self._wanted)
        self._setup.next_ms = now_ms

    def _continue_setup(self, now_ms: int, events: list[Event]) -> None:
        state = self._setup
        if not state.next_ms or now_ms < state.next_ms:
            return
        if not state.writes:
            # Read back everything: the radio gives no error for a write it lost.
            state.next_ms = 0
            self._begin_handshake(now_ms)
            return
        admin = state.writes.pop(0)
        message = mesh_pb2.ToRadio()
        packet = message.packet
        assert self.reported.node_num is not None  # noqa: S101  Ready.
        packet.to = self.reported.node_num
        packet.id = self._nonce = self._nonce % 0x7FFFFFFF + 1
        packet.decoded.portnum = portnums_pb2.PortNum.ADMIN_APP
        packet.decoded.payload = admin.SerializeToString()
        self._write(message)
        events.append(Notice("radio_setup", str(admin.WhichOneof("payload_variant"))))
        state.next_ms = now_ms + (setup.WRITE_PAUSE_MS if state.writes else READ_BACK_MS)

    def _send(self, now_ms: int, events: list[Event]) -> None:
        if not self.ready or self.channel_index is None:
            return
        outstanding = self._outstanding
        if outstanding is not None:
            if now_ms - outstanding.sent_ms < QUEUE_STATUS_TIMEOUT_MS:
                return
            if outstanding.tries >= QUEUE_STATUS_TRIES:
                self._give_up("no_queue_status", events)
                return
            outstanding.tries += 1
            outstanding.sent_ms = now_ms
            self._write(self._encode(outstanding.packet))
            return
        if self.free == 0:
            return
        packet = self._queue.take(now_ms)
        if packet is not None:
            self._outstanding = _Outstanding(packet, now_ms)
            self._write(self._encode(packet))

    def _encode(self, outgoing: Outgoing) -> mesh_pb2.ToRadio:
        message = mesh_pb2.ToRadio()
        packet = message.packet
        packet.to = outgoing.to_node
        packet.id = outgoing.packet_id
        packet.channel = self.channel_index or 0
        packet.hop_limit = self._wanted.hop_limit
        packet.want_ack = outgoing.want_ack
        packet.priority = RADIO_PRIORITY[min(outgoing.priority, len(RADIO_PRIORITY) - 1)]
        data = packet.decoded
        data.portnum = outgoing.portnum  # type: ignore[assignment]
        data.payload = outgoing.payload
        data.bitfield = 0
        data.reply_id = outgoing.reply_id
        data.emoji = outgoing.emoji
        return message
