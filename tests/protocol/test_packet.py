# SPDX-License-Identifier: Apache-2.0
from kiezbox.protocol.frame import FrameError
from kiezbox.protocol.packet import (
    ERROR_NO_CHANNEL,
    ROUTING_APP,
    Data,
    decode_data,
    decode_routing,
    encode_data,
    encode_routing,
    encode_user,
)

FIELDS = ("portnum", "payload", "want_response", "dest", "source", "request_id", "reply_id", "emoji", "bitfield")


def reason_of(call):
    try:
        call()
    except FrameError as error:
        return error.reason
    return None


def fields(data):
    return [getattr(data, name) for name in FIELDS]


def test_an_acknowledgement_is_encoded_as_the_firmware_does():
    raw = bytes.fromhex("080512021800350df0ad0b4800")
    data = Data(ROUTING_APP, encode_routing(), request_id=0x0BADF00D)
    assert encode_data(data) == raw
    assert fields(decode_data(raw)) == fields(data)


def test_every_field_goes_there_and_back():
    full = Data(256, b"\x00\xff", True, 1, 0xFFFFFFFF, 3, 4, 5, 3)
    assert encode_data(full) == bytes.fromhex(
        "088002120200ff180125010000002dffffffff35030000003d0400000045050000004803"
    )
    assert fields(decode_data(encode_data(full))) == fields(full)
    for data in (Data(1), Data(511, b"x" * 200), Data(3, bitfield=None), Data(300, bitfield=0xFFFFFFFF)):
        assert fields(decode_data(encode_data(data))) == fields(data)


def test_the_largest_payloads_are_those_of_the_firmware():
    assert len(encode_data(Data(1, bytes(232)))) == 239
    assert len(encode_data(Data(256, bytes(231)))) == 239
    for data in (
        Data(1, bytes(233)),
        Data(256, bytes(232)),
        Data(256, bytes(230), True),
        Data(1, bytes(234), bitfield=None),
    ):
        assert reason_of(lambda data=data: encode_data(data)) == "too_large"


def test_what_cannot_be_encoded_is_refused():
    assert reason_of(lambda: encode_data(Data(0))) == "portnum_invalid"
    assert reason_of(lambda: encode_data(Data(512))) == "portnum_invalid"
    assert reason_of(lambda: encode_data(Data(1, dest=1 << 32))) == "data_range"
    assert reason_of(lambda: encode_data(Data(1, bitfield=-1))) == "data_range"


def test_unknown_fields_are_skipped_and_the_last_of_two_counts():
    signature = b"\x52\x03abc"
    raw = b"\x08\x01\x12\x01a\x12\x01b" + signature + b"\x58\x07" + b"\x65\x01\x02\x03\x04" + b"\x69" + bytes(8)
    data = decode_data(raw)
    assert (data.portnum, data.payload, data.bitfield) == (1, b"b", None)
    assert decode_data(b"\x08\x03\x88\x00\x01").portnum == 1  # a key of two bytes


def test_malformed_data_is_refused_with_a_reason():
    for raw in (
        b"",  # no port number
        b"\x08\x00",
        b"\x08\x80\x04",  # port number 512
        b"\x08",
        b"\x08\x01\x12\x05abc",
        b"\x08\x01\x12",
        b"\x0a\x01\x01",  # port number as bytes
        b"\x08\x01\x10\x01",  # payload as varint
        b"\x08\x01\x1d\x01\x00\x00\x00",  # want_response as fixed32
        b"\x08\x01\x25\x01\x00\x00",
        b"\x08\x01\x22\x00",  # dest as bytes
        b"\x08\x01\x4d\x01\x00\x00\x00",  # bitfield as fixed32
        b"\x08\x01\x0b",
        b"\x08\x01\x00\x00",  # field 0
        b"\x08\x01" + b"\x80\x80\x80\x80\x10\x00",  # field 2^29
        b"\x08\x01" + b"\xff" * 10,
        b"\x08\x01\x12\xea\x01" + bytes(234),  # more payload than the firmware has room for
    ):
        assert reason_of(lambda raw=raw: decode_data(raw)) == "data_malformed", raw


def test_routing():
    assert encode_routing() == b"\x18\x00"
    assert encode_routing(39) == b"\x18\x27"
    assert decode_routing(b"\x18\x00") == 0
    assert decode_routing(encode_routing(ERROR_NO_CHANNEL)) == ERROR_NO_CHANNEL
    assert decode_routing(b"\x0a\x00") is None  # a route request
    assert decode_routing(b"") is None
    assert reason_of(lambda: decode_routing(b"\x18")) == "routing_malformed"


def test_a_node_introduces_itself_as_stock_apps_read_it():
    assert encode_user(0x7C3E51A4, "Kiezbox Rathaus Lichtenberg", "K17", "ROUTER") == bytes.fromhex(
        "0a09213763336535316134121b4b69657a626f782052617468617573204c69636874656e626572671a034b313728ff0138024801"
    )
    assert b"\x38" not in encode_user(1, "x", "x")[12:]


def test_names_are_cut_at_a_character():
    raw = encode_user(1, "ä" * 30, "äöü")
    assert b"\x12\x26" + "ä".encode() * 19 + b"\x1a\x04" + "äö".encode() in raw
    assert b"\x1a\x03" + "€".encode() + b"\x28" in encode_user(1, "", "€€")
