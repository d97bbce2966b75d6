# SPDX-License-Identifier: Apache-2.0
"""Make wire.json, one vector a line, from fixed keys and messages: `python tests/vectors/make_wire.py >
tests/vectors/wire.json`.

The keys are for tests only. Each vector holds what a decoder written from docs/wire-format.md alone needs to check
itself: keys, the message as a dict, the body, and the payloads as they stand in Data.payload. Run again, it prints the
same bytes.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiezbox.protocol import envelope, gateway_wire, messages, reading, text_coding
from kiezbox.protocol.airtime import PRESETS, time_on_air_us
from kiezbox.protocol.bits import BitWriter
from kiezbox.protocol.box_endpoint import BoxEndpoint
from kiezbox.protocol.box_keys import BoxKeys
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.fragment import split
from kiezbox.protocol.frame import BROADCAST, HEADER_LENGTH, Header, encode_header
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint
from kiezbox.protocol.packet import TEXT_MESSAGE_APP, Data, encode_data

BOX = 0x4B420017
ROOT_KEY = bytes(range(0x40, 0x60))
DISTRICT_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(0xA0, 0xC0)))
PUBLIC_KEY = DISTRICT_KEY.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
CHANNEL = Channel("Kiezbox", bytes(range(32)))

SAMPLES = [
    {
        "temperature_cc": 2134 + 7 * n,
        "humidity_dpct": 451 - 3 * n,
        "pressure_dpa": 10132 + n,
        "pm1_dugm3": 62 + 4 * n,
        "pm25_dugm3": 97 + 6 * n,
        "pm10_dugm3": 141 - 5 * n,
        "noise_laeq_ddba": 523 + 18 * n,
        "noise_lamax_ddba": 688 - 25 * n,
        "gas_ohm": 81_250 + 310 * n,
        "battery_mv": 3942 - 2 * n,
        "panel_mv": 5480 + 35 * n,
        "battery_ma": 87 + 6 * n,
    }
    for n in range(3)
]
LONG_TEXT = (
    "Im Hinterhaus ist im dritten Stock eine alte Frau gestürzt. Sie heißt Frau Kowalski, ist 84 Jahre alt und liegt"
    " seit ungefähr einer Stunde auf dem Boden im Badezimmer. Sie ist wach und kann sprechen, hat aber starke"
    " Schmerzen in der Hüfte. Die Wohnungstür ist abgeschlossen, der Nachbar hat vielleicht einen Schlüssel (Herr"
    " Öztürk, 2. OG links). Das Licht im Treppenhaus geht nicht, bitte Lampen mitbringen. Der Hund ist im"
    " Schlafzimmer, er beißt nicht."
)
CALL = {
    "category": 1,
    "text": "Nachbarin gestürzt, blutet am Kopf, ist ansprechbar",
    "place": "Hauptstraße 12, 3. OG links",
    "people": 1,
    "name": "A. Yılmaz",
    "contact": "030 1234567",
    "language": "de",
    "code": "K7M2QX4P",
    "time_s": 1_767_445_200,
    "clock_quality": 2,
    "action": 0,
}
UP: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "reading",
        "reading",
        {"sequence": 1234, "time_s": 1_767_444_600, "clock_quality": 2, "interval_s": 300, "samples": SAMPLES},
    ),
    (
        "reading_with_failed_sensor",
        "reading",
        {
            "sequence": 1235,
            "time_s": 0,
            "clock_quality": 0,
            "interval_s": 300,
            "samples": [{"temperature_cc": -1205, "battery_mv": 3301}, {}, {"temperature_cc": -1210}],
        },
    ),
    (
        "health",
        "health",
        {
            "time_s": 1_767_445_000,
            "clock_source": 1,
            "clock_quality": 2,
            "uptime_s": 345_678,
            "battery_mv": 3921,
            "panel_mv": 5510,
            "temperature_cc": -312,
            "heap_free_bytes": 60_000,
            "flash_free_bytes": 1_500_000,
            "reset_cause": 1,
            "firmware_version": "0.1.0",
            "mode": 1,
            "mode_epoch": 7,
            "duty_spent_ms": 12_345,
            "queue_length": 2,
            "neighbours": [
                {"node": 0x4B420018, "rssi_dbm": -97, "snr_db": 6},
                {"node": 0x7C3E51A4, "rssi_dbm": -118, "snr_db": -9},
            ],
            "faults": 0,
            "battery_ma": -45,
            "broadcast_epoch": 31,
            "refused": 9,
            "restarts": 1,
            "calls_open": 0,
            "reading_interval_s": 600,
            "signs": 17,
            "readings_shed": 3,
            "crash": "measure OSError sensing.py:61",
            "refused_reserve": 5,
            "unsent": 2,
        },
    ),
    ("health_minimal", "health", {"uptime_s": 5, "reset_cause": 3}),
    ("emergency", "emergency", CALL),
    ("emergency_minimal", "emergency", {"category": 2, "people": 3, "code": "AB3DE5GH", "action": 0}),
    ("emergency_long", "emergency", dict(CALL, text=LONG_TEXT)),
    (
        "emergency_arabic",
        "emergency",
        {
            "category": 5,
            "text": "جدتي وحدها في الطابق الثالث ولا يوجد عندها دواء",
            "place": "Hauptstraße 12",
            "language": "ar",
            "code": "Z2Y4X6W8",
            "action": 0,
        },
    ),
    (
        "emergency_amended",
        "emergency",
        {"text": "Jetzt sind wir zu fünft", "language": "de", "code": "K7M2QX4P", "action": 1, "refers_to": 7},
    ),
    ("emergency_safe", "emergency", {"code": "K7M2QX4P", "action": 3, "refers_to": 7}),
    ("emergency_cancelled", "emergency", {"code": "K7M2QX4P", "action": 2, "refers_to": 4}),
    ("exercise", "exercise", CALL),
    ("exercise_cancelled", "exercise", {"code": "K7M2QX4P", "action": 2, "refers_to": 12}),
    ("button", "button", {"time_s": 1_767_445_300, "clock_quality": 1, "action": 0, "button": 1}),
    ("button_cancelled", "button", {"time_s": 0, "clock_quality": 0, "action": 2, "button": 1, "refers_to": 13}),
    ("query", "query", {"code": "K7M2QX4P"}),
    (
        "command_result",
        "command_result",
        {"refers_to": 900, "kind": 18, "result": 1, "mode": 2, "mode_epoch": 8, "time_s": 1_767_445_010},
    ),
    ("command_result_refused", "command_result", {"refers_to": 901, "kind": 20, "result": 2, "detail": "hop_limit"}),
    ("command_result_incomplete", "command_result", {"refers_to": 902, "kind": 20, "result": 4, "fragments": 5}),
)
EVERY_KEY: dict[str, Any] = {
    "name": "Rathaus Schöneberg",
    "place": "John-F.-Kennedy-Platz 1",
    "district": "tempelhof-schoeneberg",
    "long_name": "Kiezbox Rathaus Schöneberg",
    "short_name": "KB1",
    "role": "ROUTER_LATE",
    "preset": "LONG_FAST",
    "hop_limit": 6,
    "channel_name": "Kiezbox",
    "channel_psk": bytes(range(32)),
    "reading_interval_s": 600,
    "samples_per_frame": 3,
    "health_interval_s": 21_600,
    "nodeinfo_interval_s": 10_800,
    "telemetry_interval_s": 0,
    "root_key": bytes(range(0x60, 0x80)),
    "key_id": 2,
    "public_key": bytes(range(0xC0, 0xE0)),
    "revoked_key_id": 1,
    "reserve_pct": 50,
    "grid_lost_after_s": 120,
    "silent_after_s": 21_600,
    "router_off_below_mv": 3500,
    "router_on_above_mv": 3750,
    "call_retention_days": 14,
    "mode": "everyday",
    "help_points": [
        {"name": "Kat-Leuchtturm", "address": "Rathaus Schöneberg", "kind": "Kat-Leuchtturm"},
        {"name": "Feuerwache", "address": "Feurigstraße 58", "kind": "fire"},
    ],
}
DOWN: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "reply",
        "reply",
        {
            "code": "K7M2QX4P",
            "refers_to": 4,
            "stage": 5,
            "station": "Feuerwache Schöneberg",
            "time_s": 1_767_445_900,
            "text": "Wir haben Ihre Nachricht gelesen. Ein Rettungswagen ist unterwegs.",
            "language": "de",
        },
    ),
    ("reply_of_a_stage", "reply", {"code": "K7M2QX4P", "refers_to": 7, "stage": 3, "station": "Feuerwache"}),
    ("reply_to_a_query", "reply", {"code": "K7M2QX4P", "stage": 4, "station": "Feuerwache", "time_s": 1_767_445_950}),
    ("reply_long", "reply", {"code": "K7M2QX4P", "refers_to": 9, "stage": 5, "text": LONG_TEXT, "language": "de"}),
    ("mode_sealed", "mode", {"mode": 4, "epoch": 10, "scope": 2, "box": BOX, "until_s": 1_767_455_000}),
    (
        "configuration",
        "configuration",
        {
            "name": "Rathaus Schöneberg",
            "place": "John-F.-Kennedy-Platz 1",
            "district": "tempelhof-schoeneberg",
            "hop_limit": 5,
            "preset": "MEDIUM_FAST",
            "reading_interval_s": 300,
            "samples_per_frame": 3,
            "health_interval_s": 3600,
            "reserve_pct": 40,
        },
    ),
    ("configuration_every_key", "configuration", EVERY_KEY),
    ("configuration_district_key", "configuration", {"key_id": 2, "public_key": bytes(range(0xC0, 0xE0))}),
    ("configuration_root_key", "configuration", {"root_key": bytes(range(0x60, 0x80))}),
    ("time_sealed", "time", {"time_s": 1_767_440_000, "quality": 1}),
    ("bulletin_sealed", "bulletin", {"identifier": "be-2026-01-03-1", "language": "de", "action": 2}),
    ("manifest_sealed", "manifest", {"version": "0.2.0", "board": "heltec-wsl-v3", "size_bytes": 412_672}),
    (
        "reply_of_a_stage_of_three_calls",
        "reply",
        {
            "refers_to": 7,
            "stage": 3,
            "station": "Feuerwache Schöneberg",
            "time_s": 1_767_445_900,
            "also": [{"refers_to": 300, "later_s": 61}, {"refers_to": 4_294_967_295, "later_s": -86_400}],
        },
    ),
)
CAST: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "mode",
        "mode",
        {"mode": 2, "epoch": 8, "scope": 1, "district": "tempelhof-schoeneberg", "issued_s": 1_767_445_000},
    ),
    ("mode_one_box", "mode", {"mode": 3, "epoch": 9, "scope": 2, "box": BOX, "expires_s": 1_767_531_400}),
    ("mode_all", "mode", {"mode": 1, "epoch": 11, "scope": 0, "issued_s": 1_767_445_000}),
    ("time", "time", {"time_s": 1_767_445_800, "quality": 2}),
    (
        "bulletin",
        "bulletin",
        {
            "identifier": "be-2026-01-03-1",
            "headline": "Stromausfall im Südwesten",
            "text": (
                "Der Strom ist in mehreren Ortsteilen ausgefallen. Die Reparatur dauert voraussichtlich bis Donnerstag."
                " Warme Räume und Trinkwasser gibt es im Rathaus Schöneberg und in den Turnhallen der Schulen. Notrufe"
                " nehmen die Feuerwachen und die gekennzeichneten Streifenwagen entgegen."
            ),
            "language": "de",
            "severity": 3,
            "sent_s": 1_767_440_000,
            "expires_s": 1_767_526_400,
            "source": "Bezirksamt Tempelhof-Schöneberg",
            "action": 0,
        },
    ),
    (
        "bulletin_in_turkish",
        "bulletin",
        {
            "identifier": "be-2026-01-03-1",
            "headline": "Güneybatıda elektrik kesintisi",
            "text": (
                "Birkaç semtte elektrik kesildi. Onarım perşembeye kadar sürebilir. Schöneberg Belediye Binası'nda ve"
                " okulların spor salonlarında sıcak odalar ve içme suyu var."
            ),
            "instruction": "Buzdolabını kapalı tutun. Komşularınıza bakın.",
            "language": "tr",
            "severity": 3,
            "sent_s": 1_767_440_000,
            "expires_s": 1_767_526_400,
            "source": "Bezirksamt Tempelhof-Schöneberg",
            "area": "Schöneberg, Friedenau, Steglitz",
            "action": 0,
        },
    ),
    (
        "bulletin_of_three_frames",
        "bulletin",
        {
            "identifier": "be-2026-01-03-2",
            "headline": "Wo es Hilfe gibt",
            "text": LONG_TEXT,
            "instruction": LONG_TEXT,
            "language": "de",
            "action": 1,
        },
    ),
    ("bulletin_cancelled", "bulletin", {"identifier": "be-2026-01-03-1", "language": "de", "action": 2}),
    (
        "manifest",
        "manifest",
        {
            "version": "0.2.0",
            "board": "heltec-wsl-v3",
            "size_bytes": 412_672,
            "sha256": bytes(range(32)),
            "issued_s": 1_767_000_000,
            "expires_s": 1_770_000_000,
            "name": "firmware.romfs",
            "battery_min_mv": 3700,
        },
    ),
    ("configuration_to_all", "configuration", {"reading_interval_s": 600, "samples_per_frame": 12}),
)


def plain(value: Any) -> Any:
    """JSON has no bytes: they become {"hex": ...}."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def vectors() -> Iterator[dict[str, Any]]:
    """All vectors."""
    keys = BoxKeys(ROOT_KEY)
    for kind in (*range(1, 8), *range(16, 23)):
        yield {
            "type": "key",
            "root_key": ROOT_KEY.hex(),
            "kind": kind,
            "mac": _derived(b"mac", kind).hex(),
            "seal": keys.seal(kind).hex(),
        }
    for name, samples in (
        ("three", SAMPLES),
        ("gaps", UP[1][2]["samples"]),
        ("extreme", _extreme()),
        ("fifteen", _fifteen()),
    ):
        yield {"type": "samples", "name": name, "samples": samples, "coded": reading.encode(samples).hex()}
    for language, text in TEXTS:
        yield {"type": "text", "language": language, "text": text, "coded": text_coding.encode(text, language).hex()}
    for counter, (name, kind, message) in enumerate(UP, 4):
        yield {**_uplink(keys, name, kind, counter, message), "from_node": BOX, "root_key": ROOT_KEY.hex()}
    for counter, (name, kind, message) in enumerate(DOWN, 900):
        yield {**_downlink(keys, name, kind, counter, message), "box": BOX, "root_key": ROOT_KEY.hex()}
    for counter, (name, kind, message) in enumerate(CAST, 950):
        yield {**_broadcast(name, kind, counter, message), "key_id": 1, "public_key": PUBLIC_KEY.hex()}
    yield from _receipts(keys)
    yield from _malformed()
    yield from _frames(keys)
    yield from _refused(keys)


def _derived(label: bytes, kind: int) -> bytes:
    from kiezbox.protocol.box_keys import SALT
    from kiezbox.protocol.hkdf import hkdf

    return hkdf(ROOT_KEY, SALT, label + bytes((kind,)))


def _extreme() -> list[dict[str, int]]:
    low, high = -0x3FFFFFFF, 0x3FFFFFFF
    return [{"gas_ohm": high, "battery_ma": low}, {"gas_ohm": low}, {"gas_ohm": high, "battery_ma": 0}]


def _fifteen() -> list[dict[str, int]]:
    """As many as a reading may hold, each value missing now and then."""
    return [
        {name: value + n * n for place, (name, value) in enumerate(SAMPLES[0].items()) if (n + place) % 4}
        for n in range(15)
    ]


TEXTS = (
    ("de", "Es brennt im Keller, 2. OG!"),
    ("en", "Someone is trying to break in right now"),
    ("tr", "İki kişi asansörde kaldık, IŞIK YOK"),
    ("ar", "جدتي وحدها في شارع Hauptstraße 12"),
    ("ru", "Бабушка упала, нужна помощь"),
    ("uk", "Бабуся впала, потрібна допомога"),
    ("pl", "Babcia leży na podłodze w łazience"),
    ("vi", "Bà tôi bị ngã, Ẩm ướt, xin giúp đỡ"),
    ("de", "日本語"),
    ("de", "BITTE HELFEN SIE UNS \U0001f525"),
)


def _uplink(keys: BoxKeys, name: str, kind: str, counter: int, message: dict[str, Any]) -> dict[str, Any]:
    number = envelope.kind_number(kind)
    body = messages.encode(number, message)
    sealed = body if number in envelope.IN_THE_CLEAR else envelope.seal(keys, BOX, number, counter, body)
    parts = split(sealed, envelope.UPLINK_PART_MAX)
    payloads = [
        envelope.encode_uplink(keys, BOX, number, counter, index, len(parts), part) for index, part in enumerate(parts)
    ]
    return _message("uplink", name, kind, counter, message, body, payloads)


def _downlink(keys: BoxKeys, name: str, kind: str, counter: int, message: dict[str, Any]) -> dict[str, Any]:
    number = envelope.kind_number(kind)
    body = messages.encode(number, message)
    parts = split(envelope.seal(keys, BOX, number, counter, body), envelope.DOWNLINK_PART_MAX)
    payloads = [
        gateway_wire.encode_downlink(keys, BOX, number, counter, index, len(parts), part)
        for index, part in enumerate(parts)
    ]
    return _message("downlink", name, kind, counter, message, body, payloads)


def _broadcast(name: str, kind: str, counter: int, message: dict[str, Any]) -> dict[str, Any]:
    gateway = GatewayEndpoint(b"", DISTRICT_KEY.sign, 1, {"down_counter_reserved": counter})
    for action in gateway.poll(0):
        gateway.persisted(action.name, action.value)
    gateway.broadcast(kind, message, 0)
    payloads = [action.payload for action in gateway.poll(0) if hasattr(action, "payload")]
    return _message(
        "broadcast", name, kind, counter, message, messages.encode(envelope.kind_number(kind), message), payloads
    )


def _message(
    scheme: str, name: str, kind: str, counter: int, message: dict[str, Any], body: bytes, payloads: list[bytes]
) -> dict[str, Any]:
    return {
        "type": scheme,
        "name": name,
        "kind": kind,
        "counter": counter,
        "message": plain(message),
        "body": body.hex(),
        "payloads": [payload.hex() for payload in payloads],
    }


def _receipts(keys: BoxKeys) -> Iterator[dict[str, Any]]:
    other = BoxKeys(bytes(range(0x80, 0xA0)))
    cases = {
        "receipt_call": gateway_wire.stage_item(4, 2),
        "receipt_stages_fragments_readings": gateway_wire.stage_item(4, 3)
        + gateway_wire.fragments_item(6, 0b101)
        + gateway_wire.readings_item(1234, 0xFFFB, 2, True),
    }
    items = {
        "receipt_call": [["stage", 4, 2]],
        "receipt_stages_fragments_readings": [
            ["stage", 4, 3],
            ["fragments", 6, [0, 2]],
            ["readings", {"upto": 1234, "missing": [1231], "below_held": True}],
        ],
    }
    for name, coded in cases.items():
        entries = gateway_wire.encode_entry(other, BOX + 1, gateway_wire.stage_item(77, 2))
        entries += gateway_wire.encode_entry(keys, BOX, coded)
        yield {
            "type": "receipts",
            "name": name,
            "box": BOX,
            "root_key": ROOT_KEY.hex(),
            "items": items[name],
            "payloads": [gateway_wire.encode_payload(entries).hex()],
        }


MALFORMED = (
    ("a_group", "query", "0b"),
    ("field_number_0", "query", "0000"),
    ("a_number_cut", "button", "0880"),
    ("a_number_above_32_bits", "button", "088080808010"),
    ("zigzag_above_32_bits", "health", "388080808010"),
    ("another_wire_type", "query", "0801"),
    ("a_string_cut", "query", "0a0541"),
    ("a_string_that_is_no_utf8", "query", "0a01ff"),
    ("a_string_of_65_bytes", "query", "0a41" + "41" * 65),
    ("a_neighbour_cut", "health", "8201020900"),
    ("samples_none", "reading", "2a0100"),
    ("samples_with_bits_3", "reading", "2a041c000000"),
    ("samples_cut", "reading", "2a0114"),
    ("samples_and_bytes_left_over", "reading", "2a0510000000ff"),
    ("a_text_without_a_byte", "reply", "3200"),
    ("a_text_of_table_9", "reply", "32029000"),
    ("a_text_of_table_0_with_unused_bits", "reply", "32020100"),
    ("a_text_with_more_unused_bits_than_bits", "reply", "320113"),
    ("a_text_with_8_unused_bits", "reply", "32021800"),
)
"""Bodies that a decoder refuses whoever made them, in hexadecimal."""


def _escaped(what: int, more: int, width: int) -> bytes:
    """A coded text of table 1 that is one escape, or DIGIT where `what` is 8, and `width` bits."""
    table = text_coding._Table(1)
    writer = BitWriter()
    if what == DIGIT:
        table.write(writer, table.first_mark, table.shift + 1)
    else:
        table.write(writer, table.first_mark, table.shift + 2)
        writer.write(what, 3)
    if width > 16:
        writer.write(more >> 16, width - 16)
        width = 16
    writer.write(more, width)
    return bytes((0x10 | -writer.length() & 7,)) + writer.finish(0)


DIGIT = 8


def _malformed() -> Iterator[dict[str, Any]]:
    for name, kind, body in MALFORMED:
        yield {"type": "malformed", "name": name, "kind": kind, "body": body}
    for name, what, more, width in (
        ("a_text_with_escape_6", 6, 0, 0),
        ("a_text_with_escape_7", 7, 0, 0),
        ("a_text_that_changes_to_table_0", 4, 0, 4),
        ("a_text_that_changes_to_table_9", 4, 9, 4),
        ("a_text_with_half_a_surrogate", 2, 0xD800, 16),
        ("a_text_beyond_the_last_code_point", 3, 0x110000, 21),
        ("a_text_with_digit_10", DIGIT, 10, 4),
        ("a_text_cut_in_a_code_point", 2, 0x7F, 8),
    ):
        coded = _escaped(what, more, width)
        yield {"type": "malformed", "name": name, "kind": "reply", "body": (bytes((0x32, len(coded))) + coded).hex()}


def _signed_configuration(name: str, value: Any) -> bytes:
    """Our own gateway does not make one like that."""
    body = messages.encode(envelope.CONFIGURATION, {"hop_limit": 3, name: value})
    return gateway_wire.encode_broadcast(DISTRICT_KEY.sign, envelope.CONFIGURATION, 1, 951, 1, body)


def _beyond(s: bytes) -> bytes:
    """The same number modulo the order of the group of Ed25519."""
    order = (1 << 252) + 27742317777372353535851937790883648493
    return (int.from_bytes(s, "little") + order).to_bytes(32, "little")


def _frames(keys: BoxKeys) -> Iterator[dict[str, Any]]:
    call = bytes.fromhex(_uplink(keys, "", "emergency", 4, CALL)["payloads"][0])
    text = b"Hallo, Kleiststr. 12: Aufzug steckt fest, 3 Personen"
    for name, psk, portnum, payload, hops in (
        ("emergency", CHANNEL.key, envelope.PORTNUM, call, 5),
        ("emergency_relayed_twice", CHANNEL.key, envelope.PORTNUM, call, 3),
        ("emergency_under_a_key_of_16_bytes", bytes(range(16)), envelope.PORTNUM, call, 5),
        ("emergency_under_a_key_of_2_bytes", bytes((1, 2)), envelope.PORTNUM, call, 5),
        ("emergency_under_a_key_of_17_bytes", bytes(range(17)), envelope.PORTNUM, call, 5),
        ("text_of_a_stock_device_under_key_1", b"\x01", TEXT_MESSAGE_APP, text, 5),
        ("text_of_a_stock_device_under_key_7", b"\x07", TEXT_MESSAGE_APP, text, 5),
        ("text_of_a_stock_device_without_a_key", b"", TEXT_MESSAGE_APP, text, 5),
    ):
        channel = Channel(CHANNEL.name, psk)
        relay = BOX & 0xFF if hops == 5 else 0x31
        header = Header(BROADCAST, BOX, 0x1A2B3C4D, hops, 5, False, False, channel.hash, 0, relay)
        frame = encode_header(header) + channel.crypt(BOX, 0x1A2B3C4D, encode_data(Data(portnum, payload)))
        yield {
            "type": "frame",
            "name": name,
            "channel_name": channel.name,
            "psk": psk.hex(),
            "from_node": BOX,
            "packet_id": 0x1A2B3C4D,
            "hop_limit": hops,
            "hop_start": 5,
            "portnum": portnum,
            "payload": payload.hex(),
            "frame": frame.hex(),
        }


def _refused(keys: BoxKeys) -> Iterator[dict[str, Any]]:
    """What must be refused, each made of something true with one thing wrong."""
    call = bytes.fromhex(_uplink(keys, "", "emergency", 4, CALL)["payloads"][0])
    long = bytes.fromhex(_uplink(keys, "", "emergency", 4, dict(CALL, text=LONG_TEXT))["payloads"][0])
    reply = bytes.fromhex(_downlink(keys, "", "reply", 900, DOWN[0][2])["payloads"][0])
    mode = bytes.fromhex(_broadcast("", "mode", 950, CAST[0][2])["payloads"][0])
    bulletin = [
        bytes.fromhex(payload)
        for payload in _broadcast("", "bulletin", 953, next(one[2] for one in CAST if one[0] == "bulletin"))["payloads"]
    ]
    [receipts] = [bytes.fromhex(one["payloads"][0]) for one in _receipts(keys) if one["name"] == "receipt_call"]
    other_signer = Ed25519PrivateKey.from_private_bytes(bytes(32))
    for name, payload, reason in (
        ("one_bit_of_the_body", _with(call, 20, call[20] ^ 1), "false_tag"),
        ("one_bit_of_the_counter", _with(call, 2, call[2] ^ 1), "false_tag"),
        ("one_bit_of_the_tag", _with(call, -1, call[-1] ^ 1), "false_tag"),
        ("an_emergency_as_an_exercise", _with(call, 1, envelope.EXERCISE), "false_tag"),
        ("a_fragment_at_another_place", _with(long, 6, 0x11), "false_tag"),
        ("cut_in_the_body", call[:40], "false_tag"),
        ("cut_in_the_tag", call[:14], "envelope_truncated"),
        ("empty", b"", "envelope_truncated"),
        ("too_long", call + bytes(232 - len(call)), "envelope_too_long"),
        ("another_version", _with(call, 0, 0x22), "unknown_version"),
        ("a_scheme_that_is_none", _with(call, 0, 0x16), "unknown_scheme"),
        ("a_kind_that_is_none", _with(call, 1, 8), "unknown_kind"),
        ("a_kind_of_another_scheme", _with(call, 1, envelope.READING), "kind_not_for_scheme"),
        ("counter_zero", call[:2] + bytes(4) + call[6:], "counter_zero"),
        ("a_fragment_beyond_the_count", _with(call, 6, 0x10), "fragment_out_of_range"),
        ("a_downlink", reply, "not_an_uplink"),
    ):
        yield {**_wrong(name, "up", payload, reason), "from_node": BOX, "root_key": ROOT_KEY.hex()}
    yield {**_wrong("of_another_box", "up", call, "false_tag"), "from_node": BOX + 1, "root_key": ROOT_KEY.hex()}
    forged = gateway_wire.encode_broadcast(other_signer.sign, envelope.MODE, 1, 950, 1, mode[8:-64])
    for name, payload, reason in (
        ("a_reply_with_one_bit_changed", _with(reply, 30, reply[30] ^ 1), "false_tag"),
        ("a_reply_as_a_mode", _with(reply, 1, envelope.MODE), "false_tag"),
        ("a_receipt_with_one_bit_changed", _with(receipts, -9, receipts[-9] ^ 1), "false_tag"),
        ("a_receipt_cut", receipts[:-1], "envelope_truncated"),
        ("a_true_receipt_and_a_false_one", receipts + _with(receipts[-18:], -1, receipts[-1] ^ 1), "false_tag"),
        ("a_true_receipt_and_one_that_is_cut", receipts + receipts[-18:-1], "envelope_truncated"),
        ("a_signature_whose_s_is_not_below_the_group_order", mode[:-32] + _beyond(mode[-32:]), "false_signature"),
        ("a_signature_with_one_bit_changed", _with(mode, -1, mode[-1] ^ 1), "false_signature"),
        ("another_mode_under_the_signature", _with(mode, 9, 3), "false_signature"),
        ("signed_by_another", forged, "false_signature"),
        ("an_unknown_key_id", _with(mode, 2, 9), "unknown_key"),
        *(
            (f"a_configuration_to_everybody_with_{name}", _signed_configuration(name, value), "only_for_one_box")
            for name, value in (("channel_psk", bytes(32)), ("root_key", bytes(32)), ("revoked_key_id", 2))
        ),
        ("a_reply_to_everybody", _with(mode, 1, envelope.REPLY), "kind_not_for_scheme"),
        ("a_signature_cut", mode[:60], "envelope_truncated"),
    ):
        yield {**_wrong(name, "down", payload, reason), **_to_box()}
    changed = _with(bulletin[1], 40, bulletin[1][40] ^ 1)
    yield {
        **_wrong("a_later_fragment_with_one_bit_changed", "down", changed, "false_fragment"),
        **_to_box(),
        "after": [bulletin[0].hex()],
    }


def _wrong(name: str, direction: str, payload: bytes, reason: str) -> dict[str, Any]:
    return {"type": "refused", "name": name, "direction": direction, "reason": reason, "payload": payload.hex()}


def _to_box() -> dict[str, Any]:
    return {"box": BOX, "root_key": ROOT_KEY.hex(), "key_id": 1, "public_key": PUBLIC_KEY.hex()}


def _with(payload: bytes, position: int, value: int) -> bytes:
    changed = bytearray(payload)
    changed[position] = value
    return bytes(changed)


def _sizes() -> Iterator[str]:
    """The rows of the table in section 13 of the document."""
    for vector in vectors():
        if "payloads" not in vector:
            continue
        payloads = [len(payload) // 2 for payload in vector["payloads"]]
        frames = [HEADER_LENGTH + len(encode_data(Data(envelope.PORTNUM, bytes(length)))) for length in payloads]
        body = str(len(vector["body"]) // 2) if "body" in vector else "-"
        cells = [vector["name"], body, "+".join(map(str, payloads)), "+".join(map(str, frames))]
        for preset in PRESETS.values():
            airtime_us = sum(time_on_air_us(preset, length) for length in frames)
            cells.append(str((airtime_us + 500) // 1000))
        yield "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the file, or with the argument `sizes` the rows of the table of sizes."""
    assert BoxEndpoint(BOX, ROOT_KEY, {1: PUBLIC_KEY}, b"", {})
    if sys.argv[1:] == ["sizes"]:
        print("\n".join(_sizes()))
        return
    lines = [json.dumps(vector, ensure_ascii=False, separators=(",", ":")) for vector in vectors()]
    print("[\n" + ",\n".join(lines) + "\n]")


if __name__ == "__main__":
    main()
