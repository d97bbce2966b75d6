# SPDX-License-Identifier: Apache-2.0
"""The body of every Kiezbox message: a dict of plain values on one side, a protobuf on the other (docs/kiezbox.proto).

1. The tables below are the whole schema: the field number is the position, the letter behind the name is the type.
2. A key that is absent, or None, is not sent; nothing has a default, so 0 is a value and absence means "not known".
3. A key that no table knows, a wrong type or a value out of range is an error on sending; on receiving, an unknown
   field number is skipped, so that an older box understands a newer gateway.

Not here: envelope, proof, fragments; the packing of samples (reading.py) and of texts (text_coding.py). Called by both
endpoints.
"""

from kiezbox.protocol import envelope, protobuf, reading
from kiezbox.protocol.constant import const

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Message = dict[str, Any]

BODY_LENGTH_MAX = 1728
"""Bytes of one encoded body: eight uplink fragments."""

# UTF-8 bytes of a text that a person wrote; of a name, a code, a language tag, and of raw bytes.
_TEXT_LENGTH_MAX = const(500)
_WORD_LENGTH_MAX = const(64)

# The letter behind each colon is the type. u: varint, 0 .. 2^32-1. s: zigzag varint, -2^31 .. 2^31-1. f: fixed32, a
# node number. t: string, at most 64 bytes. c: bytes, a coded text of at most 500 bytes of UTF-8. b: bytes, at most 64.
# r: bytes, coded samples. n, p, a: neighbours, help points and further calls, each a message of its own. Plain strings,
# because a board holds them in a tenth of the heap that tuples take.
_CALL = const(
    "category:u text:c place:c people:u name:c contact:c language:t code:t time_s:u clock_quality:u action:u"
    " refers_to:u"
)
FIELDS = {
    envelope.READING: "sequence:u time_s:u clock_quality:u interval_s:u samples:r",
    envelope.HEALTH: (
        "time_s:u clock_source:u clock_quality:u uptime_s:u battery_mv:u panel_mv:u temperature_cc:s heap_free_bytes:u"
        " flash_free_bytes:u reset_cause:u firmware_version:t mode:u mode_epoch:u duty_spent_ms:u queue_length:u"
        " neighbours:n faults:u battery_ma:s broadcast_epoch:u refused:u restarts:u calls_open:u reading_interval_s:u"
        " signs:u crash:t readings_shed:u refused_reserve:u unsent:u"
    ),
    envelope.EMERGENCY: _CALL,
    envelope.EXERCISE: _CALL,
    envelope.BUTTON: "time_s:u clock_quality:u action:u button:u refers_to:u",
    envelope.QUERY: "code:t",
    envelope.COMMAND_RESULT: "refers_to:u kind:u result:u detail:t mode:u mode_epoch:u fragments:u time_s:u",
    envelope.REPLY: "code:t refers_to:u stage:u station:t time_s:u text:c language:t also:a",
    envelope.MODE: "mode:u epoch:u scope:u district:t box:f issued_s:u expires_s:u until_s:u",
    envelope.BULLETIN: (
        "identifier:t headline:c text:c language:t severity:u sent_s:u expires_s:u source:t area:t action:u"
        " instruction:c"
    ),
    envelope.CONFIGURATION: (
        "name:t place:c district:t long_name:t short_name:t role:t preset:t hop_limit:u channel_name:t channel_psk:b"
        " reading_interval_s:u samples_per_frame:u health_interval_s:u nodeinfo_interval_s:u telemetry_interval_s:u"
        " root_key:b key_id:u public_key:b revoked_key_id:u reserve_pct:u mode:t grid_lost_after_s:u"
        " silent_after_s:u router_off_below_mv:u router_on_above_mv:u call_retention_days:u help_points:p"
    ),
    envelope.TIME: "time_s:u quality:u",
    envelope.MANIFEST: "version:t board:t size_bytes:u sha256:b issued_s:u expires_s:u name:t battery_min_mv:u",
}
NEVER_BROADCAST = ("root_key", "key_id", "public_key", "revoked_key_id", "channel_psk")
"""Of a configuration: keys are for one box at a time, sealed. Every radio in reach can read a broadcast."""

# Messages inside a message, by their letter: fields, and how many at most.
_INSIDE = {
    "n": ("node:f rssi_dbm:s snr_db:s", 16),
    "p": ("name:t address:t kind:t", 12),
    "a": ("refers_to:u later_s:s", 20),
}


class MessageError(ValueError):
    """A message cannot be encoded, or a body is no message; `reason` is snake_case, the text says which key."""

    def __init__(self, reason: str, key: str = "") -> None:
        super().__init__(reason + ": " + key if key else reason)
        self.reason = reason


def encode(kind: int, message: "Message") -> bytes:
    """The body of `message`. Raises MessageError; then nothing was sent and nothing changed."""
    fields = FIELDS.get(kind)
    if fields is None:
        raise MessageError("unknown_kind")
    body = _encode_fields(fields, message)
    if len(body) > BODY_LENGTH_MAX:
        raise MessageError("message_too_long")
    return body


def decode(kind: int, body: bytes) -> "Message":
    """The dict that a body stands for. Raises MessageError."""
    fields = FIELDS.get(kind)
    if fields is None:
        raise MessageError("unknown_kind")
    return _decode_fields(fields, body)


def _encode_fields(fields: str, message: "Message") -> bytes:
    body = bytearray()
    known = number = 0
    for field in fields.split(" "):
        number += 1
        name = field[:-2]
        if name not in message:
            continue
        known += 1
        value = message[name]
        if value is None:
            continue
        letter = field[-1]
        if letter in "usf":
            low, high = (-0x80000000, 0x7FFFFFFF) if letter == "s" else (0, 0xFFFFFFFF)
            if not isinstance(value, int) or not low <= value <= high:
                raise MessageError("value_out_of_range", name)
            if letter == "f":
                body += protobuf.encode_varint(number << 3 | 5) + value.to_bytes(4, "little")
            else:
                body += protobuf.encode_varint(number << 3)
                body += protobuf.encode_varint(protobuf.zigzag(value) if letter == "s" else value)
            continue
        if letter in _INSIDE:
            inside, count_max = _INSIDE[letter]
            if not isinstance(value, (list, tuple)) or len(value) > count_max:
                raise MessageError("value_out_of_range", name)
            chunks = []
            for item in value:
                if not isinstance(item, dict):
                    raise MessageError("value_out_of_range", name)
                chunks.append(_encode_fields(inside, item))
        else:
            chunks = [_encode_bytes(letter, name, value, message)]
        for chunk in chunks:
            body += protobuf.encode_varint(number << 3 | 2) + protobuf.encode_varint(len(chunk)) + chunk
    if known != len(message):
        for name in message:
            if " " + str(name) + ":" not in " " + fields:
                raise MessageError("unknown_key", str(name))
    return bytes(body)


def _encode_bytes(letter: str, name: str, value: object, message: "Message") -> bytes:
    if letter == "r":
        try:
            return reading.encode(value)  # type: ignore[arg-type]
        except (ValueError, TypeError, AttributeError) as error:
            raise MessageError("value_out_of_range", name + ": " + str(error))
    if letter == "b":
        if not isinstance(value, (bytes, bytearray)) or len(value) > _WORD_LENGTH_MAX:
            raise MessageError("value_out_of_range", name)
        return bytes(value)
    if not isinstance(value, str):
        raise MessageError("value_out_of_range", name)
    raw = value.encode()
    if len(raw) > (_TEXT_LENGTH_MAX if letter == "c" else _WORD_LENGTH_MAX):
        raise MessageError("text_too_long", name)
    if letter == "c":
        try:
            from kiezbox.protocol import text_coding  # Loaded with the first text, because its tables fill the heap.

            return text_coding.encode(value, message.get("language") or "")
        except MemoryError:
            return b"\0" + raw  # A call goes out longer, but it goes out.
    return raw


def _decode_fields(fields: str, body: bytes) -> "Message":
    message: Message = {}
    names = fields.split(" ")
    try:
        for number, wire_type, value in protobuf.iterate(body):
            if number > len(names):
                continue
            name = names[number - 1][:-2]
            letter = names[number - 1][-1]
            if wire_type != (0 if letter in "us" else 5 if letter == "f" else 2):
                raise MessageError("wrong_wire_type", name)
            if letter in _INSIDE:
                inside, count_max = _INSIDE[letter]
                items = message.setdefault(name, [])
                if len(items) < count_max:
                    items.append(_decode_fields(inside, bytes(value)))
            else:
                message[name] = _decode_value(letter, name, value)
    except (MessageError, protobuf.ProtobufError) as error:
        raise MessageError(error.reason)
    except ValueError:
        raise MessageError("malformed_body")
    return message


def _decode_value(letter: str, name: str, value: "Any") -> object:
    if letter == "u":
        if value > 0xFFFFFFFF:
            raise MessageError("value_out_of_range", name)
        return value
    if letter == "s":
        if value > 0xFFFFFFFF:
            raise MessageError("value_out_of_range", name)
        return protobuf.unzigzag(value)
    if letter == "f":
        return value
    value = bytes(value)
    if letter == "r":
        return reading.decode(value)
    if letter == "c":
        from kiezbox.protocol import text_coding

        return text_coding.decode(value)
    if len(value) > _WORD_LENGTH_MAX:
        raise MessageError("text_too_long", name)
    return value.decode() if letter == "t" else value
