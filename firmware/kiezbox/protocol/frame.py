# SPDX-License-Identifier: Apache-2.0
"""The 16 bytes in the clear at the head of every Meshtastic frame, all integers little endian.

Layout: to u32, from u32, packet id u32, flags u8 (hop limit, want_ack, via_mqtt, hop start), channel hash u8, next hop
u8,
relay node u8 (Meshtastic firmware 2.7, src/mesh/RadioInterface.h). Not here: the encrypted rest (packet.py,
channel.py).
"""

import struct

BROADCAST = 0xFFFFFFFF
HEADER_LENGTH = 16
FRAME_LENGTH_MAX = 255
DATA_LENGTH_MAX = FRAME_LENGTH_MAX - HEADER_LENGTH
HOP_LIMIT_MAX = 7

HOP_LIMIT_MASK = 0x07
WANT_ACK = 0x08
VIA_MQTT = 0x10
HOP_START_SHIFT = 5
"""The flags, byte 12 of a frame."""


class FrameError(ValueError):
    """A frame or packet cannot be read or made; `reason` is short snake_case, for counters."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Header:
    """What every node may read.

    to_node, from_node, packet_id: u32; hop_limit, hop_start: 0..7; want_ack, via_mqtt: bool; channel_hash, next_hop (0
    for
    none), relay_node (last byte of the number of who sends this copy): u8.
    """

    def __init__(
        self,
        to_node: int,
        from_node: int,
        packet_id: int,
        hop_limit: int = 0,
        hop_start: int = 0,
        want_ack: bool = False,
        via_mqtt: bool = False,
        channel_hash: int = 0,
        next_hop: int = 0,
        relay_node: int = 0,
    ) -> None:
        self.to_node = to_node
        self.from_node = from_node
        self.packet_id = packet_id
        self.hop_limit = hop_limit
        self.hop_start = hop_start
        self.want_ack = want_ack
        self.via_mqtt = via_mqtt
        self.channel_hash = channel_hash
        self.next_hop = next_hop
        self.relay_node = relay_node


def last_byte(node_num: int) -> int:
    """How next_hop and relay_node name a node; 0 is taken for "none", so it becomes 255
    (NodeDB::getLastByteOfNodeNum).
    """
    return node_num & 0xFF or 0xFF


def encode_header(header: Header) -> bytes:
    """16 bytes. Raises FrameError "header_range" if a field does not fit."""
    if not (
        0 <= header.hop_limit <= HOP_LIMIT_MAX
        and 0 <= header.hop_start <= HOP_LIMIT_MAX
        and 0 <= header.to_node <= BROADCAST
        and 0 <= header.from_node <= BROADCAST
        and 0 <= header.packet_id <= BROADCAST
        and 0 <= header.channel_hash <= 255
        and 0 <= header.next_hop <= 255
        and 0 <= header.relay_node <= 255
    ):
        raise FrameError("header_range")
    flags = header.hop_limit | header.hop_start << HOP_START_SHIFT
    if header.want_ack:
        flags |= WANT_ACK
    if header.via_mqtt:
        flags |= VIA_MQTT
    return (
        header.to_node.to_bytes(4, "little")
        + header.from_node.to_bytes(4, "little")
        + header.packet_id.to_bytes(4, "little")
        + bytes((flags, header.channel_hash, header.next_hop, header.relay_node))
    )


def fault(frame: bytes) -> str:
    """Why no node may take up this frame, "" if it may: "frame_truncated", "frame_too_long", "from_invalid".

    All that a header can be wrong about; every other combination of bytes is some packet.
    """
    length = len(frame)
    if length < HEADER_LENGTH:
        return "frame_truncated"
    if length > FRAME_LENGTH_MAX:
        return "frame_too_long"
    if frame[4] == frame[5] == frame[6] == frame[7] and frame[4] in (0, 0xFF):
        return "from_invalid"
    return ""


def decode_header(frame: bytes) -> Header:
    """The header of a whole frame. Raises FrameError with the reason that `fault` gives.

    Where hop_start is 0 the sender is older than firmware 2.3 and meant nothing by the last two bytes: they read as 0.
    """
    reason = fault(frame)
    if reason:
        raise FrameError(reason)
    flags = frame[12]
    hop_start = flags >> HOP_START_SHIFT
    to_node, from_node, packet_id = struct.unpack_from("<III", frame)
    return Header(
        to_node,
        from_node,
        packet_id,
        flags & HOP_LIMIT_MASK,
        hop_start,
        bool(flags & WANT_ACK),
        bool(flags & VIA_MQTT),
        frame[13],
        frame[14] if hop_start else 0,
        frame[15] if hop_start else 0,
    )
