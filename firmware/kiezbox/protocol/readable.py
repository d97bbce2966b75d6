# SPDX-License-Identifier: Apache-2.0
"""What can be read of a proven call whose body is damaged: the fields before and beside the one at fault.

A box of another version, or a faulty one, may still be the only one that somebody can call for help with. Not here:
the proof (envelope.py); a sound body (messages.py). Called by gateway_endpoint.py; a box never loads it.
"""

from kiezbox.protocol import messages, protobuf

TYPE_CHECKING = False
if TYPE_CHECKING:
    from kiezbox.protocol.messages import Message


def part_of(kind: int, body: bytes) -> "Message":
    """All fields of `body` that can be read, and `raw_body`: all of its bytes, for whoever can make more of them."""
    message: Message = {}
    position = 0
    while position < len(body):
        try:
            end = _field_end(body, position)
        except protobuf.ProtobufError:
            break
        try:
            message.update(messages.decode(kind, body[position:end]))
        except messages.MessageError:
            pass
        position = end
    message["raw_body"] = bytes(body)
    return message


def _field_end(body: bytes, position: int) -> int:
    key, position = protobuf.decode_varint(body, position)
    wire_type = key & 7
    if wire_type == protobuf.VARINT:
        return protobuf.decode_varint(body, position)[1]
    length = {protobuf.FIXED32: 4, protobuf.FIXED64: 8}.get(wire_type)
    if wire_type == protobuf.BYTES:
        length, position = protobuf.decode_varint(body, position)
    if length is None or position + length > len(body):
        raise protobuf.ProtobufError("protobuf_truncated")
    return position + length
