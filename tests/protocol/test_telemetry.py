# SPDX-License-Identifier: Apache-2.0
"""The expected bytes are those of the official schema (properties/test_stock_app.py compares many more)."""

from kiezbox.protocol.telemetry import encode_air_telemetry, encode_device_telemetry, encode_environment_telemetry

TIME_S = 1_790_000_000


def test_environment():
    raw = encode_environment_telemetry(TIME_S, -725, 485, 10130, 50_000)
    assert raw == bytes.fromhex("0d803bb16a1a140d0000e8c015000042421d00407d4425cdcc4c3d")


def test_device():
    raw = encode_device_telemetry(0, 87, 3750, 12, 15, 86_400)
    assert raw == bytes.fromhex("1215085715000070401d00004041250000c03f2880a305")


def test_air_quality_in_whole_micrograms():
    assert encode_air_telemetry(TIME_S, 34, None, 2996) == bytes.fromhex("0d803bb16a2205080318ac02")


def test_what_was_not_measured_is_left_out():
    assert encode_environment_telemetry(0) == b"\x1a\x00"
    assert encode_environment_telemetry(0, humidity_dpct=0) == b"\x1a\x05\x15\x00\x00\x00\x00"
    assert encode_device_telemetry(0) == b"\x12\x00"
    assert encode_air_telemetry(0, pm25_dugm3=0) == b"\x22\x02\x10\x00"
