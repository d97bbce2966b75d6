# SPDX-License-Identifier: Apache-2.0
"""The few parts of the protobuf wire format that our frames need (protobuf.dev, "Encoding").

Varint, length-delimited, 32-bit and 64-bit fields, little endian. Not here: any message. Called by packet.py and
messages.py.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VARINT = 0
FIXED64 = 1
BYTES = 2
FIXED32 = 5


class ProtobufError(ValueError):
    """The bytes are no protobuf message; `reason` is snake_case, for counters."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def encode_varint(value: int) -> bytes:
    """Encode 0 <= value < 2**64 in 1 to 10 bytes. Raises ProtobufError "varint_range"."""
    if not 0 <= value < 1 << 64:
        raise ProtobufError("varint_range")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_varint(buffer: bytes, start: int) -> "tuple[int, int]":
    """The value that begins at `start`, and where it ends. Raises ProtobufError when cut short or over 64 bits."""
    value = 0
    shift = 0
    end = len(buffer)
    while start < end:
        byte = buffer[start]
        start += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if shift == 63 and byte > 1:
                raise ProtobufError("varint_range")
            return value, start
        shift += 7
        if shift > 63:
            raise ProtobufError("varint_range")
    raise ProtobufError("protobuf_truncated")


def zigzag(value: int) -> int:
    """Map a signed integer to an unsigned one, small magnitudes to small numbers (sint32, sint64)."""
    return -2 * value - 1 if value < 0 else 2 * value


def unzigzag(value: int) -> int:
    """The inverse of zigzag."""
    return -(value + 1 >> 1) if value & 1 else value >> 1


def iterate(buffer: bytes) -> "list[tuple[int, int, Any]]":
    """All fields in their order: (field number, wire type, value).

    The value is an int for VARINT, FIXED32 and FIXED64, and bytes for BYTES. Raises ProtobufError for the group types,
    field number 0 and anything cut short, so that a message is read whole or not at all.
    """
    fields: list[tuple[int, int, Any]] = []
    position = 0
    end = len(buffer)
    while position < end:
        key, position = decode_varint(buffer, position)
        number = key >> 3
        wire_type = key & 7
        if number == 0 or number >= 1 << 29:
            raise ProtobufError("field_number")
        if wire_type == VARINT:
            value, position = decode_varint(buffer, position)
            fields.append((number, wire_type, value))
            continue
        if wire_type == BYTES:
            length, position = decode_varint(buffer, position)
        elif wire_type == FIXED32:
            length = 4
        elif wire_type == FIXED64:
            length = 8
        else:
            raise ProtobufError("wire_type")
        stop = position + length
        if stop > end:
            raise ProtobufError("protobuf_truncated")
        piece = bytes(buffer[position:stop])
        fields.append((number, wire_type, piece if wire_type == BYTES else int.from_bytes(piece, "little")))
        position = stop
    return fields
