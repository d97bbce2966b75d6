# SPDX-License-Identifier: Apache-2.0
"""What we put on the air, read by Meshtastic's own schema and by another implementation of AES, and the reverse."""

import struct
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from meshtastic.protobuf import config_pb2, mesh_pb2, telemetry_pb2

from kiezbox.protocol.channel import Channel
from kiezbox.protocol.frame import BROADCAST, FrameError, Header, encode_header
from kiezbox.protocol.mesh import ROLES
from kiezbox.protocol.packet import (
    ROLE_NUMBERS,
    Data,
    decode_data,
    decode_routing,
    encode_data,
    encode_routing,
    encode_user,
)
from kiezbox.protocol.telemetry import encode_air_telemetry, encode_device_telemetry, encode_environment_telemetry

u32 = st.integers(0, 0xFFFFFFFF)
node_nums = st.integers(1, BROADCAST - 1)
NAMES = ("portnum", "payload", "want_response", "dest", "source", "request_id", "reply_id", "emoji")


def maybe(values: st.SearchStrategy[int]) -> st.SearchStrategy[int | None]:
    return st.none() | values


def single(value: float) -> float:
    """As a 32-bit float holds it."""
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


@st.composite
def data_messages(draw: st.DrawFn) -> Data:
    return Data(
        draw(st.integers(1, 511)),
        draw(st.binary(max_size=190)),
        draw(st.booleans()),
        *(draw(st.just(0) | u32) for _ in range(5)),
        bitfield=draw(st.none() | st.integers(0, 255)),
    )


@given(data_messages())
def test_data_is_what_the_schema_makes_of_it_byte_for_byte(data: Data) -> None:
    official = mesh_pb2.Data(**{name: getattr(data, name) for name in NAMES if name != "portnum"})
    official.portnum = data.portnum  # type: ignore[assignment]
    if data.bitfield is not None:
        official.bitfield = data.bitfield
    assert encode_data(data) == official.SerializeToString()


@st.composite
def nearly_data(draw: st.DrawFn) -> bytes:
    """An encoded message with a byte or two changed, cut or doubled."""
    raw = bytearray(encode_data(draw(data_messages())))
    for _ in range(draw(st.integers(0, 2))):
        position = draw(st.integers(0, len(raw)))
        raw[position : position + draw(st.integers(0, 2))] = draw(st.binary(max_size=3))
    return bytes(raw)


@given(st.binary(max_size=60) | nearly_data())
@settings(max_examples=2_000)
def test_what_we_take_for_data_the_schema_reads_alike(raw: bytes) -> None:
    try:
        data = decode_data(raw)
    except FrameError:
        return
    official = mesh_pb2.Data()
    try:
        official.ParseFromString(raw)
    except DecodeError as error:
        raise AssertionError(raw.hex()) from error
    for name in NAMES:
        assert getattr(data, name) == getattr(official, name), name
    assert data.bitfield == (official.bitfield if official.HasField("bitfield") else None)


@given(node_nums, u32, st.binary(max_size=32), st.text(max_size=11), data_messages())
def test_a_frame_is_opened_by_another_implementation(
    from_node: int, packet_id: int, psk: bytes, name: str, data: Data
) -> None:
    channel = Channel(name, psk)
    header = Header(BROADCAST, from_node, packet_id, 3, 3, channel_hash=channel.hash)
    frame = encode_header(header) + channel.crypt(from_node, packet_id, encode_data(data))
    content = frame[16:]
    if channel.key:
        nonce = struct.pack("<QII", packet_id, from_node, 0)
        content = Cipher(algorithms.AES(channel.key), modes.CTR(nonce)).decryptor().update(content)
    official = mesh_pb2.Data.FromString(content)
    assert (official.portnum, official.payload) == (data.portnum, data.payload)
    assert channel.open(frame) == content


@given(st.sampled_from([*range(10), *range(32, 40)]))
def test_routing(reason: int) -> None:
    assert mesh_pb2.Routing.FromString(encode_routing(reason)).error_reason == reason
    official = mesh_pb2.Routing()
    official.error_reason = reason  # type: ignore[assignment]
    assert encode_routing(reason) == official.SerializeToString()
    assert decode_routing(official.SerializeToString()) == reason


@given(node_nums, st.text(max_size=60), st.text(max_size=8), st.sampled_from(ROLES))
def test_a_node_introduces_itself(node_num: int, long_name: str, short_name: str, role: str) -> None:
    user = mesh_pb2.User.FromString(encode_user(node_num, long_name, short_name, role))
    assert user.id == f"!{node_num:08x}"
    assert long_name.startswith(user.long_name)
    assert short_name.startswith(user.short_name)
    assert len(user.long_name.encode()) >= min(len(long_name.encode()), 36)
    assert user.hw_model == mesh_pb2.HardwareModel.PRIVATE_HW
    assert user.is_unmessagable
    assert config_pb2.Config.DeviceConfig.Role.Name(user.role) == role
    assert user.SerializeToString() == encode_user(node_num, long_name, short_name, role)


def test_every_role_has_the_schemas_number() -> None:
    assert {name: config_pb2.Config.DeviceConfig.Role.Value(name) for name in ROLES} == ROLE_NUMBERS


def check(metrics: Any, wanted: dict[str, float | None]) -> None:
    for name, value in wanted.items():
        assert metrics.HasField(name) == (value is not None), name
        if value is not None:
            assert getattr(metrics, name) == (single(value) if isinstance(value, float) else value), name
    assert {field.name for field, _ in metrics.ListFields()} <= set(wanted)


def part(value: int | None, divisor: int) -> float | None:
    return None if value is None else value / divisor


@given(u32, maybe(st.integers(0, 100)), maybe(st.integers(0, 60_000)), maybe(st.integers(0, 100)), maybe(u32))
def test_device_telemetry(
    time_s: int, battery_pct: int | None, mv: int | None, use_pct: int | None, up_s: int | None
) -> None:
    raw = encode_device_telemetry(time_s, battery_pct, mv, use_pct, use_pct, up_s)
    telemetry = telemetry_pb2.Telemetry.FromString(raw)
    assert telemetry.time == time_s
    assert telemetry.WhichOneof("variant") == "device_metrics"
    wanted = {
        "battery_level": battery_pct, "voltage": part(mv, 1000), "channel_utilization": part(use_pct, 1),
        "air_util_tx": part(use_pct, 10), "uptime_seconds": up_s,
    }  # fmt: skip
    check(telemetry.device_metrics, wanted)
    assert telemetry.SerializeToString() == raw


@given(
    u32, maybe(st.integers(-6_000, 9_000)), maybe(st.integers(0, 1_000)), maybe(st.integers(3_000, 11_000)), maybe(u32)
)
def test_environment_telemetry(
    time_s: int, temperature_cc: int | None, humidity_dpct: int | None, pressure_dpa: int | None, gas_ohm: int | None
) -> None:
    raw = encode_environment_telemetry(time_s, temperature_cc, humidity_dpct, pressure_dpa, gas_ohm)
    telemetry = telemetry_pb2.Telemetry.FromString(raw)
    assert telemetry.WhichOneof("variant") == "environment_metrics"
    wanted = {
        "temperature": part(temperature_cc, 100), "relative_humidity": part(humidity_dpct, 10),
        "barometric_pressure": part(pressure_dpa, 10), "gas_resistance": part(gas_ohm, 1_000_000),
    }  # fmt: skip
    check(telemetry.environment_metrics, wanted)
    assert telemetry.SerializeToString() == raw


@given(u32, maybe(st.integers(0, 99_999)), maybe(st.integers(0, 99_999)), maybe(st.integers(0, 99_999)))
def test_air_telemetry(time_s: int, pm1: int | None, pm25: int | None, pm10: int | None) -> None:
    raw = encode_air_telemetry(time_s, pm1, pm25, pm10)
    telemetry = telemetry_pb2.Telemetry.FromString(raw)
    assert telemetry.WhichOneof("variant") == "air_quality_metrics"
    wanted: dict[str, float | None] = {
        name: None if value is None else (value + 5) // 10
        for name, value in (("pm10_standard", pm1), ("pm25_standard", pm25), ("pm100_standard", pm10))
    }
    check(telemetry.air_quality_metrics, wanted)
    assert telemetry.SerializeToString() == raw
