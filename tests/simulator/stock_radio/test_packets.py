# SPDX-License-Identifier: Apache-2.0
"""Packets between client and mesh: every field arrives, priorities keep their order."""

import pytest
from meshtastic.protobuf import mesh_pb2

from kiezbox.protocol import priority
from kiezbox.protocol.frame import Header
from kiezbox.protocol.mesh import PacketReceived, UndecryptablePacket
from kiezbox.protocol.packet import Data
from kiezbox_simulator.stock_radio import packets

PRIORITY = mesh_pb2.MeshPacket.Priority
HEADER = Header(0xFFFFFFFF, 7, 99, 2, 5, False, True, 0x1F, 0, 0x42)


def test_a_received_packet_keeps_every_field() -> None:
    data = Data(256, b"\x00\xff", True, 1, 2, 3, 4, 5, 1)
    packet = packets.from_mesh(PacketReceived(HEADER, data, 0, -101, -7), 3, 1_700_000_000)
    assert getattr(packet, "from") == 7
    assert (packet.to, packet.id, packet.hop_limit, packet.hop_start) == (0xFFFFFFFF, 99, 2, 5)
    assert (packet.rx_rssi, packet.rx_snr, packet.rx_time, packet.channel) == (-101, -7, 1_700_000_000, 3)
    assert (packet.via_mqtt, packet.relay_node) == (True, 0x42)
    decoded = packet.decoded
    assert (decoded.portnum, decoded.payload, decoded.want_response, decoded.bitfield) == (256, b"\x00\xff", True, 1)
    assert [decoded.dest, decoded.source, decoded.request_id, decoded.reply_id, decoded.emoji] == [1, 2, 3, 4, 5]


def test_what_cannot_be_opened_comes_encrypted_with_its_hash() -> None:
    packet = packets.from_mesh(UndecryptablePacket(HEADER, b"secret", -101, -7), 0, 0)
    assert (packet.encrypted, packet.channel, packet.HasField("decoded")) == (b"secret", 0x1F, False)


def test_on_the_air_the_bitfield_says_what_the_firmware_says() -> None:
    decoded = mesh_pb2.Data(portnum=1, payload=b"x", want_response=True)  # type: ignore[arg-type]
    assert packets.to_mesh(decoded, False).bitfield == 2
    assert packets.to_mesh(decoded, True).bitfield == 3
    assert packets.to_mesh(mesh_pb2.Data(portnum=1), False).bitfield == 0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stock", "ours"),
    [
        (PRIORITY.ALERT, priority.OWN_EMERGENCY),
        (PRIORITY.HIGH, priority.RELAYED_EMERGENCY),
        (PRIORITY.RESPONSE, priority.RECEIPT),
        (PRIORITY.RELIABLE, priority.COMMAND),
        (PRIORITY.DEFAULT, priority.STRANGER),
        (PRIORITY.BACKGROUND, priority.READING),
    ],
)
def test_priorities_keep_their_order(stock: int, ours: int) -> None:
    assert packets.rank(mesh_pb2.MeshPacket(priority=stock)) == ours  # type: ignore[arg-type]


def test_a_packet_without_priority_gets_the_firmware_one() -> None:
    text, private, reliable = mesh_pb2.MeshPacket(), mesh_pb2.MeshPacket(), mesh_pb2.MeshPacket(want_ack=True)
    text.decoded.portnum = packets.PORTS.TEXT_MESSAGE_APP
    private.decoded.portnum = packets.PORTS.PRIVATE_APP
    assert packets.rank(text) == priority.RELAYED_EMERGENCY
    assert packets.rank(private) == priority.STRANGER
    assert packets.rank(reliable) == priority.COMMAND


def test_a_routing_answer_parses_with_the_real_protobufs() -> None:
    packet = packets.routing(1, 2, 99, mesh_pb2.Routing.Error.TOO_LARGE)
    routing = mesh_pb2.Routing.FromString(packet.decoded.payload)
    assert (routing.error_reason, packet.decoded.request_id) == (mesh_pb2.Routing.Error.TOO_LARGE, 99)
    # An acknowledgement is said aloud: its 0 stands in a oneof.
    assert packets.routing(1, 2, 99, 0).decoded.payload == b"\x18\x00"
