# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol.frame import (
    BROADCAST,
    FrameError,
    Header,
    decode_header,
    encode_header,
    fault,
    last_byte,
)

RAW = bytes.fromhex("ffffffffa4513e7c4c3d2e1f630800a4")


def reason_of(call):
    try:
        call()
    except FrameError as error:
        return error.reason
    return None


def test_fields_of_a_frame_of_the_firmware():
    header = decode_header(RAW)
    assert (header.to_node, header.from_node, header.packet_id) == (BROADCAST, 0x7C3E51A4, 0x1F2E3D4C)
    assert (header.hop_limit, header.hop_start, header.want_ack, header.via_mqtt) == (3, 3, False, False)
    assert (header.channel_hash, header.next_hop, header.relay_node) == (8, 0, 0xA4)
    assert encode_header(header) == RAW


def test_every_value_of_the_flags_goes_there_and_back():
    for flags in range(256):
        raw = RAW[:12] + bytes((flags, 1, 2, 3))
        header = decode_header(raw)
        assert header.hop_limit == flags & 7
        assert header.want_ack == bool(flags & 8)
        assert header.via_mqtt == bool(flags & 16)
        assert header.hop_start == flags >> 5
        if header.hop_start:
            assert encode_header(header) == raw
        else:
            # Before firmware 2.3 nothing was meant by the last two bytes.
            assert (header.next_hop, header.relay_node) == (0, 0)


def test_a_fault_has_a_name():
    assert fault(RAW) == ""
    assert fault(RAW + bytes(239)) == ""
    for frame, reason in (
        (b"", "frame_truncated"),
        (RAW[:15], "frame_truncated"),
        (RAW + bytes(240), "frame_too_long"),
        (RAW[:4] + bytes(4) + RAW[8:], "from_invalid"),
        (RAW[:4] + b"\xff\xff\xff\xff" + RAW[8:], "from_invalid"),
    ):
        assert fault(frame) == reason
        assert reason_of(lambda frame=frame: decode_header(frame)) == reason
        assert fault(bytearray(frame)) == reason


def test_a_header_out_of_range_is_refused():
    good = {"to_node": BROADCAST, "from_node": 1, "packet_id": 2}
    for name, value in (
        ("to_node", 1 << 32),
        ("from_node", -1),
        ("packet_id", 1 << 32),
        ("hop_limit", 8),
        ("hop_start", -1),
        ("channel_hash", 256),
        ("next_hop", 256),
        ("relay_node", -1),
    ):
        fields = dict(good)
        fields[name] = value
        assert reason_of(lambda fields=fields: encode_header(Header(**fields))) == "header_range", name


def test_a_node_is_named_by_its_last_byte_and_never_by_zero():
    assert last_byte(0x7C3E51A4) == 0xA4
    assert last_byte(0x7C3E5100) == 0xFF
