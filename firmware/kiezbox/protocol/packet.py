# SPDX-License-Identifier: Apache-2.0
"""What is inside a Meshtastic frame: the Data message, and the few payloads that a stock app reads from us.

Fields and numbers from meshtastic/protobufs (mesh.proto, telemetry.proto) of firmware 2.7; the encoding is byte for
byte
that of nanopb: ascending field numbers, defaults left out, `bitfield` always there. Called by mesh.py and box_node.py.
"""

import struct

from kiezbox.protocol.frame import DATA_LENGTH_MAX, FrameError
from kiezbox.protocol.protobuf import BYTES, FIXED32, VARINT, ProtobufError, encode_varint, iterate

TEXT_MESSAGE_APP = 1
POSITION_APP = 3
NODEINFO_APP = 4
ROUTING_APP = 5
TELEMETRY_APP = 67
PRIVATE_APP = 256

ERROR_NONE = 0
ERROR_NO_CHANNEL = 6
ERROR_MAX_RETRANSMIT = 5

HARDWARE_PRIVATE = 255
"""HardwareModel.PRIVATE_HW: a device that is none of the listed ones."""

_NUMBERS = ((4, "dest"), (5, "source"), (6, "request_id"), (7, "reply_id"), (8, "emoji"))


class Data:
    """Meshtastic's Data message.

    portnum 1..511; payload bytes; dest, source, request_id, reply_id, emoji u32, 0 for absent; bitfield int, or None
    for
    a sender older than 2.5 that sends none.
    """

    __slots__ = (
        "bitfield",
        "dest",
        "emoji",
        "payload",
        "portnum",
        "reply_id",
        "request_id",
        "source",
        "want_response",
    )

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
    """At most 239 bytes. Raises FrameError "too_large" or "portnum_invalid"."""
    if not 0 < data.portnum < 512:
        raise FrameError("portnum_invalid")
    out = bytearray(b"\x08") + encode_varint(data.portnum)
    if data.payload:
        out += b"\x12" + encode_varint(len(data.payload)) + data.payload
    if data.want_response:
        out += b"\x18\x01"
    for number, name in _NUMBERS:
        value = getattr(data, name)
        if value:
            out += bytes((number << 3 | FIXED32,)) + value.to_bytes(4, "little")
    if data.bitfield is not None:
        out += b"\x48" + encode_varint(data.bitfield)
    if len(out) > DATA_LENGTH_MAX:
        raise FrameError("too_large")
    return bytes(out)


def decode_data(buffer: bytes) -> Data:
    """Raises FrameError "data_malformed" if it is no Data message, which is also how a wrong channel key shows.

    Unknown fields are skipped. A Data message without a port number is none.
    """
    data = Data(0, bitfield=None)
    try:
        for number, wire_type, value in iterate(buffer):
            if number == 2 and wire_type == BYTES:
                data.payload = value
            elif wire_type == VARINT:
                if number == 1:
                    data.portnum = value
                elif number == 3:
                    data.want_response = bool(value)
                elif number == 9:
                    data.bitfield = value & 0xFFFFFFFF
            elif wire_type == FIXED32 and 4 <= number <= 8:
                setattr(data, _NUMBERS[number - 4][1], value)
            elif number <= 9:
                raise FrameError("data_malformed")
    except ProtobufError:
        raise FrameError("data_malformed")
    if not 0 < data.portnum < 512:
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


def encode_user(node_num: int, long_name: str, short_name: str) -> bytes:
    """Payload of NODEINFO_APP. long_name <= 39 bytes of UTF-8, short_name <= 4 bytes, as the firmware stores them."""
    out = bytearray()
    for number, text, length_max in (
        (1, "!%08x" % node_num, 9),
        (2, long_name, 39),
        (3, short_name, 4),
    ):
        raw = _cut(text, length_max)
        out += bytes((number << 3 | BYTES, len(raw))) + raw
    out += bytes((5 << 3 | VARINT,)) + encode_varint(HARDWARE_PRIVATE)
    return bytes(out)


def _cut(text: str, length_max: int) -> bytes:
    """UTF-8 of at most `length_max` bytes that ends at a character."""
    raw = text.encode()
    if len(raw) <= length_max:
        return raw
    while length_max and raw[length_max] & 0xC0 == 0x80:
        length_max -= 1
    return raw[:length_max]


def encode_device_telemetry(time_s: int, battery_pct: int, battery_mv: int, uptime_s: int) -> bytes:
    """Payload of TELEMETRY_APP, DeviceMetrics: battery level in %, voltage, uptime. time_s 0: not known."""
    metrics = b"\x08" + encode_varint(battery_pct) + _float(2, battery_mv, 1000) + b"\x28" + encode_varint(uptime_s)
    return _telemetry(time_s, 2, metrics)


def encode_environment_telemetry(time_s: int, temperature_cc: int, humidity_dpct: int, pressure_dpa: int) -> bytes:
    """Payload of TELEMETRY_APP, EnvironmentMetrics: degrees, percent and hPa as 32-bit floats, as the schema has
    them.
    """
    metrics = _float(1, temperature_cc, 100) + _float(2, humidity_dpct, 10) + _float(3, pressure_dpa, 10)
    return _telemetry(time_s, 3, metrics)


def encode_air_telemetry(time_s: int, pm1_ugm3: int, pm25_ugm3: int, pm10_ugm3: int) -> bytes:
    """Payload of TELEMETRY_APP, AirQualityMetrics: standard particulate matter in ug/m3."""
    metrics = (
        b"\x08" + encode_varint(pm1_ugm3) + b"\x10" + encode_varint(pm25_ugm3) + b"\x18" + encode_varint(pm10_ugm3)
    )
    return _telemetry(time_s, 4, metrics)


def _float(number: int, value: int, divisor: int) -> bytes:
    return bytes((number << 3 | FIXED32,)) + struct.pack("<f", value / divisor)


def _telemetry(time_s: int, number: int, metrics: bytes) -> bytes:
    time = b"\x0d" + time_s.to_bytes(4, "little") if time_s else b""
    return time + bytes((number << 3 | BYTES, len(metrics))) + metrics
