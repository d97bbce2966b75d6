# SPDX-License-Identifier: Apache-2.0
"""Make wire.json, one vector a line, from fixed keys and messages: `python tests/vectors/make_wire.py >
tests/vectors/wire.json`.

The keys are for tests only. Each vector holds what a decoder written from docs/wire-format.md alone needs to check
itself: keys, the message as a dict, the body, and the payloads as they stand in Data.payload. Run again, it prints the
same bytes.
"""

import json
from collections.abc import Iterator
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiezbox.protocol import envelope, gateway_wire, messages, reading, text_coding
from kiezbox.protocol.box_endpoint import BoxEndpoint
from kiezbox.protocol.box_keys import BoxKeys
from kiezbox.protocol.channel import Channel
from kiezbox.protocol.fragment import split
from kiezbox.protocol.frame import BROADCAST, Header, encode_header
from kiezbox.protocol.gateway_endpoint import GatewayEndpoint
from kiezbox.protocol.packet import Data, encode_data

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
            "refused": 0,
            "restarts": 1,
            "calls_open": 0,
            "reading_interval_s": 300,
        },
    ),
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
    ("emergency_cancelled", "emergency", {"code": "K7M2QX4P", "action": 2, "refers_to": 4}),
    ("exercise", "exercise", CALL),
    ("button", "button", {"time_s": 1_767_445_300, "clock_quality": 1, "action": 0, "button": 1}),
    ("query", "query", {"code": "K7M2QX4P"}),
    ("command_result", "command_result", {"refers_to": 900, "kind": 18, "result": 1, "mode": 2, "mode_epoch": 8}),
)
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
    ("configuration_root_key", "configuration", {"root_key": bytes(range(0x60, 0x80))}),
)
CAST: tuple[tuple[str, str, dict[str, Any]], ...] = (
    (
        "mode",
        "mode",
        {"mode": 2, "epoch": 8, "scope": 1, "district": "tempelhof-schoeneberg", "issued_s": 1_767_445_000},
    ),
    ("mode_one_box", "mode", {"mode": 3, "epoch": 9, "scope": 2, "box": BOX, "expires_s": 1_767_531_400}),
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
    for kind in (1, 3, 4, 16, 17):
        yield {
            "type": "key",
            "root_key": ROOT_KEY.hex(),
            "kind": kind,
            "mac": _derived(b"mac", kind).hex(),
            "seal": keys.seal(kind).hex(),
        }
    for name, samples in (("three", SAMPLES), ("gaps", UP[1][2]["samples"]), ("extreme", _extreme())):
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
    yield _frame(keys)


def _derived(label: bytes, kind: int) -> bytes:
    from kiezbox.protocol.box_keys import SALT
    from kiezbox.protocol.hkdf import hkdf

    return hkdf(ROOT_KEY, SALT, label + bytes((kind,)))


def _extreme() -> list[dict[str, int]]:
    low, high = -0x3FFFFFFF, 0x3FFFFFFF
    return [{"gas_ohm": high, "battery_ma": low}, {"gas_ohm": low}, {"gas_ohm": high, "battery_ma": 0}]


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


def _frame(keys: BoxKeys) -> dict[str, Any]:
    payload = bytes.fromhex(_uplink(keys, "", "emergency", 4, CALL)["payloads"][0])
    header = Header(BROADCAST, BOX, 0x1A2B3C4D, 5, 5, False, False, CHANNEL.hash, 0, BOX & 0xFF)
    frame = encode_header(header) + CHANNEL.crypt(BOX, 0x1A2B3C4D, encode_data(Data(envelope.PORTNUM, payload)))
    return {
        "type": "frame",
        "name": "emergency",
        "channel_name": CHANNEL.name,
        "psk": CHANNEL.key.hex(),
        "from_node": BOX,
        "packet_id": 0x1A2B3C4D,
        "payload": payload.hex(),
        "frame": frame.hex(),
    }


def main() -> None:
    """Print the file."""
    assert BoxEndpoint(BOX, ROOT_KEY, {1: PUBLIC_KEY}, b"", {})
    lines = [json.dumps(vector, ensure_ascii=False, separators=(",", ":")) for vector in vectors()]
    print("[\n" + ",\n".join(lines) + "\n]")


if __name__ == "__main__":
    main()
