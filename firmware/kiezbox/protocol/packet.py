# SPDX-License-Identifier: Apache-2.0
"""What is inside a Meshtastic frame: the Data message, and the payloads of routing and of a node's introduction.

Fields and numbers from meshtastic/protobufs (mesh.proto) of firmware 2.7; the encoding is byte for byte that of nanopb:
ascending field numbers, defaults left out, `bitfield` always there. Not here: telemetry (telemetry.py), our own
payloads (envelope.py). Called by mesh.py and box_node.py.
"""

from kiezbox.protocol.frame import DATA_LENGTH_MAX, FrameError
from kiezbox.protocol.protobuf import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    ProtobufError,
    decode_varint,
    encode_varint,
    iterate,
)

TEXT_MESSAGE_APP = 1
POSITION_APP = 3
NODEINFO_APP = 4
ROUTING_APP = 5
TELEMETRY_APP = 67
PRIVATE_APP = 256
PORTNUM_MAX = 511

ERROR_NONE = 0
ERROR_MAX_RETRANSMIT = 5
ERROR_NO_CHANNEL = 6

HARDWARE_PRIVATE = 255
"""HardwareModel.PRIVATE_HW: a device that is none of the listed ones."""

ROLE_NUMBERS = {"CLIENT": 0, "CLIENT_MUTE": 1, "ROUTER": 2, "ROUTER_LATE": 11}
"""Config.DeviceConfig.Role of the roles that a box can have."""

PAYLOAD_LENGTH_MAX = 233
"""What the firmware has room for, wherever the frame would hold more."""

_FIXED_NAMES = ("dest", "source", "request_id", "reply_id", "emoji")
"""Fields 4 to 8."""


class Data:
    """Meshtastic's Data message.

    portnum 1..511; payload bytes; dest, source, request_id, reply_id, emoji u32, 0 for absent; bitfield u32, or None
    for a sender older than 2.5 that sends none.
    """

    def __init__(
        self,
        portnum: int,
        payload: bytes = b"",
        want_response: bool = False,
        dest: int = 0,
        source: int = 0,
        request_id: int = 0,
        reply_id: int = 0,
        emoji: int = 0,
        bitfield: "int | None" = 0,
    ) -> None:
        self.portnum = portnum
        self.payload = payload
        self.want_response = want_response
        self.dest = dest
        self.source = source
        self.request_id = request_id
        self.reply_id = reply_id
        self.emoji = emoji
        self.bitfield = bitfield


def encode_data(data: Data) -> bytes:
    """At most 239 bytes. Raises FrameError "too_large", "portnum_invalid" or "data_range"."""
    if not 0 < data.portnum <= PORTNUM_MAX:
        raise FrameError("portnum_invalid")
    if len(data.payload) > PAYLOAD_LENGTH_MAX:
        raise FrameError("too_large")
    out = bytearray(b"\x08") + encode_varint(data.portnum)
    if data.payload:
        out += b"\x12" + encode_varint(len(data.payload)) + data.payload
    if data.want_response:
        out += b"\x18\x01"
    number = 4
    for name in _FIXED_NAMES:
        value = getattr(data, name)
        if value:
            if not 0 < value <= 0xFFFFFFFF:
                raise FrameError("data_range")
            out += bytes((number << 3 | FIXED32,)) + value.to_bytes(4, "little")
        number += 1
    if data.bitfield is not None:
        if not 0 <= data.bitfield <= 0xFFFFFFFF:
            raise FrameError("data_range")
        out += b"\x48" + encode_varint(data.bitfield)
    if len(out) > DATA_LENGTH_MAX:
        raise FrameError("too_large")
    return bytes(out)


def decode_data(buffer: bytes) -> Data:
    """Raises FrameError "data_malformed" if it is no Data message, which is also how a wrong channel key shows.

    Unknown fields are skipped. A Data message without a port number is none. Written out in one loop, as it runs for
    every frame that is heard.
    """
    data = Data(0, bitfield=None)
    end = len(buffer)
    position = 0
    try:
        while position < end:
            key = buffer[position]
            if key < 0x80:
                position += 1
            else:
                key, position = decode_varint(buffer, position)
            wire_type = key & 7
            number = key >> 3
            if wire_type == VARINT:
                value, position = decode_varint(buffer, position)
                if number == 1:
                    data.portnum = value
                elif number == 3:
                    data.want_response = value != 0
                elif number == 9:
                    data.bitfield = value & 0xFFFFFFFF
                elif number <= 8 or number >= 1 << 29:
                    raise FrameError("data_malformed")
                continue
            if wire_type == BYTES:
                length, position = decode_varint(buffer, position)
            elif wire_type == FIXED32:
                length = 4
            elif wire_type == FIXED64:
                length = 8
            else:
                raise FrameError("data_malformed")
            stop = position + length
            if stop > end:
                raise FrameError("data_malformed")
            if number == 2 and wire_type == BYTES:
                data.payload = buffer[position:stop]
            elif wire_type == FIXED32 and 4 <= number <= 8:
                setattr(data, _FIXED_NAMES[number - 4], int.from_bytes(buffer[position:stop], "little"))
            elif number <= 9 or number >= 1 << 29:
                raise FrameError("data_malformed")
            position = stop
    except ProtobufError:
        raise FrameError("data_malformed")
    if not 0 < data.portnum <= PORTNUM_MAX or len(data.payload) > PAYLOAD_LENGTH_MAX:
        raise FrameError("data_malformed")
    return data


def encode_routing(error_reason: int = ERROR_NONE) -> bytes:
    """Payload of ROUTING_APP: an acknowledgement (0) or the reason of a refusal. 0 is sent, as it stands in a oneof."""
    return b"\x18" + encode_varint(error_reason)


def decode_routing(payload: bytes) -> "int | None":
    """The error reason, None for other routing messages. Raises FrameError "routing_malformed"."""
    try:
        for number, wire_type, value in iterate(payload):
            if number == 3 and wire_type == VARINT:
                return int(value)
    except ProtobufError:
        raise FrameError("routing_malformed")
    return None


def encode_user(node_num: int, long_name: str, short_name: str, role: str = "CLIENT") -> bytes:
    """Payload of NODEINFO_APP. long_name <= 39 bytes of UTF-8, short_name <= 4 bytes, as the firmware stores them;
    more is cut off at a character.

    It says that nobody can write to this node (is_unmessagable), so that no app offers a private message that could not
    be read: a box has no key for those.
    """
    out = bytearray()
    for number, text, length_max in (
        (1, "!%08x" % node_num, 9),
        (2, long_name, 39),
        (3, short_name, 4),
    ):
        raw = _cut(text, length_max)
        if raw:
            out += bytes((number << 3 | BYTES, len(raw))) + raw
    out += bytes((5 << 3 | VARINT,)) + encode_varint(HARDWARE_PRIVATE)
    if ROLE_NUMBERS[role]:
        out += bytes((7 << 3 | VARINT, ROLE_NUMBERS[role]))
    out += bytes((9 << 3 | VARINT, 1))
    return bytes(out)


def _cut(text: str, length_max: int) -> bytes:
    """UTF-8 of at most `length_max` bytes that ends at a character."""
    raw = text.encode()
    if len(raw) <= length_max:
        return raw
    while length_max and raw[length_max] & 0xC0 == 0x80:
        length_max -= 1
    return raw[:length_max]
