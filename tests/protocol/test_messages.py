# SPDX-License-Identifier: Apache-2.0
"""Bodies: what is sent comes back, what is wrong is named and changes nothing."""

from kiezbox.protocol import envelope
from kiezbox.protocol.messages import BODY_LENGTH_MAX, FIELDS, MessageError, decode, encode

CALL = {
    "category": 4,
    "text": "Aufzug steckt fest, 2 Personen",
    "place": "Akazienstraße 3",
    "people": 2,
    "name": "",
    "contact": "0171 555",
    "language": "de",
    "code": "AB12CD34",
    "time_s": 4_294_967_295,
    "clock_quality": 0,
    "action": 0,
}


def refused(kind: int, message: dict) -> str:
    try:
        encode(kind, message)
    except MessageError as error:
        return error.reason
    raise AssertionError(message)


def bad(kind: int, body: bytes) -> str:
    try:
        decode(kind, body)
    except MessageError as error:
        return error.reason
    raise AssertionError(body)


def test_what_is_sent_comes_back() -> None:
    assert decode(envelope.EMERGENCY, encode(envelope.EMERGENCY, CALL)) == CALL
    assert decode(envelope.EXERCISE, encode(envelope.EXERCISE, {})) == {}


def test_zero_is_a_value_and_none_is_absence() -> None:
    assert decode(envelope.TIME, encode(envelope.TIME, {"time_s": 0, "quality": None})) == {"time_s": 0}


def test_signed_values_and_neighbours() -> None:
    message = {
        "temperature_cc": -40_00,
        "battery_ma": -0x80000000,
        "neighbours": [{"node": 0xFFFFFFFF, "rssi_dbm": -127, "snr_db": -20}, {"node": 1}],
    }
    assert decode(envelope.HEALTH, encode(envelope.HEALTH, message)) == message


def test_help_points() -> None:
    points = [{"name": "Rathaus", "address": "Platz 1", "kind": "Kat-Leuchtturm"}, {"name": "Schule"}]
    message = {"grid_lost_after_s": 60, "mode": "exercise", "help_points": points}
    assert decode(envelope.CONFIGURATION, encode(envelope.CONFIGURATION, message)) == message
    for wrong in (points * 7, "Rathaus", [1], ["Rathaus"], 5):
        assert refused(envelope.CONFIGURATION, {"help_points": wrong}) == "value_out_of_range"
    assert refused(envelope.CONFIGURATION, {"help_points": [{"street": "x"}]}) == "unknown_key"


def test_unknown_keys_and_wrong_values_are_named() -> None:
    assert refused(envelope.QUERY, {"code": "A", "what": 1}) == "unknown_key"
    assert refused(envelope.QUERY, {"code": 5}) == "value_out_of_range"
    assert refused(envelope.TIME, {"time_s": -1}) == "value_out_of_range"
    assert refused(envelope.TIME, {"time_s": 1 << 32}) == "value_out_of_range"
    assert refused(envelope.TIME, {"time_s": "1"}) == "value_out_of_range"
    assert refused(envelope.HEALTH, {"temperature_cc": 1 << 31}) == "value_out_of_range"
    assert refused(envelope.HEALTH, {"neighbours": [{"node": 1}] * 17}) == "value_out_of_range"
    assert refused(envelope.MANIFEST, {"sha256": "text"}) == "value_out_of_range"
    assert refused(envelope.MANIFEST, {"sha256": bytes(65)}) == "value_out_of_range"
    assert refused(envelope.READING, {"samples": [{"nonsense": 1}]}) == "value_out_of_range"
    assert refused(envelope.READING, {"samples": []}) == "value_out_of_range"
    assert refused(99, {}) == "unknown_kind"


def test_texts_have_a_limit_in_bytes() -> None:
    assert decode(envelope.EMERGENCY, encode(envelope.EMERGENCY, {"text": "ü" * 250})) == {"text": "ü" * 250}
    assert refused(envelope.EMERGENCY, {"text": "ü" * 251}) == "text_too_long"
    assert refused(envelope.QUERY, {"code": "x" * 65}) == "text_too_long"


def test_the_longest_message_fits() -> None:
    # Letters of no table: a text of 500 bytes takes 501.
    text = "\u3042" * 166
    message = {"text": text, "place": text, "name": text}
    assert len(encode(envelope.EMERGENCY, message)) <= BODY_LENGTH_MAX
    message["contact"] = text
    assert refused(envelope.EMERGENCY, message) == "message_too_long"


def test_rubbish_is_refused() -> None:
    assert bad(envelope.TIME, b"\x08") == "protobuf_truncated"
    assert bad(envelope.TIME, b"\x0a\x01x") == "wrong_wire_type"
    assert bad(envelope.TIME, b"\x08\xff\xff\xff\xff\x1f") == "value_out_of_range"
    assert bad(envelope.QUERY, b"\x0a\x02\xc3\x28") == "malformed_body"
    assert bad(envelope.QUERY, b"\x0a\x41" + b"x" * 65) == "text_too_long"
    assert bad(envelope.EMERGENCY, b"\x12\x01\x90") == "malformed_body"
    assert bad(envelope.READING, b"\x2a\x01\x00") == "malformed_body"
    assert bad(99, b"") == "unknown_kind"


def test_fields_of_a_newer_version_are_skipped() -> None:
    assert decode(envelope.TIME, b"\x08\x05\xfa\x01\x03abc\x98\x02\x07") == {"time_s": 5}


def test_tables_are_well_formed() -> None:
    for kind, fields in FIELDS.items():
        names = [field[:-2] for field in fields.split(" ")]
        assert len(names) == len(set(names)), kind
        for field in fields.split(" "):
            assert field[-2] == ":"
            assert field[-1] in "usftcbrnpa"
