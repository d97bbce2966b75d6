# SPDX-License-Identifier: Apache-2.0
"""Between the mesh's packets and those of the client's protocol. Plain functions, used by `device.py`."""

from meshtastic.protobuf import mesh_pb2, portnums_pb2

from kiezbox.protocol import priority
from kiezbox.protocol.mesh import PacketReceived, UndecryptablePacket
from kiezbox.protocol.packet import Data, encode_routing

PORTS = portnums_pb2.PortNum
PRIORITY = mesh_pb2.MeshPacket.Priority
# Lowest stock priority for each of our ranks. Stock radios order their queue by priority, a mesh node by rank.
_RANKS = (
    (PRIORITY.ALERT, priority.OWN_EMERGENCY),
    (PRIORITY.HIGH, priority.RELAYED_EMERGENCY),
    (PRIORITY.RESPONSE, priority.RECEIPT),
    (PRIORITY.RELIABLE, priority.COMMAND),
    (PRIORITY.DEFAULT, priority.STRANGER),
)


def rank(packet: mesh_pb2.MeshPacket) -> int:
    """Rank of a client's packet in the transmit queue, from its priority or from what the firmware takes where it names
    none."""
    value = packet.priority
    if value == PRIORITY.UNSET:
        if packet.decoded.portnum == PORTS.ROUTING_APP:
            value = PRIORITY.ACK
        elif packet.decoded.portnum in (PORTS.TEXT_MESSAGE_APP, PORTS.ADMIN_APP):
            value = PRIORITY.HIGH
        elif packet.want_ack:
            value = PRIORITY.RELIABLE
        else:
            value = PRIORITY.DEFAULT
    return next((ours for least, ours in _RANKS if value >= least), priority.READING)


def to_mesh(decoded: mesh_pb2.Data, ok_to_mqtt: bool) -> Data:
    """A client's Data as it goes on the air: the firmware always sends the bitfield, and sets its two known bits."""
    return Data(
        portnum=decoded.portnum,
        payload=decoded.payload,
        want_response=decoded.want_response,
        dest=decoded.dest,
        source=decoded.source,
        request_id=decoded.request_id,
        reply_id=decoded.reply_id,
        emoji=decoded.emoji,
        bitfield=int(ok_to_mqtt) | int(decoded.want_response) << 1,
    )


def from_mesh(event: PacketReceived | UndecryptablePacket, channel_index: int, time_s: int) -> mesh_pb2.MeshPacket:
    """A packet that came in, as the client gets it. `channel_index` is the radio's own index, `time_s` 0 without a
    clock."""
    header = event.header
    packet = mesh_pb2.MeshPacket(
        to=header.to_node,
        id=header.packet_id,
        rx_time=time_s,
        rx_snr=event.snr_db,
        rx_rssi=event.rssi_dbm,
        hop_limit=header.hop_limit,
        hop_start=header.hop_start,
        want_ack=header.want_ack,
        via_mqtt=header.via_mqtt,
        next_hop=header.next_hop,
        relay_node=header.relay_node,
        transport_mechanism=mesh_pb2.MeshPacket.TransportMechanism.TRANSPORT_LORA,
    )
    setattr(packet, "from", header.from_node)
    if isinstance(event, UndecryptablePacket):
        packet.channel = header.channel_hash
        packet.encrypted = event.payload
        return packet
    packet.channel = channel_index
    data, decoded = event.data, packet.decoded
    decoded.portnum = data.portnum
    decoded.payload = data.payload
    decoded.want_response = data.want_response
    decoded.dest = data.dest
    decoded.source = data.source
    decoded.request_id = data.request_id
    decoded.reply_id = data.reply_id
    decoded.emoji = data.emoji
    if data.bitfield is not None:
        decoded.bitfield = data.bitfield
    return packet


def routing(
    own_num: int, from_node: int, request_id: int, error_reason: int, channel_index: int = 0
) -> mesh_pb2.MeshPacket:
    """An acknowledgement (0) or error for the client; from the radio itself unless a far node said it."""
    packet = mesh_pb2.MeshPacket(to=own_num, channel=channel_index, priority=PRIORITY.ACK)
    setattr(packet, "from", from_node)
    packet.decoded.portnum = PORTS.ROUTING_APP
    packet.decoded.request_id = request_id
    packet.decoded.payload = encode_routing(error_reason)
    return packet
