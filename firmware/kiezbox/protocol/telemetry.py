# SPDX-License-Identifier: Apache-2.0
"""Meshtastic's standard telemetry, so that a stock app shows what a box measures.

Fields and numbers from meshtastic/protobufs (telemetry.proto) of firmware 2.7. A value that is None was not measured
and is left out: a failed sensor is never sent as a number. This is for other people's apps; our own readings are
another message at a third of the airtime (reading.py). Called by who sends them: box_node.py.
"""

import struct

from kiezbox.protocol.protobuf import BYTES, FIXED32, VARINT, encode_varint

_DEVICE = 2
_ENVIRONMENT = 3
_AIR_QUALITY = 4


def encode_device_telemetry(
    time_s: int,
    battery_pct: "int | None" = None,
    battery_mv: "int | None" = None,
    channel_use_pct: "int | None" = None,
    airtime_dpct: "int | None" = None,
    uptime_s: "int | None" = None,
) -> bytes:
    """Payload of TELEMETRY_APP, DeviceMetrics: battery level 0..100 %, voltage, use of the channel by all, own share
    of the last hour in 0.1 %, uptime. time_s: unix time, 0 not known.
    """
    metrics = (battery_pct, battery_mv, channel_use_pct, airtime_dpct, uptime_s)
    return _telemetry(time_s, _DEVICE, metrics, (0, 1000, 1, 10, 0))


def encode_environment_telemetry(
    time_s: int,
    temperature_cc: "int | None" = None,
    humidity_dpct: "int | None" = None,
    pressure_dpa: "int | None" = None,
    gas_ohm: "int | None" = None,
) -> bytes:
    """Payload of TELEMETRY_APP, EnvironmentMetrics: from 0.01 C, 0.1 %, 10 Pa and ohm to degrees, percent, hPa and
    megohm in 32-bit floats, as the schema has them.
    """
    metrics = (temperature_cc, humidity_dpct, pressure_dpa, gas_ohm)
    return _telemetry(time_s, _ENVIRONMENT, metrics, (100, 10, 10, 1_000_000))


def encode_air_telemetry(
    time_s: int, pm1_dugm3: "int | None" = None, pm25_dugm3: "int | None" = None, pm10_dugm3: "int | None" = None
) -> bytes:
    """Payload of TELEMETRY_APP, AirQualityMetrics: particulate matter, from 0.1 ug/m3 to the schema's whole ug/m3."""
    metrics = [None if value is None else (value + 5) // 10 for value in (pm1_dugm3, pm25_dugm3, pm10_dugm3)]
    return _telemetry(time_s, _AIR_QUALITY, metrics, (0, 0, 0))


def _telemetry(
    time_s: int, number: int, metrics: "list[int | None] | tuple[int | None, ...]", divisors: "tuple[int, ...]"
) -> bytes:
    """Fields 1, 2 ... of a kind of metrics; divisor 0: a whole number, else a float in units of so many of ours."""
    body = b""
    for field, value in enumerate(metrics, 1):
        divisor = divisors[field - 1]
        if value is not None:
            if divisor:
                body += bytes((field << 3 | FIXED32,)) + struct.pack("<f", value / divisor)
            else:
                body += bytes((field << 3 | VARINT,)) + encode_varint(value)
    time = b"\x0d" + time_s.to_bytes(4, "little") if time_s else b""
    return time + bytes((number << 3 | BYTES, len(body))) + body
