# SPDX-License-Identifier: Apache-2.0
"""A peer that speaks the Meshtastic stream API over TCP, polite or hostile, made from the official protobufs.

It is the other end of a real socket, not a stand-in for a part of the gateway. Its manners are the firmware's: one
client at a time (a new one puts the old one out), queue status after each packet, an answer to each heartbeat, admin
writes lost when they come faster than it can take them, a reboot after LoRa settings were written.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable

from meshtastic.protobuf import admin_pb2, channel_pb2, config_pb2, mesh_pb2, portnums_pb2

from tests.gateway.waiting import until

LORA = config_pb2.Config.LoRaConfig


def frame(message: mesh_pb2.FromRadio) -> bytes:
    """Framed for the stream, written here a second time so that a mistake in the gateway's framing shows."""
    payload = message.SerializeToString()
    return bytes([0x94, 0xC3, len(payload) >> 8, len(payload) & 0xFF]) + payload


class RadioPeer:
    """`async with RadioPeer(key) as radio:`; `radio.address` is for the gateway's configuration."""

    def __init__(
        self, channel_key: bytes = bytes(range(32)), *, configured: bool = True, node_num: int = 0x11223344
    ) -> None:
        self.node_num = node_num
        self.free = 16
        self.connections = 0
        self.received: list[mesh_pb2.MeshPacket] = []
        self.heartbeats = 0
        self.admin_lost = 0
        # Hostile behaviours
        self.mute = False
        self.answer_queue_status = True
        self.handshake_garbage = b""
        self.reboot_after_lora_s = 0.3
        self.on_packet: Callable[[mesh_pb2.MeshPacket], None] | None = None
        self.lora = LORA(use_preset=True, tx_enabled=True)
        self.channels = {
            index: channel_pb2.Channel(index=index, role=channel_pb2.Channel.Role.DISABLED) for index in range(8)
        }
        self.channels[0].role = channel_pb2.Channel.Role.PRIMARY
        if configured:
            self.lora.region = LORA.RegionCode.EU_868
            self.lora.modem_preset = LORA.ModemPreset.MEDIUM_FAST
            self.lora.hop_limit = 5
            self.channels[0].settings.name = "Kiezbox"
            self.channels[0].settings.psk = channel_key
        else:
            self.lora.hop_limit = 3
            self.channels[0].settings.psk = b"\x01"
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None
        self._last_admin_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self.configured_clients = 0

    async def __aenter__(self) -> "RadioPeer":
        await self.listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def listen(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and put the client out."""
        self.kick()
        if self._server is not None:
            self._server.close()
            self._server = None

    @property
    def address(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def connected(self) -> bool:
        return self._writer is not None and not self._writer.is_closing()

    def kick(self) -> None:
        """End the client's connection."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def raw(self, data: bytes) -> None:
        """Any bytes to the client."""
        if self._writer is not None:
            self._writer.write(data)

    def say(self, message: mesh_pb2.FromRadio) -> None:
        if not self.mute:
            self.raw(frame(message))

    def deliver(self, from_node: int, portnum: int, payload: bytes, **fields: int) -> int:
        """A packet from the mesh. Returns its id."""
        message = mesh_pb2.FromRadio()
        packet = message.packet
        setattr(packet, "from", from_node)
        packet.to = 0xFFFFFFFF
        packet.id = fields.pop("id", random.getrandbits(32) or 1)
        packet.rx_rssi, packet.rx_snr, packet.hop_start, packet.hop_limit = -90, 5.25, 5, 3
        packet.decoded.portnum = portnum
        packet.decoded.payload = payload
        for name, value in fields.items():
            setattr(packet.decoded if name == "request_id" else packet, name, value)
        self.say(message)
        return packet.id

    async def reboot(self) -> None:
        """As after a power cut: the connection breaks, the port is closed for a while."""
        port = self.port
        await self.stop()
        await asyncio.sleep(self.reboot_after_lora_s)
        await self.listen(port)

    async def wait_for(self, condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
        await until(condition, timeout_s)

    # --- inside ---

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.kick()
        self._writer = writer
        self.connections += 1
        buffer = b""
        with contextlib.suppress(ConnectionError, OSError, asyncio.CancelledError):
            while data := await reader.read(4096):
                if self._writer is not writer:
                    break
                buffer += data
                while (start := buffer.find(b"\x94\xc3")) >= 0 and len(buffer) >= start + 4:
                    length = buffer[start + 2] << 8 | buffer[start + 3]
                    if len(buffer) < start + 4 + length:
                        break
                    self._take(mesh_pb2.ToRadio.FromString(buffer[start + 4 : start + 4 + length]))
                    buffer = buffer[start + 4 + length :]
        writer.close()

    def _take(self, message: mesh_pb2.ToRadio) -> None:
        kind = message.WhichOneof("payload_variant")
        if kind == "want_config_id":
            self._handshake(message.want_config_id)
        elif kind == "heartbeat":
            self.heartbeats += 1
            self._queue_status(0)
        elif kind == "packet":
            packet = message.packet
            if packet.decoded.portnum == portnums_pb2.PortNum.ADMIN_APP:
                self._admin(packet)
            else:
                if packet.id not in {each.id for each in self.received[-20:]}:
                    self.received.append(packet)
                    if self.on_packet is not None:
                        self.on_packet(packet)
            if self.answer_queue_status:
                self._queue_status(packet.id)

    def _queue_status(self, packet_id: int) -> None:
        message = mesh_pb2.FromRadio()
        message.queueStatus.free = self.free
        message.queueStatus.maxlen = 16
        message.queueStatus.mesh_packet_id = packet_id
        self.say(message)

    def _handshake(self, nonce: int) -> None:
        self.raw(self.handshake_garbage)
        say = self.say
        say(mesh_pb2.FromRadio(my_info=mesh_pb2.MyNodeInfo(my_node_num=self.node_num)))
        info = mesh_pb2.NodeInfo(num=self.node_num)
        info.user.long_name = "Test radio"
        say(mesh_pb2.FromRadio(node_info=info))
        say(mesh_pb2.FromRadio(metadata=mesh_pb2.DeviceMetadata(firmware_version="2.7.26")))
        for channel in self.channels.values():
            say(mesh_pb2.FromRadio(channel=channel))
        say(mesh_pb2.FromRadio(config=config_pb2.Config(device=config_pb2.Config.DeviceConfig())))
        say(mesh_pb2.FromRadio(config=config_pb2.Config(lora=self.lora)))
        say(mesh_pb2.FromRadio(config_complete_id=nonce))
        self.configured_clients += 1

    def _admin(self, packet: mesh_pb2.MeshPacket) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._last_admin_s < 0.6:
            self.admin_lost += 1
            return
        self._last_admin_s = now_s
        admin = admin_pb2.AdminMessage.FromString(packet.decoded.payload)
        kind = admin.WhichOneof("payload_variant")
        if kind == "set_channel":
            self.channels[admin.set_channel.index].CopyFrom(admin.set_channel)
        elif kind == "set_config" and admin.set_config.WhichOneof("payload_variant") == "lora":
            self.lora.CopyFrom(admin.set_config.lora)
            task = asyncio.ensure_future(self._reboot_later())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reboot_later(self) -> None:
        await asyncio.sleep(0.3)
        await self.reboot()
