# SPDX-License-Identifier: Apache-2.0
"""Envelopes: what is none is named, what is proven is what was sent."""

from kiezbox.protocol import envelope
from kiezbox.protocol.box_keys import BoxKeys
from kiezbox.protocol.envelope import Envelope, EnvelopeError

KEYS = BoxKeys(bytes(range(32)))
NODE = 0x01020304


def reason(payload: bytes) -> str:
    try:
        Envelope(payload)
    except EnvelopeError as error:
        return error.reason
    raise AssertionError(payload)


def test_fields_come_back() -> None:
    payload = envelope.encode_uplink(KEYS, NODE, envelope.EMERGENCY, 0xFFFFFFFF, 2, 3, b"part")
    received = Envelope(payload)
    assert received.scheme == envelope.UPLINK_SEALED
    assert (received.kind, received.counter, received.index, received.count) == (3, 0xFFFFFFFF, 2, 3)
    assert received.body == b"part"
    assert envelope.authentic(KEYS, NODE, received)
    assert not envelope.authentic(KEYS, NODE + 1, received)
    assert not envelope.authentic(BoxKeys(bytes(32)), NODE, received)


def test_the_longest_part_fills_the_payload() -> None:
    part = bytes(envelope.UPLINK_PART_MAX)
    assert len(envelope.encode_uplink(KEYS, NODE, envelope.READING, 1, 0, 1, part)) == envelope.PAYLOAD_LENGTH_MAX


def test_what_is_no_envelope_is_named() -> None:
    good = envelope.encode_uplink(KEYS, NODE, envelope.READING, 7, 0, 1, b"")
    assert reason(b"") == "envelope_truncated"
    assert reason(good[:14]) == "envelope_truncated"
    assert reason(bytes(232)) == "envelope_too_long"
    assert reason(b"\x21" + good[1:]) == "unknown_version"
    assert reason(b"\x16" + good[1:]) == "unknown_scheme"
    assert reason(b"\x10" + good[1:]) == "unknown_scheme"
    assert reason(b"\x11\x08" + good[2:]) == "unknown_kind"
    assert reason(b"\x11\x00" + good[2:]) == "unknown_kind"
    assert reason(good[:2] + bytes(4) + good[6:]) == "counter_zero"
    assert reason(good[:6] + b"\x10" + good[7:]) == "fragment_out_of_range"


def test_each_kind_has_its_schemes() -> None:
    allowed = {1: {1}, 2: {1}, 3: {2}, 4: {2}, 5: {2}, 6: {2}, 7: {2}, 16: {3}, 17: {4}}
    for kind in (1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22):
        for scheme in range(1, 6):
            payload = bytes((0x10 | scheme, kind)) + b"\x01" * 4 + b"\x00" + b"\x01\x00\x00\x00" + bytes(90)
            payload = payload[:6] + b"\x01" + payload[7:] if scheme == 5 else payload
            fine = scheme in allowed.get(kind, {4, 5})
            try:
                Envelope(payload)
            except EnvelopeError as error:
                assert not (fine and error.reason == "kind_not_for_scheme"), (kind, scheme)
                assert fine or error.reason == "kind_not_for_scheme", (kind, scheme, error.reason)
            else:
                assert fine, (kind, scheme)


def test_sealing_is_its_own_inverse_and_depends_on_everything() -> None:
    body = b"Hilfe" * 20
    sealed = envelope.seal(KEYS, NODE, 3, 5, body)
    assert envelope.seal(KEYS, NODE, 3, 5, sealed) == body
    others = [
        envelope.seal(KEYS, NODE + 1, 3, 5, body),
        envelope.seal(KEYS, NODE, 4, 5, body),
        envelope.seal(KEYS, NODE, 3, 6, body),
        envelope.seal(BoxKeys(bytes(32)), NODE, 3, 5, body),
    ]
    for other in others:
        assert other != sealed
        assert len(other) == len(body)


def test_clear_kind_for_relays() -> None:
    assert envelope.clear_kind(envelope.encode_uplink(KEYS, NODE, envelope.EMERGENCY, 1, 0, 1, b"")) == 3
    for other in (b"", b"\x12", b"\x22\x03", b"\x12\x09", b"\x12\xff", bytes(300)):
        assert envelope.clear_kind(other) == 0


def test_names_and_numbers() -> None:
    for number in range(30):
        if envelope.is_kind(number):
            assert envelope.kind_number(envelope.KIND_NAMES[number]) == number
    assert envelope.kind_number("") == 0
    assert envelope.kind_number("nonsense") == 0


def test_root_keys_have_32_bytes() -> None:
    for length in (0, 31, 33):
        try:
            BoxKeys(bytes(length))
        except ValueError:
            continue
        raise AssertionError(length)


def test_no_two_keys_of_a_box_are_equal() -> None:
    seals = {KEYS.seal(kind) for kind in range(1, 23)}
    macs = {KEYS.mac(kind).digest(b"") for kind in range(1, 23)}
    assert len(seals) == len(macs) == 22
