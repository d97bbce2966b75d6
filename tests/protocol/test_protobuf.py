# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol.protobuf import (
    BYTES,
    FIXED32,
    FIXED64,
    VARINT,
    ProtobufError,
    decode_varint,
    encode_varint,
    iterate,
    unzigzag,
    zigzag,
)


def reason_of(call):
    try:
        call()
    except ProtobufError as error:
        return error.reason
    return None


def test_varints_of_the_specification():
    for value, raw in (
        (0, b"\x00"),
        (1, b"\x01"),
        (127, b"\x7f"),
        (128, b"\x80\x01"),
        (150, b"\x96\x01"),
        (0xFFFFFFFF, b"\xff\xff\xff\xff\x0f"),
        ((1 << 64) - 1, b"\xff" * 9 + b"\x01"),
    ):
        assert encode_varint(value) == raw
        assert decode_varint(raw, 0) == (value, len(raw))
        assert decode_varint(b"\x00" + raw + b"\x00", 1) == (value, len(raw) + 1)


def test_varints_that_are_none():
    assert reason_of(lambda: encode_varint(-1)) == "varint_range"
    assert reason_of(lambda: encode_varint(1 << 64)) == "varint_range"
    assert reason_of(lambda: decode_varint(b"", 0)) == "protobuf_truncated"
    assert reason_of(lambda: decode_varint(b"\x80\x80", 0)) == "protobuf_truncated"
    assert reason_of(lambda: decode_varint(b"\xff" * 9 + b"\x02", 0)) == "varint_range"
    assert reason_of(lambda: decode_varint(b"\x80" * 11, 0)) == "varint_range"


def test_zigzag_of_the_specification():
    for signed, unsigned in ((0, 0), (-1, 1), (1, 2), (-2, 3), (0x7FFFFFFF, 0xFFFFFFFE), (-0x80000000, 0xFFFFFFFF)):
        assert zigzag(signed) == unsigned
        assert unzigzag(unsigned) == signed


def test_fields_in_their_order():
    raw = b"\x08\x96\x01" + b"\x12\x03abc" + b"\x1d\x04\x03\x02\x01" + b"\x21" + bytes(range(8)) + b"\x12\x00"
    assert iterate(raw) == [
        (1, VARINT, 150),
        (2, BYTES, b"abc"),
        (3, FIXED32, 0x01020304),
        (4, FIXED64, 0x0706050403020100),
        (2, BYTES, b""),
    ]


def test_a_message_is_read_whole_or_not_at_all():
    for raw, reason in (
        (b"\x08", "protobuf_truncated"),
        (b"\x12\x04abc", "protobuf_truncated"),
        (b"\x1d\x00\x00\x00", "protobuf_truncated"),
        (b"\x21" + bytes(7), "protobuf_truncated"),
        (b"\x00\x00", "field_number"),
        (b"\x0b", "wire_type"),
        (b"\x0c", "wire_type"),
        (b"\x0e\x00", "wire_type"),
        (b"\x80\x80\x80\x80\x10\x00", "field_number"),
    ):
        assert reason_of(lambda raw=raw: iterate(raw)) == reason, raw
