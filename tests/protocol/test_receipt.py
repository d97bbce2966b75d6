# SPDX-License-Identifier: Apache-2.0
"""Lists of receipts: written by gateway_wire, read by receipt."""

from kiezbox.protocol import gateway_wire, receipt
from kiezbox.protocol.box_keys import BoxKeys
from kiezbox.protocol.envelope import Envelope, EnvelopeError
from kiezbox.protocol.gateway_box import GatewayBox

KEYS = BoxKeys(bytes(range(32)))
NODE = 77


def read(payload: bytes, keys: BoxKeys = KEYS, node_num: int = NODE) -> list:
    return receipt.own_items([keys], node_num, Envelope(payload).body)


def test_each_box_finds_its_own_entries() -> None:
    other = BoxKeys(bytes(32))
    entries = gateway_wire.encode_entry(other, 1, gateway_wire.stage_item(9, 2))
    entries += gateway_wire.encode_entry(KEYS, NODE, gateway_wire.stage_item(5, 3) + gateway_wire.fragments_item(6, 5))
    payload = gateway_wire.encode_payload(entries)
    assert [receipt.decode_items(items) for items in read(payload)] == [[("stage", 5, 3), ("fragments", 6, 5)]]
    assert [receipt.decode_items(items) for items in read(payload, other, 1)] == [[("stage", 9, 2)]]
    assert read(payload, KEYS, 3) == []


def test_false_tags_and_damage_are_named() -> None:
    payload = gateway_wire.encode_payload(gateway_wire.encode_entry(KEYS, NODE, gateway_wire.stage_item(5, 2)))
    for position in range(2, len(payload)):
        changed = bytearray(payload)
        changed[position] ^= 1
        try:
            assert read(bytes(changed)) == [], position
        except EnvelopeError as error:
            assert error.reason in ("false_tag", "envelope_truncated")
    try:
        receipt.decode_items(gateway_wire.fragments_item(5, 2)[:6])
    except EnvelopeError as error:
        assert error.reason == "item_truncated"
    else:
        raise AssertionError


def test_an_unknown_item_ends_the_entry() -> None:
    items = gateway_wire.stage_item(5, 2) + b"\x77\x01\x02" + gateway_wire.stage_item(6, 2)
    assert receipt.decode_items(items) == [("stage", 5, 2)]


def readings_of(box: GatewayBox) -> "receipt.Readings":
    [(name, upto, readings)] = receipt.decode_items(box.readings_item())
    assert name == "readings"
    assert upto == readings.upto
    return readings


def test_readings_are_told_exactly() -> None:
    value = 3
    for _ in range(40):
        box = GatewayBox(NODE, bytes(32), 0)
        stored = set()
        for _ in range(30):
            value = value * 1103515245 + 12345 & 0x3FFFFFFF
            sequence = 1000 + (value >> 9) % 60
            stored.add(sequence)
            box.hold_readings((sequence,))
        readings = readings_of(box)
        for sequence in range(900, 1070):
            assert (sequence in readings) == (sequence in stored), sequence
            assert box.holds_reading(sequence) == (sequence in stored)
        assert readings.missing() == [n for n in range(readings.missing()[0], max(stored)) if n not in stored]


def test_with_a_floor_everything_below_is_held() -> None:
    box = GatewayBox(NODE, bytes(32), 0)
    box.hold_readings((105, 103), complete_below=102)
    readings = readings_of(box)
    assert [sequence for sequence in range(95, 108) if sequence not in readings] == [102, 104, 106, 107]
    assert readings.missing() == [102, 104]
    box.hold_readings((102, 104))
    readings = readings_of(box)
    assert readings.missing() == []
    assert 1 in readings
    assert len(box.readings_item()) == 6, "nothing is missing: no bit is needed"


def test_readings_far_behind_are_not_called_missing() -> None:
    box = GatewayBox(NODE, bytes(32), 0)
    box.hold_readings((5000,))
    readings = readings_of(box)
    assert readings.missing() == []
    assert 4999 not in readings
    box.hold_readings((4000,))
    assert 4000 not in readings_of(box), "beyond the bits nothing is said, and the box sends again"
